//! One turn: write everything in order, sync once, delete, sync the deletions, report.
//!
//! A state machine: [`Turn::next`] names a step, whoever runs it tells [`Turn::record`] how it went. It
//! touches no disk and knows no thread and no clock.
//!
//! **Invariants**: an epoch is reported done only if the sync of every file it touched began after its last
//! byte was written and returned success. An epoch that fails suspends every file it touches, so that what
//! is ordered behind it fails too. Nothing is deleted in a turn in which anything was not written or synced.

mod job;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::job::Job;
use crate::{
    Cause, Deletion, Done, Epoch, EpochSeq, Failed, FileOffset, Fs, Image, IoError, Standing, Target, TurnId,
    debts::Debts,
    executor::Until,
    target::{Name, SyncError, TargetId},
};

/// What became of an epoch.
pub(crate) type Verdict = Result<Done, Box<Failed>>;

/// The longest write handed to the disk at once, so that nothing waits long behind a large table.
pub(crate) const SLICE_LEN: usize = 1 << 20;

/// Something for the disk to do.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write { target: Arc<Target>, offset: FileOffset, image: Image, range: Range<usize> },
    Sync(Arc<Target>),
    SyncDir(Dir),
    Remove(Deletion),
}

/// A directory whose names are to become durable.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) path: PathBuf,
}

/// Why a step was not done.
#[derive(Debug)]
pub(crate) enum StepError {
    Io(IoError),
    Distrusted(Standing),
}

#[derive(Debug)]
pub(crate) struct Turn {
    id: TurnId,
    jobs: Vec<Job>,
    debts: Arc<Debts>,
    phase: Phase,
    /// Targets the sync round is for.
    due: Vec<Arc<Target>>,
    /// Targets whose bytes this turn made durable.
    synced: BTreeSet<TargetId>,
    /// What this turn could not make durable, in the order it was found.
    broken: Vec<Broken>,
}

#[derive(Debug)]
enum Phase {
    /// `done` bytes of the next write of this job have been written.
    Writing {
        job: usize,
        done: usize,
    },
    Syncing(VecDeque<Step>),
    Removing {
        job: usize,
        dirs: Vec<Dir>,
    },
    SyncingDirs(VecDeque<Step>),
    Finished,
}

/// A failed sync: the targets it was for, and why it failed until somebody has been told.
#[derive(Debug)]
struct Broken {
    hits: Vec<TargetId>,
    cause: Option<Cause>,
}

impl Turn {
    pub(crate) fn new(id: TurnId, epochs: Vec<(EpochSeq, Epoch)>, debts: Arc<Debts>) -> Self {
        let jobs = epochs.into_iter().map(|(seq, epoch)| Job::new(seq, epoch)).collect();
        let phase = Phase::Writing { job: 0, done: 0 };
        Self { id, jobs, debts, phase, due: Vec::new(), synced: BTreeSet::new(), broken: Vec::new() }
    }

    /// The next step, to be recorded before the one after it is asked for; none once the turn is as far as
    /// it should come.
    pub(crate) fn next(&mut self, until: Until) -> Option<Step> {
        loop {
            match &mut self.phase {
                Phase::Writing { job, .. } if *job == self.jobs.len() && until == Until::Written => {
                    return None;
                }
                Phase::Writing { job, .. } if *job == self.jobs.len() => {
                    self.phase = Phase::Syncing(self.plan_syncs());
                    continue;
                }
                Phase::Writing { .. } => match self.next_write() {
                    Some(step) => return Some(step),
                    None => continue,
                },
                Phase::Syncing(steps) | Phase::SyncingDirs(steps) => {
                    if let Some(step) = steps.front() {
                        return Some(step.clone());
                    }
                }
                Phase::Removing { job, .. } if *job < self.jobs.len() => {
                    let at = *job;
                    match self.jobs[at].next_deletion() {
                        Some(deletion) => return Some(Step::Remove(deletion)),
                        None => self.phase.next_job(),
                    }
                    continue;
                }
                Phase::Removing { .. } => {}
                Phase::Finished => return None,
            }
            self.end_round();
        }
    }

    /// Takes note of how the step went that `next` gave last.
    pub(crate) fn record(&mut self, step: &Step, result: Result<(), StepError>) {
        match (step, result) {
            (Step::Write { range, .. }, Ok(())) => self.wrote(range.end),
            (Step::Write { target, .. }, Err(error)) => self.write_failed(target, error),
            (Step::Remove(_), result) => self.recorded_removal(result),
            (Step::Sync(_) | Step::SyncDir(_), result) => self.recorded_sync(step, result),
        }
    }

    /// Gives up after a panic: nothing is known, so nothing is trusted and everything is given back.
    pub(crate) fn abandon(&mut self) {
        for job in &mut self.jobs {
            for target in job.epoch.targets() {
                target.poison();
                self.debts.owe(target);
            }
            job.landed = 0;
            job.removed.fill(false);
            job.cause = Some(Cause::Panicked);
        }
        self.synced.clear();
        self.phase = Phase::Finished;
    }

