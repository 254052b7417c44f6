//! Loads many small entries and states what that, opening and recovery took, each beside its target.
//!
//! `ten_million DIR [KEYS] [WRITERS] [BATCH]` loads keys of 16 bytes and values of 100 in random order, closes,
//! opens, reads some back and scans them all. `ten_million --log-recovery DIR [MIB]` leaves that much of log to
//! an open that must read it. DIR must not hold a store yet.

use std::{
    error::Error,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use resilver::{Db, Options, Scan, WriteBatch};

const KEYS: u64 = 10_000_000;
const VALUE_LEN: usize = 100;
const MIB: u64 = 1 << 20;
/// How many keys are read back.
const SAMPLE: u64 = 20_000;
/// An odd number, so that multiplying by it permutes.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| words.get(at).map_or(Ok(default), |word| word.parse());
    match words.first().map(String::as_str) {
        Some("--log-recovery") => recover(Path::new(word(&words, 1)?), number(2, 1024)?),
        Some("--write-log") => write_log(Path::new(word(&words, 1)?), number(2, 1024)?),
        _ => {
            let (keys, writers, batch) = (number(1, KEYS)?, number(2, 1)?, number(3, 1)?);
            let dir = Path::new(word(&words, 0)?);
            load(dir, keys, writers.max(1), batch.max(1))?;
            reopen(dir, keys)
        }
    }
}

