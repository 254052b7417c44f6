//! Measures reads of a store whose every block is in the cache, each kind by itself: the figures that profiles start
//! from.
//!
//! `reads DIR [KIND [OPERATIONS]]` makes a store of a million keys of 16 bytes with values of 100 in DIR unless one is
//! there, reads it whole to fill the cache, then runs one kind of read, or all: `get`, `missing`, `multi`, `scan`
//! (a hundred keys from a random one), `full` (all keys), `threads` (gets of two threads over those of one).

use std::{
    error::Error,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use resilver::{Db, Options, Scan};

const KEYS: u64 = 1_000_000;
const VALUE_LEN: usize = 100;
/// Everything fits into it.
const CACHE_BYTES: u64 = 512 << 20;
/// How many keys a short scan goes over.
const SCAN_LEN: usize = 100;
/// How many keys a multi-get asks for.
const MULTI_LEN: u64 = 64;
/// An odd number, so that multiplying by it permutes.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Of as many rounds the median counts.
const ROUNDS: usize = 5;
const KINDS: [&str; 6] = ["get", "missing", "multi", "scan", "full", "threads"];

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let dir = words.first().ok_or("which directory?")?;
    let path = Path::new(dir).join("reads.store");
    if !path.exists() {
        load(&path)?;
    }
    let db = Options::new().cache_bytes(CACHE_BYTES).open(&path)?;
    for _ in 0..2 {
        db.scan(Scan::all())?.try_for_each(|item| item.map(|_| ()))?;
    }
    let operations = words.get(2).map_or(Ok(500_000), |word| word.parse::<u64>())?;
    let chosen = words.get(1).map(String::as_str);
    for kind in KINDS.into_iter().filter(|kind| chosen.is_none_or(|chosen| chosen == *kind)) {
        measure(&db, kind, operations)?;
    }
    Ok(())
}

fn load(path: &Path) -> Outcome {
    let db = Db::open(path)?;
    for number in 0..KEYS {
        db.put(&key(number), &value(number))?;
    }
    db.compact()?;
    Ok(db.close()?)
}

/// The medians of what one operation takes.
fn measure(db: &Db, kind: &str, operations: u64) -> Outcome {
    let mut nanos = Vec::new();
    for round in 0..ROUNDS as u64 {
        let seed = round * operations;
        let figure = match kind {
            "get" => per(operations, || get_measured(db, seed, operations))?,
            "missing" => per(operations, || missing_measured(db, seed, operations))?,
            "multi" => per(operations, || multi_measured(db, seed, operations / MULTI_LEN))?,
            "scan" => {
                let scans = operations / SCAN_LEN as u64;
                per(scans * SCAN_LEN as u64, || scan_measured(db, seed, scans))?
            }
            "full" => per(KEYS, || full_measured(db))?,
            _ => threads_ratio(db, operations)?,
        };
        nanos.push(figure);
    }
    nanos.sort_by(f64::total_cmp);
    let unit = if kind == "threads" { "times one thread" } else { "ns" };
    println!(
        "{kind:<8} {:8.2} {unit} (best {:.2}, worst {:.2})",
        nanos[ROUNDS / 2],
        nanos[0],
        nanos[ROUNDS - 1]
    );
    Ok(())
}

fn per(operations: u64, act: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let begun = Instant::now();
    act()?;
    Ok(begun.elapsed().as_nanos() as f64 / operations as f64)
}

#[inline(never)]
fn get_measured(db: &Db, seed: u64, gets: u64) -> Outcome {
    for at in seed..seed + gets {
        let found = db.get(&key(mixed(at) % KEYS))?;
        assert_eq!(black_box(found).map(|value| value.len()), Some(VALUE_LEN));
    }
    Ok(())
}

#[inline(never)]
fn missing_measured(db: &Db, seed: u64, gets: u64) -> Outcome {
    for at in seed..seed + gets {
        let found = db.get(&key(KEYS + mixed(at) % KEYS))?;
        assert!(black_box(found).is_none());
    }
    Ok(())
}

#[inline(never)]
fn multi_measured(db: &Db, seed: u64, rounds: u64) -> Outcome {
    for round in seed..seed + rounds {
        let keys: Vec<_> = (0..MULTI_LEN).map(|at| key(mixed(round * MULTI_LEN + at) % KEYS)).collect();
        for found in db.multi_get(&keys)? {
            assert_eq!(black_box(found?).map(|value| value.len()), Some(VALUE_LEN));
        }
    }
    Ok(())
}

#[inline(never)]
fn scan_measured(db: &Db, seed: u64, scans: u64) -> Outcome {
    for at in seed..seed + scans {
        let from = key(mixed(at) % KEYS).to_vec();
        for item in db.scan(Scan::all().from(from))?.take(SCAN_LEN) {
            black_box(item?);
        }
    }
    Ok(())
}

#[inline(never)]
fn full_measured(db: &Db) -> Outcome {
    let mut seen = 0;
    for item in db.scan(Scan::all())? {
        black_box(item?);
        seen += 1;
    }
    assert_eq!(seen, KEYS);
    Ok(())
}

/// How many times the gets of one thread two threads do.
fn threads_ratio(db: &Db, gets: u64) -> Outcome<f64> {
    let alone = timed(|| get_measured(db, 0, gets))?;
    let both = timed(|| {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| get_measured(db, gets, gets));
            get_measured(db, 2 * gets, gets)?;
            other.join().map_err(|_| "a reader panicked")?
        })
    })?;
    Ok(2.0 * alone.as_secs_f64() / both.as_secs_f64())
}

fn timed(act: impl FnOnce() -> Outcome) -> Outcome<Duration> {
    let begun = Instant::now();
    act()?;
    Ok(begun.elapsed())
}

/// Keys that stand in no order, all of one length.
fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(SPREAD).to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(number: u64) -> [u8; VALUE_LEN] {
    let mut value = [0; VALUE_LEN];
    for (at, part) in value.chunks_mut(8).enumerate() {
        part.copy_from_slice(&mixed(number ^ (at as u64) << 32).to_le_bytes()[..part.len()]);
    }
    value
}

fn mixed(number: u64) -> u64 {
    let mixed = (number.wrapping_add(SPREAD) ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 1
}
