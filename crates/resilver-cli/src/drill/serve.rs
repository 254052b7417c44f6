//! `drill serve`: the drill's commands line by line, each answer ended by `end CODE`.

use std::io::{BufRead, Write};

use clap::Parser;

use super::{Command, apply::read_line};
use crate::{failure::Failure, report::Exit};

/// One line as if it were a command of its own.
#[derive(Parser, Debug)]
#[command(name = "", no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Runs commands until the lines end.
pub(super) fn serve<W: Write + Send>(lines: &mut dyn BufRead, out: &mut W) -> Result<Exit, Failure> {
    let mut line = String::new();
    while read_line(lines, &mut line)?.is_some() {
        if line.is_empty() {
            continue;
        }
        let exit = answer(&line, lines, out);
        writeln!(out, "end {}", exit as u8).and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    }
    Ok(Exit::Fine)
}

fn answer<W: Write + Send>(line: &str, lines: &mut dyn BufRead, out: &mut W) -> Exit {
    let outcome = match Line::try_parse_from(line.split(' ')) {
        Ok(Line { command }) => command.run_within(lines, out),
        Err(error) => Err(Failure::Usage(error.to_string())),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("resilver: error: {failure}");
        failure.exit()
    })
}
