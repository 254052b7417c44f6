//! A store that is badly hurt in every kind of file, and goes on for very many operations.
//!
//! Up to half of tables, up to one extent of each segment of the log, and one copy of the manifest are wrong. A store
//! that refuses to open says so with a type. One that opens answers nothing wrong all along; what is written after the
//! damage is answered without exception; in the end what is lost is given up, and the model without those keys agrees.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng, Rot};
use resilver::{
    Background, Codec, Db, HealMode, Keyspace, Options, PatrolOptions, Scheme, ScrubControl, Verdict,
    WriteBatch,
};
use resilver_tests::Watchdog;

use super::truth::{Truth, ask, check_listed, give_up};

const STORE: &str = "/store";
const NAMES: [&str; 2] = ["default", "other"];
const PAGE: u64 = 4096;
/// Once the store is hurt, one key in so many is not written any more, so that losses last.
const COLD: u64 = 4;
/// How often on its way everything that a store can do is done to it.
const STATIONS: u64 = 8;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) keys: u64,
    pub(super) writes_before: u64,
    pub(super) operations: u64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Opens that were refused with a type, and tried again with less damage.
    pub(super) refused: u64,
    /// Pages that were hurt, of how many.
    pub(super) hurt: (u64, u64),
    /// Keys that were not answered right after the damage, of how many.
    pub(super) unanswered: (u64, u64),
    pub(super) operations: u64,
    pub(super) reads: u64,
    pub(super) reads_lost: u64,
    /// Ranges that were given up, and the keys that went with them.
    pub(super) accepted: (u64, u64),
}

/// What is hurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Table,
    Log,
    Edits,
    Snapshot,
}

/// A store on its long way.
pub(super) struct Long {
    disk: MemFs,
    fs: FaultFs,
    rng: Rng,
    seed: u64,
    scale: Scale,
    scheme: Scheme,
    truth: [Truth; 2],
    /// Whether one key in [`COLD`] is left alone from now on.
    is_hurt: bool,
    /// Keys that were written after the damage.
    fresh: [BTreeSet<Vec<u8>>; 2],
    seen: Seen,
}

