//! The stores that are hurt: how each is asked, which of its files is for what, and where its blocks begin.

use std::path::Path;

use page_ecc::{Descriptor, PAGE_LEN};
use resilver::{HealMode, PatrolOptions, Scheme, ScrubControl, ScrubStart};

use crate::{
    coordinode,
    engine::{Done, Kind, Settings},
    fjall, redb, resilver as ours,
};

/// What a file of a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Table,
    Manifest,
    Log,
}

/// A column of the matrix.
#[derive(Clone, Copy)]
pub struct Subject {
    pub name: &'static str,
    pub kind: Kind,
    /// Which files are which, told to readers.
    pub files: &'static str,
    /// The part of a file by its path below the store.
    part: fn(&str) -> Option<Part>,
    /// How the head, or the trailer, of a block begins, if it has such a thing.
    pub block_mark: Option<&'static [u8]>,
    /// How many bytes of a table are not there to mend others.
    pub body_len: fn(&[u8]) -> usize,
    /// What is done before it is asked.
    pub before: Option<fn(&Path, &Settings) -> Done>,
    /// The one without protection that its costs are compared to.
    pub bare: Option<&'static str>,
}

const OURS_FILES: &str = "tables: *.table; manifest: MANIFEST-*, SNAPSHOT-*; log: *.wal";
const TREE_FILES: &str = "tables: tables/*; manifest: every other file that is not empty; there is no log";

const OURS: Subject = Subject {
    name: "resilver",
    kind: ours::ON,
    files: OURS_FILES,
    part: part_of_ours,
    block_mark: Some(b"RSBK"),
    body_len: body_of_ours,
    before: None,
    bare: Some("resilver-off"),
};

const TREE: Subject = Subject {
    name: "coordinode",
    kind: coordinode::PLAIN,
    files: TREE_FILES,
    part: part_of_tree,
    block_mark: Some(b"LSM\x04"),
    body_len: <[u8]>::len,
    before: None,
    bare: None,
};

pub const SUBJECTS: &[Subject] = &[
    OURS,
    Subject { name: "resilver, scrubbed", before: Some(scrub), bare: None, ..OURS },
    Subject { name: "resilver-off", kind: ours::OFF, bare: None, ..OURS },
    Subject {
        name: "fjall",
        kind: fjall::KIND,
        files: "tables: tables/*; log: *.jnl; manifest: every other file that is not empty",
        part: part_of_fjall,
        block_mark: Some(b"LSM\x03"),
        ..TREE
    },
    #[cfg(feature = "rocksdb")]
    Subject {
        name: "rocksdb",
        kind: crate::rocksdb::KIND,
        files: "tables: *.sst; manifest: MANIFEST-*, CURRENT; log: *.log; its blocks have no header",
        part: part_of_rocksdb,
        block_mark: None,
        ..TREE
    },
    Subject {
        name: "redb",
        kind: redb::KIND,
        files: "one file, which stands for a table; its pages have no mark, and there is no manifest and no log",
        part: |_| Some(Part::Table),
        block_mark: None,
        ..TREE
    },
    TREE,
    Subject { name: "coordinode-ecc", kind: coordinode::SECDED, bare: Some("coordinode"), ..TREE },
    Subject { name: "coordinode-xor", kind: coordinode::XOR, bare: Some("coordinode"), ..TREE },
    Subject { name: "coordinode-rs4+2", kind: coordinode::RS_4_2, bare: Some("coordinode"), ..TREE },
    Subject { name: "coordinode-rs16+2", kind: coordinode::RS_16_2, bare: Some("coordinode"), ..TREE },
];

impl Subject {
    pub fn named(name: &str) -> Option<&'static Self> {
        SUBJECTS.iter().find(|subject| subject.name == name)
    }

    pub fn part(&self, below: &Path) -> Option<Part> {
        (self.part)(below.to_str()?)
    }
}

fn part_of_ours(path: &str) -> Option<Part> {
    match path {
        _ if path.ends_with(".table") => Some(Part::Table),
        _ if path.ends_with(".wal") => Some(Part::Log),
        _ if path.starts_with("MANIFEST-") || path.starts_with("SNAPSHOT-") => Some(Part::Manifest),
        _ => None,
    }
}

#[cfg(feature = "rocksdb")]
fn part_of_rocksdb(path: &str) -> Option<Part> {
    match path {
        _ if path.ends_with(".sst") => Some(Part::Table),
        _ if path.ends_with(".log") => Some(Part::Log),
        _ if path.starts_with("MANIFEST-") || path == "CURRENT" => Some(Part::Manifest),
        _ => None,
    }
}

fn part_of_fjall(path: &str) -> Option<Part> {
    if path.ends_with(".jnl") { Some(Part::Log) } else { part_of_tree(path) }
}

fn part_of_tree(path: &str) -> Option<Part> {
    match path {
        "lock" => None,
        _ if path.contains("tables/") => Some(Part::Table),
        _ => Some(Part::Manifest),
    }
}

/// What the promise of a sixteenth is about: a table without its parity, digests, header and footer.
fn body_of_ours(table: &[u8]) -> usize {
    let header = table.first_chunk::<PAGE_LEN>().expect("a table has a header page");
    let found = Descriptor::find(&[header]).expect("a whole table has a descriptor");
    found[0].geometry().body_len() as usize
}

/// Has everything scrubbed and healed, and nothing wrong left: a page of the log that nothing had been written to
/// when it was hurt shows only once something has been, so there is a second pass where there has to be one.
fn scrub(path: &Path, settings: &Settings) -> Done {
    let options = ours::options(settings, Scheme::STANDARD);
    let mut bad = String::new();
    for _ in 0..2 {
        let db = options.clone().open(path)?;
        let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        let report = db.scrub(&patrol, &ScrubControl::new())?;
        let healed = db.heal(HealMode::InPlace)?;
        let is_done = report.is_complete() && healed.is_whole() && db.hints().is_empty();
        db.close()?;
        let seen = resilver::verify(path, &options, |_| {})?;
        if is_done && seen.is_ok() && seen.log_losses.is_empty() {
            return Ok(());
        }
        bad = format!("not healed: {healed:?}, {:?}, {:?}", seen.bad, seen.log_losses);
    }
    Err(bad.into())
}
