//! What threads do to one store at once, each step judged by what was written.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lsm_io::{Access, ByteLen, Damage, FaultFs, FileOffset, Fs, MemFs, Rng, Rot};
use parking_lot::Mutex;
use resilver::{
    Background, Creation, Db, Durability, HealMode, Keyspace, Options, PatrolOptions, Scan, ScrubControl,
    ScrubStart, Snapshot, WriteBatch,
};
use resilver_tests::{Watchdog, budget};

use super::{
    passing::{self, Passing},
    truth::{self, GROUPS, MEMBERS, Making, Moment, Shown, Truth, WRITERS, told},
};

const PAGE: u64 = 4096;

/// A store under load, and what is known of it.
pub(super) struct Load<'a> {
    pub(super) db: Db,
    pub(super) keyspaces: [Keyspace; 2],
    pub(super) truth: &'a Truth,
    pub(super) counts: &'a Counts,
    pub(super) ground: &'a Ground,
    pub(super) watchdog: &'a Watchdog,
    is_over: AtomicBool,
    failure: Mutex<Option<String>>,
}

/// Where a store is.
pub(super) struct Ground {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    /// What can be hurt, and what was written to it, if it can.
    pub(super) rot: Option<(FaultFs, MemFs)>,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) writes: AtomicU64,
    pub(super) gets: AtomicU64,
    pub(super) scans: AtomicU64,
    pub(super) snapshots: AtomicU64,
    pub(super) repeats: AtomicU64,
    pub(super) copies: AtomicU64,
    pub(super) flushes: AtomicU64,
    pub(super) compactions: AtomicU64,
    pub(super) scrubs: AtomicU64,
    pub(super) passings: AtomicU64,
    pub(super) damages: AtomicU64,
}

/// A snapshot, and what it showed at first.
struct Held {
    snapshot: Snapshot,
    shown: [Shown; 2],
}

/// What a thread does again and again.
type Step<'l> = Box<dyn FnMut(&mut Rng) -> Result<(), String> + Send + 'l>;

pub(super) fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

impl Ground {
    /// Everything so small that all of it happens all the time.
    pub(super) fn options(&self) -> Options {
        Options::new()
            .fs(self.fs.clone())
            .memtable_bytes(96 << 10)
            .table_bytes(32 << 10)
            .level_base_bytes(96 << 10)
            .segment_bytes(256 << 10)
            .log_bytes_max(2 << 20)
            .block_bytes(1 << 10)
            .cache_bytes(64 << 10)
            .open_files_max(8)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }
}

impl<'a> Load<'a> {
    pub(super) fn open(
        ground: &'a Ground,
        truth: &'a Truth,
        counts: &'a Counts,
        watchdog: &'a Watchdog,
    ) -> Result<Self, String> {
        let db = ground.options().open(ground.store()).map_err(|error| told(&error))?;
        let keyspaces = [db.default_keyspace(), db.keyspace("twin").map_err(|error| told(&error))?];
        let (is_over, failure) = Default::default();
        Ok(Self { db, keyspaces, truth, counts, ground, watchdog, is_over, failure })
    }

    /// Runs all threads for so long, or until something is wrong.
    pub(super) fn run(&self, lasts: Duration, seed: u64) -> Result<(), String> {
        std::thread::scope(|scope| {
            for (number, mut step) in self.steps().into_iter().enumerate() {
                let mut rng = Rng::new(seed.wrapping_mul(1 << 8) + number as u64);
                scope.spawn(move || self.repeat(|| step(&mut rng)));
            }
            let until = Instant::now() + lasts;
            while Instant::now() < until && !self.is_over() {
                std::thread::sleep(Duration::from_millis(10));
            }
            self.is_over.store(true, Ordering::SeqCst);
        });
        self.failure.lock().take().map_or(Ok(()), Err)
    }

