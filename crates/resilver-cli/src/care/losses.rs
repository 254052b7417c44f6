//! `losses` and `accept-loss`: what a store lost, by keyspace and key range, and giving it up.
//!
//! **Invariant**: nothing is given up that the command line does not name, and everything that was is listed.

use std::{fmt::Write as _, ops::Bound, path::PathBuf, time::Duration};

use clap::Args;
use resilver::{Background, Creation, Db, Error, Event, EventKind, LogLoss, LostKeys, Options, Outcome};
use serde_json::{Value, json};

use crate::{
    access::{Encoding, Store},
    failure::Failure,
    report::{Exit, Report},
};

#[derive(Args, Debug)]
pub(crate) struct LossesOptions {
    /// The store's directory; what --db names if left out.
    dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct AcceptLossOptions {
    /// Everything that is known to be lost, of every keyspace, and what the log lost.
    #[arg(long, conflicts_with_all = ["from", "to", "through"])]
    all: bool,
    /// Of the keyspace, what is lost from this key on.
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// What is lost before this key.
    #[arg(long, value_name = "KEY", conflicts_with = "through")]
    to: Option<String>,
    /// What is lost up to and with this key.
    #[arg(long, value_name = "KEY")]
    through: Option<String>,
}

pub(crate) fn losses(store: &Store, options: &LossesOptions) -> Result<Report, Failure> {
    let dir = options.dir.as_ref().map_or_else(|| store.path(), Ok)?;
    let db = Db::open_read_only(dir, Options::new().log_loss(LogLoss::Accept))?;
    let (lost, log) = (db.losses()?, of_log(&db, EventKind::Open, Outcome::Lost, Duration::ZERO)?);
    let kept = kept(&db)?;
    let mut text = String::new();
    // A string takes everything.
    for loss in &lost {
        let _ = writeln!(text, "{loss} (of {})\n  give it up: {}", loss.file, command(loss));
    }
    for loss in &log {
        let _ = writeln!(text, "the log: {loss}\n  give it up: resilver accept-loss --all");
    }
    match lost.len() + log.len() {
        0 => text.push_str("nothing is known to be lost; `resilver scrub` looks at every page\n"),
        _ => text.push_str(
            "Reads of these keys fail, all others are answered. Take them from a checkpoint or a backup and write them \
             again; then give up what is left, one by one or with `resilver accept-loss --all`.\n",
        ),
    }
    for path in &kept {
        let _ = writeln!(text, "kept: {path}");
    }
    let exit = if lost.len() + log.len() > 0 { Exit::Lost } else { Exit::Fine };
    let json = json!({ "losses": told(&lost, store.encoding()), "log": log, "quarantined": kept });
    Ok(Report { exit, text, json })
}

pub(crate) fn accept_loss(store: &Store, options: &AcceptLossOptions) -> Result<Report, Failure> {
    let log_loss = if options.all { LogLoss::Accept } else { LogLoss::Refuse };
    let opening = Options::new().creation(Creation::Never).background(Background::Inline).log_loss(log_loss);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let db = opening.open(store.path()?)?;
    let given_up = match options.all {
        true => all(&db)?,
        false => {
            let (from, end) = (word(store, options.from.as_ref())?, options.to.as_ref());
            let (to, through) = (word(store, end)?, word(store, options.through.as_ref())?);
            let lower = from.as_deref().map_or(Bound::Unbounded, Bound::Included);
            let upper = match (to.as_deref(), through.as_deref()) {
                (Some(to), _) => Bound::Excluded(to),
                (None, Some(through)) => Bound::Included(through),
                (None, None) => Bound::Unbounded,
            };
            db.find_keyspace(&store.keyspace)?.accept_loss(lower, upper)?
        }
    };
    let since = since.saturating_sub(Duration::from_millis(1));
    let log = of_log(&db, EventKind::LossAccepted, Outcome::Accepted, since)?;
    let (left, kept) = (db.losses()?, kept(&db)?);
    db.close()?;
    if given_up.is_empty() && log.is_empty() {
        return Err(Failure::NothingLost);
    }
    let text = accepted_text(&given_up, &log, &left, &kept);
    let json = json!({
        "accepted": told(&given_up, store.encoding()), "log": log, "left": left.len(), "quarantined": kept,
    });
    Ok(Report { exit: Exit::Fine, text, json })
}

fn word(store: &Store, word: Option<&String>) -> Result<Option<Vec<u8>>, Failure> {
    word.map(|word| store.bytes(word)).transpose()
}

/// Gives up what is lost of every keyspace.
fn all(db: &Db) -> Result<Vec<LostKeys>, Failure> {
    let mut given_up = Vec::new();
    for name in db.keyspaces() {
        match db.find_keyspace(&name)?.accept_loss(Bound::Unbounded, Bound::Unbounded) {
            Ok(more) => given_up.extend(more),
            Err(Error::NotLost { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(given_up)
}

fn accepted_text(given_up: &[LostKeys], log: &[String], left: &[LostKeys], kept: &[String]) -> String {
    let mut text = String::new();
    for loss in given_up {
        let _ = writeln!(text, "given up: {loss} (of {})", loss.file);
    }
    for loss in log {
        let _ = writeln!(text, "given up: of the log, {loss}");
    }
    if !given_up.is_empty() {
        text.push_str("Keys in these ranges have what was written after the loss, and otherwise nothing.\n");
    }
    for path in kept {
        let _ = writeln!(text, "kept: {path}, for a later try to bring its pages back");
    }
    text.push_str(match left.is_empty() {
        true => {
            "Next: write again what a backup has of it; `resilver scrub` says whether the store is whole.\n"
        }
        false => "Next: write again what a backup has of it; `resilver losses` lists what else is lost.\n",
    });
    text
}

/// What the log lost, in words, as the ledger tells it since then.
fn of_log(db: &Db, kind: EventKind, outcome: Outcome, since: Duration) -> Result<Vec<String>, Failure> {
    let events = db.ledger()?.events.into_iter();
    let is_of_log = |event: &Event| {
        (event.kind, event.outcome) == (kind, outcome) && !event.file.is_empty() && event.at >= since
    };
    Ok(events.filter(is_of_log).map(|event| event.note.to_string()).collect())
}

fn kept(db: &Db) -> Result<Vec<String>, Failure> {
    Ok(db.quarantined()?.iter().map(|path| path.display().to_string()).collect())
}

fn told(losses: &[LostKeys], encoding: Encoding) -> Vec<Value> {
    let told = losses.iter().map(|loss| {
        let [from, to] = keys_of(loss).map(|key| key.map_or(Value::Null, |key| encoding.json(key)));
        let is_from_in = matches!(loss.lower, Bound::Included(_));
        let is_to_in = matches!(loss.upper, Bound::Included(_));
        let pages = loss.pages.iter().map(|run| json!([run.start.get(), run.end.get() - run.start.get()]));
        json!({
            "keyspace": &*loss.keyspace,
            "from": from, "is_from_in": is_from_in, "to": to, "is_to_in": is_to_in,
            "seq_low": loss.seq_low, "seq_high": loss.seq_high,
            "file": &*loss.file, "pages": pages.collect::<Vec<_>>(),
        })
    });
    told.collect()
}

/// The keys at its ends, as far as it has ends.
fn keys_of(loss: &LostKeys) -> [Option<&[u8]>; 2] {
    [&loss.lower, &loss.upper].map(|bound| match bound {
        Bound::Unbounded => None,
        Bound::Included(key) | Bound::Excluded(key) => Some(&key[..]),
    })
}

/// The command that gives a loss up, ready for a shell.
fn command(loss: &LostKeys) -> String {
    let is_plain = |key: &[u8]| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:@+".contains(byte);
        !key.is_empty() && key.iter().all(is_plain)
    };
    let keys = keys_of(loss);
    let encoding = match keys.iter().flatten().all(|key| is_plain(key)) {
        true => Encoding::Text,
        false => Encoding::Hex,
    };
    let mut command = "resilver accept-loss".to_owned();
    if &*loss.keyspace != "default" {
        let quoted = loss.keyspace.replace('\'', "'\\''");
        let _ = write!(command, " --keyspace '{quoted}'");
    }
    if encoding == Encoding::Hex {
        command.push_str(" --hex");
    }
    let end = if matches!(loss.upper, Bound::Included(_)) { "through" } else { "to" };
    for (name, key) in ["from", end].into_iter().zip(keys) {
        if let Some(key) = key {
            let _ = write!(command, " --{name}={}", encoding.text(key));
        }
    }
    if keys == [None, None] { command + " --from=" } else { command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_gives_a_loss_up_is_ready_for_a_shell() {
        use Bound::{Excluded, Included, Unbounded};
        for (keyspace, lower, upper, told) in [
            ("default", Included("a1"), Excluded("b2"), "resilver accept-loss --from=a1 --to=b2"),
            (
                "a'b",
                Excluded("a"),
                Included("b"),
                "resilver accept-loss --keyspace 'a'\\''b' --from=a --through=b",
            ),
            ("default", Included("a b"), Unbounded, "resilver accept-loss --hex --from=612062"),
            ("default", Unbounded, Excluded(""), "resilver accept-loss --hex --to="),
            ("default", Unbounded, Unbounded, "resilver accept-loss --from="),
        ] {
            let [lower, upper] = [lower, upper].map(|bound| bound.map(|key| key.into()));
            let (keyspace, file, pages) = (keyspace.into(), "f".into(), resilver::PageRanges::default());
            let loss = LostKeys { keyspace, lower, upper, seq_low: 1, seq_high: 2, file, pages };
            assert_eq!(command(&loss), told);
        }
    }
}