    /// What became of each epoch, in order.
    pub(crate) fn finish(self) -> Vec<Verdict> {
        debug_assert!(matches!(self.phase, Phase::Finished));
        let Self { id, jobs, synced, .. } = self;
        jobs.into_iter().map(|job| job.verdict(id, &synced)).collect()
    }

    fn next_write(&mut self) -> Option<Step> {
        let Phase::Writing { job: at, done } = &mut self.phase else { return None };
        let job = &mut self.jobs[*at];
        if job.begun == 0 && *done == 0 {
            job.admit(self.id);
        }
        let Some(write) = job.epoch.writes.get(job.landed).filter(|_| job.cause.is_none()) else {
            *at += 1;
            return None;
        };
        job.begun = job.landed + 1;
        let len = write.image.as_slice().len();
        let range = *done..len.min(*done + SLICE_LEN);
        let offset = FileOffset::new(write.offset.get() + *done as u64);
        Some(Step::Write { target: write.target.clone(), offset, image: write.image.clone(), range })
    }

    fn wrote(&mut self, end: usize) {
        let Phase::Writing { job, done } = &mut self.phase else { return };
        let job = &mut self.jobs[*job];
        *done = end;
        if end == job.epoch.writes[job.landed].image.as_slice().len() {
            job.landed += 1;
            *done = 0;
        }
    }

    /// Fails the epoch whose write it was, and those before it that touch the same file. Those behind it are
    /// refused in their turn, since every file this one touches is suspended.
    fn write_failed(&mut self, target: &Target, error: StepError) {
        let Phase::Writing { job, done } = &mut self.phase else { return };
        let failed = *job;
        (*job, *done) = (failed + 1, 0);
        self.jobs[failed].fail_writing(error.into_cause(target.path()), self.id);
        let touches = |job: &&mut Job| job.epoch.targets().any(|other| other.id() == target.id());
        for job in self.jobs[..failed].iter_mut().filter(|job| job.cause.is_none()).filter(touches) {
            job.fail_writing(Cause::TurnFailed { turn: self.id }, self.id);
        }
    }

