//! What the store of a demonstration holds, and how it gets there: by another process, which is then killed.

use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
};

use crate::failure::Failure;

pub(super) const MEMTABLE_BYTES: u64 = 8 << 20;
pub(super) const TABLE_BYTES: u64 = 8 << 20;
/// What a value takes on average.
const VALUE_BYTES: u64 = 1000;
/// Of the keys, the last so many hundredths are in the log alone.
const IN_LOG: u64 = 5;

/// Keys by number, each with its last value; every ninth was deleted again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    count: u64,
}

impl Content {
    pub(super) fn of(bytes: u64) -> Self {
        Self { count: (bytes / VALUE_BYTES).max(1000) }
    }

    pub(super) fn keys(&self) -> std::ops::Range<u64> {
        0..self.count
    }

    pub(super) fn name(key: u64) -> String {
        format!("key/{key:08}")
    }

    /// The value a key has in the end; none if it was deleted.
    pub(super) fn value(&self, key: u64) -> Option<Vec<u8>> {
        (key % 9 != 4).then(|| text(key, 2).into_bytes())
    }

    /// Whether a store that answers so is right.
    pub(super) fn holds(&self, name: &[u8], value: &[u8]) -> bool {
        let number =
            name.strip_prefix(b"key/").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        number.is_some_and(|key: u64| {
            self.keys().contains(&key) && self.value(key).is_some_and(|expected| expected == value)
        })
    }

    fn first_in_log(&self) -> u64 {
        self.count - self.count * IN_LOG / 100
    }
}

/// What a key is set to in a round: words that compress as text does.
fn text(key: u64, round: u64) -> String {
    let mut draw = (key * 4 + round).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let len = draw % (2 * VALUE_BYTES);
    let mut text = format!("{key}.{round}.");
    while (text.len() as u64) < len {
        draw = draw.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        text.push_str(&format!("{:x}-", draw >> 40));
    }
    text
}

/// Fills the store at `dir` from another process and kills that; how many changes were not in tables by then.
pub(super) fn fill(dir: &Path, content: &Content) -> Result<u64, Failure> {
    let own = std::env::current_exe().map_err(Failure::Stdin)?;
    let mut child = Command::new(own)
        .args(["drill", "apply"])
        .arg(dir)
        .args(["--no-close", "--opts", "memtable=8M,table=8M,segment=4M"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::Stdin)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else { unreachable!("both were asked for") };
    let mut lines = BufWriter::new(stdin);
    let written = write_all(&mut lines, content).and_then(|()| lines.flush());
    // It stands still until it is told more, and says so once everything is durable.
    let acked = BufReader::new(stdout).lines().map_while(Result::ok).any(|line| line == "ACK 3");
    let _ = child.kill();
    let _ = child.wait();
    drop(lines);
    written.map_err(Failure::Stdin)?;
    match acked {
        true => Ok(content.count - content.first_in_log()),
        false => Err(Failure::Line { line: 0, cause: "the process that fills the store ended early".into() }),
    }
}

fn write_all(lines: &mut impl Write, content: &Content) -> std::io::Result<()> {
    // Once with values that are then replaced or deleted, so that tables lie over tables.
    for key in content.keys() {
        writeln!(lines, "P {} {}", Content::name(key), text(key, 1 + u64::from(key % 3 != 0)))?;
        if key % 64 == 63 {
            writeln!(lines, "c")?;
        }
    }
    writeln!(lines, "C\nF\nK")?;
    for key in 0..content.first_in_log() {
        change(lines, content, key)?;
    }
    writeln!(lines, "C\nF")?;
    for key in content.first_in_log()..content.count {
        change(lines, content, key)?;
    }
    writeln!(lines, "C")
}

fn change(lines: &mut impl Write, content: &Content, key: u64) -> std::io::Result<()> {
    let name = Content::name(key);
    match content.value(key) {
        None => writeln!(lines, "D {name}")?,
        Some(_) if key.is_multiple_of(3) => writeln!(lines, "P {name} {}", text(key, 2))?,
        Some(_) => {}
    }
    if key % 64 == 63 { writeln!(lines, "c") } else { Ok(()) }
}
