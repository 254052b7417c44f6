//! Many sources as one: the sources' entries in one order.
//!
//! Invariant: going forward, the source on top of the heap is on the first entry, and every other is on its
//! first one behind that; going back, the other way round. Of equal places, which no two sources should
//! have, the earlier source's comes first.

use std::cmp::Ordering;

use bytes::Bytes;
use sst_format::{Entry, KeyOrder, SeqNo};

use crate::{Error, entry_cursor::EntryCursor, loss::Rank};

/// Which way a merge goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
}

/// A place among the entries of all its sources.
#[derive(Debug)]
pub(crate) struct MergeCursor<C> {
    order: KeyOrder,
    sources: Vec<C>,
    /// Sources that are on an entry, a binary heap: the next one in the way it goes stands first.
    heap: Vec<usize>,
    /// Which place of the heap, 1 or 2, is ahead of the other: known from one step to the next for as long as the same
    /// source is on top, so that such a step costs one comparison. 0 if that is not known.
    second: usize,
    way: Way,
    /// Where it was when it turned round.
    turned_at: Vec<u8>,
}

impl<C: EntryCursor> MergeCursor<C> {
    /// Of these sources, newest first; on no entry.
    pub(crate) fn new(order: KeyOrder, sources: Vec<C>) -> Self {
        let heap = Vec::with_capacity(sources.len());
        Self { order, sources, heap, second: 0, way: Way::Forward, turned_at: Vec::new() }
    }

    /// Which source the entry is from that it is on.
    #[inline]
    pub(crate) fn rank(&self) -> Rank {
        self.heap.first().map_or_else(Rank::default, |&top| Rank::new(top))
    }

    /// Lets every source with nothing newer than `seq` go on to `key`, if it is before.
    ///
    /// The merge goes forward and is on an entry; entries that are left out are older than `seq`.
    pub(crate) fn skip_to(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        debug_assert!(self.way == Way::Forward);
        for at in self.heap.clone() {
            let source = &mut self.sources[at];
            let is_before =
                source.entry().is_some_and(|entry| self.order.compare(entry.key, key) == Ordering::Less);
            if is_before && source.seq_high() < seq {
                self.attempt(|merge| merge.sources[at].seek(key, SeqNo::MAX))?;
            }
        }
        self.heapify();
        Ok(())
    }

    /// After an error it is on no entry.
    fn attempt(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let done = act(self);
        if done.is_err() {
            self.heap.clear();
        }
        done
    }

    fn seek_all(&mut self, way: Way, mut seek: impl FnMut(&mut C) -> Result<(), Error>) -> Result<(), Error> {
        self.way = way;
        self.attempt(|merge| merge.sources.iter_mut().try_for_each(&mut seek))?;
        self.heapify();
        Ok(())
    }

    /// Goes on with the top source by `step`, every other source being where it should.
    #[inline]
    fn advance(&mut self, step: impl FnOnce(&mut C) -> Result<(), Error>) -> Result<(), Error> {
        let Some(&top) = self.heap.first() else { return Ok(()) };
        self.attempt(|merge| step(&mut merge.sources[top]))?;
        if self.sources[top].entry().is_none() {
            self.heap.swap_remove(0);
            self.second = 0;
            self.sift_down(0);
        } else if self.heap.len() > 1 {
            self.settle_top();
        }
        Ok(())
    }

    /// Puts the heap in order after its top went on.
    #[inline]
    fn settle_top(&mut self) {
        if self.second == 0 {
            self.second = self.child_ahead(0);
        }
        let second = self.second;
        if self.is_ahead(self.heap[second], self.heap[0]) {
            self.heap.swap(second, 0);
            self.second = 0;
            self.sift_down(second);
        }
    }

    /// Of the children of a place that has any, the one that is ahead.
    #[inline]
    fn child_ahead(&self, at: usize) -> usize {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        if right < self.heap.len() && self.is_ahead(self.heap[right], self.heap[left]) { right } else { left }
    }

    /// Takes every source but the top one to the other side of the place it is on.
    #[cold]
    fn turn(&mut self, way: Way) -> Result<(), Error> {
        let Some(&top) = self.heap.first() else { return Ok(()) };
        let mut key = std::mem::take(&mut self.turned_at);
        key.clear();
        let Some(entry) = self.sources[top].entry() else { return Ok(()) };
        key.extend_from_slice(entry.key);
        let seq = entry.seq;
        self.way = way;
        self.attempt(|merge| {
            let others = merge.sources.iter_mut().enumerate().filter(|(at, _)| *at != top);
            for (_, source) in others {
                match way {
                    Way::Forward => source.seek(&key, seq)?,
                    Way::Back => source.seek_before(&key, seq)?,
                }
            }
            Ok(())
        })?;
        self.turned_at = key;
        // The top source goes on from where it is, and only then is the heap made.
        self.attempt(|merge| match way {
            Way::Forward => merge.sources[top].move_next(),
            Way::Back => merge.sources[top].move_prev(),
        })?;
        self.heapify();
        Ok(())
    }

