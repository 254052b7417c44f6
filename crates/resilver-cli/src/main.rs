//! The `resilver` command.
//!
//! Parses arguments, runs one command, prints its report and ends with the code it asks for. Data
//! goes to stdout, progress and messages to stderr; a reader that goes away ends nothing badly.
#![forbid(unsafe_code)]

mod access;
mod args;
mod bench;
mod care;
mod damage;
mod demo;
mod drill;
mod failure;
mod files;
mod foresee;
mod heal;
mod health;
mod hurts;
mod inspect;
mod opening;
mod pair;
mod progress;
mod protect;
mod recover;
mod report;
mod size;
mod spans;
mod stamp;
mod survey;
mod verdict;
mod verify;
mod voice;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::report::Report;
use crate::voice::Voice;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (voice, store) = (Voice::new(arguments.quiet), &arguments.store);
    let (name, outcome) = match &arguments.command {
        Command::Protect(options) => ("protect", protect::run(options, &voice)),
        Command::Verify(options) if options.file.is_dir() => ("verify", care::verify(&options.file, &voice)),
        Command::Verify(options) => ("verify", verify::run(options, &voice)),
        Command::Demo { options } => ("demo", demo::run(options, &voice)),
        Command::Bench { options } => ("bench", bench::run(options, &voice)),
        Command::Scrub { options } => ("scrub", care::scrub(store, options, &voice)),
        Command::Heal { options } => ("heal", care::heal(store, options)),
        Command::Losses { options } => ("losses", care::losses(store, options)),
        Command::AcceptLoss { options } => ("accept-loss", care::accept_loss(store, options)),
        Command::Repair { options } => ("repair", care::repair(store, options, &voice)),
        Command::Recover(options) => ("recover", recover::run(options, &voice)),
        Command::Damage(options) => ("damage", damage::run(options)),
        Command::Put { key, value } => ("put", access::put(store, key, value)),
        Command::Get { key } => ("get", access::get(store, key)),
        Command::Delete { key } => ("delete", access::delete(store, key)),
        Command::DeleteRange { from, to } => ("delete-range", access::delete_range(store, from, to)),
        Command::Scan { options } => ("scan", access::scan(store, options, arguments.json, &voice)),
        Command::Load { options } => ("load", access::load(store, options, &voice)),
        Command::Dump { options } => ("dump", access::dump(store, options, &voice)),
        Command::Stats => ("stats", access::stats(store)),
        Command::Checkpoint { options } => ("checkpoint", access::checkpoint(store, options, &voice)),
        Command::Inspect { what } => ("inspect", inspect::run(store, what)),
        Command::Health { options } => ("health", health::health(store, options)),
        Command::Report { options } => ("report", health::report(store, options, &voice)),
        Command::Drill { command } => ("drill", drill::run(command)),
    };
    let report = outcome.unwrap_or_else(|failure| {
        voice.complain(&failure);
        Report::of_failure(&failure)
    });
    report.print(name, arguments.json, &voice).into()
}