    /// What each thread repeats.
    fn steps(&self) -> Vec<Step<'_>> {
        let (mut held, mut passing, mut sick) = (Vec::new(), Passing::default(), None);
        let mut steps: Vec<Step<'_>> = vec![
            Box::new(|rng| self.get(rng)),
            Box::new(|rng| self.scan_group(rng)),
            Box::new(|rng| self.scan_all(rng)),
            Box::new(move |rng| self.hold(rng, &mut held)),
            Box::new(|rng| self.keep_house(rng)),
            Box::new(|_| self.copy()),
            Box::new(|rng| self.patrol(rng)),
            Box::new(move |rng| passing.step(self, rng)),
            Box::new(|_| passing::look(self)),
            Box::new(move |rng| self.hurt(rng, &mut sick)),
        ];
        steps.extend((0..WRITERS).map(|writer| -> Step<'_> { Box::new(move |rng| self.write(writer, rng)) }));
        steps
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn repeat(&self, mut step: impl FnMut() -> Result<(), String>) {
        while !self.is_over() {
            if let Err(wrong) = step() {
                self.failure.lock().get_or_insert(wrong);
                self.is_over.store(true, Ordering::SeqCst);
            }
            self.watchdog.pat();
        }
    }

    fn write(&self, writer: usize, rng: &mut Rng) -> Result<(), String> {
        let group = rng.below((GROUPS / WRITERS) as u64) as usize * WRITERS + writer;
        let begun = self.truth.begin(writer, group);
        let mut batch = WriteBatch::new();
        for keyspace in &self.keyspaces {
            if truth::making(begun.version) == Making::DeleteRange {
                batch.delete_range(keyspace, &truth::prefix(group), &truth::key(group, MEMBERS));
            }
            for member in 0..MEMBERS {
                let key = truth::key(group, member);
                match truth::value(group, member, begun.version) {
                    Some(value) => _ = batch.put(keyspace, &key, &value),
                    None if truth::making(begun.version) == Making::Delete => {
                        _ = batch.delete(keyspace, &key);
                    }
                    None => {}
                }
            }
            batch.put(keyspace, &truth::counter(writer), &begun.counter_value());
        }
        let durability = if rng.chance(1, 8) { Durability::Synced } else { Durability::Buffered };
        let written = self.db.write_with(&batch, durability);
        written.map_err(|error| format!("writing: {}", told(&error)))?;
        self.truth.show(writer, begun.number);
        bump(&self.counts.writes);
        Ok(())
    }

    fn get(&self, rng: &mut Rng) -> Result<(), String> {
        let at = (rng.below(GROUPS as u64) as usize, rng.below(MEMBERS as u64) as usize);
        let keyspace = &self.keyspaces[rng.below(2) as usize];
        let from = self.truth.seen();
        let found = keyspace.get(&truth::key(at.0, at.1));
        let found = found.map_err(|error| format!("getting: {}", told(&error)))?;
        bump(&self.counts.gets);
        self.truth.judge_one(at, found.as_deref(), from, self.truth.begun())
    }

    fn scan_group(&self, rng: &mut Rng) -> Result<(), String> {
        let group = rng.below(GROUPS as u64) as usize;
        let keyspace = &self.keyspaces[rng.below(2) as usize];
        let from = self.truth.seen();
        let found = walk(keyspace, &Scan::prefix(truth::prefix(group)), rng.chance(1, 2))?;
        bump(&self.counts.scans);
        self.truth.judge_group(group, &found, from, self.truth.begun())
    }

    fn scan_all(&self, rng: &mut Rng) -> Result<(), String> {
        let keyspace = &self.keyspaces[rng.below(2) as usize];
        let from = self.truth.seen();
        let found = walk(keyspace, &Scan::all(), rng.chance(1, 2))?;
        bump(&self.counts.scans);
        self.truth.judge_all(&found, from, self.truth.begun()).map(|_| ())
    }

    /// Takes snapshots, and looks whether old ones still show what they showed.
    fn hold(&self, rng: &mut Rng, held: &mut Vec<Held>) -> Result<(), String> {
        if held.len() < 3 {
            held.push(self.take()?);
            return Ok(());
        }
        let again = held.swap_remove(rng.below(held.len() as u64) as usize);
        let (snapshot, is_backward) = (&again.snapshot, rng.chance(1, 2));
        for (keyspace, shown) in self.keyspaces.iter().zip(&again.shown) {
            let found = walk(keyspace, &Scan::all().at(snapshot), is_backward)?;
            differ(shown, &found)?;
            let keys = walk(keyspace, &Scan::all().keys_only().at(snapshot), is_backward)?;
            if !keys.iter().map(|(key, _)| key).eq(shown.iter().map(|(key, _)| key)) {
                return Err("a scan of keys alone shows others than a snapshot has".into());
            }
            let Some((key, value)) = shown.get(rng.below(shown.len() as u64) as usize) else { continue };
            let found = keyspace.get_at(snapshot, key).map_err(|error| told(&error))?;
            if found.as_ref() != Some(value) {
                return Err(format!("{key:?} of a snapshot reads otherwise than it was scanned"));
            }
        }
        bump(&self.counts.repeats);
        if rng.chance(3, 4) {
            held.push(again);
        }
        Ok(())
    }

    fn take(&self) -> Result<Held, String> {
        let from = self.truth.seen();
        let snapshot = self.db.snapshot();
        let to = self.truth.begun();
        let (_, shown) = self.judge_at(&self.keyspaces, &snapshot, from, to)?;
        bump(&self.counts.snapshots);
        Ok(Held { snapshot, shown })
    }

    /// Whether both keyspaces show one and the same moment between two.
    fn judge_at(
        &self,
        keyspaces: &[Keyspace; 2],
        snapshot: &Snapshot,
        from: Moment,
        to: Moment,
    ) -> Result<(Moment, [Shown; 2]), String> {
        let scan = Scan::all().at(snapshot);
        let shown = [walk(&keyspaces[0], &scan, false)?, walk(&keyspaces[1], &scan, true)?];
        let moments =
            [self.truth.judge_all(&shown[0], from, to)?, self.truth.judge_all(&shown[1], from, to)?];
        if moments[0] != moments[1] {
            return Err(format!("one snapshot shows {moments:?} in two keyspaces"));
        }
        Ok((moments[0], shown))
    }

    /// Whether everything that was written shows, with nobody writing any more.
    pub(super) fn judge_end(&self) -> Result<(), String> {
        let end = self.truth.begun();
        self.judge_at(&self.keyspaces, &self.db.snapshot(), end, end)?;
        for at in (0..GROUPS).flat_map(|group| (0..MEMBERS).map(move |member| (group, member))) {
            for keyspace in &self.keyspaces {
                let found = keyspace.get(&truth::key(at.0, at.1)).map_err(|error| told(&error))?;
                self.truth.judge_one(at, found.as_deref(), end, end)?;
            }
        }
        Ok(())
    }

    fn keep_house(&self, rng: &mut Rng) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(rng.below(20)));
        if rng.chance(2, 3) {
            bump(&self.counts.flushes);
            return self.db.flush().map_err(|error| format!("flushing: {}", told(&error)));
        }
        self.compact()
    }

    pub(super) fn compact(&self) -> Result<(), String> {
        bump(&self.counts.compactions);
        match self.db.compact() {
            // What is hurt before it is in use is not taken.
            Err(_) if self.ground.rot.is_some() => Ok(()),
            done => done.map_err(|error| format!("compacting: {}", told(&error))),
        }
    }

    /// A checkpoint is a store of its own that shows one moment of its making.
    fn copy(&self) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(10));
        let path =
            self.ground.dir.join(format!("copy-{}", self.counts.copies.fetch_add(1, Ordering::Relaxed)));
        let from = self.truth.seen();
        self.db.checkpoint(&path).map_err(|error| format!("a checkpoint: {}", told(&error)))?;
        let to = self.truth.begun();
        let options = self.ground.options().creation(Creation::Never).background(Background::Inline);
        let copy = options.open(&path).map_err(|error| format!("opening a checkpoint: {}", told(&error)))?;
        let twin = copy.find_keyspace("twin").map_err(|error| told(&error))?;
        let keyspaces = [copy.default_keyspace(), twin];
        self.judge_at(&keyspaces, &copy.snapshot(), from, to)
            .map_err(|wrong| format!("a checkpoint: {wrong}"))?;
        drop(keyspaces);
        copy.close().map_err(|error| format!("closing a checkpoint: {}", told(&error)))?;
        remove(&*self.ground.fs, &path)
    }

    fn patrol(&self, rng: &mut Rng) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(30));
        let options = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        let options = options.parallelism(1 + rng.below(2) as usize);
        let report = self.db.scrub(&options, &ScrubControl::new()).map_err(|error| told(&error))?;
        if !report.is_ok() {
            return Err(format!("a scrub: {report}, {:?}", report.found));
        }
        let mode = if rng.chance(1, 2) { HealMode::InPlace } else { HealMode::Rewrite };
        // What else hinders one file is gone the next time, or shows at the end.
        self.db.heal(mode).map_err(|error| format!("healing: {}", told(&error)))?;
        bump(&self.counts.scrubs);
        Ok(())
    }

    /// Hurts one page of one table, and the next only once that one is whole or gone.
    fn hurt(&self, rng: &mut Rng, sick: &mut Option<PathBuf>) -> Result<(), String> {
        std::thread::sleep(Duration::from_millis(5));
        let Some((faults, disk)) = &self.ground.rot else { return Ok(()) };
        if sick.as_ref().is_some_and(|path| is_hurt(faults, disk, path)) {
            return Ok(());
        }
        *sick = None;
        let listed = disk.list(&self.ground.store()).map_err(|error| told(&error))?;
        let tables = listed.iter().map(|entry| self.ground.store().join(&entry.name));
        let tables: Vec<_> =
            tables.filter(|path| path.extension().is_some_and(|kind| kind == "table")).collect();
        let Some(path) = tables.get(rng.below(tables.len() as u64) as usize) else { return Ok(()) };
        // It may be gone by now.
        let Ok(len) = disk.open(path, Access::ReadOnly).and_then(|file| file.len()) else { return Ok(()) };
        let start = FileOffset::new(rng.below(len.get() / PAGE) * PAGE);
        let rot = if rng.chance(1, 2) { Rot::Flip { bits: 1 } } else { Rot::Garble };
        if faults.damage(path, Damage::new(start, ByteLen::new(PAGE), rot)).is_ok() {
            bump(&self.counts.damages);
            *sick = Some(path.clone());
        }
        Ok(())
    }
}

