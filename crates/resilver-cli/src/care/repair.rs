//! `repair`: a store that cannot be opened, or lost something, is made usable again; offline.

use std::{fmt::Write as _, ops::Bound, path::PathBuf};

use clap::Args;
use resilver::{
    Filled, LogFate, LostKeys, ManifestState, Options, Repair, RepairOutcome, RepairReport, RepairedKeyspace,
};
use serde_json::{Value, json};

use super::{passes::Passes, verify::shown};
use crate::{
    access::Store,
    failure::Failure,
    report::{Exit, Report},
    voice::Voice,
};

#[derive(Args, Debug)]
pub(crate) struct RepairOptions {
    /// The directory of the store; otherwise the one that --db names.
    dir: Option<PathBuf>,
    /// A checkpoint of the store that lost pages, files and key ranges are brought back from.
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<PathBuf>,
    /// Gives up what is lost: reads there answer as if it had never been written.
    #[arg(long)]
    accept_loss: bool,
    /// Says what would be done, and does not do it.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn repair(store: &Store, options: &RepairOptions, voice: &Voice) -> Result<Report, Failure> {
    let dir = match &options.dir {
        Some(dir) => dir.as_path(),
        None => store.path()?,
    };
    let mut repair = Repair::new(dir, Options::new());
    if let Some(from) = &options.from {
        repair = repair.from_checkpoint(from);
    }
    if options.accept_loss {
        repair = repair.accept_loss();
    }
    let mut passes = Passes::new("repairing", voice);
    let watch = |progress| passes.tell(progress);
    let done = if options.dry_run { repair.plan_watched(watch) } else { repair.run_watched(watch) };
    passes.end();
    let report = done?;
    let exit = match (report.is_loss(), report.outcome) {
        (true, _) => Exit::Lost,
        (false, RepairOutcome::Untouched) => Exit::Fine,
        (false, _) => Exit::Damage,
    };
    let text = text(&dir.display().to_string(), &report);
    Ok(Report { exit, text, json: json(&report) })
}

fn text(dir: &str, report: &RepairReport) -> String {
    let mut text = String::new();
    // A string takes everything.
    let verdict = match (report.outcome, report.is_loss()) {
        (RepairOutcome::Untouched, false) => "nothing is wrong, and nothing was changed",
        (RepairOutcome::Untouched, true) => "something is lost, and nothing was changed",
        (RepairOutcome::Planned, false) => "it can be repaired, and nothing is lost; nothing was changed",
        (RepairOutcome::Planned, true) => "it can be repaired, but for what is lost; nothing was changed",
        (_, false) => "repaired, and nothing is lost",
        (_, true) => "repaired, but for what is lost",
    };
    let _ = writeln!(text, "{dir}: {verdict}");
    if let ManifestState::Rebuilt { why } = &report.manifest {
        let _ = writeln!(text, "the manifest is made anew of the tables: {why}");
    }
    for RepairedKeyspace { name, is_made_up, tables, entries, flushed } in &report.keyspaces {
        let made_up = if *is_made_up { " (its name is lost; this one is made up)" } else { "" };
        let _ = writeln!(
            text,
            "  keyspace {name}{made_up}: {tables} tables, {entries} entries, flushed up to {flushed}"
        );
    }
    for part in &report.log {
        let numbers = part
            .numbers
            .map_or(String::new(), |(first, next)| format!(", writes {first} to {}", next.max(1) - 1));
        let _ = writeln!(text, "  log {}: {}{numbers}", part.file, told(part.fate));
    }
    for renamed in &report.renamed {
        let _ = writeln!(text, "  {} bears another's name and becomes {}", renamed.from, renamed.to);
    }
    for aside in &report.set_aside {
        let _ = writeln!(text, "  {} goes into quarantine: {}", aside.file, aside.why);
    }
    if report.healed_pages > 0 {
        let verb = if report.outcome == RepairOutcome::Planned { "can be healed" } else { "were healed" };
        let _ = writeln!(text, "{} pages {verb}", report.healed_pages);
    }
    for file in &report.restored {
        let _ = writeln!(text, "{file} was gone and came back from the checkpoint");
    }
    for filled in &report.filled {
        let _ = writeln!(text, "{}", told_filled(filled));
    }
    for (word, losses) in [("LOST", &report.losses), ("given up", &report.accepted)] {
        for loss in losses {
            let _ = writeln!(text, "{word}: {}", told_loss(loss));
        }
    }
    for loss in &report.log_losses {
        let _ = writeln!(text, "LOST: the log: {loss}");
    }
    if !report.losses.is_empty() || !report.log_losses.is_empty() {
        text.push_str(
            "reads of what is lost fail, and a log that lost writes keeps the store from opening: `resilver repair \
             --from CHECKPOINT` brings back what a checkpoint has, `--accept-loss` gives it up\n",
        );
    }
    text
}

