//! One-shot access to a store: `put`, `get`, `delete`, `delete-range`, `scan`, `load`, `dump`, `stats`,
//! `checkpoint`.

mod bulk;
mod encoding;
mod lines;
mod stats;

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use resilver::{Creation, Db, Keyspace, Options, Scan};
use serde_json::{Value, json};

use self::lines::Lines;
pub(crate) use self::{
    bulk::{DumpOptions, LoadOptions, dump, load},
    encoding::Encoding,
    stats::stats,
};
use crate::{
    failure::Failure,
    report::{Exit, Report},
    voice::Voice,
};

/// Which store, which keyspace, and how bytes are written.
#[derive(Args, Debug)]
pub(crate) struct Store {
    /// The store's directory.
    #[arg(long, global = true, env = "RESILVER_DB", value_name = "PATH")]
    pub(crate) db: Option<PathBuf>,
    /// The keyspace.
    #[arg(long, global = true, default_value = "default", value_name = "NAME")]
    pub(crate) keyspace: String,
    /// Keys and values are hexadecimal.
    #[arg(long, global = true, conflicts_with = "base64")]
    hex: bool,
    /// Keys and values are base64.
    #[arg(long, global = true)]
    base64: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ScanOptions {
    /// The first key.
    #[arg(long, conflicts_with = "prefix")]
    from: Option<String>,
    /// The key to end before.
    #[arg(long, conflicts_with = "prefix")]
    to: Option<String>,
    /// Only keys that begin so.
    #[arg(long)]
    prefix: Option<String>,
    /// From the last key to the first.
    #[arg(long)]
    reverse: bool,
    /// At most so many.
    #[arg(long)]
    limit: Option<usize>,
    /// Keys without values.
    #[arg(long)]
    keys_only: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckpointOptions {
    /// A directory that is not there yet.
    dest: PathBuf,
    /// Copies every byte instead of linking tables, so that no damage is shared.
    #[arg(long)]
    copy: bool,
    /// Reads every page of what was made, past every cache.
    #[arg(long)]
    verify: bool,
}

impl Store {
    pub(crate) const fn encoding(&self) -> Encoding {
        match (self.hex, self.base64) {
            (true, _) => Encoding::Hex,
            (false, true) => Encoding::Base64,
            (false, false) => Encoding::Text,
        }
    }

    pub(crate) fn path(&self) -> Result<&PathBuf, Failure> {
        self.db.as_ref().ok_or(Failure::NoStore)
    }

    pub(crate) fn bytes(&self, word: &str) -> Result<Vec<u8>, Failure> {
        self.encoding().parse(word).map_err(|bad| Failure::Usage(bad.to_string()))
    }

    /// Opens for writing; a store is made only by what puts something into it.
    fn open(&self, creation: Creation) -> Result<(Db, Keyspace), Failure> {
        let db = Options::new().creation(creation).open(self.path()?)?;
        let keys = db.keyspace(&self.keyspace)?;
        Ok((db, keys))
    }

    fn open_to_read(&self) -> Result<(Db, Keyspace), Failure> {
        let db = Db::open_read_only(self.path()?, Options::new())?;
        let keys = db.find_keyspace(&self.keyspace)?;
        Ok((db, keys))
    }
}

pub(crate) fn put(store: &Store, key: &str, value: &str) -> Result<Report, Failure> {
    let (key, value) = (store.bytes(key)?, store.bytes(value)?);
    let (db, keys) = store.open(Creation::IfMissing)?;
    keys.put(&key, &value)?;
    db.close()?;
    Ok(done())
}

pub(crate) fn get(store: &Store, word: &str) -> Result<Report, Failure> {
    let (_db, keys) = store.open_to_read()?;
    let key = store.bytes(word)?;
    let value = keys.get(&key)?.ok_or_else(|| Failure::NoKey(word.into()))?;
    let encoding = store.encoding();
    let json = json!({ "key": encoding.json(&key), "value": encoding.json(&value) });
    Ok(Report { exit: Exit::Fine, text: format!("{}\n", encoding.text(&value)), json })
}

pub(crate) fn delete(store: &Store, key: &str) -> Result<Report, Failure> {
    let key = store.bytes(key)?;
    let (db, keys) = store.open(Creation::Never)?;
    keys.delete(&key)?;
    db.close()?;
    Ok(done())
}

pub(crate) fn delete_range(store: &Store, from: &str, to: &str) -> Result<Report, Failure> {
    let (from, to) = (store.bytes(from)?, store.bytes(to)?);
    let (db, keys) = store.open(Creation::Never)?;
    keys.delete_range(&from, &to)?;
    db.close()?;
    Ok(done())
}

pub(crate) fn scan(
    store: &Store,
    options: &ScanOptions,
    as_json: bool,
    voice: &Voice,
) -> Result<Report, Failure> {
    let (_db, keys) = store.open_to_read()?;
    let mut scan = match &options.prefix {
        Some(prefix) => Scan::prefix(store.bytes(prefix)?),
        None => Scan::all(),
    };
    if let Some(from) = &options.from {
        scan = scan.from(store.bytes(from)?);
    }
    if let Some(to) = &options.to {
        scan = scan.to(store.bytes(to)?);
    }
    if options.reverse {
        scan = scan.reverse();
    }
    if options.keys_only {
        scan = scan.keys_only();
    }
    let mut lines = Lines::new("scan", as_json, store.encoding(), BufWriter::new(io::stdout()));
    let (mut exit, mut left) = (Exit::Fine, options.limit.unwrap_or(usize::MAX));
    let mut items = keys.scan(scan)?;
    while left > 0
        && let Some(item) = items.next()
    {
        if let Some((key, value)) = found_or_lost(item, &mut exit, voice)? {
            lines.print(&key, (!options.keys_only).then_some(&value[..]))?;
            left -= 1;
        }
    }
    lines.finish()?;
    Ok(Report::silent(exit))
}

/// What a walk found; what is lost is said, and the walk goes on behind it.
fn found_or_lost<T>(
    item: Result<T, resilver::Error>,
    exit: &mut Exit,
    voice: &Voice,
) -> Result<Option<T>, Failure> {
    match item {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.loss().is_some() => {
            *exit = Exit::Lost;
            voice.complain(&error.into());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn checkpoint(
    store: &Store,
    options: &CheckpointOptions,
    voice: &Voice,
) -> Result<Report, Failure> {
    let (db, _) = store.open(Creation::Never)?;
    match options.copy {
        true => db.checkpoint_copied(&options.dest)?,
        false => db.checkpoint(&options.dest)?,
    }
    db.close()?;
    let made = format!("a store as of now is at {}\n", options.dest.display());
    let mut json = json!({ "dest": options.dest.display().to_string(), "copied": options.copy });
    if !options.verify {
        return Ok(Report { exit: Exit::Fine, text: made, json });
    }
    let seen = crate::care::verify(&options.dest, voice)?;
    json["verified"] = seen.json;
    Ok(Report { exit: seen.exit, text: made + &seen.text, json })
}

fn done() -> Report {
    Report { exit: Exit::Fine, text: String::new(), json: Value::Object(serde_json::Map::new()) }
}

/// Writes everything that is still on its way.
fn flush(out: &mut impl Write) -> Result<(), Failure> {
    out.flush().map_err(Failure::Stdout)
}
