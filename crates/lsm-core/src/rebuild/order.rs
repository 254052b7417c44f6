//! Which of two tables is newer, key by key: what levels said, and what their entries still say.
//!
//! A table tells in which level it was put, but may have been moved since. So two tables that overlap are compared by
//! a key that both hold. **Invariant**: where a relation is said, some key bears it out; where none is, no key that can
//! be read is in both, and their order matters only for what is lost of them.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sst_format::{RangeKind, SeqNo};

use super::found::Found;
use crate::{
    Error, FileId, TableMeta,
    block_cache::Fill,
    entry_cursor::EntryCursor as _,
    key_span::{Side, Span},
    loss::{LossLog, TableLoss},
    reader::{ReadEnv, TreeReader},
    run_cursor::{RunCursor, Tables},
    table_file::Opened,
};

/// The tables of a tree from the oldest to the newest, and what is lost of them.
pub(super) struct Ordered {
    pub(super) oldest_first: Vec<usize>,
    /// What is lost of tables whose place among others nothing tells: every read must come by it first.
    pub(super) in_doubt: Vec<TableLoss>,
    /// Everything that is lost of the tables.
    pub(super) lost: Vec<TableLoss>,
}

/// Orders the tables of one tree. Each is read from its first entry to its last, and then told to `read`.
///
/// # Errors
/// If the disk refuses, or a table needs a newer release.
pub(super) fn order(
    env: &Arc<ReadEnv>,
    tables: &[&Found],
    read: &mut dyn FnMut(&TableMeta),
) -> Result<Ordered, Error> {
    let mut comparing = Comparing { env, tables, newer: BTreeSet::new(), unknown: BTreeSet::new() };
    let mut gaps = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        gaps.push(comparing.gaps(at)?);
        read(&table.meta);
    }
    comparing.compare_all()?;
    let Comparing { newer, unknown, .. } = comparing;
    let (oldest_first, knots) = sort(tables, &newer);
    let doubtful = |at: usize| knots.contains(&at) || unknown.iter().any(|(a, b)| *a == at || *b == at);
    let mut in_doubt = Vec::new();
    for (at, gaps) in gaps.iter().enumerate().filter(|(at, _)| doubtful(*at)) {
        in_doubt.extend(gaps.iter().cloned());
        if knots.contains(&at) {
            let found = tables[at];
            in_doubt.push(TableLoss::whole(found.pedigree.tree, &found.meta));
        }
    }
    Ok(Ordered { oldest_first, in_doubt, lost: gaps.into_iter().flatten().collect() })
}

struct Comparing<'a> {
    env: &'a Arc<ReadEnv>,
    tables: &'a [&'a Found],
    /// The first is newer than the second.
    newer: BTreeSet<(usize, usize)>,
    /// Overlapping tables that no key tells apart.
    unknown: BTreeSet<(usize, usize)>,
}

