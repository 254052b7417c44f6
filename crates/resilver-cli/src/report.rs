//! What a command has to say at its end, for people and for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::voice::Voice;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Fine = 0,
    Failed = 1,
    Usage = 2,
    Damage = 3,
    Lost = 4,
    InUse = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) exit: Exit,
    pub(crate) text: String,
    /// An object.
    pub(crate) json: Value,
}

impl Report {
    /// Of a command that printed as it went.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { exit, text: String::new(), json: Value::Null }
    }

    pub(crate) fn of_failure(failure: &Failure) -> Self {
        let error = json!({ "kind": failure.kind(), "message": failure.to_string() });
        Self { exit: failure.exit(), text: String::new(), json: json!({ "error": error }) }
    }

    /// Prints to stdout; a reader that has gone away is no failure.
    pub(crate) fn print(mut self, command: &str, as_json: bool, voice: &Voice) -> Exit {
        let text = if as_json && !self.json.is_null() {
            self.json["format"] = json!({ "command": command, "version": 1 });
            format!("{:#}\n", self.json)
        } else {
            self.text
        };
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => self.exit,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.exit,
            Err(error) => {
                voice.warn(format_args!("error: the result cannot be written to stdout: {error}"));
                if self.exit == Exit::Fine { Exit::Failed } else { self.exit }
            }
        }
    }
}
