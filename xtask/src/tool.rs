//! One run of an outside program: its words, its environment, and how it ended.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// A program about to run. It never reads from the terminal.
#[derive(Debug)]
pub(crate) struct Tool {
    command: Command,
}

/// How a captured run ended.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Tool {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self { command }
    }

    /// The cargo that started us, with its arguments written as one line of words.
    pub(crate) fn cargo(words: &str) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self::new(cargo).words(words)
    }

    /// Adds the words of a line; none of them may hold a space.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// Adds one argument as it is.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs with output shown as it comes; anything but success is a failure.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let line = self.to_string();
        println!("$ {line}");
        let status = self.command.status().map_err(|cause| Failure::io(&line, cause))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(
            format!("`{line}` ended with {status}"),
            "the lines above name the fault; mend it and run again",
        ))
    }

    /// Runs quietly and returns what was printed, whatever the outcome.
    pub(crate) fn capture(mut self) -> Result<Captured, Failure> {
        let line = self.to_string();
        let output = self.command.output().map_err(|cause| Failure::io(&line, cause))?;
        Ok(Captured {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs quietly and returns standard output; anything but success is a failure that shows the errors.
    pub(crate) fn stdout(self) -> Result<String, Failure> {
        let line = self.to_string();
        let captured = self.capture()?;
        if captured.success {
            return Ok(captured.stdout);
        }
        Err(Failure::new(
            format!("`{line}` failed:\n{}", captured.stderr.trim_end()),
            "mend what it names and run again",
        ))
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.command.get_program());
        write!(f, "{}", program.file_name().unwrap_or_default().to_string_lossy())?;
        for arg in self.command.get_args() {
            write!(f, " {}", arg.to_string_lossy())?;
        }
        Ok(())
    }
}