fn word(words: &[String], at: usize) -> Result<&str, String> {
    words.get(at).map(String::as_str).ok_or_else(|| "which directory?".into())
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(SPREAD).to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(number: u64) -> [u8; VALUE_LEN] {
    let mut value = [0; VALUE_LEN];
    let mut state = number | 1;
    for part in value.chunks_mut(8) {
        state = (state ^ (state >> 29)).wrapping_mul(SPREAD);
        part.copy_from_slice(&state.to_le_bytes()[..part.len()]);
    }
    value
}

/// Writes the keys, split among the writers.
fn load(dir: &Path, keys: u64, writers: u64, batch: u64) -> Outcome {
    let db = Db::open(dir)?;
    let begin = Instant::now();
    let waits = std::thread::scope(|scope| {
        let part = |writer: u64| keys * writer / writers;
        let threads: Vec<_> = (0..writers)
            .map(|writer| (&db, part(writer)..part(writer + 1)))
            .map(|(db, numbers)| scope.spawn(move || write(db, numbers, batch)))
            .collect();
        let mut waits = Waits::default();
        for thread in threads {
            waits.join(&thread.join().map_err(|_panic| "a writer panicked")??);
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(waits)
    })?;
    let took = begin.elapsed();
    let rate = keys as f64 / took.as_secs_f64() / 1000.0;
    println!(
        "load: {keys} keys, {writers} writers, batches of {batch}: {took:.1?}, {rate:.0} thousand a second"
    );
    waits.print();
    println!("peak memory after the load: {} MiB", peak_mib()?);
    let begin = Instant::now();
    db.close()?;
    println!("close: {:.2?}; peak memory {} MiB", begin.elapsed(), peak_mib()?);
    println!("  target: 64 MiB of cache, 64 MiB for each memtable that is there at once, 64 MiB,");
    println!("  and 70 MiB for each job at work: 397 MiB with 2 memtables and 2 jobs, 594 MiB with 4 and 3");
    Ok(())
}

fn write(db: &Db, numbers: std::ops::Range<u64>, batch: u64) -> Result<Waits, resilver::Error> {
    let keyspace = db.default_keyspace();
    let mut waits = Waits::default();
    let mut several = WriteBatch::new();
    let mut at = numbers.start;
    while at < numbers.end {
        let end = numbers.end.min(at + batch);
        several.clear();
        for number in at..end {
            several.put(&keyspace, &key(number), &value(number));
        }
        let begin = Instant::now();
        db.write(&several)?;
        waits.note(begin.elapsed());
        at = end;
    }
    Ok(waits)
}

/// How long writes took, in a few hundred numbers, so that the measurement takes no memory of note.
#[derive(Default)]
struct Waits {
    /// How many took below `2^(index / 8)` nanoseconds and no less than the bound before.
    counts: Vec<u64>,
    longest: Duration,
}

impl Waits {
    fn note(&mut self, wait: Duration) {
        let index = (wait.as_nanos().max(1) as f64).log2() * 8.0;
        let index = index as usize + 1;
        self.counts.resize(self.counts.len().max(index + 1), 0);
        self.counts[index] += 1;
        self.longest = self.longest.max(wait);
    }

    fn join(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        self.longest = self.longest.max(other.longest);
    }

    /// What this share of the writes stayed below, to a tenth.
    fn below(&self, share: f64) -> Duration {
        let mut left = self.counts.iter().sum::<u64>() as f64 * share;
        let index = self.counts.iter().position(|&count| {
            left -= count as f64;
            left <= 0.0
        });
        Duration::from_nanos((index.unwrap_or(0) as f64 / 8.0).exp2() as u64)
    }

    fn print(&self) {
        let (median, most) = (self.below(0.5), self.below(0.999));
        println!("a write: median {median:.1?}, p99.9 {most:.1?}, longest {:.1?}", self.longest);
    }
}

fn reopen(dir: &Path, keys: u64) -> Outcome {
    let begin = Instant::now();
    let db = Db::open(dir)?;
    let opened = begin.elapsed();
    let first = db.get(&key(0))?;
    println!("open {opened:.2?}, to the first get {:.2?} (target: under 1 s)", begin.elapsed());
    if first.as_deref() != Some(&value(0)[..]) {
        return Err("the first get is wrong".into());
    }
    let begin = Instant::now();
    let sample = SAMPLE.min(keys);
    for at in 0..sample {
        let number = at.wrapping_mul(SPREAD) % keys;
        if db.get(&key(number))?.as_deref() != Some(&value(number)[..]) {
            return Err(format!("key {number} is wrong").into());
        }
    }
    println!("{sample} random gets, all right: {:.1?} each", begin.elapsed() / sample.max(1) as u32);
    let begin = Instant::now();
    let mut count = 0;
    for item in db.scan(Scan::default())? {
        item?;
        count += 1;
    }
    println!(
        "scan: {count} entries (target: {keys}) in {:.1?}; peak memory {} MiB",
        begin.elapsed(),
        peak_mib()?
    );
    db.close()?;
    if count == keys { Ok(()) } else { Err("the scan does not count right".into()) }
}

/// Leaves a log behind, as a killed process does.
fn write_log(dir: &Path, mib: u64) -> Outcome {
    let db = Options::new().memtable_bytes(u64::MAX >> 1).log_bytes_max(u64::MAX >> 1).open(dir)?;
    let mut number = 0;
    while db.stats().log_bytes < mib * MIB {
        for _ in 0..10_000 {
            db.put(&key(number), &value(number))?;
            number += 1;
        }
    }
    println!("{number} entries in {} MiB of log", db.stats().log_bytes / MIB);
    std::process::abort()
}

fn recover(dir: &Path, mib: u64) -> Outcome {
    let ended =
        Command::new(std::env::current_exe()?).arg("--write-log").arg(dir).arg(mib.to_string()).status()?;
    if ended.success() || !dir.exists() {
        return Err("the writer was to be aborted with a log behind it".into());
    }
    let begin = Instant::now();
    let db = Db::open(dir)?;
    let opened = begin.elapsed();
    let newest = db.stats().newest_seq;
    println!(
        "recovery of {mib} MiB of log: {opened:.2?} (target: under 10 s); peak memory {} MiB",
        peak_mib()?
    );
    println!("{newest} changes came back");
    let last = newest.saturating_sub(1);
    if db.get(&key(last))?.as_deref() != Some(&value(last)[..]) {
        return Err("the last entry is wrong".into());
    }
    Ok(db.close()?)
}

/// The most memory this process has had.
fn peak_mib() -> Result<u64, Box<dyn Error + Send + Sync>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(kib.parse::<u64>()? / 1024)
}
