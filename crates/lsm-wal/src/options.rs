//! How large segments are, and what an append waits for.

use page_ecc::PAGE_LEN;

use crate::{SeqNo, segment::EXTENT_PAGES_MIN};

/// Pages of an extent of the first segment that is zeroed ahead.
const ZEROED_PAGES_FIRST: u64 = 256;

/// The options of a log.
///
/// ```
/// use lsm_wal::LogOptions;
/// let small = LogOptions::default().segment_bytes(1 << 20);
/// assert_eq!(small.extent_pages(), 128);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    extent_pages: u64,
    extent_pages_max: u64,
    first: SeqNo,
    durability: Durability,
}

/// What an append waits for.
///
/// ```
/// assert_eq!(lsm_wal::Durability::default(), lsm_wal::Durability::Buffered);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The bytes have left the process: they survive its end, not a power cut.
    #[default]
    Buffered,
    /// The bytes would survive a power cut.
    Synced,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            extent_pages: (64 << 20) / (2 * PAGE_LEN as u64),
            extent_pages_max: 0,
            first: SeqNo::FIRST,
            durability: Durability::Synced,
        }
    }
}

impl LogOptions {
    /// How long segment files are (64 MiB; 256 KiB at least): both extents together. A group that is too long
    /// for one gets a longer one. Those that are zeroed ahead, because groups wait for syncs, begin with 2 MiB and grow
    /// as more was made of them.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.extent_pages = extent_pages(bytes);
        self
    }

    /// Lets segment files grow up to so many bytes (none: they do not): each may be as long as all that this log made
    /// before it together. A segment's end is what writers wait for, so a log that is written much has few. Those
    /// that are zeroed ahead stay within [`segment_bytes`](Self::segment_bytes).
    #[must_use]
    pub fn segment_bytes_max(mut self, bytes: u64) -> Self {
        self.extent_pages_max = extent_pages(bytes);
        self
    }

    /// The pages of one extent behind segments with so many in one extent each, together.
    pub(crate) fn next_extent_pages(&self, made: u64) -> u64 {
        made.min(self.extent_pages_max).max(self.extent_pages)
    }

    /// The same of segments that are zeroed ahead: the first stands ready within milliseconds, for groups that wait.
    pub(crate) fn next_zeroed_pages(&self, made: u64) -> u64 {
        made.max(ZEROED_PAGES_FIRST).min(self.extent_pages)
    }

    /// The least number the next change may get (1): higher than any number known elsewhere. Numbers that are
    /// passed over are void.
    #[must_use]
    pub const fn first_seq(mut self, seq: SeqNo) -> Self {
        self.first = seq;
        self
    }

    /// What most appends will wait for ([`Synced`](Durability::Synced)): the first segments are made for that, later
    /// ones for what was asked for meanwhile.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    pub(crate) const fn expected(&self) -> Durability {
        self.durability
    }

    pub(crate) const fn first(&self) -> SeqNo {
        self.first
    }

    /// The pages of one extent, half a segment, of the first.
    #[must_use]
    pub const fn extent_pages(&self) -> u64 {
        self.extent_pages
    }
}

fn extent_pages(segment_bytes: u64) -> u64 {
    segment_bytes.div_ceil(2 * PAGE_LEN as u64).clamp(EXTENT_PAGES_MIN, 1 << 18)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_grow_with_what_was_made_up_to_the_limit() {
        let growing = LogOptions::default().segment_bytes(1 << 20).segment_bytes_max(4 << 20);
        let made = [0, 128, 256, 512, 1024, 5000];
        assert_eq!(made.map(|pages| growing.next_extent_pages(pages)), [128, 128, 256, 512, 512, 512]);
        let fixed = LogOptions::default().segment_bytes(1 << 20);
        assert_eq!(made.map(|pages| fixed.next_extent_pages(pages)), [128; 6]);
    }

    #[test]
    fn segments_that_are_zeroed_ahead_begin_small() {
        let zeroed = LogOptions::default().segment_bytes(8 << 20).segment_bytes_max(64 << 20);
        let made = [0, 256, 512, 1024, 2048, 5000];
        assert_eq!(made.map(|pages| zeroed.next_zeroed_pages(pages)), [256, 256, 512, 1024, 1024, 1024]);
        let small = LogOptions::default().segment_bytes(1 << 20);
        assert_eq!(made.map(|pages| small.next_zeroed_pages(pages)), [128; 6]);
    }
}
