//! Where tables go: in the level that they were put in, or above, so that no older version ends above a newer one.
//!
//! Pure. Invariant: a table stands above every older one that it overlaps.

use std::sync::Arc;

use sst_format::KeyOrder;

use crate::{Level, Place, RunNo, TableChange, TableMeta, Version, VersionError};

/// The version of tables that come from the oldest to the newest, each with the level it was put in.
///
/// # Errors
/// If a table is there twice.
pub(super) fn place(
    order: &KeyOrder,
    oldest_first: &[(Level, Arc<TableMeta>)],
) -> Result<Version, VersionError> {
    let mut deep: Vec<Vec<&Arc<TableMeta>>> = vec![Vec::new(); Level::COUNT];
    let mut runs: Vec<Vec<&Arc<TableMeta>>> = Vec::new();
    let mut placed = Vec::new();
    for (born, table) in oldest_first {
        let overlaps = |tables: &[&Arc<TableMeta>]| {
            tables.iter().any(|other| other.bounds.overlap(order, &table.bounds))
        };
        let highest = (1..Level::COUNT).find(|level| overlaps(&deep[*level])).unwrap_or(Level::COUNT);
        let in_flushed = runs.iter().rposition(|run| overlaps(run));
        let level = born.index().min(highest - 1);
        if level > 0 && in_flushed.is_none() {
            deep[level].push(table);
            let level = u8::try_from(level).ok().and_then(Level::parse).unwrap_or(Level::LAST);
            placed.push((Place { level, run: RunNo::new(0) }, table));
            continue;
        }
        let run = in_flushed.map_or(0, |below| below + 1);
        if run == runs.len() {
            runs.push(Vec::new());
        }
        runs[run].push(table);
        // Low numbers: every run that is flushed later has a higher one.
        placed.push((Place { level: Level::ZERO, run: RunNo::new(run as u64 + 1) }, table));
    }
    let add = |(Place { level, run }, table): (Place, &Arc<TableMeta>)| TableChange::Add {
        level,
        run,
        table: table.clone(),
    };
    Version::default().with(order, &placed.into_iter().map(add).collect::<Vec<_>>())
}
