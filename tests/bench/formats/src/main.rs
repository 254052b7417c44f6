//! Compares tables of sst-format with those of lsm-tree and sstable, in one run:
//!
//! `cargo run --release --manifest-path tests/bench/formats/Cargo.toml -- [--rounds N] [ROW]`
//!
//! Every round runs all three in turn; medians count. With a row's name only it is measured, after the write.
//! Exit code 1 if a target is missed, 2 if nothing could be measured.

mod data;
mod lsm_tree;
mod sst_format;
mod sstable;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use data::{ENTRIES, Result};

/// How many times quicker than the best of the others.
const TARGET: f64 = 1.3;

const ALIKE: &str = "\
1,000,000 entries of 16 B keys and 100 B values, blocks of 4 KiB, a whole key every 8 entries, no compression,
filters at 1 % of false positives, filter and index pinned, checksums written and checked by all. What counts is
the time the thread has a processor; nothing here uses a second thread.
write            entries in order, to a file; synced, and its folder too, by all. What a writer is given is made
                 while the clock stands.
write, Bloom     the same with Bloom filters at 1 % by all, as for tables that live shortly
scan, cached     all entries in order, all blocks in the reader's cache, which was filled in their order: filled by
                 random reads, blocks lie scattered in memory and all scans cost more
get, cached      every key once, at random places, all blocks in the same cache
scan, from file  all entries in order, each block read from the file (in the page cache) and its checksum proven

What differs:
sst-format  also seals: the write includes parity and digests of every page. Ribbon filter, about 7 bits a key;
            the index in two levels. A table is made in the memory of the one before, as a store that writes many
            does. Blocks are kept in quick_cache, set up as lsm-tree's; one read call a block.
lsm-tree    its writer and reader of one table, without the tree around them. Bloom filter, about 10 bits a key;
            the whole index in one block. It takes owned entries: making them is not counted, dropping
            them is. Scanning the file, it reads ahead 32 KiB and gives entries that own a share of their block.
sstable     no sequence numbers. Bloom filter, 10 bits a key; the whole index in one block. It gives
            copies of values. Blocks are kept in a cache of its own; one read call a block.
";

/// One of the formats compared.
trait Subject {
    fn name(&self) -> &'static str;
    /// Writes the table anew, and opens it while the clock stands.
    fn write(&mut self) -> Result<Duration>;
    /// The same with a Bloom filter, if that is not what it has anyway.
    fn write_with_bloom(&mut self) -> Result<Duration> {
        self.write()
    }
    fn file(&self) -> &Path;
    fn get_cached(&self) -> Result<Duration>;
    fn scan_cached(&self) -> Result<Duration>;
    fn scan_file(&self) -> Result<Duration>;
}

type Run = fn(&mut dyn Subject) -> Result<Duration>;

/// What is read was written last, by the second row.
const ROWS: [(&str, Run); 5] = [
    ("write, Bloom", |subject| subject.write_with_bloom()),
    ("write", |subject| subject.write()),
    ("scan, cached", |subject| subject.scan_cached()),
    ("get, cached", |subject| subject.get_cached()),
    ("scan, from file", |subject| subject.scan_file()),
];

fn main() -> ExitCode {
    let mut rounds = 5;
    let mut only = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), ROWS.iter().any(|row| row.0 == arg)) {
            ("--rounds", _) => rounds = args.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(0),
            (_, true) => only = Some(arg),
            _ => rounds = 0,
        }
    }
    if rounds == 0 {
        eprintln!("usage: bench-formats [--rounds N] [ROW]");
        return ExitCode::from(2);
    }
    match compare(rounds, only.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether every target was met.
fn compare(rounds: usize, only: Option<&str>) -> Result<bool> {
    let dir = tempfile::tempdir_in(folder())?;
    // The first is ours.
    let mut subjects: [Box<dyn Subject>; 3] = [
        Box::new(sst_format::SstFormat::new(dir.path())),
        Box::new(lsm_tree::LsmTree::new(dir.path())),
        Box::new(sstable::Sstable::new(dir.path())),
    ];
    print!("{ALIKE}");
    println!("\nmedians of {rounds} rounds, files in {}; ns an entry\n", folder().display());
    println!(
        "{:<17}{:>11}{:>11}{:>11}{:>9}",
        "",
        subjects[0].name(),
        subjects[1].name(),
        subjects[2].name(),
        "ratio"
    );
    let mut missed = Vec::new();
    if only.is_some() {
        subjects.iter_mut().try_for_each(|subject| subject.write().and(subject.scan_cached()).map(drop))?;
    }
    for (row, run) in ROWS.into_iter().filter(|row| only.is_none_or(|only| only == row.0)) {
        let mut times = [const { Vec::new() }; 3];
        // The first round fills caches and does not count.
        for round in 0..=rounds {
            for (subject, times) in subjects.iter_mut().zip(&mut times) {
                let spent = run(&mut **subject)?;
                if round > 0 {
                    times.push(spent);
                }
            }
        }
        let [ours, others @ ..] = times.map(median);
        let ratio = others.iter().copied().fold(f64::INFINITY, f64::min) / ours;
        println!("{row:<17}{ours:>11.1}{:>11.1}{:>11.1}{ratio:>9.2}", others[0], others[1]);
        if ratio < TARGET {
            missed.push(row);
        }
    }
    let bytes = subjects.each_ref().map(|subject| subject.file().metadata().map_or(0, |meta| meta.len()));
    let [ours, first, second] = bytes.map(|bytes| bytes as f64 / ENTRIES as f64);
    println!("{:<17}{ours:>11.1}{first:>11.1}{second:>11.1}", "B an entry");
    println!("\nratio: the best of the others / sst-format; target: at least {TARGET}");
    if !missed.is_empty() {
        println!("missed: {}", missed.join("; "));
    }
    Ok(missed.is_empty())
}

/// A folder in memory if there is one: what is compared is not a disk. `TMPDIR` is asked first.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    match std::env::var_os("TMPDIR") {
        Some(dir) => dir.into(),
        None if memory.is_dir() => memory,
        None => std::env::temp_dir(),
    }
}

/// Nanoseconds an entry, in the median round.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let (low, high) = (times[(times.len() - 1) / 2], times[times.len() / 2]);
    (low + high).as_nanos() as f64 / 2.0 / ENTRIES as f64
}
