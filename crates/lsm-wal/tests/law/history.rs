//! A history of a log on a disk that may fail, and what may be found of it afterwards.

use std::{collections::BTreeMap, sync::Arc};

use lsm_io::{EpochWorker, FaultFs, Fs, MemFs, Rng};
use lsm_wal::{Durability, Log, Recovery, SeqNo, Seqs, Whereabouts};

use crate::bench::{Bench, Manifest, STORE, groups, worker};

/// Something done to a log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Append(usize, Durability),
    Sync,
    Spare,
    /// Lets go of everything below a share of what there is, in tenths.
    Trim(u64),
    /// The process ends without a word and comes back.
    Kill,
    /// The log is closed and opened again.
    Reopen,
}

/// How sure a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Failed,
    Buffered,
    Synced,
}

/// What a store would remember of its log.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) groups: BTreeMap<SeqNo, (Seqs, Vec<u8>, Fate)>,
    trimmed: SeqNo,
    /// The first number behind the last acknowledged group when the log was last open.
    acknowledged: SeqNo,
    stamp: u8,
}

/// A run of acts.
pub(crate) struct Run {
    pub(crate) bench: Bench,
    pub(crate) model: Model,
    worker: Arc<EpochWorker>,
    log: Option<Log>,
}

impl Run {
    pub(crate) fn new(fs: &FaultFs) -> Self {
        let bench = Bench::on(Arc::new(fs.clone()), Manifest::default());
        Self { bench, model: Model::default(), worker: worker(), log: None }
    }

    /// Plays the acts; what the disk refuses is tried once more, as a caller would, and then let be.
    pub(crate) fn play(&mut self, acts: &[Act]) {
        for &act in acts {
            if self.log.is_none() && !(self.open() || self.open()) {
                return;
            }
            self.act(act);
        }
    }

    fn open(&mut self) -> bool {
        let at = Whereabouts::new(self.bench.fs.clone(), "/", STORE);
        let Ok(recovery) = Recovery::scan(at, &self.bench.records()) else { return false };
        self.model.check(&recovery, Fate::Buffered);
        let registry = Arc::new(self.bench.manifest.clone());
        self.log = recovery.open(self.worker.clone(), registry, self.bench.options).ok();
        self.log.is_some()
    }

    fn act(&mut self, act: Act) {
        let Some(log) = &self.log else { return };
        match act {
            Act::Append(len, durability) => {
                for _ in 0..2 {
                    self.model.stamp = self.model.stamp.wrapping_add(1);
                    let payload = vec![self.model.stamp; len];
                    let pending =
                        log.enqueue(payload.clone(), 1 + u32::from(self.model.stamp % 3), durability);
                    let pending = pending.unwrap();
                    let seqs = pending.seqs();
                    let done = pending.wait().is_ok();
                    self.model.note(seqs, payload, if !done { Fate::Failed } else { durability.into() });
                    if done {
                        break;
                    }
                }
            }
            Act::Sync => {
                let next = log.next_seq();
                if log.sync().is_ok() {
                    self.model.synced(next);
                }
            }
            Act::Spare => drop(log.prepare_spare()),
            Act::Trim(tenths) => {
                let keep = SeqNo::new(log.durable().get() * tenths / 10);
                let gone = log.trim(keep);
                self.model.trimmed = self.model.trimmed.max(keep);
                self.bench.manifest.0.lock().retain(|record| !gone.contains(record));
                for record in gone {
                    let _ = self.bench.fs.remove(&record.path("/".as_ref()));
                }
            }
            Act::Kill => std::mem::forget(self.log.take()),
            Act::Reopen => {
                let next = log.next_seq();
                if log.close().is_ok() {
                    self.model.synced(next);
                }
                std::mem::forget(self.log.take());
            }
        }
    }

    /// Ends it without a word.
    pub(crate) fn kill(self) -> (Bench, Model) {
        std::mem::forget(self.log);
        (self.bench, self.model)
    }
}

impl From<Durability> for Fate {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Buffered => Self::Buffered,
            Durability::Synced => Self::Synced,
        }
    }
}

impl Model {
    fn note(&mut self, seqs: Seqs, payload: Vec<u8>, fate: Fate) {
        if fate != Fate::Failed {
            self.acknowledged = self.acknowledged.max(seqs.next);
        }
        if fate == Fate::Synced {
            self.synced(seqs.first);
        }
        // After a power cut numbers may come again; within one life they do not.
        self.groups.insert(seqs.first, (seqs, payload, fate));
    }

