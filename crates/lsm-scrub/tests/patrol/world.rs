//! A store, a clock and a memory that are made up: what is wrong with them is said beforehand, what is done to
//! them is written down, and they can die at any effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use lsm_core::{FileId, KeyBounds, Level, TreeId};
use lsm_scrub::*;
use page_ecc::{Fault, PageNo, Region, Rung};
use parking_lot::Mutex;

/// A page of a file and what helps it: what findings are compared by.
pub(crate) type Wrong = (FileRef, u64, Rung);

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) files: Mutex<BTreeMap<FileRef, FakeFile>>,
    pub(crate) memory: RamMemory,
    pub(crate) control: Control,
    pub(crate) reads: Mutex<Vec<(FileRef, Range<u64>, Duration)>>,
    pub(crate) told: Mutex<Vec<Wrong>>,
    pub(crate) answer: Mutex<Action>,
    /// Bytes read for each that is examined.
    pub(crate) effort: AtomicU64,
    now: Mutex<Duration>,
    latency: Mutex<Option<Duration>>,
    script: Mutex<Vec<(Duration, Event)>>,
    /// How many effects it lives through; dead, it goes on in a void.
    lives: AtomicU64,
    pub(crate) effects: AtomicU64,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeFile {
    pub(crate) file: PatrolFile,
    pub(crate) wrong: BTreeMap<u64, Rung>,
    pub(crate) state: FileState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    There,
    Unopenable,
    /// Listed, and gone when it is opened.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Pause,
    Resume,
    Cancel,
    Rate(u64),
    Latency(u64),
}

pub(crate) fn table(tree: u32, number: u64) -> FileRef {
    FileRef { tree: TreeId::new(tree), kind: FileKind::Table, file: FileId::new(number) }
}

pub(crate) fn of_store(kind: FileKind, number: u64) -> FileRef {
    FileRef { tree: TreeId::STORE, kind, file: FileId::new(number) }
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// As fast as can be, a few pages at a time.
pub(crate) fn brisk() -> PatrolOptions {
    PatrolOptions::new().bytes_per_sec(0).read_bytes(4 * 4096).keep_bytes(8 * 4096)
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            files: Mutex::default(),
            memory: RamMemory::default(),
            control: Control::new(),
            reads: Mutex::default(),
            told: Mutex::default(),
            answer: Mutex::new(Action::Scheduled),
            effort: AtomicU64::new(1),
            now: Mutex::new(secs(1000)),
            latency: Mutex::default(),
            script: Mutex::default(),
            lives: AtomicU64::new(u64::MAX),
            effects: AtomicU64::new(0),
        }
    }

    /// One of each kind of file and each kind of trouble.
    pub(crate) fn troubled() -> Self {
        let world = Self::new();
        let bits = Rung::Corrected { bits: 1 };
        world.add(table(1, 1), 21, &[(3, Rung::Rebuilt), (4, Rung::Rebuilt), (9, bits), (20, Rung::Copied)]);
        world.add(table(1, 2), 5, &[]);
        world.add(
            table(2, 3),
            30,
            &[(0, Rung::Lost), (7, Rung::Transient), (8, Rung::Lost), (29, Rung::Supplied)],
        );
        world.add(of_store(FileKind::Log, 1), 9, &[(2, Rung::Copied)]);
        world.add(of_store(FileKind::Manifest, 1), 3, &[(1, Rung::Copied)]);
        world.add(of_store(FileKind::Snapshot, 1), 1, &[(0, Rung::Rebuilt)]);
        world.add(FileRef { kind: FileKind::Blob, ..table(1, 4) }, 12, &[(11, Rung::Lost)]);
        world
    }

    pub(crate) fn add(&self, of: FileRef, pages: u64, wrong: &[(u64, Rung)]) {
        let mut file = PatrolFile::new(of, pages).with_keys(KeyBounds::closed("a", "z"));
        if of.kind == FileKind::Table {
            file = file.at_level(Level::new((of.file.get() % 3) as u8));
        }
        let wrong = wrong.iter().copied().collect();
        self.files.lock().insert(of, FakeFile { file, wrong, state: FileState::There });
    }

    pub(crate) fn change(&self, of: FileRef, change: impl FnOnce(&mut FakeFile)) {
        change(self.files.lock().get_mut(&of).unwrap());
    }

    pub(crate) fn around(&self) -> Around<'_> {
        Around { memory: self, control: self.control.clone(), ..Around::new(self) }
    }

    pub(crate) fn scrub(&self, options: &PatrolOptions) -> Report {
        patrol_scrub(self, options, &self.around())
    }

    pub(crate) fn at(&self, secs_from_1000: u64, event: Event) {
        self.script.lock().push((secs(1000 + secs_from_1000), event));
    }

    pub(crate) fn pass_time(&self, time: Duration) {
        let now = {
            let mut now = self.now.lock();
            *now += time;
            *now
        };
        let mut due = Vec::new();
        self.script.lock().retain(|(at, event)| {
            if *at <= now {
                due.push(*event);
            }
            *at > now
        });
        for event in due {
            match event {
                Event::Pause => self.control.pause(),
                Event::Resume => self.control.resume(),
                Event::Cancel => self.control.cancel(),
                Event::Rate(rate) => self.control.set_bytes_per_sec(rate),
                Event::Latency(millis) => *self.latency.lock() = Some(Duration::from_millis(millis)),
            }
        }
    }

    /// From now on it lives through this many effects, and then everything is void.
    pub(crate) fn live(&self, effects: u64) {
        self.lives.store(effects, Ordering::SeqCst);
    }

    /// Whether one more effect takes place.
    fn lives(&self) -> bool {
        let lived = self.lives.try_update_by_one();
        if lived {
            self.effects.fetch_add(1, Ordering::SeqCst);
        }
        lived
    }

    /// What a walk over everything must find: the oracle.
    pub(crate) fn all_wrong(&self) -> BTreeSet<Wrong> {
        let files = self.files.lock();
        let there = files.values().filter(|file| file.state == FileState::There);
        there
            .flat_map(|file| file.wrong.iter().map(|(page, rung)| (file.file.of, *page, *rung)))
            .map(plain)
            .collect()
    }

    pub(crate) fn told_set(&self) -> BTreeSet<Wrong> {
        self.told.lock().iter().copied().collect()
    }

    /// How often each page was read.
    pub(crate) fn read_counts(&self) -> BTreeMap<(FileRef, u64), u64> {
        let mut counts = BTreeMap::new();
        for (of, pages, _) in self.reads.lock().iter() {
            pages.clone().for_each(|page| *counts.entry((*of, page)).or_default() += 1);
        }
        counts
    }

    /// Each page of each file that is there was read once, and no other.
    #[track_caller]
    pub(crate) fn check_read_once(&self) {
        let files = self.files.lock();
        let there = files.values().filter(|file| file.state == FileState::There);
        let all = there.flat_map(|file| (0..file.file.pages).map(|page| ((file.file.of, page), 1)));
        assert_eq!(self.read_counts(), all.collect());
    }

    /// Files in the order in which they were first read.
    pub(crate) fn order(&self) -> Vec<FileRef> {
        let mut order = Vec::new();
        for (of, ..) in self.reads.lock().iter() {
            if !order.contains(of) {
                order.push(*of);
            }
        }
        order
    }
}

