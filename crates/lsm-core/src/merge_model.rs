//! The naive twin of a merge: what a reader sees of a heap of entries and ranges, by looking at all of them.

use std::{collections::BTreeSet, ops::Bound};

use bytes::Bytes;
use proptest::prelude::*;
use sst_format::{EntryKind, KeyOrder, MemoryTable, RangeEntry, RangeKind, SeqNo};

use crate::{
    merge_ranges::MergeRanges,
    retention::Retention,
    survivors::{Survivors, Tally},
    vec_cursor::OwnedEntry,
};

/// Entries and ranges in no particular order: a memtable, a run, or all of a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layer {
    pub(crate) entries: Vec<OwnedEntry>,
    pub(crate) ranges: Vec<RangeEntry>,
}

/// What a read of a key finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The values of the merge operands, newest first, and of what they rest on, if that is not nothing.
    Found { operands: Vec<Bytes>, base: Option<Bytes> },
    /// A loss that nothing decisive hides.
    Lost,
}

/// Something that happens to one of the keys, or to all from a place to another.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Entry(usize, EntryKind),
    Range(RangeKind, Bound<usize>, Bound<usize>),
}

/// Every place where a range may end; every other one is a key.
pub(crate) const PLACES: [&str; 13] = ["", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Writes deeds down, one sequence number each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scribe {
    /// How many deeds there were.
    pub(crate) newest: u64,
    /// For each place, how much lies under it since the last delete; a merge counts as two puts.
    under: [u64; PLACES.len()],
}

/// Any deed.
pub(crate) fn deed() -> impl Strategy<Value = Deed> {
    let entry = (0..PLACES.len() / 2, prop::sample::select(&EntryKind::ALL[..]));
    let entry = entry.prop_map(|(at, kind)| Deed::Entry(2 * at + 1, kind));
    let bound = || (0..PLACES.len(), any::<bool>());
    let range = |kind| {
        (bound(), bound()).prop_map(move |((from, from_in), (to, to_in))| {
            let side = |at, included| if included { Bound::Included(at) } else { Bound::Excluded(at) };
            Deed::Range(kind, side(from.min(to), from_in), side(from.max(to), to_in))
        })
    };
    prop_oneof![8 => entry, 3 => range(RangeKind::Delete), 1 => range(RangeKind::Loss)]
}

impl Scribe {
    /// Adds a deed to a layer. A single delete of more than one put is not allowed and becomes a delete.
    pub(crate) fn note(&mut self, deed: &Deed, layer: &mut Layer) {
        self.newest += 1;
        let seq = self.newest;
        match deed {
            Deed::Entry(at, kind) => {
                let under = &mut self.under[*at];
                let kind =
                    if *kind == EntryKind::SingleDelete && *under > 1 { EntryKind::Delete } else { *kind };
                let value = match kind {
                    EntryKind::Delete | EntryKind::SingleDelete => {
                        *under = 0;
                        String::new()
                    }
                    EntryKind::Merge => {
                        *under += 2;
                        format!("{seq}")
                    }
                    EntryKind::Put | EntryKind::Blob => {
                        *under += 1;
                        // As long as a blob reference, so that both kinds fit.
                        format!("{seq:024}")
                    }
                };
                layer.entries.push(OwnedEntry::new(PLACES[*at], seq, kind, &value));
            }
            Deed::Range(kind, from, to) => {
                let place = |bound: &Bound<usize>| bound.map(|at| Bytes::from(PLACES[at]));
                let low = if *kind == RangeKind::Loss { seq.saturating_sub(3) } else { 0 };
                let (seq_low, seq_high) = (SeqNo::new(low), SeqNo::new(seq));
                let range =
                    RangeEntry { kind: *kind, lower: place(from), upper: place(to), seq_low, seq_high };
                for (at, under) in PLACES.iter().zip(&mut self.under) {
                    if *kind == RangeKind::Delete && range.holds(&KeyOrder::Bytes, at.as_bytes()) {
                        *under = 0;
                    }
                }
                layer.ranges.push(range);
            }
        }
    }
}

impl Layer {
    /// All of several.
    pub(crate) fn union<'a>(layers: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for layer in layers {
            all.entries.extend_from_slice(&layer.entries);
            all.ranges.extend_from_slice(&layer.ranges);
        }
        all.entries.sort_by(|a, b| a.key.cmp(&b.key).then(b.seq.cmp(&a.seq)));
        all
    }

    /// What a table says.
    pub(crate) fn of_table(table: &MemoryTable) -> Self {
        let mut cursor = table.view().cursor();
        let mut entries = Vec::new();
        cursor.seek_first().unwrap();
        table.drive(&mut cursor).unwrap();
        while let Some(entry) = cursor.entry().unwrap() {
            entries.push(OwnedEntry::of(entry));
            cursor.move_next().unwrap();
            table.drive(&mut cursor).unwrap();
        }
        let ranges = table.view().ranges().map(|ranges| ranges.iter().cloned().collect()).unwrap_or_default();
        Self { entries, ranges }
    }

    /// What a read of `key` at `snapshot` finds.
    pub(crate) fn answer(&self, key: &[u8], snapshot: SeqNo) -> Answer {
        let over = |kind| {
            let ranges = self.ranges.iter().filter(move |range| range.kind == kind);
            ranges.filter(move |range| range.holds(&KeyOrder::Bytes, key))
        };
        let deletes = over(RangeKind::Delete).map(|range| range.seq_high).filter(|seq| *seq <= snapshot);
        let deleted = deletes.max();
        let entries = self.entries.iter().filter(|entry| entry.key == key && entry.seq <= snapshot);
        let mut entries: Vec<_> = entries.filter(|entry| deleted.is_none_or(|at| entry.seq >= at)).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.seq));
        let is_operand = |entry: &&&OwnedEntry| entry.kind == EntryKind::Merge;
        let operands: Vec<_> =
            entries.iter().take_while(is_operand).map(|entry| entry.value.clone()).collect();
        let decisive = entries.get(operands.len());
        let decided = decisive.map(|entry| entry.seq).max(deleted);
        let lost = |range: &RangeEntry| {
            range.seq_low <= snapshot && decided.is_none_or(|at| at <= range.seq_high.min(snapshot))
        };
        if over(RangeKind::Loss).any(lost) {
            return Answer::Lost;
        }
        let is_value = |entry: &&&OwnedEntry| matches!(entry.kind, EntryKind::Put | EntryKind::Blob);
        Answer::Found { operands, base: decisive.filter(is_value).map(|entry| entry.value.clone()) }
    }

    /// The numbers that loss markers over `key` concern.
    pub(crate) fn losses(&self, key: &[u8]) -> BTreeSet<(SeqNo, SeqNo)> {
        let losses = self.ranges.iter().filter(|range| range.kind == RangeKind::Loss);
        let over = losses.filter(|range| range.holds(&KeyOrder::Bytes, key));
        over.map(|range| (range.seq_low, range.seq_high)).collect()
    }

    /// What is left of it.
    pub(crate) fn merged(&self, retention: &Retention) -> (Self, Tally) {
        let order = &KeyOrder::Bytes;
        let ranges = MergeRanges::new(order, self.ranges.clone(), retention).unwrap();
        let mut survivors = Survivors::new(order, retention, &ranges);
        let mut left = Vec::new();
        let mut keep = |entry: sst_format::Entry<'_>| {
            left.push(OwnedEntry::of(entry));
            Ok::<_, std::convert::Infallible>(())
        };
        for entry in &self.entries {
            survivors.take(entry.entry(), &mut keep).unwrap();
        }
        let tally = survivors.finish(&mut keep).unwrap();
        let ranges = ranges.survivors().iter().map(|piece| piece.span.range_like(&piece.range)).collect();
        (Self { entries: left, ranges }, tally)
    }
}
