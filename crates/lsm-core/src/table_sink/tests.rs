//! The law: whatever the cuts, the tables together say what went in, and one alone speaks for each key.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use proptest::prelude::*;
use sst_format::{EntryKind, MemoryTable, RangeEntry, RangeKind, ReadOptions, SeqNo, SpareMemory};

use super::*;
use crate::{
    KeyBounds, KeyEnd, Level, RunNo, TableChange, Version,
    merge_model::{Answer, Layer},
    merge_ranges::MergeRanges,
    retention::Retention,
    vec_cursor::OwnedEntry,
};

const ORDER: &KeyOrder = &KeyOrder::Bytes;
const PLACES: [&str; 11] = ["", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// A table with its bytes read back.
struct Output {
    meta: TableMeta,
    table: MemoryTable,
}

fn shape(body_bytes: u64, overlap: OverlapLimit) -> OutputShape {
    OutputShape { options: TableOptions::new(), order: ORDER.clone(), body_bytes, overlap, birth: None }
}

fn sink(input: &Layer, shape: &OutputShape) -> Vec<Output> {
    let ranges = MergeRanges::new(ORDER, input.ranges.clone(), &Retention::Everything).unwrap();
    let (mut made, mut outputs) = (0, Vec::new());
    let new_file = || {
        made += 1;
        NewFile {
            id: FileId::new(made),
            uid: Uid::new([made as u8; 16]),
            key: None,
            memory: SpareMemory::default(),
        }
    };
    let emit = |output: OutputTable| {
        let table = MemoryTable::open(&output.image, ReadOptions::new()).unwrap();
        outputs.push(Output { meta: output.meta, table });
        Ok(())
    };
    let mut sink = TableSink::new(shape, ranges.survivors(), new_file, emit);
    for entry in &input.entries {
        sink.add(entry.entry()).unwrap();
    }
    sink.finish().unwrap();
    outputs
}

/// What holds over a key, by kind and numbers.
fn over(layer: &Layer, key: &str) -> BTreeSet<(RangeKind, SeqNo, SeqNo)> {
    let held = layer.ranges.iter().filter(|range| range.holds(ORDER, key.as_bytes()));
    held.map(|range| (range.kind, range.seq_low, range.seq_high)).collect()
}

/// The smallest bounds around what is in a table.
fn bounds_of(layer: &Layer) -> Option<KeyBounds> {
    let entries = layer.entries.iter().map(|entry| KeyBounds::closed(entry.key.clone(), entry.key.clone()));
    let ranges = layer.ranges.iter().map(|range| {
        let key = |bound: &Bound<Bytes>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => key.clone(),
            Bound::Unbounded => unreachable!("no range here lacks an end"),
        };
        let end = if matches!(range.upper, Bound::Included(_)) { KeyEnd::Included } else { KeyEnd::Excluded };
        KeyBounds { smallest: key(&range.lower), largest: key(&range.upper), end }
    });
    entries.chain(ranges).reduce(|a, b| a.union(ORDER, &b))
}

#[track_caller]
fn check(input: &Layer, shape: &OutputShape) {
    let outputs = sink(input, shape);
    let parts: Vec<_> = outputs.iter().map(|output| Layer::of_table(&output.table)).collect();
    assert_eq!(Layer::union(&parts).entries, input.entries);
    let mut version = Version::default();
    for (output, part) in outputs.iter().zip(&parts) {
        assert_eq!(Some(&output.meta.bounds), bounds_of(part).as_ref());
        assert_eq!(output.meta.entries, part.entries.len() as u64);
        let table = Arc::new(output.meta.clone());
        let add = TableChange::Add { level: Level::new(1), run: RunNo::new(0), table };
        version = version.with(ORDER, &[add]).expect("tables of a run do not overlap");
        check_overlap(&output.meta.bounds, &shape.overlap);
    }
    for key in PLACES {
        let at = outputs.iter().position(|output| output.meta.bounds.holds(ORDER, key.as_bytes()));
        let (empty, part) = (Layer::default(), at.map(|at| &parts[at]));
        let part = part.unwrap_or(&empty);
        assert_eq!(over(part, key), over(input, key), "{key}");
        for snapshot in (0..=12).map(SeqNo::new) {
            let expected = input.answer(key.as_bytes(), snapshot);
            assert_eq!(part.answer(key.as_bytes(), snapshot), expected);
            if let Some(at) = at {
                check_read(&outputs[at].table, key, snapshot, &expected);
            }
        }
    }
}

/// What a point read of the table's bytes finds.
#[track_caller]
fn check_read(table: &MemoryTable, key: &str, snapshot: SeqNo, expected: &Answer) {
    let Answer::Found { operands, base } = expected else { return };
    let found = table.get(key.as_bytes(), snapshot).unwrap();
    let deleted = table.view().ranges().and_then(|ranges| ranges.deleted_at(ORDER, key.as_bytes(), snapshot));
    let found = found.filter(|found| deleted.is_none_or(|at| found.seq >= at));
    let value = found.filter(|found| found.kind != EntryKind::Delete).map(|found| found.value);
    assert_eq!(value.as_ref(), operands.first().or(base.as_ref()));
}

#[track_caller]
fn check_overlap(bounds: &KeyBounds, limit: &OverlapLimit) {
    let met: Vec<_> = limit.tables.iter().filter(|(below, _)| bounds.overlap(ORDER, below)).collect();
    let bytes: u64 = met.iter().map(|(_, bytes)| bytes).sum();
    assert!(met.len() < 2 || bytes <= limit.bytes_max, "{bounds:?} overlaps {met:?}");
}