impl Comparing<'_> {
    fn cursor(&self, at: usize, log: &LossLog) -> RunCursor {
        let tables = Tables::List(Arc::new([self.tables[at].meta.clone()]));
        RunCursor::new(Arc::new(self.reader(at)), tables, Fill::Keep, log.clone())
    }

    fn reader(&self, at: usize) -> TreeReader {
        let found = self.tables[at];
        TreeReader { env: self.env.clone(), tree: found.pedigree.tree, order: found.order.clone() }
    }

    /// What is lost of a table: its loss markers, its gaps.
    fn gaps(&self, at: usize) -> Result<Vec<TableLoss>, Error> {
        let log = LossLog::default();
        let known = match self.reader(at).open(&self.tables[at].meta)? {
            Opened::Lost(loss) => return Ok(vec![*loss]),
            Opened::Table(table) => table.losses().all().to_vec(),
        };
        let mut cursor = self.cursor(at, &log);
        cursor.seek_first()?;
        while cursor.entry().is_some() {
            cursor.move_next()?;
        }
        Ok(known.into_iter().chain(log.since(0).into_iter().map(|(_, gap)| gap)).collect())
    }

    fn compare_all(&mut self) -> Result<(), Error> {
        let Some(order) = self.tables.first().map(|found| found.order.clone()) else { return Ok(()) };
        let mut by_start: Vec<_> = (0..self.tables.len()).collect();
        let bounds = |at: usize| &self.tables[at].meta.bounds;
        by_start.sort_by(|a, b| order.compare(&bounds(*a).smallest, &bounds(*b).smallest));
        let mut pairs = Vec::new();
        for (place, &a) in by_start.iter().enumerate() {
            let behind = by_start[place + 1..].iter();
            // A table of nothing but loss markers has no place to be told.
            let is_told = |at: usize| self.tables[at].meta.entries + self.tables[at].meta.range_deletes > 0;
            let overlapping = behind.take_while(|b| !bounds(a).is_before(&order, &bounds(**b).smallest));
            pairs.extend(overlapping.filter(|b| is_told(a) && is_told(**b)).map(|&b| (a, b)));
        }
        for (a, b) in pairs {
            match self.compare(a, b)? {
                Some(Ordering::Greater) => _ = self.newer.insert((a, b)),
                Some(_) => _ = self.newer.insert((b, a)),
                None => _ = self.unknown.insert((a, b)),
            }
        }
        Ok(())
    }

    /// Which is newer, by any key that both concern.
    fn compare(&self, a: usize, b: usize) -> Result<Option<Ordering>, Error> {
        if let Some(found) = self.compare_entries(a, b)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.compare_ranges(a, b)? {
            return Ok(Some(found));
        }
        Ok(self.compare_ranges(b, a)?.map(Ordering::reverse))
    }

    fn compare_entries(&self, a: usize, b: usize) -> Result<Option<Ordering>, Error> {
        let order = &self.tables[a].order;
        let log = LossLog::default();
        let (mut left, mut right) = (self.cursor(a, &log), self.cursor(b, &log));
        left.seek(&self.tables[b].meta.bounds.smallest, SeqNo::MAX)?;
        while let Some(entry) = left.entry() {
            let (key, seq) = (entry.key.to_vec(), entry.seq);
            right.seek(&key, SeqNo::MAX)?;
            let Some(other) = right.entry() else { return Ok(None) };
            if other.key == &key[..] {
                match seq.cmp(&other.seq) {
                    // The same write, twice.
                    Ordering::Equal => left.seek(&key, SeqNo::new(0))?,
                    told => return Ok(Some(told)),
                }
                if left.entry().is_some_and(|entry| entry.key == &key[..]) {
                    left.move_next()?;
                }
            } else {
                debug_assert!(order.compare(other.key, &key) == Ordering::Greater);
                let next = other.key.to_vec();
                left.seek(&next, SeqNo::MAX)?;
            }
        }
        Ok(None)
    }

    /// By a range delete of `a` and an entry of `b` within it.
    fn compare_ranges(&self, a: usize, b: usize) -> Result<Option<Ordering>, Error> {
        let order = &self.tables[a].order;
        for range in self.tables[a].ranges.iter().filter(|range| range.kind == RangeKind::Delete) {
            let Some(span) = Span::of_range(order, range)? else { continue };
            let mut cursor = self.cursor(b, &LossLog::default());
            let newest = if span.start.side == Side::Before { SeqNo::MAX } else { SeqNo::new(0) };
            cursor.seek(&span.start.key, newest)?;
            if let Some(entry) = cursor.entry().filter(|entry| span.contains(order, entry.key))
                && entry.seq != range.seq_high
            {
                return Ok(Some(range.seq_high.cmp(&entry.seq)));
            }
        }
        Ok(None)
    }
}

/// From the oldest to the newest, deeper ones first where nothing tells; and those that contradict each other.
fn sort(tables: &[&Found], newer: &BTreeSet<(usize, usize)>) -> (Vec<usize>, BTreeSet<usize>) {
    let mut older_left = vec![0_usize; tables.len()];
    let mut above = BTreeMap::<usize, Vec<usize>>::new();
    for &(newer, older) in newer {
        older_left[newer] += 1;
        above.entry(older).or_default().push(newer);
    }
    let hint = |at: usize| -> (Reverse<u8>, FileId, usize) {
        let pedigree = &tables[at].pedigree;
        (Reverse(pedigree.place.level.get()), pedigree.file, at)
    };
    let mut ready: BTreeSet<_> = (0..tables.len()).filter(|at| older_left[*at] == 0).map(hint).collect();
    let mut waiting: BTreeSet<_> = (0..tables.len()).filter(|at| older_left[*at] > 0).map(hint).collect();
    let (mut sorted, mut knots) = (Vec::new(), BTreeSet::new());
    loop {
        let next = match ready.pop_first() {
            Some(next) => next,
            None => match waiting.pop_first() {
                Some(knot) => {
                    knots.insert(knot.2);
                    knot
                }
                None => return (sorted, knots),
            },
        };
        sorted.push(next.2);
        for &newer in above.get(&next.2).into_iter().flatten() {
            older_left[newer] -= 1;
            if older_left[newer] == 0 && waiting.remove(&hint(newer)) {
                ready.insert(hint(newer));
            }
        }
    }
}
