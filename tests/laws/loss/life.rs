//! The life of a store that loses pages.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng, Rot};
use resilver::{
    Background, Codec, Db, HealMode, Keyspace, Options, PatrolOptions, Scheme, ScrubControl, Snapshot,
    WriteBatch,
};

use super::truth::{Truth, ask, check_listed, give_up};

const STORE: &str = "/store";
const NAMES: [&str; 2] = ["default", "other"];
const KEYS: u64 = 900;
const PAGE: u64 = 4096;

/// What was seen in all lives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) cases: u64,
    pub(super) answered: u64,
    pub(super) unanswered: u64,
    pub(super) accepted: u64,
    pub(super) marked: u64,
}

/// A store, what it was told, and what steers it.
pub(super) struct Life {
    fs: FaultFs,
    rng: Rng,
    seed: u64,
    length: u64,
    scheme: Scheme,
    codec: Codec,
    truth: [Truth; 2],
    checkpoints: u64,
}

/// Moments that are held, and what was true then.
type Held = Vec<(Snapshot, [Truth; 2])>;

impl Life {
    pub(super) fn new(seed: u64, length: u64) -> Self {
        let mut rng = Rng::new(seed);
        let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(seed));
        let scheme = if rng.chance(1, 3) { Scheme::default() } else { Scheme::ChecksumOnly };
        let codec = if rng.chance(1, 2) { Codec::None } else { Codec::Lz4 };
        Self { fs, rng, seed, length, scheme, codec, truth: Default::default(), checkpoints: 0 }
    }

    fn open(&self) -> Db {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let options =
            Options::new().fs(fs).background(Background::Inline).cache_bytes(0).block_bytes(1 << 10);
        let options = options.memtable_bytes(24 << 10).table_bytes(24 << 10).level_base_bytes(64 << 10);
        options.segment_bytes(256 << 10).protection(self.scheme).codec(self.codec).open(STORE).unwrap()
    }

    pub(super) fn live(mut self, tally: &mut Tally) {
        let mut db = self.open();
        let mut held = Held::new();
        self.write(&db, 600, &mut held);
        for round in 0..self.length {
            db = self.lose_and_live_on(db, &mut held, round, tally);
            held.clear();
            if self.rng.chance(1, 4) {
                continue;
            }
            self.give_up(&db, tally);
            self.write(&db, 200, &mut Held::new());
            db.compact().unwrap();
            assert_eq!(self.ask(&db, "made whole", tally), 0, "seed {:#x}", self.seed);
            let report = db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
            assert!(report.is_ok(), "seed {:#x}: {report:?}", self.seed);
        }
        tally.cases += 1;
    }

    /// Damage, and everything that a store does, on top of it.
    fn lose_and_live_on(&mut self, mut db: Db, held: &mut Held, round: u64, tally: &mut Tally) -> Db {
        if self.rng.chance(1, 2) {
            held.clear();
            db.close().unwrap();
            self.damage();
            db = self.open();
        } else {
            self.damage();
        }
        self.ask_all(&db, held, "hurt", tally);
        for step in 0..2 {
            self.write(&db, 150, held);
            self.ask_all(&db, held, "written on", tally);
            match (step + round + self.rng.below(2)) % 4 {
                0 => drop(db.heal(HealMode::Rewrite).unwrap()),
                1 => db.compact().unwrap(),
                2 => drop(db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap()),
                _ => self.checkpoint(&db, tally),
            }
            self.ask_all(&db, held, "worked on", tally);
        }
        db.compact().unwrap();
        self.ask_all(&db, held, "compacted", tally);
        tally.marked += db.losses().unwrap().len() as u64;
        db
    }

    /// Up to half of some tables, or a few of them altogether.
    fn damage(&mut self) {
        let all = self.tables();
        let chance = 1 + self.rng.below(4);
        for (at, table) in all.iter().enumerate() {
            if at > 0 && !self.rng.chance(1, chance) {
                continue;
            }
            if self.rng.chance(1, 12) {
                self.fs.remove(table).unwrap();
                continue;
            }
            let len = self.fs.open(table, lsm_io::Access::ReadOnly).unwrap().len().unwrap().get();
            let pages = len / PAGE;
            let holes = 1 + self.rng.below(3);
            for _ in 0..holes {
                let hole = 1 + self.rng.below((pages / 2 / holes).max(1));
                let start = self.rng.below(pages - hole);
                let rots =
                    [Rot::Zero, Rot::Garble, Rot::Unreadable, Rot::Foreign { from: FileOffset::new(PAGE) }];
                let rot = rots[self.rng.below(4) as usize];
                let damage = Damage::new(FileOffset::new(start * PAGE), ByteLen::new(hole * PAGE), rot);
                self.fs.damage(table, damage).unwrap();
            }
        }
    }

    fn tables(&self) -> Vec<PathBuf> {
        let listed = self.fs.list(Path::new(STORE)).unwrap();
        let paths = listed.into_iter().map(|entry| Path::new(STORE).join(entry.name));
        paths.filter(|path| path.extension().is_some_and(|end| end == "table")).collect()
    }

    fn checkpoint(&mut self, db: &Db, tally: &mut Tally) {
        self.checkpoints += 1;
        let dest = format!("/checkpoint-{}", self.checkpoints);
        db.checkpoint(&dest).unwrap();
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let options =
            Options::new().fs(fs).background(Background::Inline).cache_bytes(0).protection(self.scheme);
        let copy = options.open(&dest).unwrap();
        self.ask(&copy, "a checkpoint", tally);
    }

    fn ask_all(&self, db: &Db, held: &Held, when: &str, tally: &mut Tally) {
        self.ask(db, when, tally);
        for (snapshot, truths) in held {
            for (name, truth) in NAMES.iter().zip(truths) {
                let when = format!("seed {:#x}: {when}, as of a snapshot", self.seed);
                ask(&space(db, name), truth, Some(snapshot), &when);
            }
        }
    }

    /// How many keys were not answered.
    fn ask(&self, db: &Db, when: &str, tally: &mut Tally) -> u64 {
        let when = format!("seed {:#x}: {when}", self.seed);
        let mut missed = 0;
        for (name, truth) in NAMES.iter().zip(&self.truth) {
            let space = space(db, name);
            let unanswered = ask(&space, truth, None, &when);
            check_listed(db, &space, &unanswered, &when);
            missed += unanswered.len() as u64;
            tally.answered += (truth.len() - unanswered.len()) as u64;
        }
        tally.unanswered += missed;
        missed
    }

    fn give_up(&mut self, db: &Db, tally: &mut Tally) {
        // What no read has met yet must be known to be given up.
        db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        let when = format!("seed {:#x}: given up", self.seed);
        for (name, truth) in NAMES.iter().zip(&mut self.truth) {
            tally.accepted += give_up(&space(db, name), truth, &when);
        }
        assert_eq!(db.losses().unwrap(), [], "{when}");
    }

    /// So many batches, with flushes and snapshots among them.
    fn write(&mut self, db: &Db, batches: u64, held: &mut Held) {
        for _ in 0..batches {
            let at = self.rng.below(3).min(1) as usize;
            let space = space(db, NAMES[at]);
            let mut batch = WriteBatch::new();
            for _ in 0..=self.rng.below(4) {
                self.add(&mut batch, &space, at);
            }
            db.write(&batch).unwrap();
            if self.rng.chance(1, 150) {
                db.flush().unwrap();
            }
            if held.len() < 3 && self.rng.chance(1, 100) {
                held.push((db.snapshot(), self.truth.clone()));
            }
        }
    }

    fn add(&mut self, batch: &mut WriteBatch, space: &Keyspace, at: usize) {
        let number = self.rng.below(KEYS);
        let key = key(number);
        match self.rng.below(40) {
            0 => {
                let to = self::key(number + 1 + self.rng.below(12));
                batch.delete_range(space, &key, &to);
                self.truth[at].range_mut(key..to).for_each(|(_, value)| *value = None);
            }
            1..9 => {
                batch.delete(space, &key);
                self.truth[at].insert(key, None);
            }
            _ => {
                let mut value = vec![0; 20 + self.rng.below(200) as usize];
                self.rng.fill(&mut value);
                batch.put(space, &key, &value);
                self.truth[at].insert(key, Some(value));
            }
        }
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key/{number:05}").into_bytes()
}

fn space(db: &Db, name: &str) -> Keyspace {
    db.keyspace(name).unwrap()
}
