//! Keys and values on their way to stdout, a line each, or as one JSON object that never stands in memory whole.

use std::io::Write;

use serde_json::json;

use super::{encoding::Encoding, flush};
use crate::failure::Failure;

/// Prints keys and values.
pub(super) struct Lines<W> {
    command: &'static str,
    as_json: bool,
    encoding: Encoding,
    out: W,
    printed: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(command: &'static str, as_json: bool, encoding: Encoding, out: W) -> Self {
        Self { command, as_json, encoding, out, printed: 0 }
    }

    pub(super) fn print(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Failure> {
        let encoding = self.encoding;
        let line = match (self.as_json, value) {
            (false, None) => format!("{}\n", encoding.text(key)),
            (false, Some(value)) => format!("{}\t{}\n", encoding.text(key), encoding.text(value)),
            (true, None) => format!("{}{}", self.opening(), json!({ "key": encoding.json(key) })),
            (true, Some(value)) => {
                let item = json!({ "key": encoding.json(key), "value": encoding.json(value) });
                format!("{}{item}", self.opening())
            }
        };
        self.printed += 1;
        self.out.write_all(line.as_bytes()).map_err(Failure::Stdout)
    }

    /// What stands before the next item.
    fn opening(&self) -> String {
        match self.printed {
            0 => format!("{{\"format\":{},\"items\":[\n", json!({ "command": self.command, "version": 1 })),
            _ => ",\n".into(),
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        if self.as_json {
            let opening = if self.printed == 0 { self.opening() } else { "\n".into() };
            let end = format!("{opening}],\"count\":{}}}\n", self.printed);
            self.out.write_all(end.as_bytes()).map_err(Failure::Stdout)?;
        }
        flush(&mut self.out)
    }
}
