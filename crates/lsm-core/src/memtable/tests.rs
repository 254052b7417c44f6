//! The memtable judged by a sorted map.

mod many;
mod ranges;

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
    sync::Arc,
};

use proptest::prelude::*;
use sst_format::{Comparator, Entry, EntryKind, KeyOrder, SeqNo};

use super::{MemCursor, Memtable, node::INLINE_MAX};
use crate::{entry_cursor::EntryCursor, mem_source::MemSource};

/// An order in which nothing stands where bytes would put it.
struct LongFirst;

impl Comparator for LongFirst {
    fn name(&self) -> &str {
        "long-first"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.len().cmp(&a.len()).then_with(|| b.cmp(a))
    }
}

/// What the memtable should hold, sorted: by key in an order, then newest first.
struct Model {
    order: KeyOrder,
    rows: Vec<Row>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    key: Vec<u8>,
    seq: u64,
    kind: EntryKind,
    flags: u8,
    value: Vec<u8>,
}

impl Row {
    fn entry(&self) -> Entry<'_> {
        let (seq, kind, flags) = (SeqNo::new(self.seq), self.kind, self.flags);
        Entry { key: &self.key, seq, kind, flags, value: &self.value }
    }
}

impl Model {
    fn new(order: KeyOrder, rows: &[Row]) -> Self {
        let unique: BTreeMap<_, _> =
            rows.iter().map(|row| ((row.key.clone(), Reverse(row.seq)), row.clone())).collect();
        let mut rows: Vec<_> = unique.into_values().collect();
        rows.sort_by(|a, b| order.compare(&a.key, &b.key).then(b.seq.cmp(&a.seq)));
        Self { order, rows }
    }

    fn lower_bound(&self, key: &[u8], seq: u64) -> usize {
        let before = |row: &Row| self.order.compare(&row.key, key).then(seq.cmp(&row.seq)).is_lt();
        self.rows.partition_point(before)
    }

    fn get(&self, key: &[u8], seq: u64) -> Option<&Row> {
        self.rows.get(self.lower_bound(key, seq)).filter(|row| row.key == key)
    }
}

#[derive(Clone, Debug)]
enum Step {
    First,
    Last,
    Seek(Vec<u8>, u64),
    SeekBefore(Vec<u8>, u64),
    Next,
    Prev,
}

impl Step {
    fn apply(&self, cursor: &mut MemCursor) {
        let done = match self {
            Self::First => cursor.seek_first(),
            Self::Last => cursor.seek_last(),
            Self::Seek(key, seq) => cursor.seek(key, SeqNo::new(*seq)),
            Self::SeekBefore(key, seq) => cursor.seek_before(key, SeqNo::new(*seq)),
            Self::Next => cursor.move_next(),
            Self::Prev => cursor.move_prev(),
        };
        done.unwrap();
    }

    fn place(&self, model: &Model, at: Option<usize>) -> Option<usize> {
        let to = match self {
            Self::First => Some(0),
            Self::Last => model.rows.len().checked_sub(1),
            Self::Seek(key, seq) => Some(model.lower_bound(key, *seq)),
            Self::SeekBefore(key, seq) => model.lower_bound(key, *seq).checked_sub(1),
            Self::Next => at.map(|at| at + 1),
            Self::Prev => at.and_then(|at| at.checked_sub(1)),
        };
        to.filter(|to| *to < model.rows.len())
    }
}