impl Long {
    pub(super) fn new(seed: u64, scale: Scale) -> Self {
        let mut rng = Rng::new(seed);
        let disk = MemFs::new();
        let fs = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(seed));
        let scheme = if rng.chance(1, 2) { Scheme::default() } else { Scheme::ChecksumOnly };
        let (truth, is_hurt, fresh, seen) = Default::default();
        Self { disk, fs, rng, seed, scale, scheme, truth, is_hurt, fresh, seen }
    }

    fn options(&self) -> Options {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let options = Options::new().fs(fs).background(Background::Inline).cache_bytes(1 << 20);
        let options = options.memtable_bytes(256 << 10).table_bytes(256 << 10).level_base_bytes(1 << 20);
        options.segment_bytes(512 << 10).protection(self.scheme).codec(Codec::Lz4).block_bytes(2 << 10)
    }

    fn at(&self, when: &str) -> String {
        format!("long, seed {:#x}: {when}", self.seed)
    }

    pub(super) fn live(mut self, watchdog: &Watchdog) -> Seen {
        let db = self.options().open(STORE).unwrap();
        for _ in 0..self.scale.writes_before {
            self.write(&db);
        }
        db.sync().unwrap();
        db.close().unwrap();
        let db = self.hurt_and_open();
        (self.is_hurt, self.fresh) = (true, Default::default());
        let unanswered = self.ask(&db, "hurt");
        self.seen.unanswered = (unanswered, self.truth.iter().map(|truth| truth.len() as u64).sum());
        for station in 0..STATIONS {
            for step in 0..self.scale.operations / STATIONS {
                if step % 1024 == 0 {
                    watchdog.pat();
                }
                self.operate(&db);
            }
            watchdog.pat();
            self.stop_at(&db, station);
        }
        let db = self.give_up(db);
        watchdog.pat();
        for _ in 0..self.scale.operations / 100 {
            self.operate(&db);
        }
        db.compact().unwrap();
        assert_eq!(self.ask(&db, "whole again"), 0);
        self.seen
    }

    /// Hurts files of every kind. If the store cannot be opened then, tables alone.
    fn hurt_and_open(&mut self) -> Db {
        let whole = self.disk.fork();
        for kinds in [&[Kind::Table, Kind::Log, Kind::Edits, Kind::Snapshot][..], &[Kind::Table]] {
            self.seen.hurt = (0, 0);
            kinds.iter().for_each(|kind| self.hurt(*kind));
            match self.options().open(STORE) {
                Ok(db) => return db,
                Err(error) => {
                    assert!(!error.to_string().is_empty(), "{}", self.at("refused"));
                    println!("{}", self.at(&format!("refused: {error}")));
                    self.seen.refused += 1;
                    self.disk = whole.fork();
                    self.fs = FaultFs::new(Arc::new(self.disk.clone()), FaultPlan::new(self.seed));
                }
            }
        }
        panic!("{}", self.at("damage to tables alone keeps no store from being opened"));
    }

    fn files(&self, kind: Kind) -> Vec<PathBuf> {
        let is_of = |name: &str| match kind {
            Kind::Table => name.ends_with(".table"),
            Kind::Log => name.ends_with(".wal"),
            Kind::Edits => name.starts_with("MANIFEST-"),
            Kind::Snapshot => name.starts_with("SNAPSHOT-"),
        };
        let listed = self.fs.list(Path::new(STORE)).unwrap().into_iter();
        let mut files: Vec<_> = listed
            .filter(|entry| entry.name.to_str().is_some_and(is_of))
            .map(|entry| Path::new(STORE).join(entry.name))
            .collect();
        files.sort();
        files
    }

    fn hurt(&mut self, kind: Kind) {
        let files = self.files(kind);
        assert!(!files.is_empty(), "{kind:?}");
        for (at, path) in files.iter().enumerate() {
            let pages = self.fs.open(path, lsm_io::Access::ReadOnly).unwrap().len().unwrap().get() / PAGE;
            self.seen.hurt.1 += pages;
            let half = pages / 2;
            match kind {
                // Half of it at once, which no code of the store's makes good; or several smaller holes.
                Kind::Table if at == 0 || self.rng.chance(1, 4) => {
                    let first = self.rng.below(pages - half);
                    self.damage(path, first, half);
                }
                Kind::Table if self.rng.chance(1, 2) => {
                    let holes = 1 + self.rng.below(4);
                    for _ in 0..holes {
                        let count = 1 + self.rng.below((half / holes).max(1));
                        let first = self.rng.below(pages - count);
                        self.damage(path, first, count);
                    }
                }
                // Within one of its two extents, up to all of it.
                Kind::Log => {
                    let count = 1 + self.rng.below(half);
                    let first = self.rng.below(half - count + 1) + half * self.rng.below(2);
                    self.damage(path, first, count);
                }
                // One of the two copies of each generation, up to all of it.
                Kind::Edits if at % 2 == 0 => {
                    let count = 1 + self.rng.below(pages);
                    let first = self.rng.below(pages - count + 1);
                    self.damage(path, first, count);
                }
                // One hole within the promise, and sometimes half of the file.
                Kind::Snapshot => {
                    let count = if self.rng.chance(1, 4) { half.max(1) } else { 1 + self.rng.below(8) };
                    let count = count.min(pages - 1);
                    let first = self.rng.below(pages - count);
                    self.damage(path, first, count);
                }
                Kind::Table | Kind::Edits => {}
            }
        }
    }

    fn damage(&mut self, path: &Path, first: u64, count: u64) {
        let rots = [Rot::Zero, Rot::Garble, Rot::Unreadable, Rot::Foreign { from: FileOffset::new(PAGE) }];
        let rot = rots[self.rng.below(4) as usize];
        let damage = Damage::new(FileOffset::new(first * PAGE), ByteLen::new(count * PAGE), rot);
        self.fs.damage(path, damage).unwrap();
        self.seen.hurt.0 += count;
    }

    /// Everything that a store does beside reads and writes, and everything asked for.
    fn stop_at(&mut self, db: &Db, station: u64) {
        db.flush().unwrap();
        match station % 4 {
            0 => drop(db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap()),
            1 => self.checkpoint(db, station),
            2 => drop(db.heal(if station < 4 { HealMode::InPlace } else { HealMode::Rewrite }).unwrap()),
            _ => db.compact().unwrap(),
        }
        self.ask(db, &format!("at station {station}"));
    }

    fn checkpoint(&mut self, db: &Db, station: u64) {
        let dest = format!("/checkpoint-{station}");
        db.checkpoint(&dest).unwrap();
        let copy = self.options().open(&dest).unwrap();
        self.ask(&copy, "a checkpoint");
        copy.close().unwrap();
        let listed = self.fs.list(Path::new(&dest)).unwrap();
        let files = listed.into_iter().map(|entry| Path::new(&dest).join(entry.name));
        files.for_each(|path| drop(self.fs.remove(&path)));
    }

    /// How many keys are not answered; none of those that were written after the damage.
    fn ask(&mut self, db: &Db, when: &str) -> u64 {
        let when = self.at(when);
        let mut missed = 0;
        for ((name, truth), fresh) in NAMES.iter().zip(&self.truth).zip(&self.fresh) {
            let space = db.keyspace(name).unwrap();
            let unanswered = ask(&space, truth, None, &when);
            if let Some(key) = unanswered.iter().find(|key| fresh.contains(*key)) {
                panic!("{when}: {} was written after the damage", key.escape_ascii());
            }
            check_listed(db, &space, &unanswered, &when);
            missed += unanswered.len() as u64;
        }
        missed
    }

    fn give_up(&mut self, db: Db) -> Db {
        db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        let when = self.at("given up");
        for (name, truth) in NAMES.iter().zip(&mut self.truth) {
            let before = truth.values().flatten().count();
            self.seen.accepted.0 += give_up(&db.keyspace(name).unwrap(), truth, &when);
            self.seen.accepted.1 += (before - truth.values().flatten().count()) as u64;
        }
        assert_eq!(db.losses().unwrap(), [], "{when}");
        assert!(db.health().unwrap().verdict < Verdict::DataLoss, "{when}: {:?}", db.health());
        db.close().unwrap();
        let db = self.options().open(STORE).unwrap();
        assert_eq!(self.ask(&db, "given up and opened again"), 0);
        let report = db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        assert!(report.is_ok(), "{when}: {report:?}");
        assert!(db.health().unwrap().verdict < Verdict::DataLoss, "{when}");
        db
    }

    /// A read, or a write.
    fn operate(&mut self, db: &Db) {
        self.seen.operations += 1;
        if self.rng.chance(1, 2) {
            return self.write(db);
        }
        let at = self.rng.below(2) as usize;
        let key = key(self.rng.below(self.scale.keys));
        let found = db.keyspace(NAMES[at]).unwrap().get(&key);
        self.seen.reads += 1;
        match found {
            Ok(found) => {
                let expected = self.truth[at].get(&key).cloned().flatten();
                assert_eq!(found.as_deref(), expected.as_deref(), "{}", self.at("a read"));
            }
            Err(error) => {
                assert!(!self.fresh[at].contains(&key), "{}: {error}", self.at("written after the damage"));
                let names = |loss: resilver::Loss| {
                    loss.from[..] <= key[..] && loss.to.is_none_or(|to| key[..] < to[..])
                };
                assert!(error.loss().is_some_and(names), "{}: {error:?}", self.at("a read"));
                self.seen.reads_lost += 1;
            }
        }
    }

    fn write(&mut self, db: &Db) {
        let at = self.rng.below(3).min(1) as usize;
        let space = db.keyspace(NAMES[at]).unwrap();
        let mut batch = WriteBatch::new();
        for _ in 0..=self.rng.below(3) {
            self.add(&mut batch, &space, at);
        }
        db.write(&batch).unwrap();
    }

    fn add(&mut self, batch: &mut WriteBatch, space: &Keyspace, at: usize) {
        let mut number = self.rng.below(self.scale.keys);
        let mut end = number + 1 + self.rng.below(8);
        if self.is_hurt {
            number -= u64::from(number % COLD == COLD - 1);
            end = end.min(number / COLD * COLD + COLD - 1);
        }
        let key = key(number);
        match self.rng.below(200) {
            0 => {
                let to = self::key(end);
                batch.delete_range(space, &key, &to);
                for (key, value) in self.truth[at].range_mut(key..to) {
                    *value = None;
                    self.fresh[at].insert(key.clone());
                }
                return;
            }
            1..40 => {
                batch.delete(space, &key);
                self.truth[at].insert(key.clone(), None);
            }
            _ => {
                let mut value = vec![0; 10 + self.rng.below(100) as usize];
                self.rng.fill(&mut value);
                batch.put(space, &key, &value);
                self.truth[at].insert(key.clone(), Some(value));
            }
        }
        self.fresh[at].insert(key);
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key/{number:07}").into_bytes()
}
