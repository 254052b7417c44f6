//! A flush: memtables become a run of level 0.
//!
//! What a flush drops is what any merge drops; what it must be given is that every entry of the memtables is
//! published, that no older memtable waits, and that the list of snapshots is younger than both.

use sst_format::{KeyOrder, SeqNo};

use crate::{
    Change, Edit, Level, LiveSnapshots, RunNo, TableChange, TreeId, Version,
    job::JobOutput,
    retention::{Floor, Retention},
};

/// What a flush of the oldest memtables keeps: everything older than them is in `version`.
pub(crate) fn flush_retention(order: &KeyOrder, version: &Version, live: LiveSnapshots) -> Retention {
    Retention::Needed { live, floor: Floor::beneath(order, version, |_| false) }
}

/// What makes a flush's tables part of a tree: they join level 0 as `run`, and the log up to `upto` is spent.
///
/// A flush of which nothing survived only spends the log.
pub(crate) fn flush_edit(tree: TreeId, run: RunNo, output: &JobOutput, upto: SeqNo) -> Edit {
    let mut edit = Edit::new();
    for table in &output.tables {
        let change = TableChange::Add { level: Level::ZERO, run, table: table.clone() };
        edit = edit.and(Change::NextFile { file: table.id.next() }).and(Change::Table { tree, change });
    }
    edit.and(Change::Flushed { tree, upto })
}