trait TryUpdate {
    fn try_update_by_one(&self) -> bool;
}

impl TryUpdate for AtomicU64 {
    fn try_update_by_one(&self) -> bool {
        self.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lives| lives.checked_sub(1)).is_ok()
    }
}

/// Without the number of bits, which findings add up.
pub(crate) fn plain((of, page, rung): Wrong) -> Wrong {
    match rung {
        Rung::Corrected { .. } => (of, page, Rung::Corrected { bits: 0 }),
        rung => (of, page, rung),
    }
}

/// What a finding names, page by page.
pub(crate) fn wrongs(finding: &Finding) -> Vec<Wrong> {
    let Trouble::Pages { pages, evidence, .. } = &finding.trouble else { return Vec::new() };
    let all = [
        (evidence.transient, Rung::Transient),
        (evidence.corrected, Rung::Corrected { bits: 0 }),
        (evidence.copied, Rung::Copied),
        (evidence.rebuilt, Rung::Rebuilt),
        (evidence.supplied, Rung::Supplied),
        (evidence.lost, Rung::Lost),
    ];
    let kinds: Vec<_> = all.into_iter().filter(|(count, _)| *count > 0).collect();
    assert_eq!(kinds.len(), 1, "a finding is of one kind: {finding}");
    assert_eq!(kinds[0].0, finding.page_count());
    (pages.start.get()..pages.end.get()).map(|page| (finding.file, page, kinds[0].1)).collect()
}

impl Ground for World {
    fn files(&self) -> Vec<PatrolFile> {
        self.files.lock().values().map(|file| file.file.clone()).collect()
    }

    fn examiner(&self, file: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault> {
        let files = self.files.lock();
        let Some(found) = files.get(&file.of) else { return Ok(None) };
        match found.state {
            FileState::There => Ok(Some(Box::new(Open { world: self, file: found.clone() }))),
            FileState::Unopenable => Err(IoFault::new(std::io::Error::other("the disk refused"))),
            FileState::Gone => Ok(None),
        }
    }

    fn found(&self, finding: &Finding) -> Action {
        if self.lives() {
            self.told.lock().extend(wrongs(finding));
        }
        *self.answer.lock()
    }
}

struct Open<'a> {
    world: &'a World,
    file: FakeFile,
}

impl Examiner for Open<'_> {
    fn examine(&mut self, pages: Range<PageNo>) -> Examined {
        let pages = pages.start.get()..pages.end.get();
        if self.world.lives() {
            let now = *self.world.now.lock();
            self.world.reads.lock().push((self.file.file.of, pages.clone(), now));
        }
        self.world.pass_time(Duration::from_millis(1));
        let bytes = (pages.end - pages.start) * 4096 * self.world.effort.load(Ordering::SeqCst);
        let flaw = |(page, rung): (&u64, &Rung)| Flaw {
            page: PageNo::new(*page),
            region: if *page + 1 == self.file.file.pages { Region::Footer } else { Region::Body },
            fault: Fault::Mismatch,
            rung: *rung,
            keys: None,
        };
        Examined { bytes, flaws: self.file.wrong.iter().map(flaw).collect() }
    }
}

impl Pace for World {
    fn now(&self) -> Duration {
        *self.now.lock()
    }

    fn rest(&self, time: Duration) -> bool {
        assert!(time <= Duration::from_millis(100), "orders are heard soon");
        self.pass_time(time);
        true
    }

    fn foreground_latency(&self) -> Option<Duration> {
        *self.latency.lock()
    }
}

impl Memory for World {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        self.memory.load()
    }

    fn store(&self, key: MemoryKey, record: &[u8]) -> Result<(), IoFault> {
        if self.lives() { self.memory.store(key, record) } else { Ok(()) }
    }

    fn forget(&self, key: MemoryKey) -> Result<(), IoFault> {
        if self.lives() { self.memory.forget(key) } else { Ok(()) }
    }
}
