//! `drill`: the black-box contract for campaigns driven from outside. It does what it is told and says what it
//! sees; the judge lives elsewhere.

mod apply;
mod dump;
mod ops;
mod opts;
mod serve;
mod words;

use std::{
    io::{self, BufRead, BufWriter, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use resilver::{HealMode, PatrolOptions, ScrubStart};
use serde_json::{Value, json};

use self::{apply::Leaving, dump::Asked};
pub(crate) use self::{opts::BadOpts, words::escape};
use crate::{
    care,
    failure::Failure,
    report::{Exit, Report},
    voice::Voice,
};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Applies operations from stdin, a line each: P key value, D key, R from to, C, c, F, K, X dir, W ms.
    Apply(ApplyOptions),
    /// Prints `key value` lines in key order; keys whose answers are lost go to stderr as `LOST from to`.
    Dump(DumpOptions),
    /// Says which pages of a store are bad, and changes nothing.
    Verify(Care),
    /// Makes bad pages right.
    Heal(Care),
    /// Reads every page of a store.
    Scrub(Care),
    /// Takes these commands line by line on stdin and ends each answer by `end CODE`.
    Serve,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyOptions {
    /// The store's directory; made if there is none.
    dir: PathBuf,
    /// Such as memtable=64K,table=256K,codec=lz4,protect=light,durability=sync.
    #[arg(long, default_value = "")]
    opts: String,
    /// How many durable commits may wait for the disk at once; they still count in the order of the lines.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Ends without closing the store, as a process that is killed does.
    #[arg(long)]
    no_close: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DumpOptions {
    /// The store's directory.
    dir: PathBuf,
    /// How the store is opened.
    #[arg(long, default_value = "")]
    opts: String,
    /// The first key.
    #[arg(long)]
    from: Option<String>,
    /// The key to end before.
    #[arg(long)]
    to: Option<String>,
    /// From the last key to the first.
    #[arg(long)]
    reverse: bool,
    /// Asks for the keys in this file, a line each, instead.
    #[arg(long, value_name = "FILE")]
    by_get: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Care {
    /// The store's directory.
    dir: PathBuf,
    /// How the store is opened.
    #[arg(long, default_value = "")]
    opts: String,
    /// Writes tables anew instead of healing them where they stand.
    #[arg(long)]
    rewrite: bool,
}

/// Runs a drill over the process's own streams.
pub(crate) fn run(command: &Command) -> Result<Report, Failure> {
    let mut out = BufWriter::new(io::stdout());
    let exit = match command {
        Command::Serve => serve::serve(&mut io::stdin().lock(), &mut out)?,
        command => command.run_within(&mut io::stdin().lock(), &mut out)?,
    };
    out.flush().map_err(Failure::Stdout)?;
    Ok(Report::silent(exit))
}

impl Command {
    /// Runs one command, its operations coming from `lines`.
    fn run_within<W: Write + Send>(&self, lines: &mut dyn BufRead, out: &mut W) -> Result<Exit, Failure> {
        match self {
            Self::Apply(asked) => {
                let options = opts::parse(&asked.opts)?;
                let leaving = if asked.no_close { Leaving::Abandon } else { Leaving::Close };
                apply::apply(&asked.dir, options, lines, out, asked.threads.into(), leaving)?;
                Ok(Exit::Fine)
            }
            Self::Dump(DumpOptions { dir, opts, from, to, reverse, by_get }) => {
                let asked = Asked {
                    from: from.clone(),
                    to: to.clone(),
                    is_reverse: *reverse,
                    by_get: by_get.clone(),
                };
                dump::dump(dir, opts::parse(opts)?, &asked, out, &mut io::stderr().lock())
            }
            Self::Verify(Care { dir, opts, .. }) => {
                let verified = care::verify_store(dir, &opts::parse(opts)?, &Voice::new(true))?;
                answer(out, "drill verify", care::verified_exit(&verified), care::verified_json(&verified))
            }
            // Both look at everything first, so that whatever was hurt meanwhile is known.
            Self::Heal(asked) => asked.scrub("drill heal", out),
            Self::Scrub(asked) => asked.scrub("drill scrub", out),
            Self::Serve => Err(Failure::Usage("`serve` is running already".into())),
        }
    }
}

impl Care {
    fn scrub(&self, command: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
        let mode = if self.rewrite { HealMode::Rewrite } else { HealMode::InPlace };
        let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        let options = opts::parse(&self.opts)?;
        let report = care::scrub_store(&self.dir, options, &patrol, mode, &Voice::new(true))?;
        answer(out, command, report.exit, report.json)
    }
}

/// Prints what was seen, as one line.
fn answer(out: &mut dyn Write, command: &str, exit: Exit, mut seen: Value) -> Result<Exit, Failure> {
    seen["format"] = json!({ "command": command, "version": 1 });
    writeln!(out, "{seen}").and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    Ok(exit)
}
