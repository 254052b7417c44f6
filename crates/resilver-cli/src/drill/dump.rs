//! `drill dump`: what the store answers, a line for each key.

use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
};

use resilver::{Db, Keyspace, Loss, Options, Scan};

use super::{
    apply::read_line,
    words::{escape, unescape},
};
use crate::{failure::Failure, files, report::Exit};

/// Which keys, and how they are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) is_reverse: bool,
    pub(super) by_get: Option<PathBuf>,
}

/// A dump under way.
struct Dumping<'a, W, L> {
    out: &'a mut W,
    losses: &'a mut L,
    line: String,
    exit: Exit,
}

/// Dumps the store at `dir` to `out`; keys whose answers are lost go to `losses`.
pub(super) fn dump<W: Write, L: Write>(
    dir: &Path,
    options: Options,
    asked: &Asked,
    out: &mut W,
    losses: &mut L,
) -> Result<Exit, Failure> {
    let db = Db::open_read_only(dir, options)?;
    let keys = db.default_keyspace();
    let mut dumping = Dumping { out, losses, line: String::new(), exit: Exit::Fine };
    match &asked.by_get {
        Some(path) => dumping.by_get(&keys, &mut files::open_lines(path)?)?,
        None => dumping.by_scan(&keys, asked)?,
    }
    dumping.out.flush().map_err(Failure::Stdout)?;
    Ok(dumping.exit)
}

fn word(word: &str) -> Result<Vec<u8>, Failure> {
    unescape(word).map_err(|bad| Failure::Usage(bad.to_string()))
}

impl<W: Write, L: Write> Dumping<'_, W, L> {
    fn by_scan(&mut self, keys: &Keyspace, asked: &Asked) -> Result<(), Failure> {
        let mut scan = Scan::all();
        if let Some(from) = &asked.from {
            scan = scan.from(word(from)?);
        }
        if let Some(to) = &asked.to {
            scan = scan.to(word(to)?);
        }
        if asked.is_reverse {
            scan = scan.reverse();
        }
        for item in keys.scan(scan)? {
            match item {
                Ok((key, value)) => self.print(&key, &value)?,
                Err(error) => self.lose(error)?,
            }
        }
        Ok(())
    }

    fn by_get(&mut self, keys: &Keyspace, names: &mut dyn BufRead) -> Result<(), Failure> {
        let mut name = String::new();
        while read_line(names, &mut name)?.is_some() {
            let key = word(&name)?;
            match keys.get(&key) {
                Ok(Some(value)) => self.print(&key, &value)?,
                Ok(None) => {}
                Err(error) => self.lose(error)?,
            }
        }
        Ok(())
    }

    fn print(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.line.clear();
        escape(&mut self.line, key);
        self.line.push(' ');
        escape(&mut self.line, value);
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes()).map_err(Failure::Stdout)
    }

    fn lose(&mut self, error: resilver::Error) -> Result<(), Failure> {
        let Some(Loss { from, to }) = error.loss() else { return Err(error.into()) };
        self.line.clear();
        self.line.push_str("LOST ");
        escape(&mut self.line, &from);
        self.line.push(' ');
        // A range that no key ends is shown by the sign that no key is escaped to.
        match to {
            Some(to) => escape(&mut self.line, &to),
            None => self.line.push('~'),
        }
        self.line.push('\n');
        self.exit = Exit::Lost;
        self.losses.write_all(self.line.as_bytes()).map_err(Failure::Stdout)
    }
}
