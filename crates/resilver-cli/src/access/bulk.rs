//! `load` and `dump`: many keys at once, as TSV or as JSON lines.
//!
//! In TSV a tab stands between key and value; `\t`, `\n`, `\r` and `\\` stand for the bytes that would break a
//! line.

use std::{
    io::{self, BufRead, BufWriter, Write},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use resilver::{Creation, Scan, WriteBatch};
use serde_json::{Value, json};

use super::{Store, encoding::Encoding, flush};
use crate::{
    failure::Failure,
    files,
    report::{Exit, Report},
    voice::Voice,
};

/// Bytes of a batch that `load` writes at once.
const BATCH_BYTES: usize = 256 << 10;

#[derive(Args, Debug)]
pub(crate) struct LoadOptions {
    /// The file to read; stdin if none is named.
    file: Option<PathBuf>,
    /// How lines are written.
    #[arg(long, value_enum, default_value = "tsv")]
    format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct DumpOptions {
    /// How lines are written.
    #[arg(long, value_enum, default_value = "tsv")]
    format: Format,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// A key, a tab, a value.
    Tsv,
    /// `{"key": .., "value": ..}`.
    Jsonl,
}

/// Puts every line of a file into the store.
pub(crate) fn load(store: &Store, options: &LoadOptions, voice: &Voice) -> Result<Report, Failure> {
    let (mut lines, bytes): (Box<dyn BufRead>, u64) = match &options.file {
        Some(file) => {
            let (lines, bytes) = files::open_lines_and_len(file)?;
            (Box::new(lines), bytes)
        }
        None => (Box::new(io::stdin().lock()), 0),
    };
    let (db, keys) = store.open(Creation::IfMissing)?;
    let progress = voice.progress("loading", bytes);
    let (mut batch, mut line, mut count) = (WriteBatch::new(), Vec::new(), 0_u64);
    for number in 1.. {
        line.clear();
        let read = lines.read_until(b'\n', &mut line).map_err(Failure::Stdin)?;
        progress.add(read as u64);
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !text.is_empty() {
            count += 1;
            let parsed = options.format.parse(text, store.encoding());
            let (key, value) = parsed.map_err(|cause| Failure::Line { line: number, cause })?;
            batch.put(&keys, &key, &value);
        }
        if batch.bytes() >= BATCH_BYTES || (read == 0 && !batch.is_empty()) {
            db.write(&batch)?;
            batch.clear();
        }
        if read == 0 {
            break;
        }
    }
    progress.finish();
    db.close()?;
    Ok(Report { exit: Exit::Fine, text: format!("{count} keys were put\n"), json: json!({ "keys": count }) })
}

/// Prints every key and value.
pub(crate) fn dump(store: &Store, options: &DumpOptions, voice: &Voice) -> Result<Report, Failure> {
    let (_db, keys) = store.open_to_read()?;
    let mut out = BufWriter::new(io::stdout());
    let (mut line, mut exit) = (Vec::new(), Exit::Fine);
    for item in keys.scan(Scan::all())? {
        let Some((key, value)) = super::found_or_lost(item, &mut exit, voice)? else { continue };
        line.clear();
        options.format.print(&mut line, &key, &value, store.encoding());
        out.write_all(&line).map_err(Failure::Stdout)?;
    }
    flush(&mut out)?;
    Ok(Report::silent(exit))
}

impl Format {
    fn parse(self, line: &[u8], encoding: Encoding) -> Result<(Vec<u8>, Vec<u8>), String> {
        match self {
            Self::Tsv => parse_tsv(line, encoding),
            Self::Jsonl => parse_jsonl(line, encoding),
        }
    }

    fn print(self, into: &mut Vec<u8>, key: &[u8], value: &[u8], encoding: Encoding) {
        match self {
            Self::Tsv => {
                escape(into, key, encoding);
                into.push(b'\t');
                escape(into, value, encoding);
            }
            Self::Jsonl => {
                let item = json!({ "key": encoding.json(key), "value": encoding.json(value) });
                into.extend_from_slice(item.to_string().as_bytes());
            }
        }
        into.push(b'\n');
    }
}

fn parse_tsv(line: &[u8], encoding: Encoding) -> Result<(Vec<u8>, Vec<u8>), String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tab = line.iter().position(|&byte| byte == b'\t').ok_or("there is no tab between key and value")?;
    let field = |field: &[u8]| match encoding {
        Encoding::Text => unescape(field),
        encoding => {
            let text = std::str::from_utf8(field).map_err(|_| "it is not text".to_owned())?;
            encoding.parse(text).map_err(|bad| bad.to_string())
        }
    };
    Ok((field(&line[..tab])?, field(&line[tab + 1..])?))
}

fn parse_jsonl(line: &[u8], encoding: Encoding) -> Result<(Vec<u8>, Vec<u8>), String> {
    let item: Value = serde_json::from_slice(line).map_err(|bad| bad.to_string())?;
    let field = |name: &str| {
        let field = item.get(name).and_then(|value| encoding.parse_json(value));
        field.ok_or_else(|| format!("it has no {name:?} that stands for bytes"))
    };
    Ok((field("key")?, field("value")?))
}

fn escape(into: &mut Vec<u8>, bytes: &[u8], encoding: Encoding) {
    if encoding != Encoding::Text {
        return into.extend_from_slice(encoding.text(bytes).as_bytes());
    }
    for &byte in bytes {
        match byte {
            b'\t' => into.extend_from_slice(b"\\t"),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\\' => into.extend_from_slice(b"\\\\"),
            byte => into.push(byte),
        }
    }
}

fn unescape(field: &[u8]) -> Result<Vec<u8>, String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(field.len()), field.iter());
    while let Some(&byte) = rest.next() {
        bytes.push(match (byte, byte == b'\\') {
            (byte, false) => byte,
            (_, true) => match rest.next() {
                Some(b't') => b'\t',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b'\\') => b'\\',
                _ => return Err("a backslash stands before none of t, n, r and backslash".into()),
            },
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dumped_is_loaded_again() {
        let all: Vec<u8> = (0..=255).collect();
        for format in [Format::Tsv, Format::Jsonl] {
            for encoding in [Encoding::Text, Encoding::Hex, Encoding::Base64] {
                for (key, value) in [(&all[..], &b"\t\n\r\\"[..]), (b"", b""), ("ü".as_bytes(), b" ")] {
                    let mut line = Vec::new();
                    format.print(&mut line, key, value, encoding);
                    let text = line.strip_suffix(b"\n").unwrap();
                    assert!(!text.contains(&b'\n'));
                    assert_eq!(format.parse(text, encoding), Ok((key.to_vec(), value.to_vec())));
                }
            }
        }
    }

    #[test]
    fn lines_that_hold_no_pair_are_refused() {
        for line in [&b"key"[..], b"a\\x\tb", b"a\\\tb"] {
            Format::Tsv.parse(line, Encoding::Text).unwrap_err();
        }
        for line in [&b"{}"[..], b"[]", b"{\"key\":1,\"value\":\"a\"}", b"\xFF"] {
            Format::Jsonl.parse(line, Encoding::Text).unwrap_err();
        }
    }
}
