//! The `resilver` command.
//!
//! Parses arguments, runs one command, prints its report and ends with the code it asks for. Data
//! goes to stdout, progress and messages to stderr; a reader that goes away ends nothing badly.
#![forbid(unsafe_code)]

mod args;
mod damage;
mod failure;
mod files;
mod foresee;
mod heal;
mod hurts;
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
    let voice = Voice::new(arguments.quiet);
    let (name, outcome) = match &arguments.command {
        Command::Protect(options) => ("protect", protect::run(options, &voice)),
        Command::Verify(options) => ("verify", verify::run(options, &voice)),
        Command::Recover(options) => ("recover", recover::run(options, &voice)),
        Command::Damage(options) => ("damage", damage::run(options)),
    };
    let report = outcome.unwrap_or_else(|failure| {
        voice.complain(&failure);
        Report::of_failure(&failure)
    });
    report.print(name, arguments.json, &voice).into()
}