    /// All below `next` is durable.
    fn synced(&mut self, next: SeqNo) {
        for (_, _, fate) in self.groups.range_mut(..next).map(|(_, group)| group) {
            if *fate == Fate::Buffered {
                *fate = Fate::Synced;
            }
        }
    }

    /// What must be there is there, what may not be is not; `least` says how sure a group must have been to have
    /// survived what happened.
    #[track_caller]
    pub(crate) fn check(&self, recovery: &Recovery, least: Fate) {
        let (found, losses) = groups(recovery);
        assert!(losses.is_empty(), "nothing was damaged, yet lost is {losses:?}");
        let found: BTreeMap<SeqNo, (Seqs, Vec<u8>)> = {
            let count = found.len();
            let map: BTreeMap<_, _> = found.into_iter().map(|group| (group.0.first, group)).collect();
            assert_eq!(map.len(), count, "a group came twice");
            map
        };
        for (first, (seqs, payload)) in &found {
            let (known, bytes, fate) = self.groups.get(first).expect("a group that nobody appended");
            assert!((known, bytes) == (seqs, payload), "group {seqs} is not what was appended");
            let resurrected = *fate == Fate::Failed && *first < self.acknowledged;
            assert!(!resurrected, "group {seqs} failed, and came back after its caller went on");
        }
        let last = found.keys().next_back().copied();
        for (first, (seqs, _, fate)) in &self.groups {
            let within = last.is_some_and(|last| *first < last);
            let must = match (fate, least) {
                (Fate::Failed, _) => false,
                (Fate::Synced, _) | (Fate::Buffered, Fate::Buffered) => true,
                (Fate::Buffered, _) => within,
            };
            let there = found.contains_key(first) || seqs.first < self.trimmed;
            assert!(!must || there, "group {seqs} ({fate:?}) is lost; the last found is {last:?}");
        }
    }
}

/// Acts drawn from a seed.
pub(crate) fn random_acts(seed: u64, count: usize) -> Vec<Act> {
    let mut rng = Rng::new(seed);
    let mut act = move || {
        let len = match rng.below(10) {
            0 => 0,
            1 => rng.below(40_000) as usize,
            2 => 4000 + rng.below(200) as usize,
            _ => rng.below(3000) as usize,
        };
        let durability = if rng.chance(1, 3) { Durability::Synced } else { Durability::Buffered };
        match rng.below(40) {
            0 => Act::Kill,
            1 => Act::Reopen,
            2..4 => Act::Spare,
            4 => Act::Trim(rng.below(11)),
            5..8 => Act::Sync,
            _ => Act::Append(len, durability),
        }
    };
    (0..count).map(|_| act()).collect()
}

/// Acts that pass through everything at least once, in few operations.
pub(crate) fn scripted_acts() -> Vec<Act> {
    use Durability::{Buffered, Synced};
    let mut acts = vec![
        Act::Append(100, Buffered),
        Act::Append(200, Synced),
        Act::Append(9000, Buffered),
        Act::Append(10, Buffered),
        Act::Sync,
        Act::Append(70_000, Synced),
        Act::Append(50_000, Buffered),
        Act::Spare,
        Act::Append(50_000, Buffered),
        Act::Append(300, Synced),
        Act::Kill,
        Act::Append(5, Buffered),
        Act::Kill,
        Act::Append(6, Synced),
        Act::Trim(8),
        Act::Reopen,
    ];
    acts.extend([Act::Append(200_000, Synced), Act::Append(7, Buffered), Act::Append(8, Synced)]);
    acts
}

/// The disk as it is left, in the ways a power cut may leave it.
pub(crate) fn crashes(mem: &MemFs, seed: u64) -> Vec<(String, Arc<dyn Fs>)> {
    use lsm_io::{Crash, Piece};
    let mut hows = vec![Crash::LoseUnsynced];
    for piece in [Piece::Page, Piece::Sector, Piece::Torn] {
        hows.extend((0..2).map(|round| Crash::KeepSome { seed: seed * 2 + round, piece }));
    }
    hows.into_iter().map(|how| (format!("{how:?}"), Arc::new(mem.crash(how)) as Arc<dyn Fs>)).collect()
}
