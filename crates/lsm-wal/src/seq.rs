//! Sequence numbers: the place of each change in the one history of a store.
//!
//! **Invariant**: the numbers of a log run on without a gap, so a missing one is a loss and never an opinion.

use std::fmt;

/// The number of one change.
///
/// ```
/// use lsm_wal::SeqNo;
/// assert_eq!(SeqNo::new(7).plus(3), SeqNo::new(10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNo(u64);

/// Neighbouring numbers, from `first` up to but not including `next`.
///
/// ```
/// use lsm_wal::{SeqNo, Seqs};
/// let seqs = Seqs::new(SeqNo::new(5), SeqNo::new(8));
/// assert_eq!((seqs.count(), seqs.to_string()), (3, "5-7".to_string()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seqs {
    /// The first of them.
    pub first: SeqNo,
    /// The first that is not among them.
    pub next: SeqNo,
}

impl SeqNo {
    /// The first number of a new store.
    pub const FIRST: Self = Self(1);

    /// The number `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number `count` further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl Seqs {
    /// From `first` up to but not including `next`; none if that lies before.
    #[must_use]
    pub fn new(first: SeqNo, next: SeqNo) -> Self {
        Self { first, next: next.max(first) }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.next.0 - self.first.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.next.0 == self.first.0
    }

    /// Whether `seq` is among them.
    #[must_use]
    pub fn contains(self, seq: SeqNo) -> bool {
        self.first <= seq && seq < self.next
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            0 => f.write_str("none"),
            1 => self.first.fmt(f),
            _ => write!(f, "{}-{}", self.first, self.next.0 - 1),
        }
    }
}
