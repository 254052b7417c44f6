//! What a manifest was found to suffer from, and still said all it should.

use std::{fmt, path::PathBuf};

use page_ecc::{Evidence, PageRanges};

/// Something wrong with a file of a manifest that cost nothing: what was needed stood elsewhere too.
///
/// A new [generation](crate::Manifest::roll) heals all of them.
///
/// ```
/// use lsm_core::{ManifestFault, ManifestFinding};
/// let finding = ManifestFinding { file: "/store/MANIFEST-000001-a".into(), fault: ManifestFault::Missing };
/// assert!(finding.fault.is_damage());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFinding {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: ManifestFault,
}

/// What is wrong with a file of a manifest.
///
/// ```
/// assert!(!lsm_core::ManifestFault::Unfinished.is_damage());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestFault {
    /// It is not there, or cannot be opened.
    Missing,
    /// It is shorter than it was.
    Short,
    /// These pages were taken from the other copy.
    Copied {
        /// Which.
        pages: PageRanges,
    },
    /// These pages were right when read again from the medium.
    Transient {
        /// Which.
        pages: PageRanges,
    },
    /// A snapshot was read with the help of its parity.
    Mended {
        /// What it took.
        evidence: Evidence,
    },
    /// A snapshot is lost; the generation before and its edits lead to the same.
    Replayed,
    /// It has remains of a write that was never acknowledged.
    Unfinished,
}

impl ManifestFault {
    /// Whether something was there and is not any more.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        !matches!(self, Self::Unfinished | Self::Transient { .. })
    }
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is missing or does not open; the other copies say all it said"),
            Self::Short => f.write_str("it is shorter than it was; the other copy says all it said"),
            Self::Copied { pages } => write!(f, "pages {pages} are wrong and were read from the other copy"),
            Self::Transient { pages } => write!(f, "pages {pages} were right only when read again"),
            Self::Mended { evidence } => {
                write!(f, "{} pages are wrong and came back by parity", evidence.healable())
            }
            Self::Replayed => f.write_str("it is lost; the generation before and its edits say the same"),
            Self::Unfinished => f.write_str("remains of a write that was never acknowledged"),
        }
    }
}
