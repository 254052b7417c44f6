//! The stores that workloads run on: an empty one each for fills, one that is filled for all others; and the loop
//! that measures.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use resilver::{Creation, Db, Options, Scheme};

use super::{
    BenchOptions, Protection,
    content::Content,
    figures::Figures,
    histogram::Histogram,
    meter::{self, Meter},
};
use crate::{failure::Failure, files};

/// A store has settled once nothing changed for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Nobody waits longer for that.
const SETTLING_MAX: Duration = Duration::from_secs(600);
/// A cache for everything is this many times the keys and values, and a little.
const ROOMY: u64 = 2;
const ROOMY_MIN: u64 = 64 << 20;

pub(super) struct Stage<'a> {
    dir: &'a Path,
    options: &'a BenchOptions,
    pub(super) content: Content,
}

/// What is left of the work of some threads.
pub(super) struct Ran {
    latencies: Histogram,
    wall: Duration,
}

/// What a workload changes of what is in its store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Bytes of keys and values written.
    pub(super) wrote: u64,
    /// Bytes of keys and values there in the end.
    pub(super) holds: u64,
}

impl Ran {
    pub(super) fn none() -> Self {
        Self { latencies: Histogram::new(), wall: Duration::ZERO }
    }

    /// One after the other.
    pub(super) fn join(&mut self, next: Self) {
        self.latencies.join(&next.latencies);
        self.wall += next.wall;
    }
}

impl<'a> Stage<'a> {
    pub(super) fn new(dir: &'a Path, options: &'a BenchOptions, content: Content) -> Self {
        Self { dir, options, content }
    }

    /// Bytes of all keys and values.
    pub(super) fn data_bytes(&self) -> u64 {
        self.content.keys() * self.content.entry_bytes()
    }

    /// The cache that workloads have unless they name another.
    pub(super) fn cache_bytes(&self) -> u64 {
        let roomy = self.data_bytes().saturating_mul(ROOMY).max(ROOMY_MIN);
        self.options.cache_bytes.map_or(roomy, |bytes| bytes.0)
    }

    fn store_options(&self) -> Options {
        let scheme = match self.options.protection {
            Protection::On => Scheme::STANDARD,
            Protection::Off => Scheme::ChecksumOnly,
        };
        Options::new().protection(scheme).cache_bytes(self.cache_bytes())
    }

    /// Runs a workload on an empty store of its own, which is gone behind it.
    pub(super) fn on_empty(
        &self,
        name: &str,
        work: impl FnOnce(&Db) -> Result<(Ran, Load), Failure>,
    ) -> Result<Figures, Failure> {
        let path = self.dir.join(name);
        let db = self.store_options().creation(Creation::Always).open(&path)?;
        let figures = measure(&path, db, |db| work(db).map(|(ran, load)| (ran, load, None)))?;
        files::remove_all(&path)?;
        Ok(figures)
    }

    /// Runs a workload on the store that holds every key; `ready` comes first and is not measured.
    pub(super) fn on_filled(
        &self,
        cache_bytes: u64,
        ready: impl FnOnce(&Db, &Path) -> Result<(), Failure>,
        work: impl FnOnce(&Db, &Path) -> Result<(Ran, Load, Option<u64>), Failure>,
    ) -> Result<Figures, Failure> {
        let path = self.filled()?;
        let db = self.store_options().cache_bytes(cache_bytes).creation(Creation::Never).open(&path)?;
        ready(&db, &path)?;
        measure(&path, db, |db| work(db, &path))
    }

    /// The store that holds every key, made when first asked for.
    fn filled(&self) -> Result<PathBuf, Failure> {
        let path = self.dir.join("filled");
        if !files::is_there(&path) {
            let db = self.store_options().creation(Creation::Always).open(&path)?;
            let mut value = Vec::new();
            for place in 0..self.content.keys() {
                let number = self.content.shuffled(0, place);
                self.content.fill_value(number, 0, &mut value);
                db.put(&Content::key(number), &value)?;
            }
            settle(&db)?;
            db.close()?;
        }
        Ok(path)
    }
}

/// Measures what is done to a store, until that has settled and is closed.
fn measure(
    path: &Path,
    db: Db,
    work: impl FnOnce(&Db) -> Result<(Ran, Load, Option<u64>), Failure>,
) -> Result<Figures, Failure> {
    let meter = Meter::start();
    let (Ran { latencies, wall }, load, beside) = work(&db)?;
    if load.wrote > 0 {
        settle(&db)?;
    }
    let (cpu, written, peak_memory) = (meter.cpu(), meter.written(), meter::peak_memory());
    db.close()?;
    let space =
        meter::space_below(path).map_err(|cause| Failure::Io { verb: "list", path: path.into(), cause })?;
    let Load { wrote, holds } = load;
    Ok(Figures { latencies, wall, cpu, written, wrote, space, holds, peak_memory, beside })
}

/// Waits until everything is in tables and compactions have nothing left to do.
fn settle(db: &Db) -> Result<(), Failure> {
    db.flush()?;
    let begun = Instant::now();
    let (mut seen, mut since) = ((db.stats(), meter::written()), Instant::now());
    while since.elapsed() < QUIET && begun.elapsed() < SETTLING_MAX {
        thread::sleep(QUIET / 10);
        let now = (db.stats(), meter::written());
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// Has threads do so many operations together, each taking every `threads`th. What an operation takes includes
/// making its key and checking its answer. Each thread has a buffer for values.
pub(super) fn drive(
    threads: usize,
    ops: u64,
    op: impl Fn(u64, &mut Vec<u8>) -> Result<(), Failure> + Sync,
) -> Result<Ran, Failure> {
    let begun = Instant::now();
    let work = |first: u64| {
        let (mut latencies, mut buffer, mut last) = (Histogram::new(), Vec::new(), Instant::now());
        for number in (first..ops).step_by(threads) {
            op(number, &mut buffer)?;
            let now = Instant::now();
            latencies.record(now - last);
            last = now;
        }
        Ok::<_, Failure>(latencies)
    };
    thread::scope(|scope| {
        let work = &work;
        let crew: Vec<_> = (0..threads as u64).map(|first| scope.spawn(move || work(first))).collect();
        let mut latencies = Histogram::new();
        for member in crew {
            latencies.join(&member.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(Ran { latencies, wall: begun.elapsed() })
    })
}