    fn end_round(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Finished) {
            Phase::Syncing(_) => {
                self.settle();
                Phase::Removing { job: 0, dirs: Vec::new() }
            }
            Phase::Removing { dirs, .. } => Phase::SyncingDirs(dirs.into_iter().map(Step::SyncDir).collect()),
            other @ Phase::Writing { .. } => other,
            Phase::SyncingDirs(_) | Phase::Finished => Phase::Finished,
        };
    }

    /// One sync for each file that an unfailed epoch wants durable; before deletions, for each that is owed
    /// one; and then for the directories of those whose names are new.
    fn plan_syncs(&mut self) -> VecDeque<Step> {
        let alive = || self.jobs.iter().filter(|job| job.cause.is_none());
        let wanted =
            alive().filter(|job| job.epoch.wants_sync()).flat_map(|job| job.epoch.targets()).cloned();
        let deletes =
            alive().count() == self.jobs.len() && alive().any(|job| !job.epoch.deletions.is_empty());
        let owed = if deletes { self.debts.list() } else { Vec::new() };
        let mut known = BTreeSet::new();
        self.due = wanted.chain(owed).filter(|target| known.insert(target.id())).collect();
        let mut dirs = Vec::new();
        for target in self.due.iter().filter(|target| target.name() == Name::Fresh) {
            Dir::of(target.fs(), target.path()).add_to(&mut dirs);
        }
        let syncs = self.due.iter().cloned().map(Step::Sync);
        syncs.chain(dirs.into_iter().map(Step::SyncDir)).collect()
    }

    fn recorded_sync(&mut self, step: &Step, result: Result<(), StepError>) {
        match &mut self.phase {
            Phase::Syncing(steps) => {
                steps.pop_front();
            }
            Phase::SyncingDirs(steps) => {
                steps.pop_front();
                if let (Step::SyncDir(dir), Err(error)) = (step, result) {
                    self.second_sync_failed(error.into_cause(&dir.path));
                }
                return;
            }
            _ => return,
        }
        match (step, result) {
            (Step::Sync(target), Ok(())) => {
                self.debts.settle(target);
                self.synced.insert(target.id());
            }
            (Step::Sync(target), Err(StepError::Distrusted(Standing::Retired))) if !self.touches(target) => {
                // Its owner let it go since it was found owed: nobody needs its bytes any more.
                self.debts.settle(target);
            }
            (Step::Sync(target), Err(error)) => {
                let cause = Some(error.into_cause(target.path()));
                // Poisoned now, it holds up deletions even if no byte went through this worker.
                self.debts.owe(target);
                self.broken.push(Broken { hits: vec![target.id()], cause });
            }
            (Step::SyncDir(dir), result) => self.named(dir, result),
            _ => {}
        }
    }

    /// Whether an epoch of this turn has to do with it.
    fn touches(&self, target: &Target) -> bool {
        self.jobs.iter().any(|job| job.epoch.targets().any(|other| other.id() == target.id()))
    }

    /// The names in `dir` are durable now, or no file with a new name there may be relied on.
    fn named(&mut self, dir: &Dir, result: Result<(), StepError>) {
        let fresh = || self.due.iter().filter(|target| target.name() == Name::Fresh && dir.holds(target));
        let Err(error) = result else {
            fresh().for_each(|target| target.name_is_durable());
            return;
        };
        let hits: Vec<_> = fresh().map(|target| target.id()).collect();
        for target in fresh() {
            target.poison();
            self.debts.owe(target);
        }
        self.synced.retain(|id| !hits.contains(id));
        self.broken.push(Broken { hits, cause: Some(error.into_cause(&dir.path)) });
    }

    /// After the sync round: fails the epochs it failed for, those ordered behind them, and all deletions of
    /// the turn if anything failed.
    fn settle(&mut self) {
        let mut tainted = BTreeSet::new();
        for job in &mut self.jobs {
            if job.cause.is_none() {
                let touches =
                    |hits: &[TargetId]| job.epoch.targets().any(|target| hits.contains(&target.id()));
                let hit = self.broken.iter_mut().find(|broken| touches(&broken.hits));
                let told =
                    hit.map(|broken| broken.cause.take().unwrap_or(Cause::TurnFailed { turn: self.id }));
                if let Some(cause) = told.or_else(|| job.distrust(self.id, &tainted)) {
                    job.fail_writing(cause, self.id);
                }
            }
            if job.cause.is_some() {
                tainted.extend(job.epoch.targets().map(|target| target.id()));
            }
        }
        let failed = !self.broken.is_empty() || self.jobs.iter().any(|job| job.cause.is_some());
        if failed {
            let mut untold = self.broken.iter_mut().filter_map(|broken| broken.cause.take());
            let blocked = self.jobs.iter_mut().filter(|job| !job.epoch.deletions.is_empty());
            for job in blocked.filter(|job| job.cause.is_none()) {
                job.cause = Some(untold.next().unwrap_or(Cause::TurnFailed { turn: self.id }));
            }
        }
        for job in self.jobs.iter().filter(|job| job.cause.is_none() && job.epoch.wants_sync()) {
            assert!(
                job.epoch.targets().all(|target| self.synced.contains(&target.id())),
                "done means synced"
            );
        }
    }

    fn recorded_removal(&mut self, result: Result<(), StepError>) {
        let Phase::Removing { job, dirs } = &mut self.phase else { return };
        let job = &mut self.jobs[*job];
        let deletion = &job.epoch.deletions[job.tried - 1];
        match result {
            // What is gone already is as gone as it should be; its directory may not have been synced.
            Err(StepError::Io(error)) if error.kind() != io::ErrorKind::NotFound => {
                job.cause.get_or_insert(Cause::Io(error));
            }
            _ => {
                job.removed[job.tried - 1] = true;
                Dir::of(&deletion.fs, &deletion.path).add_to(dirs);
            }
        }
    }

    /// Applied deletions become pending again and every epoch hears of it; writes stay done.
    fn second_sync_failed(&mut self, cause: Cause) {
        let mut original = Some(cause);
        for job in &mut self.jobs {
            job.removed.fill(false);
            if job.cause.is_none() {
                job.cause = Some(original.take().unwrap_or(Cause::TurnFailed { turn: self.id }));
            }
        }
    }
}

impl Phase {
    fn next_job(&mut self) {
        if let Self::Removing { job, .. } = self {
            *job += 1;
        }
    }
}

impl Dir {
    /// The directory a path lies in.
    pub(crate) fn of(fs: &Arc<dyn Fs>, path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self { fs: fs.clone(), path: parent.unwrap_or(Path::new(".")).into() }
    }

    fn holds(&self, target: &Target) -> bool {
        self.is(&Self::of(target.fs(), target.path()))
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fs, &other.fs) && self.path == other.path
    }

    fn add_to(self, dirs: &mut Vec<Self>) {
        if !dirs.iter().any(|known| known.is(&self)) {
            dirs.push(self);
        }
    }
}

impl StepError {
    fn into_cause(self, path: &Path) -> Cause {
        match self {
            Self::Io(error) => Cause::Io(error),
            Self::Distrusted(standing) => Cause::Distrusted { path: path.into(), standing },
        }
    }
}

impl From<SyncError> for StepError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Io(error) => Self::Io(error),
            SyncError::Distrusted(standing) => Self::Distrusted(standing),
        }
    }
}
