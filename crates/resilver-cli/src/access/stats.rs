//! `stats`: what a store holds, level by level.

use std::fmt::Write as _;

use resilver::{LevelStats, Stats};
use serde_json::{Value, json};

use super::Store;
use crate::{
    failure::Failure,
    report::{Exit, Report},
    size::Bytes,
};

pub(crate) fn stats(store: &Store) -> Result<Report, Failure> {
    let (db, _) = store.open_to_read()?;
    let stats = db.stats();
    Ok(Report { exit: Exit::Fine, text: text(&stats), json: json(&stats) })
}

fn text(stats: &Stats) -> String {
    let mut text = String::new();
    // A string takes everything.
    for keyspace in &stats.tables.keyspaces {
        let _ = writeln!(text, "keyspace {} ({} in memory)", keyspace.name, Bytes(keyspace.memtable_bytes));
        let _ = writeln!(
            text,
            "  {:<6}{:>6}{:>8}{:>14}{:>12}{:>13}{:>12}",
            "level", "runs", "tables", "entries", "deletes", "bytes", "protection"
        );
        for (level, held) in used(&keyspace.levels) {
            let _ = writeln!(
                text,
                "  {level:<6}{:>6}{:>8}{:>14}{:>12}{:>13}{:>11.1}%",
                held.runs,
                held.tables,
                held.entries,
                held.deletes,
                Bytes(held.file_bytes).to_string(),
                100.0 * protection(held)
            );
        }
    }
    let _ = writeln!(text, "log {} in {} segments", Bytes(stats.log_bytes), stats.log_segments);
    let _ = writeln!(text, "newest change {}", stats.newest_seq);
    if stats.tables.hints > 0 {
        let _ = writeln!(text, "{} files wait to be healed: see `resilver heal`", stats.tables.hints);
    }
    text
}

fn json(stats: &Stats) -> Value {
    let level = |(level, held): (usize, &LevelStats)| {
        json!({
            "level": level, "runs": held.runs, "tables": held.tables, "entries": held.entries,
            "deletes": held.deletes, "losses": held.losses,
            "body_bytes": held.body_bytes, "file_bytes": held.file_bytes,
        })
    };
    let keyspaces = stats.tables.keyspaces.iter().map(|keyspace| {
        let levels: Vec<_> = used(&keyspace.levels).map(level).collect();
        json!({ "name": &*keyspace.name, "memtable_bytes": keyspace.memtable_bytes, "levels": levels })
    });
    json!({
        "keyspaces": keyspaces.collect::<Vec<_>>(),
        "log_bytes": stats.log_bytes, "log_segments": stats.log_segments, "newest_seq": stats.newest_seq,
        "files_to_heal": stats.tables.hints,
    })
}

fn used(levels: &[LevelStats]) -> impl Iterator<Item = (usize, &LevelStats)> {
    levels.iter().enumerate().filter(|(_, held)| held.tables > 0)
}

/// What protection adds to the bytes it protects.
fn protection(held: &LevelStats) -> f64 {
    held.file_bytes as f64 / held.body_bytes.max(1) as f64 - 1.0
}
