//! Whether a job may be run at all, and beside another.
//!
//! Invariant: whatever claimed jobs do, in any order, a newer version of a key never ends below an older one,
//! and tables of a run never overlap.

use std::{collections::BTreeSet, sync::Arc};

use sst_format::KeyOrder;

use super::{CompactionJob, JobInput, Place};
use crate::{FileId, KeyBounds, Level, Run, TableMeta, Version};

/// Why a job must not be run: it contradicts the version, or would put a newer version of a key below an
/// older one.
///
/// ```
/// let unsound = lsm_core::UnsoundJob::Empty;
/// assert_eq!(unsound.to_string(), "the job has no inputs; a strategy with nothing to do names no job");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsoundJob {
    /// There is nothing in it.
    #[error("the job has no inputs; a strategy with nothing to do names no job")]
    Empty,
    /// An input does not stand where the job says.
    #[error("table {table} does not stand where the job takes it from; plan again from this version")]
    Absent {
        /// Which.
        table: FileId,
    },
    /// An input is named twice.
    #[error("table {table} goes into the job twice; name it once")]
    Twice {
        /// Which.
        table: FileId,
    },
    /// An input would rise.
    #[error("table {table} would rise above newer tables; the target is the oldest place of the inputs")]
    Rises {
        /// Which.
        table: FileId,
    },
    /// An input would sink below older versions of its keys.
    #[error("table {table} would sink below {older}, which is older and overlaps it; take both")]
    Passes {
        /// Which.
        table: FileId,
        /// What it would pass.
        older: FileId,
    },
    /// Outputs might overlap a table of their run.
    #[error("table {table} of the target's run lies within the job's keys; take it too")]
    InTheWay {
        /// Which.
        table: FileId,
    },
}

impl CompactionJob {
    /// That the job fits the version and keeps newer versions of a key above older ones.
    ///
    /// # Errors
    /// If it does not.
    pub fn prove(&self, version: &Version, order: &KeyOrder) -> Result<(), UnsoundJob> {
        if self.inputs.is_empty() {
            return Err(UnsoundJob::Empty);
        }
        let mut inside = BTreeSet::new();
        for input in &self.inputs {
            let table = input.table.id;
            if !version.has(order, input) {
                return Err(UnsoundJob::Absent { table });
            }
            if !inside.insert(table) {
                return Err(UnsoundJob::Twice { table });
            }
            if input.place > self.target {
                return Err(UnsoundJob::Rises { table });
            }
        }
        for (level, run) in version.all_runs() {
            self.prove_run(order, Place { level, run: run.no() }, run, &inside)?;
        }
        Ok(())
    }

    /// That no input sinks through a table of this run, and that no output will overlap one.
    fn prove_run(
        &self,
        order: &KeyOrder,
        place: Place,
        run: &Run,
        inside: &BTreeSet<FileId>,
    ) -> Result<(), UnsoundJob> {
        let stranger = |bounds: &KeyBounds| {
            let mut tables = run.overlapped(order, bounds).iter();
            tables.find(|table| !inside.contains(&table.id)).map(|table| table.id)
        };
        if place == self.target {
            return stranger(&self.bounds).map_or(Ok(()), |table| Err(UnsoundJob::InTheWay { table }));
        }
        let sinking = self.inputs.iter().filter(|input| input.place < place && place < self.target);
        for input in sinking {
            if let Some(older) = stranger(&input.table.bounds) {
                return Err(UnsoundJob::Passes { table: input.table.id, older });
            }
        }
        Ok(())
    }

    /// Whether the jobs cannot both run: they share a table, their outputs might overlap, or one would sink
    /// through what the other makes.
    #[must_use]
    pub fn conflicts(&self, order: &KeyOrder, other: &Self) -> bool {
        self.tree == other.tree
            && (self.shares_table(other)
                || (self.target.is_same_run(other.target) && self.bounds.overlap(order, &other.bounds))
                || self.sinks_through(order, other)
                || other.sinks_through(order, self))
    }

    fn shares_table(&self, other: &Self) -> bool {
        let ids: BTreeSet<_> = self.inputs.iter().map(|input| input.table.id).collect();
        other.inputs.iter().any(|input| ids.contains(&input.table.id))
    }

    fn sinks_through(&self, order: &KeyOrder, other: &Self) -> bool {
        self.inputs.iter().any(|input| {
            input.place < other.target
                && other.target < self.target
                && input.table.bounds.overlap(order, &other.bounds)
        })
    }
}

impl Place {
    /// Below level 0 there is one run in a level, whatever its number.
    fn is_same_run(self, other: Self) -> bool {
        self.level == other.level && (self.level > Level::ZERO || self.run == other.run)
    }
}

impl Version {
    /// Whether the table stands in that place.
    fn has(&self, order: &KeyOrder, input: &JobInput) -> bool {
        let run = self.runs(input.place.level).iter().find(|run| run.no() == input.place.run);
        let same = |table: &Arc<TableMeta>| table.id == input.table.id;
        run.is_some_and(|run| run.overlapped(order, &input.table.bounds).iter().any(same))
    }
}

#[cfg(test)]
#[path = "soundness_tests.rs"]
mod tests;
