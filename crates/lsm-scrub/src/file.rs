//! The files of a store as a patrol sees them: whose, which, how long, and what is feared of them.
//!
//! Invariant: a [`FileRef`] names one file for ever; numbers of a kind only grow, so a file with a higher number
//! came later. What is inside a file is left to others.

use std::{fmt, ops::Range};

use lsm_core::{FileId, KeyBounds, Level, TreeId};
use page_ecc::{PAGE_LEN, PageNo};

/// What a file is for.
///
/// ```
/// use lsm_scrub::FileKind;
/// assert_eq!(FileKind::Log.to_string(), "log segment");
/// assert!(FileKind::ALL.into_iter().all(|kind| FileKind::parse(kind.tag()) == Some(kind)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Sorted entries.
    Table,
    /// Large values.
    Blob,
    /// A segment of the log.
    Log,
    /// A copy of the manifest's edits.
    Manifest,
    /// A snapshot of the manifest.
    Snapshot,
}

impl FileKind {
    /// Every kind, in the order of their tags.
    pub const ALL: [Self; 5] = [Self::Table, Self::Blob, Self::Log, Self::Manifest, Self::Snapshot];

    /// The byte that stands for it in what is remembered.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Table => 1,
            Self::Blob => 2,
            Self::Log => 3,
            Self::Manifest => 4,
            Self::Snapshot => 5,
        }
    }

    /// The kind that a byte stands for.
    #[must_use]
    pub fn parse(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.tag() == tag)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Blob => "blob file",
            Self::Log => "log segment",
            Self::Manifest => "manifest",
            Self::Snapshot => "manifest snapshot",
        })
    }
}

/// Which file of the store.
///
/// ```
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::{FileKind, FileRef};
/// let file = FileRef { tree: TreeId::new(2), kind: FileKind::Table, file: FileId::new(7) };
/// assert_eq!(file.to_string(), "table 7 of tree 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRef {
    /// Whose it is; [`TreeId::STORE`] for a file of the store itself.
    pub tree: TreeId,
    /// What it is for.
    pub kind: FileKind,
    /// Its number among those of its kind.
    pub file: FileId,
}

impl fmt::Display for FileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tree {
            TreeId::STORE => write!(f, "{} {}", self.kind, self.file),
            tree => write!(f, "{} {} of tree {tree}", self.kind, self.file),
        }
    }
}

/// Whether a file carries what brings lost pages back.
///
/// ```
/// assert_ne!(lsm_scrub::Protection::Parity, lsm_scrub::Protection::ChecksumOnly);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Parity or a second copy.
    Parity,
    /// Checksums alone: damage is noticed, and cannot be mended from the file itself.
    ChecksumOnly,
}

/// What is feared of a file already.
///
/// ```
/// use page_ecc::PageNo;
/// let suspicion = lsm_scrub::Suspicion::Pages(vec![PageNo::new(3)..PageNo::new(5)]);
/// assert_ne!(suspicion, lsm_scrub::Suspicion::None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing.
    #[default]
    None,
    /// These pages needed correction; in any order.
    Pages(Vec<Range<PageNo>>),
    /// Some page did, and nobody knows which.
    Whole,
}

/// A file to be patrolled, as it is when the files are listed.
///
/// ```
/// use lsm_core::{FileId, KeyBounds, Level, TreeId};
/// use lsm_scrub::{FileKind, FileRef, PatrolFile};
/// let of = FileRef { tree: TreeId::new(2), kind: FileKind::Table, file: FileId::new(7) };
/// let file = PatrolFile::new(of, 1000).at_level(Level::ZERO).with_keys(KeyBounds::closed("a", "k"));
/// assert_eq!(file.bytes(), 4_096_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatrolFile {
    /// Which.
    pub of: FileRef,
    /// The level it stands in, if it is a table.
    pub level: Option<Level>,
    /// How many pages it has, digests and parity included.
    pub pages: u64,
    /// The keys it concerns, if that is known.
    pub keys: Option<KeyBounds>,
    /// Whether lost pages can come back.
    pub protection: Protection,
    /// What is feared of it.
    pub suspicion: Suspicion,
}

impl PatrolFile {
    /// A file with parity, of no level, of which nothing is feared.
    #[must_use]
    pub const fn new(of: FileRef, pages: u64) -> Self {
        let protection = Protection::Parity;
        Self { of, level: None, pages, keys: None, protection, suspicion: Suspicion::None }
    }

    /// It stands in this level.
    #[must_use]
    pub fn at_level(self, level: Level) -> Self {
        Self { level: Some(level), ..self }
    }

    /// It concerns these keys.
    #[must_use]
    pub fn with_keys(self, keys: KeyBounds) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// It is protected so.
    #[must_use]
    pub fn protected_by(self, protection: Protection) -> Self {
        Self { protection, ..self }
    }

    /// This is feared of it.
    #[must_use]
    pub fn suspected_of(self, suspicion: Suspicion) -> Self {
        Self { suspicion, ..self }
    }

    /// Its length.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pages.saturating_mul(PAGE_LEN as u64)
    }

    /// All of its pages.
    #[must_use]
    pub const fn all_pages(&self) -> Range<PageNo> {
        PageNo::new(0)..PageNo::new(self.pages)
    }
}
