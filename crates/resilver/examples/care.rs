//! Measures what protection, scrubs and scrubbing beside reads cost, each figure beside its target.
//!
//! `care DIR [MIB]` makes two stores of that size (256) in DIR, which must not hold anything yet: one with protection
//! and one with checksums alone. Rounds of what is compared take turns, and medians count.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lsm_io::{Access, FileOffset, Fs as _, StdFs};
use resilver::{Db, Options, PatrolOptions, Scan, Scheme, ScrubControl, ScrubStart};

const MIB: u64 = 1 << 20;
const VALUE_LEN: usize = 200;
/// An odd number, so that multiplying by it permutes.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const LOADS: usize = 3;
const ROUNDS: usize = 7;
/// How long gets are measured at once.
const ROUND: Duration = Duration::from_secs(2);
/// How fast a scrub beside gets reads.
const SCRUB_BYTES_PER_SEC: u64 = 32 << 20;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let dir = PathBuf::from(words.first().ok_or("which directory?")?);
    let mib = words.get(1).map_or(Ok(256), |word| word.parse::<u64>())?;
    std::fs::create_dir_all(&dir)?;
    let keys = mib * MIB / (VALUE_LEN as u64 + 32);
    let pair = load(&dir, keys)?;
    let bytes = [table_bytes(&pair.on)?, table_bytes(&pair.off)?];
    tell("space, protection on over off", bytes[0] as f64 / bytes[1] as f64, "at most 1.08");
    read_cached(&pair, keys)?;
    scrub_alone(&pair.on)?;
    scrub_beside_gets(&pair.on, keys)
}

/// The directories of a store with protection and of one without.
struct Pair {
    on: PathBuf,
    off: PathBuf,
}

fn tell(what: &str, figure: f64, target: &str) {
    println!("{what}: {figure:.3} (target: {target})");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(SPREAD);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(SPREAD).to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(number: u64) -> [u8; VALUE_LEN] {
    let (mut value, mut state) = ([0; VALUE_LEN], number);
    value
        .chunks_mut(8)
        .for_each(|part| part.copy_from_slice(&random(&mut state).to_le_bytes()[..part.len()]));
    value
}

fn options(scheme: Scheme) -> Options {
    Options::new().protection(scheme)
}

/// Loads stores of both kinds in turn, and keeps the last two.
fn load(dir: &Path, keys: u64) -> Outcome<Pair> {
    let pair = Pair { on: dir.join("on"), off: dir.join("off") };
    let mut ratios = Vec::new();
    for round in 0..LOADS {
        let mut seconds = [0.0; 2];
        // Whoever comes second finds the disk busier, so they take turns at that too.
        for which in [round % 2, 1 - round % 2] {
            let (path, scheme) = [(&pair.on, Scheme::STANDARD), (&pair.off, Scheme::ChecksumOnly)][which];
            if path.exists() {
                std::fs::remove_dir_all(path)?;
            }
            let begun = Instant::now();
            let db = options(scheme).open(path)?;
            (0..keys).try_for_each(|number| db.put(&key(number), &value(number)))?;
            db.flush()?;
            seconds[which] = begun.elapsed().as_secs_f64();
            db.compact()?;
            db.close()?;
        }
        println!("  load of {keys} keys: {:.2} s on, {:.2} s off", seconds[0], seconds[1]);
        ratios.push(seconds[1] / seconds[0]);
    }
    tell("load, protection on over off", median(ratios), "at least 0.93");
    Ok(pair)
}

fn tables(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let paths = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<_> = paths.collect::<Result<_, _>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|is| is == "table")).collect())
}

fn table_bytes(dir: &Path) -> Outcome<u64> {
    tables(dir)?.iter().try_fold(0, |sum, path| Ok(sum + std::fs::metadata(path)?.len()))
}

/// Gets of random keys for a while: how long each took.
fn gets(db: &Db, keys: u64, seed: u64, lasts: Duration) -> Outcome<Vec<Duration>> {
    let (mut state, mut took, begun) = (seed, Vec::with_capacity(1 << 20), Instant::now());
    while begun.elapsed() < lasts {
        let number = random(&mut state) % keys;
        let since = Instant::now();
        let found = db.get(&key(number))?;
        took.push(since.elapsed());
        if found.as_deref() != Some(&value(number)[..]) {
            return Err(format!("key {number} is wrong").into());
        }
    }
    Ok(took)
}

