//! Fingers: where to begin a search, so that it is over after a few steps along the lowest level.
//!
//! A table has about as many slots as the list has nodes. A hint's slot is interpolated between quantiles of the
//! hints that were there when the table was made, so that nodes spread evenly over slots wherever keys cluster.
//! As the list grows, larger tables are made out of the last; they are lost to nothing but time.
//!
//! Invariants: slots ascend with hints, so a finger from a slot to the left is before any target. Fingers are
//! advice: one may be missing, and who finds none searches the list from its head.

use std::sync::{
    OnceLock,
    atomic::{
        AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::list::Link;

/// Entries that the first table is made for; each one after it is for four times as many.
pub(super) const FIRST: u64 = 256;
const TABLES: usize = 12;
/// Pieces of the hints between which slots are interpolated, as a power of two.
const PIECE_BITS: u32 = 8;
/// Slots looked at, from a target's own to the left.
const REACH: usize = 8;

/// Tables of nodes near hints, each larger than the one before.
#[derive(Debug)]
pub(super) struct Fingers {
    tables: [OnceLock<Table>; TABLES],
    /// How many are being made or are there, and how many are there.
    claimed: AtomicUsize,
    made: AtomicUsize,
}

#[derive(Debug)]
struct Table {
    /// Where pieces begin, from the second on.
    quantiles: Box<[u32]>,
    slots: Box<[AtomicU64]>,
}

impl Fingers {
    pub(super) const fn new() -> Self {
        Self {
            tables: [const { OnceLock::new() }; TABLES],
            claimed: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
        }
    }

    /// A link to a node whose hint is less than this one, and not much less.
    #[inline]
    pub(super) fn near(&self, hint: u32) -> Option<Link> {
        let table = self.newest()?;
        let slot = table.slot(hint);
        let near = table.slots[slot.saturating_sub(REACH - 1)..=slot].iter().rev();
        near.map(|slot| Link(slot.load(Acquire))).find(|link| *link != Link::NONE && link.hint() < hint)
    }

    /// Takes note of a node that is linked now.
    #[inline]
    pub(super) fn note(&self, link: Link) {
        if let Some(table) = self.newest() {
            table.note(link);
        }
    }

    /// Whether so many entries call for a larger table, which nobody else makes then.
    pub(super) fn claim(&self, entries: u64) -> bool {
        let count = self.claimed.load(Relaxed);
        count < TABLES
            && entries >= FIRST << (2 * count)
            && self.made.load(Relaxed) == count
            && self.claimed.compare_exchange(count, count + 1, Relaxed, Relaxed).is_ok()
    }

    /// Makes the table that was claimed, from the last one or, if it is the first, from all that is there.
    pub(super) fn grow(&self, all: impl FnOnce() -> Vec<Link>) {
        let at = self.made.load(Acquire);
        let links = self.newest().map_or_else(all, Table::links);
        let table = Table::new((2 * FIRST as usize) << (2 * at), &links);
        if self.tables[at].set(table).is_ok() {
            self.made.store(at + 1, Release);
        }
    }

    /// Bytes they take.
    pub(super) fn bytes(&self) -> u64 {
        let made = self.tables[..self.made.load(Relaxed)].iter().filter_map(OnceLock::get);
        made.map(|table| 8 * table.slots.len() as u64).sum()
    }

    #[inline]
    fn newest(&self) -> Option<&Table> {
        self.tables[self.made.load(Acquire).checked_sub(1)?].get()
    }
}

impl Table {
    fn new(len: usize, links: &[Link]) -> Self {
        let pieces = 1 << PIECE_BITS;
        let quantile =
            |piece| links.get(links.len() * piece / pieces).map_or(u32::MAX, |link: &Link| link.hint());
        let quantiles = (1..pieces).map(quantile).collect();
        let slots = vec![0; len].into_iter().map(AtomicU64::new).collect();
        let table = Self { quantiles, slots };
        links.iter().for_each(|link| table.note(*link));
        table
    }

    /// The slot of a hint: ascends with it.
    #[inline]
    fn slot(&self, hint: u32) -> usize {
        let piece = self.quantiles.partition_point(|first| *first <= hint);
        let first = piece.checked_sub(1).map_or(0, |before| self.quantiles[before]);
        let behind = self.quantiles.get(piece).map_or(1 << 32, |first| u64::from(*first));
        let fraction = (u64::from(hint - first) << (32 - PIECE_BITS)) / (behind - u64::from(first));
        let place = (piece as u64) << (32 - PIECE_BITS) | fraction;
        ((place * self.slots.len() as u64) >> 32) as usize
    }

    /// The least of a slot's hints serves most targets.
    #[inline]
    fn note(&self, link: Link) {
        let slot = &self.slots[self.slot(link.hint())];
        let there = Link(slot.load(Relaxed));
        if there == Link::NONE || link.hint() < there.hint() {
            slot.store(link.0, Release);
        }
    }

    fn links(&self) -> Vec<Link> {
        let links = self.slots.iter().map(|slot| Link(slot.load(Acquire)));
        links.filter(|link| *link != Link::NONE).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memtable::list::Place;

    proptest! {
        #[test]
        fn a_finger_points_before_its_target(
            mut hints in proptest::collection::vec(prop_oneof![1..u32::MAX, 1_u32..500, Just(u32::MAX)], 1..600),
            targets in proptest::collection::vec(prop_oneof![1..u32::MAX, 1_u32..500, Just(u32::MAX)], 1..100),
        ) {
            let fingers = Fingers::new();
            let (first, rest) = hints.split_at(hints.len() / 3);
            let mut first = first.to_vec();
            first.sort_unstable();
            let links: Vec<_> = first.iter().map(|&hint| Link::new(hint, Place(hint))).collect();
            prop_assert!(fingers.claim(FIRST));
            prop_assert!(!fingers.claim(FIRST));
            fingers.grow(|| links);
            rest.iter().for_each(|&hint| fingers.note(Link::new(hint, Place(hint))));
            prop_assert!(fingers.claim(FIRST * 4));
            fingers.grow(Vec::new);
            hints.sort_unstable();
            let table = fingers.newest().unwrap();
            prop_assert!(hints.is_sorted_by_key(|&hint| table.slot(hint)));
            for target in targets {
                if let Some(link) = fingers.near(target) {
                    prop_assert!(link.hint() < target && hints.contains(&link.hint()));
                }
            }
        }
    }
}
