//! A store under load that is hurt all the time, within its promise: nothing it answers is wrong, and once the
//! damage ends, all of it is healed.
//!
//! Each key has one writer, which counts its versions; an answer is right if it is a version between the one that
//! was acknowledged before the question and the one that was begun after it. A file is hurt again only once it
//! reads as it was written; of log segments and of copies of the manifest always the same half.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lsm_io::{Access, ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng, Rot};
use parking_lot::Mutex;
use resilver::{Background, Creation, Db, HealMode, Options, PatrolOptions, Scan, ScrubControl, ScrubStart};
use resilver_tests::{
    Watchdog,
    budget::{self, Budget},
};

use super::patient::{PAGE, STORE, heal, is_clean, options, scrub, told};

const KEYS: usize = 3000;
const WRITERS: usize = 2;
const BY_DAY: Duration = Duration::from_secs(3);

/// The versions of a key.
#[derive(Debug, Default)]
struct Versions {
    begun: AtomicU64,
    acked: AtomicU64,
}

/// A store under load, and what is known of it.
struct Load {
    disk: MemFs,
    faults: FaultFs,
    db: Db,
    keys: Vec<Versions>,
    is_over: AtomicBool,
    failure: Mutex<Option<String>>,
    watchdog: Watchdog,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    writes: AtomicU64,
    reads: AtomicU64,
    scans: AtomicU64,
    scrubs: AtomicU64,
    copies: AtomicU64,
    damages: AtomicU64,
    mended: AtomicU64,
    refused_compactions: AtomicU64,
}

fn busy(fs: Arc<dyn Fs>) -> Options {
    options(fs)
        .background(Background::Threads)
        .table_bytes(512 << 10)
        .level_base_bytes(1 << 20)
        .cache_bytes(64 << 10)
}

fn key(at: usize) -> Vec<u8> {
    format!("key/{at:05}").into_bytes()
}

fn key_at(key: &[u8]) -> Option<usize> {
    std::str::from_utf8(key).ok()?.strip_prefix("key/")?.parse().ok()
}

/// What a version of a key holds; every seventh is a deletion.
fn value(at: usize, version: u64) -> Option<Vec<u8>> {
    let mut rng = Rng::new((at as u64) << 32 | version);
    let len = 100 + rng.below(600);
    (!version.is_multiple_of(7)).then(|| (0..len).map(|_| rng.next_u64() as u8).collect())
}

fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Load {
    fn acked(&self) -> Vec<u64> {
        self.keys.iter().map(|key| key.acked.load(Ordering::SeqCst)).collect()
    }

    fn begun(&self) -> Vec<u64> {
        self.keys.iter().map(|key| key.begun.load(Ordering::SeqCst)).collect()
    }

    fn fail(&self, wrong: String) {
        self.failure.lock().get_or_insert(wrong);
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Repeats a step until the load ends or something is wrong.
    fn repeat(&self, seed: u64, mut step: impl FnMut(&mut Rng) -> Result<(), String>) {
        let mut rng = Rng::new(budget::seed() << 8 | seed);
        while !self.is_over.load(Ordering::SeqCst) {
            if let Err(wrong) = step(&mut rng) {
                self.fail(wrong);
            }
            self.watchdog.pat();
        }
    }

    fn write(&self, writer: usize, rng: &mut Rng) -> Result<(), String> {
        let at = rng.below((KEYS / WRITERS) as u64) as usize * WRITERS + writer;
        let version = self.keys[at].begun.fetch_add(1, Ordering::SeqCst) + 1;
        let written = match value(at, version) {
            Some(value) => self.db.put(&key(at), &value),
            None => self.db.delete(&key(at)),
        };
        written.map_err(|error| format!("writing: {}", told(&error)))?;
        self.keys[at].acked.store(version, Ordering::SeqCst);
        bump(&self.counts.writes);
        Ok(())
    }

    fn read(&self, rng: &mut Rng) -> Result<(), String> {
        let at = rng.below(KEYS as u64) as usize;
        let from = self.keys[at].acked.load(Ordering::SeqCst);
        let found = self.db.get(&key(at)).map_err(|error| format!("reading: {}", told(&error)))?;
        let to = self.keys[at].begun.load(Ordering::SeqCst);
        bump(&self.counts.reads);
        judge(at, found.as_deref(), from, to)
    }

    /// Whether everything a store shows was there between two moments.
    fn scan(&self, db: &Db, from: &[u64], to: impl FnOnce() -> Vec<u64>) -> Result<(), String> {
        let mut found = vec![None; KEYS];
        for item in db.scan(Scan::all()).map_err(|error| told(&error))? {
            let (key, value) = item.map_err(|error| format!("scanning: {}", told(&error)))?;
            let at = key_at(&key).ok_or("a scan shows a key that was never written")?;
            found[at] = Some(value);
        }
        let to = to();
        (0..KEYS).try_for_each(|at| judge(at, found[at].as_deref(), from[at], to[at]))
    }

    fn scan_live(&self) -> Result<(), String> {
        bump(&self.counts.scans);
        self.scan(&self.db, &self.acked(), || self.begun())
    }

    fn scrub(&self, rng: &mut Rng) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(100));
        let options = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        let options = options.parallelism(1 + rng.below(2) as usize);
        let report = self.db.scrub(&options, &ScrubControl::new()).map_err(|error| told(&error))?;
        bump(&self.counts.scrubs);
        if report.is_ok() { Ok(()) } else { Err(format!("a scrub: {report}, {:?}", report.found)) }
    }

    fn keep_house(&self, rng: &mut Rng) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(20));
        match rng.below(8) {
            0..3 => self.db.flush().map_err(|error| format!("flushing: {}", told(&error))),
            3 => {
                // What is hurt before it is in use is not taken.
                if self.db.compact().is_err() {
                    bump(&self.counts.refused_compactions);
                }
                Ok(())
            }
            4 => self.copy(),
            _ => Ok(()),
        }
    }

    fn copy(&self) -> Result<(), String> {
        let count = self.counts.copies.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/copy-{count}"));
        let from = self.acked();
        self.db.checkpoint(&path).map_err(|error| format!("a checkpoint: {}", told(&error)))?;
        let to = self.begun();
        let options = options(Arc::new(self.faults.clone())).creation(Creation::Never);
        let copy = options.open(&path).map_err(|error| format!("opening a checkpoint: {}", told(&error)))?;
        self.scan(&copy, &from, || to)
    }

    /// Hurts some file that reads as it was written.
    fn hurt(&self, rng: &mut Rng, sick: &mut Vec<PathBuf>) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(1 + rng.below(5)));
        sick.retain(|path| {
            let is_hurt = self.is_hurt(path);
            if is_hurt == Some(false) {
                bump(&self.counts.mended);
            }
            is_hurt == Some(true)
        });
        let listed = self.disk.list(STORE.as_ref()).map_err(|error| told(&error))?;
        let Some(entry) = listed.get(rng.below(listed.len() as u64) as usize) else { return Ok(()) };
        let path = Path::new(STORE).join(&entry.name);
        let Some(pages) = self.target(&path, rng) else { return Ok(()) };
        if sick.contains(&path) || self.is_hurt(&path) != Some(false) {
            return Ok(());
        }
        let rot = match rng.below(4) {
            0 => Rot::Flip { bits: 1 },
            1 => Rot::Garble,
            2 => Rot::Zero,
            _ => Rot::Unreadable,
        };
        let (start, len) =
            (FileOffset::new(pages.start * PAGE), ByteLen::new((pages.end - pages.start) * PAGE));
        // It may be gone by now.
        if self.faults.damage(&path, Damage::new(start, len, rot)).is_ok() {
            bump(&self.counts.damages);
            sick.push(path);
        }
        Ok(())
    }

    /// Which pages of a file may be hurt together; none of one that is nothing to the store.
    fn target(&self, path: &Path, rng: &mut Rng) -> Option<std::ops::Range<u64>> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let number: u64 = name.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()?;
        let pages = self.disk.open(path, Access::ReadOnly).ok()?.len().ok()?.get() / PAGE;
        let mut some = |from: u64, count: u64, most: u64| {
            let len = 1 + rng.below(most.max(1));
            let first = from + rng.below(count.checked_sub(len)? + 1);
            Some(first..first + len)
        };
        let copy = if number.is_multiple_of(2) { "-a" } else { "-b" };
        match () {
            () if name.ends_with(".table") => some(0, pages, (pages / 20).min(16)),
            () if name.ends_with(".wal") => some(number % 2 * (pages / 2), pages / 2, 16),
            () if name.starts_with("SNAPSHOT") => some(0, pages, 1),
            () if name.starts_with("MANIFEST") && name.ends_with(copy) => some(0, pages, 1),
            () => None,
        }
    }

    /// Whether a file reads otherwise than it was written; none if it is gone.
    fn is_hurt(&self, path: &Path) -> Option<bool> {
        let written = self.disk.open(path, Access::ReadOnly).ok()?;
        let shown = self.faults.open(path, Access::ReadOnly).ok()?;
        let len = written.len().ok()?.get() as usize;
        let shown = shown.read_to_vec(FileOffset::ZERO, len).ok();
        Some(shown != written.read_to_vec(FileOffset::ZERO, len).ok())
    }
}

