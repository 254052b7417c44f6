//! The tables of one tree at one moment.
//!
//! Invariants: a version never changes; runs of a level stand newest first; tables of a run ascend and do
//! not overlap; below level 0 a level has at most one run. Everything in a run of level 0 is newer than
//! everything in the runs behind it and in the levels below, key by key.
//!
//! What makes the next version is a list of [`TableChange`]s; when it becomes durable is others' business.

use std::{collections::HashSet, sync::Arc};

use sst_format::KeyOrder;

use crate::{FileId, Level, RunNo, TableMeta};

/// The tables of one tree at one moment.
///
/// ```
/// use lsm_core::{Level, Version};
/// let version = Version::default();
/// assert!(version.runs(Level::ZERO).is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Version {
    levels: [Vec<Run>; Level::COUNT],
}

/// Tables of a level that do not overlap, in key order.
///
/// ```
/// use lsm_core::{Run, RunNo};
/// assert!(Run::new(RunNo::new(1)).tables().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    no: RunNo,
    tables: Vec<Arc<TableMeta>>,
}

/// One step from a version to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// A table joins a run, which begins with it if there is none of that number.
    Add {
        /// Its level.
        level: Level,
        /// Its run.
        run: RunNo,
        /// What is known of it.
        table: Arc<TableMeta>,
    },
    /// A table goes.
    Remove {
        /// From which level.
        level: Level,
        /// Which.
        table: FileId,
    },
}

/// Why a change does not fit a version: the manifest, or a planner, contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It removes what is not there.
    #[error("table {table} is removed from level {level}, where it is not; repair the store")]
    Absent {
        /// Which table.
        table: FileId,
        /// Which level.
        level: Level,
    },
    /// A file that is there already is added.
    #[error("table {table} is added to level {level}, but it is in the version already; repair the store")]
    Twice {
        /// Which table.
        table: FileId,
        /// Which level.
        level: Level,
    },
    /// Two tables of a run would overlap.
    #[error("table {table} would overlap another of its run in level {level}; repair the store")]
    Overlap {
        /// Which table.
        table: FileId,
        /// Which level.
        level: Level,
    },
    /// A level below 0 would have two runs.
    #[error("level {level} would have two runs; repair the store")]
    SecondRun {
        /// Which level.
        level: Level,
    },
}

impl Run {
    /// A run without tables.
    #[must_use]
    pub const fn new(no: RunNo) -> Self {
        Self { no, tables: Vec::new() }
    }

    /// Its place in the level.
    #[must_use]
    pub const fn no(&self) -> RunNo {
        self.no
    }

    /// Its tables in key order.
    #[must_use]
    pub fn tables(&self) -> &[Arc<TableMeta>] {
        &self.tables
    }

    /// The place of the first table that does not end before `key`.
    #[must_use]
    pub fn lower_bound(&self, order: &KeyOrder, key: &[u8]) -> usize {
        self.tables.partition_point(|table| table.bounds.is_before(order, key))
    }

    /// The one table that may concern `key`.
    #[must_use]
    pub fn table_over(&self, order: &KeyOrder, key: &[u8]) -> Option<&Arc<TableMeta>> {
        // What the search finds does not end before the key.
        self.tables.get(self.lower_bound(order, key)).filter(|table| !table.bounds.is_behind(order, key))
    }

    /// Bytes of the bodies of its tables.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.body_bytes()).sum()
    }
}

impl Version {
    /// The runs of a level, newest first.
    #[must_use]
    pub fn runs(&self, level: Level) -> &[Run] {
        &self.levels[level.index()]
    }

    /// The runs of each level from the first on, newest first.
    #[inline]
    pub(crate) fn levels(&self) -> &[Vec<Run>; Level::COUNT] {
        &self.levels
    }

    /// Every run, newest first, with its level.
    pub fn all_runs(&self) -> impl Iterator<Item = (Level, &Run)> {
        Level::all().flat_map(|level| self.runs(level).iter().map(move |run| (level, run)))
    }

    /// Every table with its level and run.
    pub fn tables(&self) -> impl Iterator<Item = (Level, RunNo, &Arc<TableMeta>)> {
        self.all_runs().flat_map(|(level, run)| run.tables.iter().map(move |table| (level, run.no, table)))
    }

    /// Where a table stands.
    #[must_use]
    pub fn find(&self, table: FileId) -> Option<(Level, RunNo, &Arc<TableMeta>)> {
        self.tables().find(|(_, _, meta)| meta.id == table)
    }

    /// Bytes of the bodies of a level's tables.
    #[must_use]
    pub fn level_bytes(&self, level: Level) -> u64 {
        self.runs(level).iter().map(Run::body_bytes).sum()
    }