/// Few bytes, zeros among them, around the length of a word: prefixes and equal words are common.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 255]), 0..4),
        prop::collection::vec(prop::sample::select(vec![0, 255]), 3..20),
        (0..9usize, 0..4u8).prop_map(|(zeros, last)| [vec![0; zeros], vec![last]].concat()),
        (0..50u8).prop_map(|number| format!("a long common prefix {number}").into_bytes()),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let len = prop_oneof![
        8 => 0..40usize,
        1 => INLINE_MAX - 9..INLINE_MAX + 9,
        1 => Just(40_000),
    ];
    let kind = prop::sample::select(EntryKind::ALL.to_vec());
    (key(), 1..30u64, kind, any::<u8>(), len).prop_map(|(key, seq, kind, flags, len)| {
        let value = (0..len).map(|at| (at as u8).wrapping_mul(7) ^ seq as u8 ^ flags).collect();
        Row { key, seq, kind, flags, value }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let seq = || prop_oneof![0..32u64, Just(u64::MAX)];
    prop_oneof![
        1 => Just(Step::First),
        1 => Just(Step::Last),
        3 => (key(), seq()).prop_map(|(key, seq)| Step::Seek(key, seq)),
        3 => (key(), seq()).prop_map(|(key, seq)| Step::SeekBefore(key, seq)),
        8 => Just(Step::Next),
        8 => Just(Step::Prev),
    ]
}

fn filled(order: &KeyOrder, rows: &[Row]) -> (Arc<Memtable>, Model) {
    let model = Model::new(order.clone(), rows);
    let memtable = Arc::new(Memtable::new(order.clone()));
    let mut seen = std::collections::BTreeSet::new();
    // In the order given; of two that are the same place the model keeps the last.
    for row in rows.iter().rev().filter(|row| seen.insert((row.key.clone(), row.seq))) {
        memtable.insert(row.entry());
    }
    (memtable, model)
}

fn check(order: &KeyOrder, rows: &[Row], steps: &[Step], gets: &[(Vec<u8>, u64)]) {
    let (memtable, model) = filled(order, rows);
    assert_eq!(memtable.is_empty(), rows.is_empty());
    assert_eq!(memtable.seq_low().map(SeqNo::get), rows.iter().map(|row| row.seq).min());
    let own = rows.iter().map(|row| (row.key.clone(), row.seq));
    for (key, seq) in own.chain(gets.iter().cloned()) {
        let found = memtable.get(&key, SeqNo::new(seq)).map(|found| Row {
            key: key.clone(),
            seq: found.seq.get(),
            kind: found.kind,
            flags: found.flags,
            value: found.value.to_vec(),
        });
        assert_eq!(found.as_ref(), model.get(&key, seq), "{} at {seq}", key.escape_ascii());
    }
    let mut cursor = memtable.cursor();
    assert_eq!(cursor.entry(), None);
    walk(&mut cursor, &model, steps);
    let way = |first, step| std::iter::once(first).chain(std::iter::repeat_n(step, model.rows.len() + 1));
    walk(&mut cursor, &model, &way(Step::First, Step::Next).collect::<Vec<_>>());
    walk(&mut cursor, &model, &way(Step::Last, Step::Prev).collect::<Vec<_>>());
}

fn walk(cursor: &mut MemCursor, model: &Model, steps: &[Step]) {
    let mut at = None;
    for (nth, step) in steps.iter().enumerate() {
        if nth == 0 && matches!(step, Step::Next | Step::Prev) {
            continue;
        }
        step.apply(cursor);
        if !(at.is_none() && matches!(step, Step::Next | Step::Prev)) {
            at = step.place(model, at);
        }
        let expected = at.map(|at| model.rows[at].entry());
        assert_eq!(cursor.entry(), expected, "step {nth}: {step:?}");
        assert_eq!(&cursor.share_value()[..], expected.map_or(&b""[..], |entry| entry.value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn it_reads_as_a_sorted_map(
        rows in prop::collection::vec(row(), 0..120),
        steps in prop::collection::vec(step(), 0..80),
        gets in prop::collection::vec((key(), 0..32u64), 0..40),
    ) {
        check(&KeyOrder::Bytes, &rows, &steps, &gets);
    }

    #[test]
    fn it_reads_as_a_sorted_map_in_any_order(
        rows in prop::collection::vec(row(), 0..120),
        steps in prop::collection::vec(step(), 0..80),
        gets in prop::collection::vec((key(), 0..32u64), 0..40),
    ) {
        check(&KeyOrder::Custom(Arc::new(LongFirst)), &rows, &steps, &gets);
    }
}

#[test]
fn keys_and_values_of_any_length_come_back() {
    let lens = [0, 1, 7, 8, 9, 2047, 2048, 2049, 65_535, 65_536, 3 << 20];
    let bytes = |len: usize, salt: usize| (0..len).map(|at| (at * 31 + salt) as u8).collect::<Vec<_>>();
    let mut rows = Vec::new();
    for key_len in lens.into_iter().filter(|len| *len <= 65_536) {
        for value_len in lens {
            let seq = rows.len() as u64 + 1;
            let (key, value) = (bytes(key_len, 1), bytes(value_len, rows.len()));
            rows.push(Row { key, seq, kind: EntryKind::Put, flags: 3, value });
        }
    }
    check(&KeyOrder::Bytes, &rows, &[], &[(bytes(6, 1), 9), (bytes(65_534, 1), 9)]);
}

#[test]
fn all_short_keys_stand_in_their_order() {
    let alphabet = [0, 1, 255];
    let mut keys = vec![Vec::new()];
    for len in 1..5usize {
        let from = keys.len() - 3usize.pow(len as u32 - 1);
        for at in from..keys.len() {
            for byte in alphabet {
                let mut key = keys[at].clone();
                key.push(byte);
                keys.push(key);
            }
        }
    }
    // Behind nothing, half a word, a word but one byte, and a word.
    for prefix in [0, 4, 7, 8] {
        let rows = (1..).zip(&keys).map(|(seq, key)| Row {
            key: [vec![9; prefix], key.clone()].concat(),
            seq,
            kind: EntryKind::Put,
            flags: 0,
            value: Vec::new(),
        });
        check(&KeyOrder::Bytes, &rows.collect::<Vec<_>>(), &[], &[]);
    }
}

#[test]
fn its_bytes_are_those_of_its_entries_and_a_few_words() {
    for (key_len, value_len) in [(16, 100), (0, 0), (100, 1000), (8, 4096), (40_000, 10)] {
        let (memtable, count) = (Memtable::new(KeyOrder::Bytes), 2000_u64);
        for seq in 0..count {
            let mut key = vec![1; key_len];
            key.iter_mut().zip(seq.to_le_bytes()).for_each(|(at, byte)| *at = byte);
            memtable.insert(Entry::put(&key, SeqNo::new(seq), &vec![2; value_len]));
        }
        let plain = count * (key_len + value_len) as u64;
        let bytes = memtable.bytes();
        assert!(bytes >= plain + count * 24, "{key_len} and {value_len}: {bytes}");
        assert!(bytes <= plain + count * 100, "{key_len} and {value_len}: {bytes}");
    }
}