fn judge(at: usize, found: Option<&[u8]>, from: u64, to: u64) -> Result<(), String> {
    // Version 0 is that it was never written.
    let is_right = (from..=to).any(|version| value(at, version).as_deref() == found);
    let shown = found.map(<[u8]>::len);
    if is_right {
        Ok(())
    } else {
        Err(format!("key {at}: {shown:?} bytes are none of versions {from}..={to}"))
    }
}

fn run(load: &Load) {
    let (budget, begun) = (Budget::of(40), Instant::now());
    let lasts = || if budget::is_night() { budget.lasts() } else { begun.elapsed() < BY_DAY };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || load.repeat(writer as u64, |rng| load.write(writer, rng)));
        }
        scope.spawn(|| load.repeat(10, |rng| load.read(rng)));
        scope.spawn(|| load.repeat(11, |_| load.scan_live()));
        scope.spawn(|| load.repeat(12, |rng| load.scrub(rng)));
        scope.spawn(|| load.repeat(13, |rng| load.keep_house(rng)));
        let mut sick = Vec::new();
        scope.spawn(move || load.repeat(14, |rng| load.hurt(rng, &mut sick)));
        while lasts() && !load.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        load.is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_store_that_is_hurt_while_it_works_answers_right_and_is_whole_in_the_end() {
    let disk = MemFs::new();
    let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(budget::seed()));
    let load = Load {
        db: busy(Arc::new(faults.clone())).open(STORE).unwrap(),
        disk,
        faults,
        keys: (0..KEYS).map(|_| Versions::default()).collect(),
        is_over: AtomicBool::new(false),
        failure: Mutex::default(),
        watchdog: Watchdog::over(format!("seed {}", budget::seed())),
        counts: Counts::default(),
    };
    run(&load);
    let _ = writeln!(std::io::stderr(), "under damage: {:?}", load.counts);
    let failure = load.failure.lock().clone();
    assert_eq!(failure, None, "seed {}", budget::seed());
    load.scan(&load.db, &load.acked(), || load.acked()).unwrap();
    // What came into use while the first pass was under way is seen by the second.
    for _ in 0..2 {
        scrub(&load.db).unwrap();
        heal(&load.db, HealMode::InPlace).unwrap();
    }
    let (fs, kept): (Arc<dyn Fs>, _) = (Arc::new(load.faults.clone()), load.acked());
    let Load { db, counts, .. } = load;
    db.close().unwrap();
    is_clean(fs.clone()).unwrap();
    let db = busy(fs).open(STORE).unwrap();
    for (at, version) in kept.into_iter().enumerate() {
        judge(at, db.get(&key(at)).unwrap().as_deref(), version, version).unwrap();
    }
    let some = [&counts.damages, &counts.mended, &counts.scrubs, &counts.scans, &counts.reads];
    assert!(some.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{counts:?}");
}
