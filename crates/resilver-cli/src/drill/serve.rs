//! `drill serve`: the drill's commands line by line, each answer ended by `end CODE`.
//!
//! **Invariant**: what stands between an `apply` and its line `end` is never taken for a command, however the apply
//! ends.

use std::io::{self, BufRead, Read, Write};

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
    let mut words = line.split(' ').peekable();
    let mut ops = OpLines { lines, line: Vec::new(), read: 0, is_over: words.peek() != Some(&"apply") };
    let outcome = match Line::try_parse_from(words) {
        Ok(Line { command }) => command.run_within(&mut ops, out),
        Err(error) => Err(Failure::Usage(error.to_string())),
    };
    let skipped = ops.skip().map_err(Failure::Stdin);
    let outcome = outcome.and_then(|exit| skipped.map(|()| exit));
    outcome.unwrap_or_else(|failure| {
        eprintln!("resilver: error: {failure}");
        failure.exit()
    })
}

/// The lines that belong to one command: up to `end`, which is not among them.
struct OpLines<'a> {
    lines: &'a mut dyn BufRead,
    line: Vec<u8>,
    /// Bytes of the line that were read.
    read: usize,
    is_over: bool,
}

impl OpLines<'_> {
    /// Passes over those that nobody read.
    fn skip(&mut self) -> io::Result<()> {
        while !self.fill_buf()?.is_empty() {
            self.read = self.line.len();
        }
        Ok(())
    }
}

impl Read for OpLines<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for OpLines<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.line.len() && !self.is_over {
            self.line.clear();
            self.read = 0;
            self.lines.read_until(b'\n', &mut self.line)?;
            if self.line.is_empty() || self.line.trim_ascii_end() == b"end" {
                self.line.clear();
                self.is_over = true;
            }
        }
        Ok(&self.line[self.read..])
    }

    fn consume(&mut self, len: usize) {
        self.read += len;
    }
}
