//! The plainest reader: all versions in a list.

use std::{collections::BTreeMap, ops::Bound};

use sst_format::{EntryKind, SeqNo};

use super::layout::{Layout, Op};
use crate::iter::ScanRange;

/// What a reader does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    First,
    Last,
    Seek(Vec<u8>),
    SeekForPrev(Vec<u8>),
    Next,
    Prev,
}

/// What a snapshot shows.
pub(super) struct Model(BTreeMap<Vec<u8>, Vec<u8>>);

/// A place among what a range shows.
pub(super) struct Place {
    shown: Vec<(Vec<u8>, Vec<u8>)>,
    /// On the entry of this number, counted from one; 0 before the first.
    at: usize,
    is_nowhere: bool,
}

impl Model {
    pub(super) fn new(layout: &Layout, snapshot: SeqNo) -> Self {
        let mut shown = BTreeMap::new();
        for (seq, op) in &layout.history {
            if SeqNo::new(*seq) > snapshot {
                break;
            }
            match op {
                Op::Entry(key, EntryKind::Put, value) => {
                    shown.insert(key.clone(), value.clone());
                }
                Op::Entry(key, ..) => {
                    shown.remove(key);
                }
                Op::DeleteRange(start, end) => shown.retain(|key, _| key < start || key >= end),
            }
        }
        Self(shown)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    pub(super) fn entries(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.0
    }

    pub(super) fn place(&self, range: &ScanRange) -> Place {
        let is_within = |key: &[u8]| {
            (match &range.lower {
                Bound::Unbounded => true,
                Bound::Included(lower) => key >= lower,
                Bound::Excluded(lower) => key > lower,
            }) && match &range.upper {
                Bound::Unbounded => true,
                Bound::Included(upper) => key <= upper,
                Bound::Excluded(upper) => key < upper,
            }
        };
        let shown = self.0.iter().filter(|(key, _)| is_within(key));
        let shown = shown.map(|(key, value)| (key.clone(), value.clone())).collect();
        Place { shown, at: 0, is_nowhere: true }
    }
}

impl Place {
    pub(super) fn go(&mut self, step: &Step) -> Option<(Vec<u8>, Vec<u8>)> {
        let last = self.shown.len();
        let until = |is_before: &dyn Fn(&[u8]) -> bool| self.shown.partition_point(|(key, _)| is_before(key));
        self.at = match step {
            Step::First => 1,
            Step::Last => last,
            Step::Seek(target) => until(&|key| key < &target[..]) + 1,
            Step::SeekForPrev(target) => until(&|key| key <= &target[..]),
            Step::Next => (self.at + 1).min(last + 1),
            Step::Prev if self.is_nowhere => last,
            Step::Prev => self.at.saturating_sub(1),
        };
        self.is_nowhere = false;
        self.shown.get(self.at.checked_sub(1)?).cloned()
    }
}
