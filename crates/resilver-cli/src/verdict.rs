//! What a survey means: clean, correctable or lost; in words, in a table, in JSON.

use std::fmt::Write as _;
use std::path::Path;

use page_ecc::{Fault, PAGE_LEN, Rung};
use serde_json::{Value, json};

use crate::opening::Opened;
use crate::pair::{Pair, Side};
use crate::report::Exit;
use crate::size::Bytes;
use crate::stamp;
use crate::survey::{Stretch, Survey};

/// Rows of a table for people; JSON has them all.
const ROWS_MAX: usize = 64;

/// How a pair is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Clean,
    Correctable,
    Lost,
}

/// A pair and what was found in it.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    opened: &'a Opened,
    survey: &'a Survey,
}

impl<'a> Verdict<'a> {
    pub(crate) const fn new(opened: &'a Opened, survey: &'a Survey) -> Self {
        Self { opened, survey }
    }

    pub(crate) fn state(&self) -> State {
        let pair = &self.opened.pair;
        let is_long = [Side::File, Side::Seal].into_iter().any(|side| excess(pair, side) > 0);
        match () {
            () if self.survey.has_loss() => State::Lost,
            () if self.survey.evidence.healable() > 0 || is_long || self.is_file_missing() => {
                State::Correctable
            }
            () => State::Clean,
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        match self.state() {
            State::Clean => Exit::Fine,
            State::Correctable => Exit::Damage,
            State::Lost => Exit::Lost,
        }
    }

    pub(crate) const fn is_file_missing(&self) -> bool {
        self.opened.pair.file.is_none()
    }

    /// Whether the file bears another modification time than when it was sealed.
    pub(crate) fn is_changed(&self) -> bool {
        let sealed = stamp::modified(&self.opened.pair.descriptor);
        let file = self.opened.pair.file.as_ref();
        sealed.zip(file).is_some_and(|(sealed, file)| sealed != file.state.modified)
    }

    /// Whether the file holds something, and no page of it is one of those sealed.
    pub(crate) fn is_foreign(&self) -> bool {
        let body_pages = self.opened.pair.geometry().body_pages();
        body_pages > 0 && self.survey.body_strange >= body_pages && self.opened.pair.len(Side::File) > 0
    }

    pub(crate) fn json(&self) -> Value {
        let (pair, evidence) = (&self.opened.pair, &self.survey.evidence);
        let geometry = pair.geometry();
        let list =
            |stretches: &[Stretch]| stretches.iter().map(|one| row(pair, one).json()).collect::<Vec<_>>();
        let lengths = |side: Side| {
            let len = pair.half(side).map(|half| half.state.len);
            json!({ "sealed": pair.sealed_len(side), "found": len, "excess": excess(pair, side) })
        };
        json!({
            "file": self.opened.file_path.to_string_lossy(),
            "seal": self.opened.seal_path.as_deref().map(Path::to_string_lossy),
            "state": match self.state() {
                State::Clean => "clean",
                State::Correctable => "correctable",
                State::Lost => "lost",
            },
            "sealed": {
                "uid": pair.descriptor.uid().to_string(),
                "scheme": geometry.scheme().to_string(),
                "body_len": geometry.body_len(),
                "pages": geometry.total_pages(),
                "name": stamp::name(&pair.descriptor),
                "modified": stamp::modified(&pair.descriptor).map(stamp::Modified::json),
            },
            "lengths": {
                "file": lengths(Side::File),
                "seal": pair.is_detached().then(|| lengths(Side::Seal)),
            },
            "changed_after_sealing": self.is_changed(),
            "pages": {
                "checked": self.survey.checked,
                "transient": evidence.transient,
                "corrected": evidence.corrected,
                "bits": evidence.bits,
                "copied": evidence.copied,
                "rebuilt": evidence.rebuilt,
                "lost": evidence.lost,
            },
            "damaged": list(&self.survey.damaged),
            "lost": list(&self.survey.lost),
            "unlisted_pages": self.survey.unlisted,
            "hint": self.is_foreign().then_some(FOREIGN),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = self.headline();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  checked  {}", self.counts());
        for (side, path) in
            [(Side::File, Some(&self.opened.file_path)), (Side::Seal, self.opened.seal_path.as_ref())]
        {
            let (pair, Some(path)) = (&self.opened.pair, path) else { continue };
            let (sealed, found) = (pair.sealed_len(side), pair.len(side));
            let by = |bytes| {
                format!("{} than sealed, by {bytes} bytes", if found > sealed { "longer" } else { "shorter" })
            };
            match pair.half(side) {
                None if side == Side::Seal && !pair.is_detached() => {}
                None => drop(writeln!(text, "  length   {} is missing", path.display())),
                Some(_) if found != sealed => {
                    let _ = writeln!(text, "  length   {} is {}", path.display(), by(found.abs_diff(sealed)));
                }
                Some(_) => {}
            }
        }
        if self.is_changed() {
            let _ = writeln!(text, "  time     {CHANGED}");
        }
        self.write_table(&mut text);
        if self.is_foreign() {
            let _ = writeln!(text, "  hint     {FOREIGN}");
        }
        text
    }

    fn headline(&self) -> String {
        let state = match self.state() {
            State::Clean => "clean".to_owned(),
            State::Correctable => "damaged, and all of it comes back".to_owned(),
            State::Lost => format!("{} pages are lost", self.survey.evidence.lost),
        };
        let file = self.opened.file_path.display();
        let geometry = self.opened.pair.geometry();
        let with = self.opened.seal_path.as_ref().map(|seal| format!(" with {}", seal.display()));
        format!(
            "{file}{}: {state}\n  sealed   {}, {} in {} pages\n",
            with.unwrap_or_default(),
            geometry.scheme(),
            Bytes(geometry.body_len()),
            geometry.body_pages()
        )
    }

    fn counts(&self) -> String {
        let evidence = &self.survey.evidence;
        let bits = format!("corrected ({} bits)", evidence.bits);
        let counts = [
            (evidence.transient, "right on a second read"),
            (evidence.corrected, bits.as_str()),
            (evidence.copied, "copied or worked out anew"),
            (evidence.rebuilt, "rebuilt from parity"),
            (evidence.lost, "lost"),
        ];
        let right =
            self.survey.checked - counts.iter().map(|count| count.0).sum::<u64>().min(self.survey.checked);
        let mut text = format!("{} pages: {right} right", self.survey.checked);
        for (count, what) in counts.iter().filter(|count| count.0 > 0) {
            let _ = write!(text, ", {count} {what}");
        }
        text
    }

    fn write_table(&self, text: &mut String) {
        let pair = &self.opened.pair;
        let lost = self.survey.lost.iter();
        let all: Vec<Row> = lost.chain(&self.survey.damaged).map(|stretch| row(pair, stretch)).collect();
        if all.is_empty() {
            return;
        }
        let columns = ["in", "region", "pages", "bytes", "how", "what helps"].map(str::to_owned);
        let cells: Vec<[String; 6]> =
            std::iter::once(columns).chain(all.iter().take(ROWS_MAX).map(Row::cells)).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3), width(4), 0];
        text.push('\n');
        for row in &cells {
            let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            let _ = writeln!(text, "  {}", line.trim_end());
        }
        if all.len() > ROWS_MAX {
            let _ = writeln!(text, "  and {} more; --json lists them", all.len() - ROWS_MAX);
        }
    }
}

const FOREIGN: &str = "no page of the file is one that was sealed: the seal may be of another file";
const CHANGED: &str = "the file was written to after it was sealed: an edit looks like damage; \
                       `protect --force` seals it as it is";

/// Bytes that a file is longer than it was sealed.
pub(crate) fn excess(pair: &Pair, side: Side) -> u64 {
    pair.half(side).map_or(0, |half| half.state.len.saturating_sub(pair.sealed_len(side)))
}

/// A stretch as pages and bytes of the file that it lies in.
struct Row {
    side: Side,
    region: String,
    first: u64,
    count: u64,
    offset: u64,
    len: u64,
    how: &'static str,
    help: &'static str,
}

fn row(pair: &Pair, stretch: &Stretch) -> Row {
    let (side, bytes) = pair.place(&stretch.pages);
    Row {
        side,
        region: stretch.region.to_string(),
        first: bytes.start / PAGE_LEN as u64,
        count: stretch.pages.end - stretch.pages.start,
        offset: bytes.start,
        len: bytes.end - bytes.start,
        how: match stretch.fault {
            Fault::Unreadable => "unreadable",
            Fault::Mismatch => "mismatch",
            Fault::Unprovable => "unprovable",
        },
        help: match stretch.rung {
            Rung::Transient => "second read",
            Rung::Corrected { .. } => "corrected",
            Rung::Copied => "copied",
            Rung::Rebuilt => "rebuilt",
            Rung::Supplied => "supplied",
            Rung::Lost => "lost",
        },
    }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "in": self.side.name(), "region": self.region, "first_page": self.first, "pages": self.count,
            "offset": self.offset, "len": self.len, "how": self.how, "help": self.help,
        })
    }

    fn cells(&self) -> [String; 6] {
        let pages = match self.count {
            1 => self.first.to_string(),
            count => format!("{}-{}", self.first, self.first + count - 1),
        };
        let bytes = format!("{}..{}", self.offset, self.offset + self.len);
        [self.side.name().into(), self.region.clone(), pages, bytes, self.how.into(), self.help.into()]
    }
}