    /// The version after these changes, removals first.
    ///
    /// # Errors
    /// If a change does not fit; nothing of it is done.
    pub fn with(&self, order: &KeyOrder, changes: &[TableChange]) -> Result<Self, VersionError> {
        let mut next = self.clone();
        for change in changes {
            if let TableChange::Remove { level, table } = change {
                next.remove(*level, *table)?;
            }
        }
        let mut there: HashSet<_> = next.tables().map(|(_, _, table)| table.id).collect();
        for change in changes {
            if let TableChange::Add { level, run, table } = change {
                if !there.insert(table.id) {
                    return Err(VersionError::Twice { table: table.id, level: *level });
                }
                next.add(order, *level, *run, table)?;
            }
        }
        Ok(next)
    }

    fn remove(&mut self, level: Level, table: FileId) -> Result<(), VersionError> {
        let runs = &mut self.levels[level.index()];
        let at = runs
            .iter()
            .enumerate()
            .find_map(|(run_at, run)| Some((run_at, run.tables.iter().position(|meta| meta.id == table)?)));
        let (run_at, table_at) = at.ok_or(VersionError::Absent { table, level })?;
        runs[run_at].tables.remove(table_at);
        if runs[run_at].tables.is_empty() {
            runs.remove(run_at);
        }
        Ok(())
    }

    fn add(
        &mut self,
        order: &KeyOrder,
        level: Level,
        no: RunNo,
        table: &Arc<TableMeta>,
    ) -> Result<(), VersionError> {
        let runs = &mut self.levels[level.index()];
        let run_at = runs.partition_point(|run| run.no > no);
        if runs.get(run_at).is_none_or(|run| run.no != no) {
            if level > Level::ZERO && !runs.is_empty() {
                return Err(VersionError::SecondRun { level });
            }
            runs.insert(run_at, Run::new(no));
        }
        let run = &mut runs[run_at];
        let at = run.lower_bound(order, &table.bounds.smallest);
        if run.tables.get(at).is_some_and(|next| next.bounds.overlap(order, &table.bounds)) {
            return Err(VersionError::Overlap { table: table.id, level });
        }
        run.tables.insert(at, table.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::{SealOptions, Uid};
    use sst_format::SeqNo;

    use super::*;
    use crate::KeyBounds;

    fn table(id: u64, from: &'static str, to: &'static str) -> Arc<TableMeta> {
        let descriptor = SealOptions::new(Uid::new([1; 16])).seal(b"body").unwrap().descriptor().clone();
        let seq = SeqNo::new(id);
        Arc::new(TableMeta {
            id: FileId::new(id),
            descriptor,
            bounds: KeyBounds::closed(from, to),
            seq_low: seq,
            seq_high: seq,
            entries: 1,
            deletes: 0,
            range_deletes: 0,
            losses: 0,
        })
    }

    fn add(level: u8, run: u64, table: Arc<TableMeta>) -> TableChange {
        TableChange::Add { level: Level::new(level), run: RunNo::new(run), table }
    }

    #[track_caller]
    fn check(changes: &[TableChange], expected: Result<&[&[u64]], VersionError>) {
        let found = Version::default().with(&KeyOrder::Bytes, changes);
        let ids = |run: &Run| run.tables().iter().map(|table| table.id.get()).collect::<Vec<_>>();
        let found = found.map(|version| version.all_runs().map(|(_, run)| ids(run)).collect::<Vec<_>>());
        assert_eq!(found, expected.map(|runs| runs.iter().map(|run| run.to_vec()).collect()));
    }

    #[test]
    fn runs_stand_newest_first_and_their_tables_in_key_order() {
        let changes = [
            add(0, 1, table(1, "a", "m")),
            add(0, 3, table(3, "c", "d")),
            add(0, 3, table(4, "a", "b")),
            add(1, 0, table(2, "a", "z")),
        ];
        check(&changes, Ok(&[&[4, 3], &[1], &[2]]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let level = Level::new(1);
        let overlap = [add(1, 0, table(1, "a", "c")), add(1, 0, table(2, "c", "d"))];
        check(&overlap, Err(VersionError::Overlap { table: FileId::new(2), level }));
        let second = [add(1, 0, table(1, "a", "c")), add(1, 1, table(2, "d", "e"))];
        check(&second, Err(VersionError::SecondRun { level }));
        let twice = [add(1, 0, table(1, "a", "c")), add(1, 0, table(1, "d", "e"))];
        check(&twice, Err(VersionError::Twice { table: FileId::new(1), level }));
        let absent = [TableChange::Remove { level, table: FileId::new(9) }];
        check(&absent, Err(VersionError::Absent { table: FileId::new(9), level }));
    }

    #[test]
    fn a_replacement_takes_the_place_of_what_it_replaces() {
        let order = &KeyOrder::Bytes;
        let first =
            Version::default().with(order, &[add(0, 1, table(1, "a", "c")), add(0, 2, table(2, "a", "c"))]);
        let swap = [
            TableChange::Remove { level: Level::ZERO, table: FileId::new(1) },
            add(0, 1, table(3, "a", "c")),
        ];
        let next = first.unwrap().with(order, &swap).unwrap();
        let ids: Vec<_> = next.tables().map(|(_, run, table)| (run.get(), table.id.get())).collect();
        assert_eq!(ids, [(2, 2), (1, 3)]);
    }
}
