//! The damage of a demonstration: one wound of each kind, each to a file of its own as far as there are enough.

use std::path::Path;

use page_ecc::PAGE_LEN;

use crate::{
    failure::Failure,
    files::{self, Access, Regular},
    hurts::Draws,
};

const PAGE: u64 = PAGE_LEN as u64;
const HOLE: u64 = 64 << 10;

/// What was done to a file.
#[derive(Clone, Debug)]
pub(super) struct Wound {
    pub(super) file: String,
    pub(super) what: &'static str,
}

/// A way to hurt a file of so many bytes.
type Blow = fn(&Regular, u64, &mut Draws) -> Result<(), Failure>;

/// Hurts the files of the store at `dir`.
pub(super) fn hurt(dir: &Path, seed: u64) -> Result<Vec<Wound>, Failure> {
    let mut names = files::names_in(dir)?;
    names.sort();
    let of =
        |test: &dyn Fn(&str) -> bool| names.iter().filter(|name| test(name)).cloned().collect::<Vec<_>>();
    let tables = of(&|name| name.ends_with(".table"));
    let mut log = of(&|name| name.ends_with(".wal"));
    // One that stands ready holds nothing to hurt.
    log.retain(|name| holds_groups(&dir.join(name)));
    let copies = of(&|name| name.starts_with("MANIFEST") && name.ends_with("-a"));
    let snapshots = of(&|name| name.starts_with("SNAPSHOT"));
    let to_tables: [(&'static str, Blow); 8] = [
        ("one bit flipped", flip),
        ("a 4 KiB page lost", |file, len, draws| zero(file, page_in(len, draws), PAGE)),
        ("a page garbled", garble),
        ("a stale page in the place of another", stale),
        ("a 64 KiB hole", |file, len, draws| zero(file, draws.within(len - HOLE), HOLE)),
        ("a hole of 1/16", |file, len, draws| zero(file, draws.within(len - len / 18), len / 18)),
        ("the footer gone", |file, len, _| zero(file, len - PAGE, PAGE)),
        ("the last 32 KiB cut off", |file, len, _| file.set_len(len - 8 * PAGE)),
    ];
    let (mut wounds, mut draws) = (Vec::new(), Draws::new(seed));
    let mut strike = |names: &[String], at: usize, what, blow: Blow| -> Result<(), Failure> {
        let Some(name) = names.get(at % names.len().max(1)) else { return Ok(()) };
        let file = Regular::open(&dir.join(name), Access::Write)?;
        blow(&file, file.state()?.len, &mut draws)?;
        wounds.push(Wound { file: name.clone(), what });
        Ok(())
    };
    // With fewer tables than wounds a table is hurt once: several holes in one are more than was promised.
    for (at, (what, blow)) in to_tables.into_iter().enumerate().take(tables.len()) {
        strike(&tables, at, what, blow)?;
    }
    // Where groups are: behind the header, at the front of an extent.
    strike(&log, log.len().saturating_sub(1), "a 64 KiB hole in the log", |file, _, _| {
        zero(file, PAGE, HOLE)
    })?;
    let last = snapshots.len().saturating_sub(1);
    strike(&snapshots, last, "a page lost of the manifest's snapshot", |file, _, _| zero(file, PAGE, PAGE))?;
    if let Some(copy) = copies.last() {
        files::remove(&dir.join(copy))?;
        wounds.push(Wound { file: copy.clone(), what: "one copy of the manifest deleted" });
    }
    Ok(wounds)
}

/// Whether a segment of the log holds anything behind its header.
fn holds_groups(segment: &Path) -> bool {
    let mut page = vec![0; PAGE_LEN];
    let read = Regular::open(segment, Access::Read).map(|file| file.read_at(PAGE, &mut page));
    read.is_ok_and(|read| read.is_ok()) && page.iter().any(|byte| *byte != 0)
}

fn page_in(len: u64, draws: &mut Draws) -> u64 {
    draws.within(len / PAGE) * PAGE
}

fn zero(file: &Regular, at: u64, len: u64) -> Result<(), Failure> {
    file.write_at(at, &vec![0; len as usize])
}

fn flip(file: &Regular, len: u64, draws: &mut Draws) -> Result<(), Failure> {
    let at = draws.within(len);
    let mut byte = [0];
    file.read_at(at, &mut byte).map_err(Failure::Stdin)?;
    file.write_at(at, &[byte[0] ^ (1 << draws.within(8))])
}

fn garble(file: &Regular, len: u64, draws: &mut Draws) -> Result<(), Failure> {
    let at = page_in(len, draws);
    let bytes: Vec<u8> = (0..PAGE / 8).flat_map(|_| draws.next().to_le_bytes()).collect();
    file.write_at(at, &bytes)
}

fn stale(file: &Regular, len: u64, draws: &mut Draws) -> Result<(), Failure> {
    let mut page = vec![0; PAGE_LEN];
    file.read_at(page_in(len / 2, draws), &mut page).map_err(Failure::Stdin)?;
    file.write_at(len / 2 / PAGE * PAGE + page_in(len / 2 - PAGE, draws), &page)
}