/// Gets of keys whose blocks are in memory. Which store was opened first decides more than what is compared, for the
/// memory that it gets; so each is first once, and the mean of both figures counts.
fn read_cached(pair: &Pair, keys: u64) -> Outcome {
    let open = |path, scheme| -> Outcome<Db> {
        let db = options(scheme).cache_bytes(4 << 30).open(path)?;
        db.scan(Scan::all())?.try_for_each(|item| item.map(drop))?;
        Ok(db)
    };
    let stores = [(&pair.on, Scheme::STANDARD), (&pair.off, Scheme::ChecksumOnly)];
    let mut product = 1.0;
    for order in [[0, 1], [1, 0]] {
        let first = open(stores[order[0]].0, stores[order[0]].1)?;
        let second = open(stores[order[1]].0, stores[order[1]].1)?;
        let mut ratios = Vec::new();
        for round in 0..ROUNDS as u64 {
            let (first, second) = (mean(&first, keys, round)?, mean(&second, keys, round)?);
            ratios.push(if order[0] == 0 { second / first } else { first / second });
        }
        product *= median(ratios);
        first.close()?;
        second.close()?;
    }
    tell("cached random reads, protection on over off", f64::sqrt(product), "at least 0.98");
    Ok(())
}

/// How many seconds a get takes.
fn mean(db: &Db, keys: u64, round: u64) -> Outcome<f64> {
    let took = gets(db, keys, round, ROUND / 4)?;
    Ok(took.iter().sum::<Duration>().as_secs_f64() / took.len().max(1) as f64)
}

/// Reads files from the medium in large pieces: how many bytes a second.
fn read_bare(paths: &[PathBuf]) -> Outcome<(f64, bool)> {
    let (begun, mut bytes, mut bypasses) = (Instant::now(), 0, true);
    let mut buffer = vec![0; MIB as usize];
    for path in paths {
        let file = StdFs::new().open(path, Access::ReadOnly)?;
        let mut at = 0;
        loop {
            let read = file.read_medium_at(FileOffset::new(at), &mut buffer)?;
            bypasses &= read.route.bypasses_cache();
            at += read.len as u64;
            if read.len < buffer.len() {
                break;
            }
        }
        bytes += at;
    }
    Ok((bytes as f64 / begun.elapsed().as_secs_f64(), bypasses))
}

/// A scrub with nothing beside it, over bare reads of the same files.
fn scrub_alone(path: &Path) -> Outcome {
    let db = Db::open(path)?;
    let paths = tables(path)?;
    let patrol = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (bare, bypasses) = read_bare(&paths)?;
        let begun = Instant::now();
        let report = db.scrub(&patrol, &ScrubControl::new())?;
        let scrub = report.bytes as f64 / begun.elapsed().as_secs_f64();
        if !report.is_clean() {
            return Err(format!("the store is not clean: {report}").into());
        }
        let mib = |rate: f64| rate / MIB as f64;
        println!("  bare {:.0} MiB/s (past the cache: {bypasses}), scrub {:.0} MiB/s", mib(bare), mib(scrub));
        ratios.push(scrub / bare);
    }
    tell("scrub over bare sequential reads", median(ratios), "at least 0.8");
    Ok(db.close()?)
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

/// Gets beside a scrub that is limited, over gets alone.
fn scrub_beside_gets(path: &Path, keys: u64) -> Outcome {
    let db = Options::new().cache_bytes(16 << 20).open(path)?;
    gets(&db, keys, 99, ROUND)?;
    let patrol = PatrolOptions::new().bytes_per_sec(SCRUB_BYTES_PER_SEC).start(ScrubStart::Over);
    let mut ratios = Vec::new();
    for round in 0..ROUNDS as u64 {
        let alone = p99(gets(&db, keys, round, ROUND)?);
        let control = ScrubControl::new();
        let beside = std::thread::scope(|scope| -> Outcome<_> {
            let scrub = scope.spawn(|| {
                while !control.is_cancelled() {
                    db.scrub(&patrol, &control)?;
                }
                Ok::<_, resilver::Error>(())
            });
            let took = gets(&db, keys, round, ROUND);
            control.cancel();
            scrub.join().map_err(|_panic| "the scrub panicked")??;
            took
        });
        let beside = p99(beside?);
        println!(
            "  p99 of gets: {alone:.1?} alone, {beside:.1?} beside a scrub of {} MiB/s",
            SCRUB_BYTES_PER_SEC / MIB
        );
        ratios.push(beside.as_secs_f64() / alone.as_secs_f64());
    }
    tell("p99 of gets, beside a limited scrub over alone", median(ratios), "at most 1.2");
    Ok(db.close()?)
}
