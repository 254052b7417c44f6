//! What reading a log found that was not right: mended, harmless, or lost.

use std::{fmt, path::PathBuf};

use crate::{Extent, SegmentNo, Seqs};

/// Something that was not right, and of which nothing is lost.
///
/// ```
/// use lsm_wal::{Extent, Finding, SegmentNo};
/// let finding = Finding::Mended { segment: SegmentNo::new(3), extent: Extent::B, page: 7 };
/// assert_eq!(finding.to_string(), "segment 3: page 7 of extent B is wrong; the other extent has it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A page of one extent is wrong on the medium; the other extent has it.
    Mended {
        /// Of which segment.
        segment: SegmentNo,
        /// Which extent.
        extent: Extent,
        /// Which page of it.
        page: u64,
    },
    /// A page was wrong in memory and right on the medium.
    Transient {
        /// Of which segment.
        segment: SegmentNo,
        /// Which page of its extents.
        page: u64,
    },
    /// A segment file has the wrong length.
    WrongLength {
        /// Which.
        segment: SegmentNo,
        /// Its length.
        len: u64,
        /// What it was made with.
        expected: u64,
    },
    /// Both headers of a segment are lost; its frames tell where it belongs.
    HeaderLost {
        /// Which.
        segment: SegmentNo,
    },
    /// Behind the accepted end stands something: the torn end of what was never reported durable, or what a
    /// failed write left. It is not taken.
    Behind {
        /// In which segment.
        segment: SegmentNo,
        /// The first page of it.
        page: u64,
        /// The changes that could be told there.
        seqs: Seqs,
    },
    /// The file of a recorded segment that the history does not pass through is gone.
    Missing {
        /// Which.
        segment: SegmentNo,
    },
    /// A segment file that nobody recorded.
    Unrecorded {
        /// Where it lies.
        path: PathBuf,
    },
}

/// Changes that were durable and that nothing brings back.
///
/// ```
/// use lsm_wal::{Loss, SegmentNo, SeqNo, Seqs};
/// let loss = Loss { segment: SegmentNo::new(3), seqs: Seqs::new(SeqNo::new(5), SeqNo::new(8)) };
/// assert_eq!(loss.to_string(), "changes 5-7 of segment 3 are lost");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where they were.
    pub segment: SegmentNo,
    /// Which. If no end is known it is the highest number there is.
    pub seqs: Seqs,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, seqs } = self;
        match seqs.next.get() {
            u64::MAX => write!(
                f,
                "changes from {} on, if there were any, are lost with segment {segment}",
                seqs.first
            ),
            _ => write!(f, "changes {seqs} of segment {segment} are lost"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mended { segment, extent, page } => {
                write!(f, "segment {segment}: page {page} of {extent} is wrong; the other extent has it")
            }
            Self::Transient { segment, page } => {
                write!(f, "segment {segment}: page {page} was wrong in memory and is right on the medium")
            }
            Self::WrongLength { segment, len, expected } => {
                write!(f, "segment {segment} is {len} bytes long, it was made with {expected}")
            }
            Self::HeaderLost { segment } => {
                write!(f, "segment {segment}: both headers are lost; its frames tell where it belongs")
            }
            Self::Behind { segment, page, seqs } => {
                write!(
                    f,
                    "segment {segment}: from page {page} on stands what does not count (changes {seqs})"
                )
            }
            Self::Missing { segment } => {
                write!(f, "segment {segment} is missing; the history does not need it")
            }
            Self::Unrecorded { path } => {
                write!(f, "{} was never recorded; it may be deleted", path.display())
            }
        }
    }
}