fn entries() -> impl Strategy<Value = Vec<OwnedEntry>> {
    let kind = prop::sample::select(&[EntryKind::Put, EntryKind::Delete, EntryKind::Merge][..]);
    let slots = prop::collection::btree_map((0..PLACES.len(), 1..12_u64), kind, 0..20);
    slots.prop_map(|slots: BTreeMap<_, _>| {
        let entry = |((at, seq), kind): ((usize, u64), EntryKind)| {
            let value = if kind == EntryKind::Delete { String::new() } else { format!("{seq}") };
            OwnedEntry::new(PLACES[at], seq, kind, &value)
        };
        slots.into_iter().map(entry).collect()
    })
}

fn range() -> impl Strategy<Value = RangeEntry> {
    let bound = || (0..PLACES.len(), any::<bool>());
    let kind = prop::sample::select(&[RangeKind::Delete, RangeKind::Delete, RangeKind::Loss][..]);
    (kind, bound(), bound(), 1..12_u64).prop_map(|(kind, (from, from_in), (to, to_in), seq)| {
        let side = |at: usize, included| {
            let key = Bytes::from(PLACES[at]);
            if included { Bound::Included(key) } else { Bound::Excluded(key) }
        };
        let seq_low = SeqNo::new(if kind == RangeKind::Loss { seq / 2 } else { 0 });
        let (lower, upper) = (side(from.min(to), from_in), side(from.max(to), to_in));
        RangeEntry { kind, lower, upper, seq_low, seq_high: SeqNo::new(seq) }
    })
}

/// Tables from some places to the next of them.
fn overlap() -> impl Strategy<Value = OverlapLimit> {
    let starts = prop::collection::btree_map(0..PLACES.len(), 1..4_u64, 0..8);
    (starts, 1..10_u64).prop_map(|(starts, bytes_max)| {
        let starts: Vec<_> = starts.into_iter().collect();
        let table = |(n, (at, bytes)): (usize, &(usize, u64))| {
            let (smallest, next) = (PLACES[*at], starts.get(n + 1).map_or("z", |(next, _)| PLACES[*next]));
            let bounds = KeyBounds { end: KeyEnd::Excluded, ..KeyBounds::closed(smallest, next) };
            (bounds, *bytes)
        };
        OverlapLimit { tables: starts.iter().enumerate().map(table).collect(), bytes_max }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_cut_anywhere_say_together_what_went_in(
        entries in entries(),
        ranges in prop::collection::vec(range(), 0..8),
        body_bytes in prop::sample::select(&[1_u64, 30, 60, u64::MAX][..]),
        overlap in overlap(),
    ) {
        let input = Layer::union([&Layer { entries, ranges }]);
        check(&input, &shape(body_bytes, overlap));
    }
}

#[test]
fn nothing_in_makes_no_table() {
    assert!(sink(&Layer::default(), &shape(1, OverlapLimit::NONE)).is_empty());
}

#[test]
fn a_range_over_keys_without_entries_stands_in_a_table_of_its_own() {
    let ranges = vec![RangeEntry::delete("b", "x", SeqNo::new(3))];
    let outputs = sink(&Layer { entries: Vec::new(), ranges }, &shape(1, OverlapLimit::NONE));
    let [only] = &outputs[..] else { panic!("one table") };
    assert_eq!(only.meta.bounds, KeyBounds { end: KeyEnd::Excluded, ..KeyBounds::closed("b", "x") });
    assert_eq!((only.meta.entries, only.meta.range_deletes), (0, 1));
}

#[test]
fn a_wide_range_is_cut_where_it_would_overlap_too_much() {
    let below = |from: &'static str, to: &'static str| (KeyBounds::closed(from, to), 10);
    let tables = vec![below("a", "b"), below("c", "d"), below("e", "f"), below("g", "h")];
    let ranges = vec![RangeEntry::delete("b", "x", SeqNo::new(3))];
    let outputs = sink(
        &Layer { entries: Vec::new(), ranges },
        &shape(u64::MAX, OverlapLimit { tables, bytes_max: 20 }),
    );
    let bounds: Vec<_> = outputs.iter().map(|output| output.meta.bounds.clone()).collect();
    let open = |from: &'static str, to: &'static str| KeyBounds {
        end: KeyEnd::Excluded,
        ..KeyBounds::closed(from, to)
    };
    assert_eq!(bounds, [open("b", "e"), open("e", "x")]);
}

#[test]
fn what_lies_before_the_first_key_is_not_overlapped() {
    let below = |from: &'static str, to: &'static str| (KeyBounds::closed(from, to), 10);
    let tables = vec![below("a", "b"), below("c", "d"), below("e", "f"), below("g", "h")];
    let entries = ["e", "g"].map(|key| OwnedEntry::new(key, 1, EntryKind::Put, "")).to_vec();
    let limit = OverlapLimit { tables, bytes_max: 30 };
    assert_eq!(sink(&Layer { entries, ranges: Vec::new() }, &shape(u64::MAX, limit)).len(), 1);
}

#[test]
fn versions_of_one_key_stay_together_however_long() {
    let value = "v".repeat(1000);
    let entries = (1..=20).rev().map(|seq| OwnedEntry::new("k", seq, EntryKind::Put, &value));
    let last = OwnedEntry::new("l", 1, EntryKind::Put, &value);
    let input = Layer { entries: entries.chain([last]).collect(), ranges: Vec::new() };
    let counts: Vec<_> =
        sink(&input, &shape(1, OverlapLimit::NONE)).iter().map(|table| table.meta.entries).collect();
    assert_eq!(counts, [20, 1]);
}
