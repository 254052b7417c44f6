//! What a store holds, in numbers.

use std::sync::Arc;

use page_ecc::Evidence;

use super::Store;
use crate::{Level, Run};

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Its keyspaces, by name.
    pub keyspaces: Vec<TreeStats>,
    /// Bytes of blocks kept in memory.
    pub cached_bytes: u64,
    /// Bytes of filters and index blocks that open tables keep beside those.
    pub pinned_bytes: u64,
    /// Table files held open.
    pub open_files: u64,
    /// Pages that reads met since the store was opened and that were not right at once, by what helped.
    pub repairs: Evidence,
    /// Files that wait to be healed.
    pub hints: u64,
}

/// What a keyspace holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeStats {
    /// Its name.
    pub name: Arc<str>,
    /// Bytes of its memtables.
    pub memtable_bytes: u64,
    /// Memtables that wait for a flush.
    pub sealed_memtables: u64,
    /// Its levels, from the top.
    pub levels: Vec<LevelStats>,
}

/// What a level holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelStats {
    /// Runs.
    pub runs: u64,
    /// Tables.
    pub tables: u64,
    /// Entries, old versions and deletes among them.
    pub entries: u64,
    /// Deletes among them, and range deletes.
    pub deletes: u64,
    /// Loss markers.
    pub losses: u64,
    /// Bytes of the tables' bodies.
    pub body_bytes: u64,
    /// Bytes of their files: bodies and protection.
    pub file_bytes: u64,
}

impl Store {
    /// What it holds.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let trees = self.all_trees();
        let mut keyspaces: Vec<_> = trees
            .values()
            .map(|tree| {
                let version = tree.view().version.clone();
                TreeStats {
                    name: tree.name.clone(),
                    memtable_bytes: tree.active_bytes() + tree.sealed_bytes(),
                    sealed_memtables: tree.sealed_count() as u64,
                    levels: Level::all().map(|level| LevelStats::of(version.runs(level))).collect(),
                }
            })
            .collect();
        keyspaces.sort_by(|a, b| a.name.cmp(&b.name));
        StoreStats {
            keyspaces,
            cached_bytes: self.read.blocks.bytes(),
            pinned_bytes: self.read.pins.taken(),
            open_files: self.read.tables.len() as u64,
            repairs: self.watch.evidence(),
            hints: self.hints.snapshot().len() as u64,
        }
    }
}

impl LevelStats {
    fn of(runs: &[Run]) -> Self {
        let mut stats = Self { runs: runs.len() as u64, ..Self::default() };
        for table in runs.iter().flat_map(Run::tables) {
            stats.tables += 1;
            stats.entries += table.entries;
            stats.deletes += table.deletes + table.range_deletes;
            stats.losses += table.losses;
            stats.body_bytes += table.body_bytes();
            stats.file_bytes += table.file_bytes();
        }
        stats
    }
}