    fn heapify(&mut self) {
        let sources = &self.sources;
        self.second = 0;
        self.heap.clear();
        self.heap.extend((0..sources.len()).filter(|&at| sources[at].entry().is_some()));
        (0..self.heap.len() / 2).rev().for_each(|at| self.sift_down(at));
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize) {
        loop {
            if 2 * at + 1 >= self.heap.len() {
                return;
            }
            let child = self.child_ahead(at);
            if !self.is_ahead(self.heap[child], self.heap[at]) {
                return;
            }
            self.heap.swap(child, at);
            at = child;
        }
    }

    /// Whether source `a` is on an entry that comes before that of `b`, in the way it goes.
    #[inline]
    fn is_ahead(&self, a: usize, b: usize) -> bool {
        let (Some(one), Some(other)) = (self.sources[a].entry(), self.sources[b].entry()) else {
            return self.sources[a].entry().is_some();
        };
        let order = self.order.compare(one.key, other.key);
        let order = order.then_with(|| other.seq.cmp(&one.seq)).then(a.cmp(&b));
        match self.way {
            Way::Forward => order == Ordering::Less,
            Way::Back => order == Ordering::Greater,
        }
    }
}

impl<C: EntryCursor> EntryCursor for MergeCursor<C> {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.seek_all(Way::Forward, C::seek_first)
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.seek_all(Way::Back, C::seek_last)
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.seek_all(Way::Forward, |source| source.seek(key, seq))
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.seek_all(Way::Back, |source| source.seek_before(key, seq))
    }

    #[inline]
    fn move_next(&mut self) -> Result<(), Error> {
        match self.way {
            Way::Forward => self.advance(C::move_next),
            Way::Back => self.turn(Way::Forward),
        }
    }

    #[inline]
    fn move_prev(&mut self) -> Result<(), Error> {
        match self.way {
            Way::Back => self.advance(C::move_prev),
            Way::Forward => self.turn(Way::Back),
        }
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        self.sources.get(*self.heap.first()?)?.entry()
    }

    fn share_value(&self) -> Bytes {
        self.heap.first().map(|&top| self.sources[top].share_value()).unwrap_or_default()
    }

    fn seq_high(&self) -> SeqNo {
        self.sources.iter().map(C::seq_high).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        mem_source::MemSource,
        read_tests::{ListMemtable, Op, Part, key, walk},
    };

    fn put_of(key: &[u8]) -> Op {
        Op::Entry(key.to_vec(), sst_format::EntryKind::Put, Vec::new())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        #[test]
        fn many_sources_read_as_one_sorted_list(
            places in prop::collection::btree_map((key(), 1..40u64), 0..5usize, 0..60),
            walks in walk::walks(),
        ) {
            let mut parts = vec![Part::default(); 5];
            for ((key, seq), source) in &places {
                parts[*source].add(*seq, &put_of(key));
            }
            let sources = parts.iter().map(|part| Arc::new(ListMemtable::new(part)).cursor()).collect();
            let merge = MergeCursor::new(KeyOrder::Bytes, sources);
            let sorted: Vec<_> = places.keys().cloned().collect();
            walk::check(merge, &sorted, &walks, |merge, at| {
                assert_eq!(at.map(|_| merge.rank()), at.map(|at| Rank::new(places[at])));
            });
        }
    }

    #[test]
    fn equal_places_neither_stop_it_nor_lose_a_key() {
        let mut part = Part::default();
        for key in 0..3 {
            part.add(7, &put_of(&[key]));
        }
        let sources = (0..3).map(|_| Arc::new(ListMemtable::new(&part)).cursor()).collect();
        let mut merge = MergeCursor::new(KeyOrder::Bytes, sources);
        let mut keys = Vec::new();
        merge.seek_first().unwrap();
        while let Some(entry) = merge.entry() {
            keys.push(entry.key[0]);
            merge.move_next().unwrap();
        }
        assert_eq!(keys, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
        merge.seek(&[1], SeqNo::MAX).unwrap();
        merge.move_prev().unwrap();
        assert_eq!(merge.entry().map(|entry| entry.key[0]), Some(0));
        merge.move_next().unwrap();
        assert!(merge.entry().is_some_and(|entry| entry.key[0] <= 1));
    }
}
