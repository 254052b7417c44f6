//! What came of a pass.

use std::{fmt, time::Duration};

use page_ecc::Evidence;

use crate::{Found, control::per_sec};

/// What came of a pass, or of as much of it as there was.
///
/// ```
/// use lsm_scrub::Report;
/// let report = Report::default();
/// assert!(report.is_ok());
/// assert_eq!(report.to_string(), "nothing lost: 0 files, 0 pages, 0 bytes at 0 bytes/s");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether it came to its end.
    pub end: End,
    /// Files examined to their end.
    pub files: u64,
    /// Files that were gone when their turn came, or were replaced after something was found in them.
    pub files_gone: u64,
    /// Files that are there and do not open.
    pub files_unopened: u64,
    /// Pages examined.
    pub pages: u64,
    /// Bytes read for it.
    pub bytes: u64,
    /// How many pages were not right at once, and what helped.
    pub evidence: Evidence,
    /// Of these, pages wrong on the medium that hold digests, parity or descriptors: redundancy, not data.
    pub redundancy_damaged: u64,
    /// Files that will be healed.
    pub files_scheduled: u64,
    /// Files in which something was healed.
    pub files_healed: u64,
    /// What was found, in the order it was found in, at most as many as the options say.
    pub found: Vec<Found>,
    /// Findings beyond those.
    pub found_unlisted: u64,
    /// Pages that were found lost before this pass was resumed; their findings were told then.
    pub pages_lost_before: u64,
    /// Bytes that were examined before this pass was resumed.
    pub bytes_before: u64,
    /// How often the memory could not be read or written, or was damaged.
    pub memory_faults: u64,
    /// Time spent on it, rests included.
    pub duration: Duration,
}

/// Whether a pass came to its end.
///
/// ```
/// assert_eq!(lsm_scrub::End::default(), lsm_scrub::End::UnderWay);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    #[default]
    UnderWay,
    /// It did.
    Complete,
    /// It was cancelled.
    Cancelled,
}

impl Report {
    /// Whether nothing was lost: everything examined is right, or can be put right.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.evidence.lost == 0 && self.files_unopened == 0 && self.pages_lost_before == 0
    }

    /// Whether every page was right at once, or on a second read.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.is_ok() && self.evidence.healable() == 0
    }

    /// Whether the pass came to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.end == End::Complete
    }

    /// Pages that nothing brought back.
    #[must_use]
    pub const fn uncorrectable(&self) -> u64 {
        self.evidence.lost
    }

    /// How fast it went, rests included.
    #[must_use]
    pub fn bytes_per_sec(&self) -> u64 {
        per_sec(self.bytes, self.duration)
    }

    /// How many findings there were, listed or not.
    #[must_use]
    pub const fn findings(&self) -> u64 {
        self.found.len() as u64 + self.found_unlisted
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.is_clean(), self.is_ok()) {
            (_, false) => "something is lost",
            (false, true) => "nothing lost, something to heal",
            (true, true) => "nothing lost",
        };
        let (files, pages, bytes, rate) = (self.files, self.pages, self.bytes, self.bytes_per_sec());
        write!(f, "{verdict}: {files} files, {pages} pages, {bytes} bytes at {rate} bytes/s")?;
        let counts = [
            (self.evidence.transient, "pages right on a second read"),
            (self.evidence.corrected, "corrected"),
            (self.evidence.copied, "copied"),
            (self.evidence.rebuilt, "rebuilt"),
            (self.evidence.supplied, "supplied"),
            (self.redundancy_damaged, "of redundancy"),
            (self.evidence.lost, "lost"),
            (self.pages_lost_before, "lost before it was resumed"),
            (self.files_unopened, "files that do not open"),
        ];
        counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, "; {count} {what}"))
    }
}
