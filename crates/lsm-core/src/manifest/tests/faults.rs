//! Operations that fail: each in turn, once or for ever.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lsm_io::{Crash, EpochWorker, FaultFs, FaultPlan, Fs, MemFs, Mishap, Op, Ops, Trigger};

use super::{
    super::{Manifest, ManifestError},
    beds::{DIR, content, open, worker},
    histories::{edit, outcome},
};
use crate::Edit;

const EDITS: usize = 8;
const REOPEN_AT: usize = 4;
/// One in so many operations is tried; prime, so that the mishaps take turns.
const STRIDE: u64 = 5;

/// A store on a disk that fails, and everything it may say.
struct Trial {
    disk: MemFs,
    fs: Arc<FaultFs>,
    worker: Arc<EpochWorker>,
    manifest: Option<Manifest>,
    /// What the catalog of an open manifest says.
    current: Vec<usize>,
    /// What a store opened after a crash may say.
    legal: Vec<Vec<usize>>,
    was_created: bool,
    nonce: u8,
}

impl Trial {
    fn new(plan: FaultPlan) -> Self {
        let disk = MemFs::new();
        let fs = Arc::new(FaultFs::new(Arc::new(disk.clone()), plan));
        let (worker, legal) = (worker(), vec![Vec::new()]);
        Self { disk, fs, worker, manifest: None, current: Vec::new(), legal, was_created: false, nonce: 0 }
    }

    fn open(&mut self) {
        self.nonce += 1;
        self.manifest = None;
        let Ok((manifest, _)) = open(self.fs.clone(), &self.worker, self.nonce) else { return };
        self.was_created |= manifest.is_settled();
        self.current = self.find(&manifest.catalog().to_edit());
        if manifest.is_settled() {
            self.legal = vec![self.current.clone()];
        }
        self.manifest = Some(manifest);
    }

    fn record(&mut self, number: usize) {
        if self.manifest.is_none() {
            self.open();
        }
        let Some(manifest) = &self.manifest else { return };
        let with_it = [&self.current[..], &[number]].concat();
        match manifest.record(&edit(number)) {
            Ok(()) => {
                self.was_created = true;
                self.current = with_it;
                self.legal = vec![self.current.clone()];
            }
            Err(_) if manifest.is_settled() => self.legal = vec![self.current.clone()],
            Err(_) => self.legal.push(with_it),
        }
        assert_eq!(manifest.catalog().to_edit(), outcome(self.current.iter().copied()));
    }

    /// Which of the legal states this is.
    #[track_caller]
    fn find(&self, content: &Edit) -> Vec<usize> {
        let found = self.legal.iter().find(|legal| outcome(legal.iter().copied()) == *content);
        found.expect("the store says something that it may not").clone()
    }

    /// What the disk holds by itself, after a power cut and after the end of the process.
    fn check(&self) {
        for disk in [self.disk.crash(Crash::LoseUnsynced), self.disk.clone()] {
            match content(Arc::new(disk)) {
                Err(ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. })
                    if !self.was_created => {}
                content => drop(self.find(&content.unwrap())),
            }
        }
    }
}

/// A history under a plan; how many operations it took.
fn run(plan: FaultPlan) -> u64 {
    let mut trial = Trial::new(plan);
    for number in 0..EDITS {
        if number == REOPEN_AT {
            trial.open();
            trial.check();
        }
        trial.record(number);
        trial.check();
    }
    let operations = trial.fs.trace().len() as u64;
    trial.fs.calm();
    trial.record(EDITS);
    assert_eq!(trial.current.last(), Some(&EDITS), "it does not go on when the disk does");
    trial.check();
    trial.open();
    assert!(trial.manifest.is_some_and(|manifest| manifest.is_settled()));
    operations
}

fn fail_each(mishap: Mishap, lasts: fn(Trigger) -> Trigger, first: u64) {
    let operations = run(FaultPlan::new(0));
    assert!(operations > 100);
    for nth in (first..=operations).step_by(STRIDE as usize) {
        println!("operation {nth} of {operations}: {mishap:?}");
        run(FaultPlan::new(nth).mishap(lasts(Trigger::nth(Ops::Any, nth)), mishap));
    }
}

#[test]
fn a_failed_operation_costs_nothing_that_was_acknowledged() {
    fail_each(Mishap::Fail(ErrorKind::Other), |trigger| trigger, 1);
    fail_each(Mishap::FailDone(ErrorKind::Other), |trigger| trigger, 2);
    fail_each(Mishap::PartWrite(ErrorKind::StorageFull), |trigger| trigger, 3);
    fail_each(Mishap::FailAndForget(ErrorKind::Other), |trigger| trigger, 4);
}

#[test]
fn a_disk_that_fails_until_it_is_calmed_costs_nothing_that_was_acknowledged() {
    fail_each(Mishap::Fail(ErrorKind::Other), Trigger::and_later, 1);
    fail_each(Mishap::FailDone(ErrorKind::Other), Trigger::and_later, 2);
    fail_each(Mishap::PartWrite(ErrorKind::StorageFull), Trigger::and_later, 3);
    fail_each(Mishap::FailAndForget(ErrorKind::Other), Trigger::and_later, 4);
}

#[test]
fn an_edit_that_failed_does_not_come_back_when_the_snapshot_behind_it_is_lost() {
    let mut trial = Trial::new(FaultPlan::new(0));
    trial.record(0);
    trial.fs.arm(Trigger::nth(Op::Sync, 1).of("-b"), Mishap::FailDone(ErrorKind::Other));
    trial.record(1);
    let manifest = trial.manifest.take().unwrap();
    assert!(!manifest.is_settled());
    assert_eq!(content(Arc::new(trial.disk.clone())).unwrap(), outcome([0, 1]), "it is in the files");
    manifest.roll().unwrap();
    let snapshot = format!("SNAPSHOT-{:06}", manifest.generation().unwrap().get());
    let lose = |disk: &MemFs| disk.remove(&Path::new(DIR).join(&snapshot)).unwrap();
    let left = trial.disk.crash(Crash::LoseUnsynced);
    lose(&left);
    assert_eq!(content(Arc::new(left)).unwrap(), outcome([0]));
    manifest.record(&edit(2)).unwrap();
    lose(&trial.disk);
    assert_eq!(content(Arc::new(trial.disk)).unwrap(), outcome([0, 2]));
}

#[test]
fn files_that_do_not_open_are_the_disks_doing_and_never_a_new_store() {
    let mut trial = Trial::new(FaultPlan::new(0));
    trial.record(0);
    trial.fs.arm(Trigger::nth(Op::Open, 1).and_later(), Mishap::Fail(ErrorKind::Other));
    assert!(matches!(content(trial.fs.clone()), Err(ManifestError::Io(_))));
    trial.manifest = None;
    trial.open();
    assert!(trial.manifest.is_none());
    trial.check();
}
