//! Filling what is lost of a tree from an older copy, each version under its own sequence number.
//!
//! Of each key in a lost range the newest version counts, among those that tables still show and the one that the copy
//! had; it goes on top of everything. So nothing older ends above anything newer, and a key whose newer delete is there
//! stays deleted. **Invariant**: until the loss is accepted afterwards, which takes away what lies below, reads of the
//! range fail as before.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;
use lsm_io::{ByteLen, FileOffset};
use sst_format::{Entry, EntryKind, RangeEntry, RangeKind, SeqNo, TableWriter};

use super::Store;
use crate::{
    Change, Edit, Error, KeyBounds, Level, Place, RunNo, TableChange, TableMeta, TreeId,
    block_cache::Fill as Keeping,
    entry_cursor::EntryCursor as _,
    key_span::{Side, Span},
    loss::LossLog,
    merge_cursor::MergeCursor,
    names::table_path,
    pedigree::{MadeBy, Share},
    run_cursor::{RunCursor, Tables},
    table_file::Opened,
    tree::Tree,
};

/// A key range of which versions are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillRange {
    /// From which key.
    pub lower: Bound<Bytes>,
    /// To which key.
    pub upper: Bound<Bytes>,
    /// The newest that may be lost.
    pub upto: SeqNo,
}

/// What an older copy had: keys with the number and value of their newest version.
pub type Fill = BTreeMap<Bytes, (SeqNo, Bytes)>;

impl Store {
    /// Puts on top of a tree, which has no memtables, what `fill` and the tree's own tables still have of these ranges,
    /// which may overlap.
    ///
    /// # Errors
    /// If there is no such tree, or the disk refuses; then nothing is changed.
    pub fn fill(&self, tree: TreeId, ranges: &[FillRange], mut fill: Fill) -> Result<(), Error> {
        let tree = self.tree(tree)?;
        let _term = self.begin_term();
        let deletes = self.range_deletes(&tree)?;
        for range in ranges {
            self.overlay(&tree, range, &deletes, &mut fill)?;
        }
        let order = tree.order();
        let mut sorted: Vec<_> = fill.into_iter().collect();
        sorted.sort_by(|(a, _), (b, _)| order.compare(a, b));
        if !sorted.is_empty() {
            self.write_on_top(&tree, &sorted)?;
        }
        Ok(())
    }

    /// Lets what the tree's tables show of a range stand where it is newer. What another range let stand already, stays.
    fn overlay(
        &self,
        tree: &Tree,
        range: &FillRange,
        deletes: &[RangeEntry],
        fill: &mut Fill,
    ) -> Result<(), Error> {
        let (order, version) = (tree.order(), tree.view().version.clone());
        let everything = KeyBounds::closed("", [u8::MAX].repeat(usize::from(u16::MAX)));
        let Some(span) = Span::of_bounds(&everything).within(&order, &range.lower, &range.upper) else {
            return Ok(());
        };
        let (reader, log) = (tree.view().reader.clone(), LossLog::default());
        let runs = version.all_runs().map(|(_, run)| {
            let tables: Arc<[Arc<TableMeta>]> = run.tables().into();
            RunCursor::new(reader.clone(), Tables::List(tables), Keeping::Pass, log.clone())
        });
        let mut cursor = MergeCursor::new(order.clone(), runs.collect());
        let newest = if span.start.side == Side::Before { SeqNo::MAX } else { SeqNo::new(0) };
        cursor.seek(&span.start.key, newest)?;
        let mut last: Option<Bytes> = None;
        while let Some(entry) = cursor.entry().filter(|entry| !span.end.is_passed_by(&order, entry.key)) {
            // The newest version of a key comes first.
            if last.as_deref() != Some(entry.key) {
                let key = Bytes::copy_from_slice(entry.key);
                if fill.get(&key).is_none_or(|(seq, _)| *seq < entry.seq) {
                    fill.remove(&key);
                    if entry.kind == EntryKind::Put && entry.seq <= range.upto {
                        fill.insert(key.clone(), (entry.seq, Bytes::copy_from_slice(entry.value)));
                    }
                }
                last = Some(key);
            }
            cursor.move_next()?;
        }
        let is_deleted = |key: &Bytes, seq: SeqNo| {
            deletes.iter().any(|delete| delete.seq_high > seq && delete.holds(&order, key))
        };
        fill.retain(|key, (seq, _)| !(span.contains(&order, key) && is_deleted(key, *seq)));
        Ok(())
    }

    fn range_deletes(&self, tree: &Tree) -> Result<Vec<RangeEntry>, Error> {
        let (version, reader) = (tree.view().version.clone(), tree.view().reader.clone());
        let mut deletes = Vec::new();
        for (_, _, table) in version.tables().filter(|(_, _, table)| table.range_deletes > 0) {
            if let Opened::Table(open) = reader.open(table)? {
                deletes.extend(open.range_deletes().filter(|range| range.kind == RangeKind::Delete).cloned());
            }
        }
        Ok(deletes)
    }

    fn write_on_top(&self, tree: &Tree, sorted: &[(Bytes, (SeqNo, Bytes))]) -> Result<(), Error> {
        let (order, version) = (tree.order(), tree.view().version.clone());
        let runs = version.runs(Level::ZERO).iter().map(|run| run.no().get());
        let place = Place { level: Level::ZERO, run: RunNo::new(runs.max().unwrap_or(0) + 1) };
        assert!(place.run.get() <= self.visible().get(), "a later flush has a higher number");
        let flushed =
            self.keeper.catalog().trees.get(&tree.id).map_or(SeqNo::default(), |state| state.flushed);
        let birth = self.birth(tree, MadeBy::Merge, place, flushed, Vec::new());
        let mut tables = Vec::new();
        let mut rest = sorted;
        while !rest.is_empty() {
            let file = self.new_file();
            let options = self.options.tables.clone().order(order.clone()).created_at((self.options.now)());
            let mut writer = TableWriter::with_key(file.uid, options, file.key)?;
            let mut taken = 0;
            while let Some((key, (seq, value))) =
                rest.get(taken).filter(|_| writer.body_len() < self.options.table_bytes)
            {
                writer.add(Entry::put(key, *seq, value))?;
                taken += 1;
            }
            let bounds = KeyBounds::closed(rest[0].0.clone(), rest[taken - 1].0.clone());
            rest = &rest[taken..];
            // Each is a job of its own.
            writer.describe(
                &birth.pedigree(file.id, Share::default(), 0, file.id, true).encode(),
                &birth.kin.encode(),
            )?;
            let written = writer.finish()?;
            let made = self.read.fs.create(&table_path(&self.read.dir, file.id))?;
            made.allocate(ByteLen::of(written.image.as_bytes()))?;
            made.write_at(FileOffset::ZERO, written.image.as_bytes())?;
            made.sync()?;
            let meta =
                TableMeta::new(file.id, written.image.descriptor().clone(), bounds, &written.properties);
            tables.push(Arc::new(meta));
        }
        self.read.fs.sync_dir(&self.read.dir)?;
        let mut edit = Edit::new();
        for table in &tables {
            let Place { level, run } = place;
            let change = TableChange::Add { level, run, table: table.clone() };
            edit = edit
                .and(Change::NextFile { file: table.id.next() })
                .and(Change::Table { tree: tree.id, change });
        }
        self.record(&edit, &tables)?;
        self.install(tree, 0);
        Ok(())
    }
}
