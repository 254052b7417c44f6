//! The workloads by name: which store each wants and how many threads.

use std::fmt;

use clap::ValueEnum;

use super::{figures::Figures, reads, stage::Stage, writes};
use crate::failure::Failure;

/// What is measured, in the order it is measured in: what takes keys away comes last.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Every key once, in order, into an empty store.
    Fillseq,
    /// Every key once, in no order, into an empty store.
    Fillrandom,
    /// Synced writes into an empty store, by one thread and by several.
    Fillsync,
    /// As many writes as there are keys, to any of them.
    Overwrite,
    /// Point reads whose blocks are in the block cache, by one thread and by several.
    ReadrandomCached,
    /// Point reads over eight times the block cache.
    #[value(name = "readrandom-8x")]
    Readrandom8x,
    /// Point reads after the system forgot the files, and again every few reads.
    ReadrandomDisk,
    /// Point reads of keys that nobody has.
    Readmissing,
    /// Scans of 100 keys from anywhere.
    Seekrandom,
    /// Scans of the 200 keys that begin alike.
    Prefixscan,
    /// Point reads by several threads while one writes.
    Readwhilewriting,
    /// Half the keys deleted, in no order.
    Deleterandom,
}

impl Workload {
    pub(super) fn thread_counts(self, several: usize) -> Vec<usize> {
        match self {
            Self::Fillsync | Self::ReadrandomCached if several > 1 => vec![1, several],
            Self::Readwhilewriting => vec![several],
            _ => vec![1],
        }
    }

    pub(super) fn run(self, stage: &Stage<'_>, threads: usize) -> Result<Figures, Failure> {
        match self {
            Self::Fillseq => writes::fill_in_order(stage),
            Self::Fillrandom => writes::fill_in_none(stage),
            Self::Fillsync => writes::fill_synced(stage, threads),
            Self::Overwrite => writes::overwrite(stage),
            Self::ReadrandomCached => reads::cached(stage, threads),
            Self::Readrandom8x => reads::beyond_cache(stage),
            Self::ReadrandomDisk => reads::from_disk(stage),
            Self::Readmissing => reads::missing(stage),
            Self::Seekrandom => reads::seek(stage),
            Self::Prefixscan => reads::prefix(stage),
            Self::Readwhilewriting => reads::while_writing(stage, threads),
            Self::Deleterandom => writes::delete(stage),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
