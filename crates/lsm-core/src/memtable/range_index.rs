//! Range deletes, found by key: how many there are, and how they lie, costs a read next to nothing.
//!
//! A [`Forest`] has a few [`Cover`]s, each more than twice as large as the next, so a new range rebuilds little
//! on average. A cover cuts the keys at the ends of its ranges into slots and is a tree over those: a range
//! stands at the fewest nodes that make up its slots, two on each level at most, and a key is covered by what
//! stands on the way from its slot to the root. So n ranges take O(n log n) memory however they overlap.
//!
//! Invariant: the sequence numbers at each node ascend.

use std::{cmp::Ordering, ops::Bound, sync::Arc};

use bytes::Bytes;
use sst_format::{KeyOrder, RangeEntry, SeqNo};

/// All range deletes of a memtable at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Forest {
    /// The largest first.
    covers: Vec<Arc<Cover>>,
}

impl Forest {
    /// These, and one more.
    pub(super) fn with(&self, order: &KeyOrder, range: RangeEntry) -> Self {
        let (mut covers, mut ranges) = (self.covers.clone(), vec![range]);
        while let Some(last) = covers.pop_if(|last| last.ranges.len() <= ranges.len() * 2) {
            ranges.extend_from_slice(&last.ranges);
        }
        covers.push(Arc::new(Cover::new(order, ranges)));
        Self { covers }
    }

    /// The newest delete over `key` that is not newer than `snapshot`.
    pub(super) fn newest_over(&self, order: &KeyOrder, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        self.covers.iter().filter_map(|cover| cover.newest_over(order, key, snapshot)).max()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RangeEntry> {
        self.covers.iter().flat_map(|cover| &cover.ranges)
    }
}

/// Between two keys that are next to each other.
#[derive(Clone, Debug)]
enum Cut {
    Before(Bytes),
    Behind(Bytes),
}

impl Cut {
    /// In front of the slots of a range; `None` if they are all from the first.
    fn lower(bound: &Bound<Bytes>) -> Option<Self> {
        match bound {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(Self::Before(key.clone())),
            Bound::Excluded(key) => Some(Self::Behind(key.clone())),
        }
    }

    /// Behind the slots of a range; `None` if they are all to the last.
    fn upper(bound: &Bound<Bytes>) -> Option<Self> {
        match bound {
            Bound::Unbounded => None,
            Bound::Included(key) => Some(Self::Behind(key.clone())),
            Bound::Excluded(key) => Some(Self::Before(key.clone())),
        }
    }

    fn compare(&self, order: &KeyOrder, other: &Self) -> Ordering {
        let ((a, a_side), (b, b_side)) = (self.parts(), other.parts());
        order.compare(a, b).then(a_side.cmp(&b_side))
    }

    fn parts(&self) -> (&Bytes, u8) {
        match self {
            Self::Before(key) => (key, 0),
            Self::Behind(key) => (key, 1),
        }
    }

    /// Whether `key` is behind it.
    fn is_passed(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match self {
            Self::Before(at) => order.compare(at, key).is_le(),
            Self::Behind(at) => order.compare(at, key).is_lt(),
        }
    }
}

#[derive(Debug)]
struct Cover {
    ranges: Vec<RangeEntry>,
    /// Sorted, each once; slot `n` is in front of cut `n`, and one slot is behind them all.
    cuts: Vec<Cut>,
    /// Of node `n`, its sequence numbers end where those of the next begin; children are `2n` and `2n + 1`, slots
    /// are the last half.
    starts: Vec<u32>,
    seqs: Vec<SeqNo>,
}

impl Cover {
    fn new(order: &KeyOrder, mut ranges: Vec<RangeEntry>) -> Self {
        ranges.sort_by_key(|range| range.seq_high);
        let mut cuts: Vec<_> = ranges
            .iter()
            .flat_map(|range| [Cut::lower(&range.lower), Cut::upper(&range.upper)])
            .flatten()
            .collect();
        cuts.sort_by(|a, b| a.compare(order, b));
        cuts.dedup_by(|a, b| a.compare(order, b).is_eq());
        let slots = cuts.len() + 1;
        let mut at_nodes = vec![Vec::new(); slots * 2];
        for range in &ranges {
            let place = |cut: Cut| cuts.partition_point(|at| at.compare(order, &cut).is_lt());
            let lower = Cut::lower(&range.lower).map_or(0, |cut| place(cut) + 1);
            let upper = Cut::upper(&range.upper).map_or(slots, |cut| place(cut) + 1);
            for_nodes(lower + slots, upper + slots, |node| at_nodes[node].push(range.seq_high));
        }
        let mut starts = Vec::with_capacity(at_nodes.len() + 1);
        let mut seqs = Vec::new();
        for node in &at_nodes {
            starts.push(seqs.len() as u32);
            seqs.extend_from_slice(node);
        }
        starts.push(seqs.len() as u32);
        Self { ranges, cuts, starts, seqs }
    }

    fn newest_over(&self, order: &KeyOrder, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        let slots = self.cuts.len() + 1;
        let mut node = slots + self.cuts.partition_point(|cut| cut.is_passed(order, key));
        let mut newest = None;
        while node > 0 {
            let seqs = &self.seqs[self.starts[node] as usize..self.starts[node + 1] as usize];
            let known = seqs.partition_point(|seq| *seq <= snapshot);
            newest = newest.max(seqs[..known].last().copied());
            node /= 2;
        }
        newest
    }
}

/// The fewest nodes over the leaves from `lower` up to `upper`.
fn for_nodes(mut lower: usize, mut upper: usize, mut visit: impl FnMut(usize)) {
    while lower < upper {
        if lower % 2 == 1 {
            visit(lower);
            lower += 1;
        }
        if upper % 2 == 1 {
            upper -= 1;
            visit(upper);
        }
        (lower, upper) = (lower / 2, upper / 2);
    }
}
