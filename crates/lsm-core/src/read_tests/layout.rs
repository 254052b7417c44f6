//! What was written, and which source holds what: random histories, laid out as flushes and compactions would.

use std::{cmp::Reverse, collections::BTreeMap};

use proptest::prelude::*;
use sst_format::EntryKind;

/// An operation of a history.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Entry(Vec<u8>, EntryKind, Vec<u8>),
    /// Of keys from the first up to, not including, the second.
    DeleteRange(Vec<u8>, Vec<u8>),
}

/// By key, newest first.
pub(crate) type Rows = BTreeMap<(Vec<u8>, Reverse<u64>), (EntryKind, Vec<u8>)>;

/// Entries and range deletes of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(super) entries: Rows,
    /// Start, end, sequence number.
    pub(super) deletes: Vec<(Vec<u8>, Vec<u8>, u64)>,
    /// Start, end, lowest and highest sequence number.
    pub(super) losses: Vec<(Vec<u8>, Vec<u8>, [u64; 2])>,
}

/// A history, and its sources, newest first.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) history: Vec<(u64, Op)>,
    pub(super) parts: Vec<Part>,
    /// How many of the parts are memtables, and how many runs of level 0; the rest are levels.
    pub(super) memtables: usize,
    pub(super) flushed: usize,
    /// Where runs are cut into tables.
    pub(super) cuts: Vec<Vec<u8>>,
}

impl Part {
    pub(crate) fn add(&mut self, seq: u64, op: &Op) {
        match op {
            Op::Entry(key, kind, value) => {
                self.entries.insert((key.clone(), Reverse(seq)), (*kind, value.clone()));
            }
            Op::DeleteRange(start, end) => self.deletes.push((start.clone(), end.clone(), seq)),
        }
    }

    /// What of it lies from `start` up to, not including, `end`; the rest stays.
    pub(super) fn take(&mut self, start: &[u8], end: Option<&[u8]>) -> Self {
        let is_within = |key: &[u8]| start <= key && end.is_none_or(|end| key < end);
        let (taken, left) =
            std::mem::take(&mut self.entries).into_iter().partition(|(at, _)| is_within(&at.0));
        self.entries = left;
        let mut deletes = Vec::new();
        for (lower, upper, seq) in std::mem::take(&mut self.deletes) {
            let from = lower.clone().max(start.to_vec());
            let to = end.map_or(upper.clone(), |end| upper.clone().min(end.to_vec()));
            if from >= to {
                self.deletes.push((lower, upper, seq));
                continue;
            }
            if lower < from {
                self.deletes.push((lower, from.clone(), seq));
            }
            if to < upper {
                self.deletes.push((to.clone(), upper, seq));
            }
            deletes.push((from, to, seq));
        }
        Self { entries: taken, deletes, losses: std::mem::take(&mut self.losses) }
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.deletes.extend(other.deletes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.deletes.is_empty()
    }
}

fn op() -> impl Strategy<Value = Op> {
    let value = prop::collection::vec(any::<u8>(), 0..30);
    let long = (any::<u8>(), 100..700usize).prop_map(|(byte, len)| vec![byte; len]);
    prop_oneof![
        8 => (super::key(), value).prop_map(|(key, value)| Op::Entry(key, EntryKind::Put, value)),
        1 => (super::key(), long).prop_map(|(key, value)| Op::Entry(key, EntryKind::Put, value)),
        2 => super::key().prop_map(|key| Op::Entry(key, EntryKind::Delete, Vec::new())),
        1 => super::key().prop_map(|key| Op::Entry(key, EntryKind::SingleDelete, Vec::new())),
        1 => (super::key(), super::key()).prop_map(|(one, other)| {
            let (start, end) = (one.clone().min(other.clone()), one.max(other));
            Op::DeleteRange(start, [&end[..], b"x"].concat())
        }),
    ]
}

/// Sources take the history in pieces; then keys move down from source to source, as compactions move them.
pub(super) fn layout() -> impl Strategy<Value = Layout> {
    let moves = prop::collection::vec((0..12usize, super::key(), super::key()), 0..12);
    let cuts = prop::collection::vec(super::key(), 0..5);
    let history = prop::collection::vec((op(), 0..8u32), 0..200);
    (history, 0..3usize, 0..4usize, moves, cuts).prop_map(|(ops, memtables, flushed, moves, mut cuts)| {
        let mut parts = vec![Part::default()];
        let mut history = Vec::new();
        for (seq, (op, dice)) in (1..).zip(ops) {
            if dice == 0 && parts.len() < 7 {
                parts.insert(0, Part::default());
            }
            parts[0].add(seq, &op);
            history.push((seq, op));
        }
        for (from, one, other) in moves {
            if from + 1 < parts.len() {
                let (start, end) = (one.clone().min(other.clone()), one.max(other));
                let moved = parts[from].take(&start, Some(&end));
                parts[from + 1].absorb(moved);
            }
        }
        cuts.sort();
        cuts.dedup();
        let memtables = memtables.min(parts.len());
        let flushed = flushed.max((parts.len() - memtables).saturating_sub(6)).min(parts.len() - memtables);
        Layout { history, parts, memtables, flushed, cuts }
    })
}