/// What a scan shows, in ascending order whichever way it went.
pub(super) fn walk(keyspace: &Keyspace, scan: &Scan, is_backward: bool) -> Result<Shown, String> {
    let scan = if is_backward { scan.clone().reverse() } else { scan.clone() };
    let items = keyspace.scan(scan).map_err(|error| format!("scanning: {}", told(&error)))?;
    let shown: Result<Shown, _> = items.collect();
    let mut shown = shown.map_err(|error| format!("scanning: {}", told(&error)))?;
    if is_backward {
        shown.reverse();
    }
    if shown.is_sorted_by(|one, next| one.0 < next.0) {
        Ok(shown)
    } else {
        Err("a scan is out of order".into())
    }
}

fn differ(before: &Shown, now: &Shown) -> Result<(), String> {
    if before == now {
        return Ok(());
    }
    let other = before.iter().zip(now).find(|(before, now)| before != now);
    let key = other.map(|(before, now)| (&before.0, &now.0));
    Err(format!(
        "a snapshot of {} keys shows {} later; first they differ at {key:?}",
        before.len(),
        now.len()
    ))
}

fn is_hurt(faults: &FaultFs, disk: &MemFs, path: &Path) -> bool {
    let read = |fs: &dyn Fs| {
        let file = fs.open(path, Access::ReadOnly)?;
        file.read_to_vec(FileOffset::ZERO, file.len()?.get() as usize)
    };
    read(disk).is_ok_and(|written| !read(faults).is_ok_and(|shown| shown == written))
}

fn remove(fs: &dyn Fs, dir: &Path) -> Result<(), String> {
    let listed = fs.list(dir).map_err(|error| told(&error))?;
    let mut files = listed.iter().map(|entry| dir.join(&entry.name));
    files.try_for_each(|path| fs.remove(&path)).map_err(|error| told(&error))?;
    fs.remove_dir(dir).map_err(|error| told(&error))
}

/// Which seed the threads of a round have.
pub(super) fn seed_of(round: u64) -> u64 {
    budget::seed().wrapping_mul(1 << 20).wrapping_add(round)
}
