//! What became of an epoch, with the evidence: what was tried, what is done, and what is given back.

use std::path::PathBuf;

use crate::{Epoch, EpochSeq, IoError, Standing, TurnId};

/// An epoch of which everything is done, and durable if it asked for that.
///
/// ```
/// use lsm_io::{Count, Epoch, EpochWorker, Lane, Limits};
/// let worker = EpochWorker::start(Limits::default())?;
/// assert_eq!(worker.commit(Lane::Log, Epoch::new())?.writes, Count::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which epoch.
    pub seq: EpochSeq,
    /// In which turn.
    pub turn: TurnId,
    /// Its writes.
    pub writes: Count,
    /// Its deletions.
    pub deletions: Count,
}

/// How many were begun, and how many of those are done for good.
///
/// ```
/// assert_eq!(lsm_io::Count::default(), lsm_io::Count { attempted: 0, done: 0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Begun.
    pub attempted: usize,
    /// Done as the epoch asked: durable, or for a buffered one, written.
    pub done: usize,
}

/// An epoch of which not everything is done. What is not is given back.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Epoch, EpochWorker, FaultFs, FaultPlan, FileOffset, Lane, Limits, MemFs, Mishap, Op, Target, Trigger};
/// let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Write, 1), Mishap::Fail(std::io::ErrorKind::Other));
/// let worker = EpochWorker::start(Limits::default())?;
/// let target = Target::create(Arc::new(FaultFs::new(Arc::new(MemFs::new()), plan)), "/a".as_ref())?;
/// let failed = worker.commit(Lane::Log, Epoch::new().write(&target, FileOffset::ZERO, b"abc".to_vec())).unwrap_err();
/// assert_eq!((failed.writes.attempted, failed.writes.done), (1, 0));
/// target.resume();
/// worker.commit(Lane::Log, failed.returned)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[error("epoch {seq} is not done ({} of {} writes, {} of {} deletions)",
    writes.done, writes.done + returned.writes.len(), deletions.done, deletions.done + returned.deletions.len())]
pub struct Failed {
    /// Which epoch.
    pub seq: EpochSeq,
    /// In which turn; none if it was never taken into one.
    pub turn: Option<TurnId>,
    /// Its writes.
    pub writes: Count,
    /// Its deletions.
    pub deletions: Count,
    /// Why.
    #[source]
    pub cause: Cause,
    /// The writes and deletions that are not done, ready to be submitted again.
    pub returned: Epoch,
}

/// Why an epoch is not done.
///
/// ```
/// let cause = lsm_io::Cause::Closed;
/// assert_eq!(cause.to_string(), "the worker has been stopped; open the store again to go on");
/// ```
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The disk refused something of this epoch; or of its turn, and it is the first to hear of it.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Its turn failed before it was done; another epoch of the turn was told why.
    #[error(
        "turn {turn} failed before this epoch was done; see the epoch that failed first, then submit again"
    )]
    TurnFailed {
        /// Which turn.
        turn: TurnId,
    },
    /// A file it touches has failed before.
    #[error("{} takes no writes: {}", path.display(), describe(*standing))]
    Distrusted {
        /// Which file.
        path: PathBuf,
        /// How it stands.
        standing: Standing,
    },
    /// The epoch it depends on failed.
    #[error("it depends on epoch {on}, which failed; submit that one again first")]
    Dependency {
        /// Which epoch.
        on: EpochSeq,
    },
    /// The file system panicked in its turn; nothing is known of what was written.
    #[error("the file system panicked during the turn; write the content of its files anew elsewhere")]
    Panicked,
    /// The worker has been stopped.
    #[error("the worker has been stopped; open the store again to go on")]
    Closed,
}

fn describe(standing: Standing) -> String {
    match standing {
        Standing::Trusted => "it was distrusted for a moment; submit again".into(),
        Standing::Suspended(turn) => {
            format!("a write failed in turn {turn}; write what was given back, then resume it")
        }
        Standing::Poisoned => {
            "a sync failed, its content is unknown; write it anew elsewhere and retire it".into()
        }
        Standing::Retired => "it was retired; open it as a new target to write it again".into(),
    }
}
