//! Why a command stopped, and what its reader should do about it.

use std::fmt;

/// What went wrong and what to do next; never one without the other.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    next: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into() }
    }

    /// The failure of an effect on a file or a process.
    pub(crate) fn io(what: impl fmt::Display, cause: std::io::Error) -> Self {
        Self::new(format!("{what}: {cause}"), "check that it exists and may be used, then run again")
    }

    /// The same fault with better advice.
    pub(crate) fn advise(self, next: impl Into<String>) -> Self {
        Self { next: next.into(), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  next: {}", self.what, self.next)
    }
}
