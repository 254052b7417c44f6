//! Range deletes of a table or of a whole scan, found by key.
//!
//! A balanced tree that lies in a list sorted by starts: the root of a part of the list is its middle, and
//! each root knows how far the ranges of its part reach and how new they are. Invariant: memory is linear in
//! the ranges however they overlap; a search goes only where a range may hold the key and be newer than the
//! best one so far.

use std::{
    cmp::Ordering,
    ops::{Bound, Range},
};

use bytes::Bytes;
use sst_format::{KeyOrder, RangeEntry, SeqNo};

use crate::loss::Rank;

/// Range deletes by where they start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Covers {
    roots: Vec<Root>,
}

/// A range delete, and the source that it is from.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub(crate) rank: Rank,
    pub(crate) range: RangeEntry,
}

/// A range delete in the middle of its part of the list.
#[derive(Clone, Debug)]
struct Root {
    cover: Cover,
    /// Where the one stands that reaches furthest in this part.
    furthest: usize,
    /// The newest of this part.
    newest: SeqNo,
}

impl Covers {
    pub(crate) fn new(order: &KeyOrder, mut covers: Vec<Cover>) -> Self {
        covers.sort_by(|a, b| compare_starts(order, &a.range.lower, &b.range.lower));
        let root = |(at, cover): (usize, Cover)| Root { newest: cover.range.seq_high, furthest: at, cover };
        let mut tree = Self { roots: covers.into_iter().enumerate().map(root).collect() };
        tree.grow(order, 0..tree.roots.len());
        tree
    }

    /// All of them, by where they start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cover> {
        self.roots.iter().map(|root| &root.cover)
    }

    /// The newest one that holds `key`, is newer than `above` and not newer than `snapshot`.
    #[inline]
    pub(crate) fn newest_over(
        &self,
        order: &KeyOrder,
        key: &[u8],
        above: SeqNo,
        snapshot: SeqNo,
    ) -> Option<&Cover> {
        if self.roots.is_empty() {
            return None;
        }
        let mut search = Search { order, key, snapshot, above, best: None };
        self.search(0..self.roots.len(), &mut search);
        search.best.map(|at| &self.roots[at].cover)
    }

    /// Makes every root of a part know its part; says where the one stands that reaches furthest.
    fn grow(&mut self, order: &KeyOrder, part: Range<usize>) {
        if part.is_empty() {
            return;
        }
        let middle = part.start.midpoint(part.end);
        for side in [part.start..middle, middle + 1..part.end] {
            if side.is_empty() {
                continue;
            }
            let below = side.start.midpoint(side.end);
            self.grow(order, side);
            let Root { furthest, newest, .. } = self.roots[below];
            let reach = |at: usize| &self.roots[at].cover.range.upper;
            if compare_ends(order, reach(self.roots[middle].furthest), reach(furthest)) == Ordering::Less {
                self.roots[middle].furthest = furthest;
            }
            self.roots[middle].newest = self.roots[middle].newest.max(newest);
        }
    }

    fn search(&self, part: Range<usize>, search: &mut Search<'_>) {
        if part.is_empty() {
            return;
        }
        let middle = part.start.midpoint(part.end);
        let root = &self.roots[middle];
        let ends_before = !search.is_before_end(&self.roots[root.furthest].cover.range.upper);
        if root.newest <= search.above || ends_before {
            return;
        }
        self.search(part.start..middle, search);
        if search.is_behind_start(&root.cover.range.lower) {
            let (seq, upper) = (root.cover.range.seq_high, &root.cover.range.upper);
            if seq > search.above && seq <= search.snapshot && search.is_before_end(upper) {
                (search.above, search.best) = (seq, Some(middle));
            }
            self.search(middle + 1..part.end, search);
        }
    }
}

/// What is looked for, and the best so far.
struct Search<'a> {
    order: &'a KeyOrder,
    key: &'a [u8],
    snapshot: SeqNo,
    above: SeqNo,
    best: Option<usize>,
}

impl Search<'_> {
    fn is_behind_start(&self, lower: &Bound<Bytes>) -> bool {
        match lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => self.order.compare(lower, self.key) != Ordering::Greater,
            Bound::Excluded(lower) => self.order.compare(lower, self.key) == Ordering::Less,
        }
    }

    fn is_before_end(&self, upper: &Bound<Bytes>) -> bool {
        match upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => self.order.compare(self.key, upper) != Ordering::Greater,
            Bound::Excluded(upper) => self.order.compare(self.key, upper) == Ordering::Less,
        }
    }
}

pub(crate) fn compare_starts(order: &KeyOrder, a: &Bound<Bytes>, b: &Bound<Bytes>) -> Ordering {
    let (Some((a, a_later)), Some((b, b_later))) = (place(a), place(b)) else {
        return place(a).is_some().cmp(&place(b).is_some());
    };
    order.compare(a, b).then(a_later.cmp(&b_later))
}

pub(crate) fn compare_ends(order: &KeyOrder, a: &Bound<Bytes>, b: &Bound<Bytes>) -> Ordering {
    let (Some((a, a_earlier)), Some((b, b_earlier))) = (place(a), place(b)) else {
        return place(b).is_some().cmp(&place(a).is_some());
    };
    order.compare(a, b).then(b_earlier.cmp(&a_earlier))
}

/// A bound's key, and whether the bound leaves it out.
fn place(bound: &Bound<Bytes>) -> Option<(&Bytes, bool)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(key) => Some((key, false)),
        Bound::Excluded(key) => Some((key, true)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use sst_format::RangeKind;

    use super::*;

    pub(crate) fn bound() -> impl Strategy<Value = Bound<Bytes>> {
        let key = || (0..12u8).prop_map(|key| Bytes::copy_from_slice(&[key]));
        prop_oneof![
            1 => Just(Bound::Unbounded),
            6 => key().prop_map(Bound::Included),
            6 => key().prop_map(Bound::Excluded),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn a_search_finds_what_looking_at_each_would(
            ranges in prop::collection::vec((bound(), bound(), 1..30u64), 0..20),
            above in 0..30u64,
            snapshot in 0..32u64,
        ) {
            let (order, above, snapshot) = (&KeyOrder::Bytes, SeqNo::new(above), SeqNo::new(snapshot));
            let cover = |(lower, upper, seq)| {
                let (seq_low, seq_high) = (SeqNo::new(0), SeqNo::new(seq));
                let range = RangeEntry { kind: RangeKind::Delete, lower, upper, seq_low, seq_high };
                Cover { rank: Rank::default(), range }
            };
            let covers = Covers::new(order, ranges.into_iter().map(cover).collect());
            for key in 0..13 {
                let over = covers.iter().filter(|cover| cover.range.holds(order, &[key]));
                let seqs = over.map(|cover| cover.range.seq_high);
                let newest = seqs.filter(|seq| *seq > above && *seq <= snapshot).max();
                let found = covers.newest_over(order, &[key], above, snapshot);
                prop_assert_eq!(found.map(|cover| cover.range.seq_high), newest, "{}", key);
            }
        }
    }
}