const fn told(fate: LogFate) -> &'static str {
    match fate {
        LogFate::Replayed => "replayed by the next open",
        LogFate::Spent => "everything in it is in tables",
        LogFate::Foreign => "of another store, and not replayed here",
        LogFate::Unused => "never used",
        _ => "nothing tells what is in it",
    }
}

fn told_loss(loss: &LostKeys) -> String {
    let LostKeys { keyspace, lower, upper, seq_low, seq_high, file, .. } = loss;
    let keys = told_keys(lower, upper);
    format!("keyspace {keyspace}, {keys}, writes {seq_low} to {seq_high} ({file})")
}

fn told_filled(filled: &Filled) -> String {
    let Filled { keyspace, lower, upper, keys, as_of, lost_upto } = filled;
    let keyed = told_keys(lower, upper);
    let age = match filled.is_older() {
        true => format!("OLDER: as of write {as_of}; later ones, up to {lost_upto}, are lost"),
        false => format!("as of write {as_of}, and nothing of it is lost"),
    };
    format!("filled: keyspace {keyspace}, {keyed}: {keys} keys from the checkpoint, {age}")
}

fn told_keys(lower: &Bound<impl AsRef<[u8]>>, upper: &Bound<impl AsRef<[u8]>>) -> String {
    let from = match lower {
        Bound::Unbounded => "from the first key".to_owned(),
        Bound::Included(key) => format!("from {}", shown(key.as_ref())),
        Bound::Excluded(key) => format!("behind {}", shown(key.as_ref())),
    };
    match upper {
        Bound::Unbounded => format!("{from} to the last"),
        Bound::Included(key) => format!("{from} to {}", shown(key.as_ref())),
        Bound::Excluded(key) => format!("{from} up to, not including, {}", shown(key.as_ref())),
    }
}

fn json(report: &RepairReport) -> Value {
    let why = match &report.manifest {
        ManifestState::Rebuilt { why } => Some(why.to_string()),
        ManifestState::Sound => None,
    };
    let keyspaces = report.keyspaces.iter().map(|space| {
        json!({
            "name": &*space.name, "made_up": space.is_made_up, "tables": space.tables,
            "entries": space.entries, "flushed": space.flushed,
        })
    });
    let log = report.log.iter().map(|part| {
        json!({ "file": &*part.file, "fate": told(part.fate), "first": part.numbers.map(|(first, _)| first),
                "next": part.numbers.map(|(_, next)| next) })
    });
    let renamed = report.renamed.iter().map(|file| json!({ "from": &*file.from, "to": &*file.to }));
    let aside =
        report.set_aside.iter().map(|aside| json!({ "file": &*aside.file, "why": aside.why.to_string() }));
    let filled = report.filled.iter().map(|filled| {
        json!({
            "keyspace": &*filled.keyspace, "from": bound(&filled.lower), "to": bound(&filled.upper),
            "keys": filled.keys, "as_of": filled.as_of, "lost_upto": filled.lost_upto, "older": filled.is_older(),
        })
    });
    let losses = |losses: &[LostKeys]| -> Vec<Value> {
        let one = |loss: &LostKeys| {
            json!({
                "keyspace": &*loss.keyspace, "from": bound(&loss.lower), "to": bound(&loss.upper),
                "seq_low": loss.seq_low, "seq_high": loss.seq_high, "file": &*loss.file,
            })
        };
        losses.iter().map(one).collect()
    };
    json!({
        "outcome": match report.outcome {
            RepairOutcome::Untouched => "untouched",
            RepairOutcome::Planned => "planned",
            RepairOutcome::Repaired => "repaired",
        },
        "rebuilt": why.is_some(), "why": why,
        "keyspaces": keyspaces.collect::<Vec<_>>(), "log": log.collect::<Vec<_>>(),
        "renamed": renamed.collect::<Vec<_>>(), "set_aside": aside.collect::<Vec<_>>(), "healed_pages": report.healed_pages,
        "restored": report.restored.iter().map(|file| &**file).collect::<Vec<_>>(),
        "filled": filled.collect::<Vec<_>>(), "lost": losses(&report.losses),
        "accepted": losses(&report.accepted),
        "log_lost": report.log_losses.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// A bound: its key as a word, and whether the key is within; none if there is no end.
fn bound(bound: &Bound<impl AsRef<[u8]>>) -> Value {
    match bound {
        Bound::Unbounded => Value::Null,
        Bound::Included(key) => json!({ "key": shown(key.as_ref()), "included": true }),
        Bound::Excluded(key) => json!({ "key": shown(key.as_ref()), "included": false }),
    }
}
