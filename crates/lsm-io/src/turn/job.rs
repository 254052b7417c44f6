//! One epoch inside a turn: how far it has come, and what it will be told.
//!
//! **Invariant**: a job that has failed hands over nothing more, except that a failed deletion does not stop
//! its siblings.

use std::{collections::BTreeSet, sync::Arc};

use super::Verdict;
use crate::{
    Cause, Count, Deletion, Done, Epoch, EpochSeq, Failed, Standing, Target, TurnId, target::TargetId,
};

/// An epoch under way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) seq: EpochSeq,
    pub(super) epoch: Epoch,
    /// Writes begun, and writes wholly handed over: a prefix of them.
    pub(super) begun: usize,
    pub(super) landed: usize,
    /// Deletions begun, and which of them are done.
    pub(super) tried: usize,
    pub(super) removed: Vec<bool>,
    pub(super) cause: Option<Cause>,
}

impl Job {
    pub(super) fn new(seq: EpochSeq, epoch: Epoch) -> Self {
        let removed = vec![false; epoch.deletions.len()];
        Self { seq, epoch, begun: 0, landed: 0, tried: 0, removed, cause: None }
    }

    /// Refuses an epoch that depends on a failed one, or touches a file that is not trusted.
    pub(super) fn admit(&mut self, turn: TurnId) {
        let failed = self.epoch.after.as_ref().filter(|after| !after.fate.is_done());
        let dependency = failed.map(|after| Cause::Dependency { on: after.seq });
        // What this turn suspended so far, epochs before this one suspended.
        let suspended = |target: &&Arc<Target>| target.standing() == Standing::Suspended(turn);
        let tainted = self.epoch.targets().filter(suspended).map(|target| target.id()).collect();
        if let Some(cause) = dependency.or_else(|| self.distrust(turn, &tainted)) {
            self.fail_writing(cause, turn);
        }
    }

    /// Why one of the files it touches may not be touched: because an epoch of this turn ordered before it
    /// failed, or for something older. A file suspended by an epoch behind it is no reason.
    pub(super) fn distrust(&self, turn: TurnId, tainted: &BTreeSet<TargetId>) -> Option<Cause> {
        self.epoch.targets().find_map(|target| match target.standing() {
            _ if tainted.contains(&target.id()) => Some(Cause::TurnFailed { turn }),
            Standing::Trusted => None,
            Standing::Suspended(by) if by == turn => None,
            standing => Some(Cause::Distrusted { path: target.path().into(), standing }),
        })
    }

    pub(super) fn fail_writing(&mut self, cause: Cause, turn: TurnId) {
        self.cause = Some(cause);
        self.epoch.targets().for_each(|target| target.suspend(turn));
    }

    pub(super) fn next_deletion(&mut self) -> Option<Deletion> {
        // A failed deletion does not stop its siblings; anything that failed before them does.
        let blocked = self.tried == 0 && self.cause.is_some();
        let deletion = self.epoch.deletions.get(self.tried).filter(|_| !blocked)?;
        self.tried += 1;
        Some(deletion.clone())
    }

    pub(super) fn verdict(self, turn: TurnId, synced: &BTreeSet<TargetId>) -> Verdict {
        let Self { seq, mut epoch, begun, landed, tried, mut removed, cause } = self;
        let durable = |at: usize, write: &crate::Write| {
            at < landed && (synced.contains(&write.target.id()) || (cause.is_none() && !epoch.wants_sync()))
        };
        let done: Vec<_> = epoch.writes.iter().enumerate().map(|(at, write)| durable(at, write)).collect();
        let count = |done: &[bool]| done.iter().filter(|done| **done).count();
        let writes = Count { attempted: begun, done: count(&done) };
        let deletions = Count { attempted: tried, done: count(&removed) };
        let Some(cause) = cause else { return Ok(Done { seq, turn, writes, deletions }) };
        let (mut done, mut gone) = (done.into_iter(), removed.drain(..));
        epoch.writes.retain(|_| done.next() == Some(false));
        epoch.deletions.retain(|_| gone.next() == Some(false));
        epoch.after = None;
        Err(Box::new(Failed { seq, turn: Some(turn), writes, deletions, cause, returned: epoch }))
    }
}
