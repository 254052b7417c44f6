//! Losses that readers meet: keys of a table of which nothing tells any more what was written.
//!
//! Invariant: a cursor that passes over a loss has written it into its [`LossLog`] before it stands on the
//! entry behind it. So whoever looks at the log after each step believes no entry that a loss makes
//! doubtful, and misses no key without knowing it.

use std::{
    cmp::Ordering,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use sst_format::{BlockSpan, KeyOrder, LostRange, RangeEntry, RangeKind, SeqNo};

use crate::{Error, FileId, KeyBounds, KeyEnd, TableMeta, TreeId};

/// Keys of a table of which nothing tells what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableLoss {
    pub(crate) tree: TreeId,
    pub(crate) table: FileId,
    pub(crate) lost: LostRange,
}

/// A source's place among those of one read: the lower, the newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank(usize);

/// What the cursors of one read write passed-over losses into; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossLog {
    rank: Rank,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    len: AtomicUsize,
    /// A leaf: nothing else is locked under it.
    losses: Mutex<Vec<(Rank, TableLoss)>>,
}

impl Rank {
    /// Of the source behind this many newer ones.
    pub(crate) const fn new(newer: usize) -> Self {
        Self(newer)
    }
}

impl TableLoss {
    /// A part of a table, which holds no key outside the table's bounds.
    pub(crate) fn part(tree: TreeId, meta: &TableMeta, order: &KeyOrder, lost: LostRange) -> Self {
        let whole = Self::whole(tree, meta).lost;
        let starts_within = bound_key(&lost.lower)
            .is_some_and(|key| order.compare(key, &meta.bounds.smallest) != Ordering::Less);
        let ends_within = bound_key(&lost.upper).is_some_and(|key| !meta.bounds.is_before(order, key));
        let lost = LostRange {
            at: lost.at,
            lower: if starts_within { lost.lower } else { whole.lower },
            upper: if ends_within { lost.upper } else { whole.upper },
            seq_low: lost.seq_low.max(whole.seq_low),
            seq_high: lost.seq_high.min(whole.seq_high),
        };
        Self { tree, table: meta.id, lost }
    }

    /// A whole table.
    pub(crate) fn whole(tree: TreeId, meta: &TableMeta) -> Self {
        let mut whole = Self::of_table(tree, meta.id, &meta.bounds, meta.seq_high);
        whole.lost.seq_low = meta.seq_low;
        whole
    }

    /// A whole table of which no more is known than where its keys are, and up to which change it can be.
    pub(crate) fn of_table(tree: TreeId, table: FileId, bounds: &KeyBounds, upto: SeqNo) -> Self {
        let largest = bounds.largest.clone();
        let lost = LostRange {
            at: BlockSpan::default(),
            lower: Bound::Included(bounds.smallest.clone()),
            upper: match bounds.end {
                KeyEnd::Included => Bound::Included(largest),
                KeyEnd::Excluded => Bound::Excluded(largest),
            },
            seq_low: SeqNo::new(0),
            seq_high: upto,
        };
        Self { tree, table, lost }
    }

    /// What a loss marker in a table says.
    pub(crate) fn marked(tree: TreeId, meta: &TableMeta, marker: &RangeEntry) -> Self {
        debug_assert!(marker.kind == RangeKind::Loss);
        let lost = LostRange {
            at: BlockSpan::default(),
            lower: marker.lower.clone(),
            upper: marker.upper.clone(),
            seq_low: marker.seq_low,
            seq_high: marker.seq_high,
        };
        Self { tree, table: meta.id, lost }
    }

    /// Whether it keeps a read at `snapshot` from knowing what became of `key`, of which `decisive` is the
    /// newest put or delete that the read found.
    pub(crate) fn obscures(
        &self,
        order: &KeyOrder,
        key: &[u8],
        snapshot: SeqNo,
        decisive: Option<SeqNo>,
    ) -> bool {
        self.is_visible(snapshot, decisive) && !self.is_before(order, key) && !self.is_behind(order, key)
    }

    /// Whether something newer than `decisive` that a read at `snapshot` would see may be lost.
    pub(crate) fn is_visible(&self, snapshot: SeqNo, decisive: Option<SeqNo>) -> bool {
        self.lost.seq_low <= snapshot && decisive.is_none_or(|decisive| decisive < self.lost.seq_high)
    }

    /// Whether every lost key comes before `key`.
    pub(crate) fn is_before(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match &self.lost.upper {
            Bound::Unbounded => false,
            Bound::Included(upper) => order.compare(upper, key) == Ordering::Less,
            Bound::Excluded(upper) => order.compare(upper, key) != Ordering::Greater,
        }
    }

    /// Whether every lost key comes behind `key`.
    pub(crate) fn is_behind(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match &self.lost.lower {
            Bound::Unbounded => false,
            Bound::Included(lower) => order.compare(lower, key) == Ordering::Greater,
            Bound::Excluded(lower) => order.compare(lower, key) != Ordering::Less,
        }
    }
}

impl From<TableLoss> for Error {
    fn from(TableLoss { tree, table, lost }: TableLoss) -> Self {
        Self::Lost { tree, table, lost: Box::new(lost) }
    }
}

impl LossLog {
    /// The same log for the cursors of one source.
    pub(crate) fn of_source(&self, rank: Rank) -> Self {
        Self { rank, log: self.log.clone() }
    }

    /// Writes down a loss, unless it stands there already.
    #[cold]
    #[inline(never)]
    pub(crate) fn note(&self, loss: TableLoss) {
        let mut losses = self.log.losses.lock();
        if !losses.iter().any(|(_, known)| *known == loss) {
            losses.push((self.rank, loss));
            self.log.len.store(losses.len(), Relaxed);
        }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.log.len.load(Relaxed)
    }

    /// Those from the `from`th on, in the order they were met.
    pub(crate) fn since(&self, from: usize) -> Vec<(Rank, TableLoss)> {
        self.log.losses.lock().get(from..).unwrap_or_default().to_vec()
    }
}

pub(crate) fn bound_key(bound: &Bound<Bytes>) -> Option<&Bytes> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
    }
}
