//! The snapshots that somebody holds: what keeps old versions alive.
//!
//! Invariant: whoever collects garbage sees every snapshot older than what it collects. Three rules make it
//! so. A snapshot reads the published sequence number and enters the list under one lock. A job chooses its
//! inputs first, all of whose entries are published, and asks for the list afterwards: a snapshot that is
//! not in it was taken later, so it sees everything in the inputs and needs only the newest version of each
//! key. A read without a snapshot takes the tables and memtables first and the published number afterwards,
//! for the same reason.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use sst_format::SeqNo;

/// The snapshots that somebody holds.
///
/// ```
/// use lsm_core::Snapshots;
/// use sst_format::SeqNo;
/// let snapshots = Snapshots::default();
/// let held = snapshots.take(|| SeqNo::new(7));
/// let live = snapshots.live(SeqNo::new(9), || SeqNo::new(9));
/// assert_eq!(live.as_slice(), [SeqNo::new(7)]);
/// drop(held);
/// assert!(snapshots.live(SeqNo::new(9), || SeqNo::new(9)).as_slice().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// How many hold each number. A leaf lock, except that reading the published number happens under it.
    held: Arc<Mutex<BTreeMap<SeqNo, usize>>>,
}

/// A moment that can be read for as long as this is held; clones hold the same moment.
///
/// ```
/// # use lsm_core::Snapshots;
/// # use sst_format::SeqNo;
/// let snapshot = Snapshots::default().take(|| SeqNo::new(7));
/// assert_eq!(snapshot.clone().seq(), SeqNo::new(7));
/// ```
#[derive(Debug)]
pub struct Snapshot {
    seq: SeqNo,
    held: Arc<Mutex<BTreeMap<SeqNo, usize>>>,
}

/// The moments that a job must leave readable, ascending, beside the newest one.
///
/// They divide the sequence numbers into *stripes*: no snapshot tells two versions of a stripe apart, so of
/// each key the newest version of a stripe is all that can be seen.
///
/// ```
/// use lsm_core::LiveSnapshots;
/// use sst_format::SeqNo;
/// let live = LiveSnapshots::new([7, 3].map(SeqNo::new));
/// assert_eq!([3, 4, 7, 8].map(|seq| live.stripe(SeqNo::new(seq))), [0, 1, 1, 2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSnapshots {
    seqs: Vec<SeqNo>,
}

impl Snapshots {
    /// Takes a snapshot of what is published; `published` is asked under the list's lock and must not wait.
    pub fn take(&self, published: impl FnOnce() -> SeqNo) -> Snapshot {
        let mut held = self.held.lock();
        let seq = published();
        *held.entry(seq).or_default() += 1;
        Snapshot { seq, held: self.held.clone() }
    }

    /// The list for a job whose inputs are chosen, and hold nothing newer than `inputs_newest`.
    ///
    /// # Panics
    /// If something in the inputs is not published: a snapshot taken later might not see it.
    pub fn live(&self, inputs_newest: SeqNo, published: impl FnOnce() -> SeqNo) -> LiveSnapshots {
        let held = self.held.lock();
        assert!(inputs_newest <= published(), "a job takes only what is published");
        LiveSnapshots { seqs: held.keys().copied().collect() }
    }

    /// The oldest moment somebody holds.
    #[must_use]
    pub fn oldest(&self) -> Option<SeqNo> {
        self.held.lock().keys().next().copied()
    }
}

impl Snapshot {
    /// Everything up to and including this is seen.
    #[must_use]
    pub const fn seq(&self) -> SeqNo {
        self.seq
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        *self.held.lock().entry(self.seq).or_default() += 1;
        Self { seq: self.seq, held: self.held.clone() }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&self.seq) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.seq);
            }
        }
    }
}

impl LiveSnapshots {
    /// The snapshots at these numbers.
    #[must_use]
    pub fn new(seqs: impl IntoIterator<Item = SeqNo>) -> Self {
        let mut seqs: Vec<_> = seqs.into_iter().collect();
        seqs.sort_unstable();
        seqs.dedup();
        Self { seqs }
    }

    /// Their numbers, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[SeqNo] {
        &self.seqs
    }

    /// Which stripe a version belongs to; 0 is the oldest.
    #[must_use]
    pub fn stripe(&self, seq: SeqNo) -> usize {
        self.seqs.partition_point(|snapshot| *snapshot < seq)
    }

    /// The newest number that belongs to an older stripe than `stripe`, if there is one.
    pub(crate) fn end_below(&self, stripe: usize) -> Option<SeqNo> {
        stripe.checked_sub(1).and_then(|below| self.seqs.get(below)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lives_as_long_as_any_that_holds_it() {
        let snapshots = Snapshots::default();
        let first = snapshots.take(|| SeqNo::new(3));
        let twin = first.clone();
        let same = snapshots.take(|| SeqNo::new(3));
        drop(first);
        drop(same);
        assert_eq!(snapshots.oldest(), Some(SeqNo::new(3)));
        drop(twin);
        assert_eq!(snapshots.oldest(), None);
    }

    #[test]
    #[should_panic(expected = "published")]
    fn inputs_that_are_not_published_are_refused() {
        let _ = Snapshots::default().live(SeqNo::new(4), || SeqNo::new(3));
    }

    #[test]
    fn the_published_number_is_read_while_nobody_else_can_take_or_list() {
        let snapshots = Snapshots::default();
        let published = || {
            assert!(snapshots.held.try_lock().is_none());
            SeqNo::new(3)
        };
        let held = snapshots.take(published);
        assert_eq!(snapshots.live(SeqNo::new(3), published).as_slice(), [held.seq()]);
    }
}
