//! Drives this workspace: its gates, its generated docs, its proofs and its releases.
//!
//! Each command lives in the file of its name; this one only finds it and reports its failure.
#![forbid(unsafe_code)]

mod args;
mod arrows;
mod ci;
mod counts;
mod failure;
mod finding;
mod formats;
mod nightly;
mod no_std;
mod races;
mod release;
mod tidy;
mod tool;
mod tree;
mod workspace;

use std::process::ExitCode;

use args::Args;
use failure::Failure;
use workspace::Workspace;

struct Command {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    run: fn(&Workspace, Args) -> Result<(), Failure>,
}

const COMMANDS: &[Command] = &[
    Command { name: "ci", summary: "every gate, in order", help: ci::HELP, run: ci::run },
    Command { name: "tidy", summary: "the rules no compiler knows", help: tidy::HELP, run: tidy::run },
    Command {
        name: "formats",
        summary: "docs/FORMAT.md from the code",
        help: formats::HELP,
        run: formats::run,
    },
    Command { name: "no-std", summary: "proof that no_std is true", help: no_std::HELP, run: no_std::run },
    Command {
        name: "release",
        summary: "archives, tested as packed",
        help: release::HELP,
        run: release::run,
    },
    Command {
        name: "nightly",
        summary: "long parts, by seed and time",
        help: nightly::HELP,
        run: nightly::run,
    },
];

fn main() -> ExitCode {
    match dispatch(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut words: Vec<String>) -> Result<(), Failure> {
    if words.first().is_none_or(|word| matches!(word.as_str(), "help" | "--help" | "-h")) {
        print!("{}", overview());
        return Ok(());
    }
    let name = words.remove(0);
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(Failure::new(
            format!("there is no command `{name}`"),
            "`cargo xtask --help` lists the commands",
        ));
    };
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{}", command.help);
        return Ok(());
    }
    (command.run)(&Workspace::load()?, Args::new(command.name, words))
}

fn overview() -> String {
    let mut text = String::from("cargo xtask COMMAND [--help]\n\n");
    for command in COMMANDS {
        text.push_str(&format!("  {:<8}  {}\n", command.name, command.summary));
    }
    text
}
