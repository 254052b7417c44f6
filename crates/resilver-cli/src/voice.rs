//! What goes to stderr: messages, unless hushed, and errors always.

use std::fmt;
use std::io::{self, Write};

use crate::failure::Failure;
use crate::progress::Progress;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    is_quiet: bool,
}

impl Voice {
    pub(crate) const fn new(is_quiet: bool) -> Self {
        Self { is_quiet }
    }

    /// A message for whoever is watching.
    pub(crate) fn say(&self, message: fmt::Arguments<'_>) {
        if !self.is_quiet {
            self.warn(message);
        }
    }

    /// A message that is not to be missed.
    pub(crate) fn warn(&self, message: fmt::Arguments<'_>) {
        // Nobody is left to be told that stderr is closed.
        let _ = writeln!(io::stderr().lock(), "resilver: {message}");
    }

    pub(crate) fn complain(&self, failure: &Failure) {
        self.warn(format_args!("error: {failure}"));
    }

    /// Progress over so many bytes; shown on terminals only.
    pub(crate) fn progress(&self, doing: &'static str, bytes: u64) -> Progress {
        if self.is_quiet { Progress::hidden() } else { Progress::shown(doing, bytes) }
    }
}
