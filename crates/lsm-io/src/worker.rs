//! The worker that makes things durable: two lanes, and an orderly end.
//!
//! **Invariant**: after [`EpochWorker::stop`] returned success, every byte that was ever reported written
//! through it is durable.
//!
//! What goes into an epoch, and what to do about a failed one, are others' decisions.

use std::{
    fmt,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
};

use parking_lot::Mutex;

use crate::{
    Cause, Done, Durability, Epoch, Failed, FileOffset, IoError, Limits, Op, Target, Ticket,
    debts::Debts,
    executor::{Blocking, Traffic},
    planner::Refusal,
    queue::Queue,
    target::{Name, SyncError},
    turn::Dir,
};

/// Makes epochs durable, many in one sync.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Epoch, EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
/// let worker = EpochWorker::start(Limits::default())?;
/// let log = Target::create(Arc::new(MemFs::new()), "/log".as_ref())?;
/// let done = worker.commit(Lane::Log, Epoch::new().write(&log, FileOffset::ZERO, b"frame".to_vec()))?;
/// assert_eq!(done.writes.done, 1);
/// worker.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EpochWorker {
    log: Arc<Queue>,
    bulk: Arc<Queue>,
    debts: Arc<Debts>,
    turns: Arc<AtomicU64>,
    /// Taken by the first `stop`, which joins them in this order: bulk, log.
    threads: Mutex<Vec<(Lane, JoinHandle<()>)>>,
}

/// The two queues: what a commit waits for never stands behind a table.
///
/// ```
/// assert_eq!(lsm_io::Lane::Log.to_string(), "log");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Small and urgent: log commits, and edits of the manifest, with which a segment of the log comes into use. Whoever
    /// waits runs the turn.
    Log,
    /// Large and patient: tables, heal patches, deletions. Its own thread runs the turns, in slices of
    /// 1 MiB between which log turns go first, and syncs a large table every 4 MiB.
    Bulk,
}

/// An epoch that was not taken in, and why.
///
/// ```
/// use lsm_io::{Epoch, EpochWorker, Lane, Limits, Refused};
/// let worker = EpochWorker::start(Limits::default())?;
/// worker.stop()?;
/// assert!(matches!(worker.submit(Lane::Log, Epoch::new()), Err(Refused::Closed(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The lane is full.
    #[error("the lane is full; wait until epochs under way are done, or submit with waiting")]
    Full(Epoch),
    /// The worker has been stopped.
    #[error("the worker has been stopped; open the store again to go on")]
    Closed(Epoch),
    /// It depends on an epoch of the other lane.
    #[error("it depends on an epoch of the other lane; submit both to the same one")]
    ForeignDependency(Epoch),
}

impl Lane {
    pub(crate) const fn waiters_lead(self) -> bool {
        matches!(self, Self::Log)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Bulk => "bulk",
        })
    }
}

impl EpochWorker {
    /// Starts a worker with its two threads, which sleep until there is something to do.
    ///
    /// ```
    /// let worker = lsm_io::EpochWorker::start(lsm_io::Limits::default())?;
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(limits: Limits) -> Result<Self, IoError> {
        let (debts, turns) = (Arc::<Debts>::default(), Arc::<AtomicU64>::default());
        let (log_traffic, bulk_traffic) = (Arc::<Traffic>::default(), Arc::<Traffic>::default());
        let queue = |lane, executor, traffic| {
            Queue::new(lane, limits, Box::new(executor), debts.clone(), traffic, turns.clone())
        };
        let log = queue(Lane::Log, Blocking::new(debts.clone(), None), log_traffic.clone());
        let bulk = queue(Lane::Bulk, Blocking::new(debts.clone(), Some(log_traffic)), bulk_traffic);
        let worker = Self { log, bulk, debts, turns, threads: Mutex::new(Vec::new()) };
        // If the second is refused, dropping the worker ends the first.
        for lane in [Lane::Bulk, Lane::Log] {
            let thread = spawn(lane, worker.queue(lane).clone())?;
            worker.threads.lock().push((lane, thread));
        }
        Ok(worker)
    }

    /// Queues an epoch, waiting for room while the lane is full.
    ///
    /// ```
    /// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// let ticket = worker.submit(Lane::Bulk, Epoch::new())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the worker has been stopped or the epoch depends on one of the other lane; it is handed back.
    pub fn submit(&self, lane: Lane, epoch: Epoch) -> Result<Ticket, Refused> {
        let epoch = native(lane, epoch)?;
        self.queue(lane).submit(epoch).map_err(Refused::Closed)
    }

    /// Queues an epoch if there is room now.
    ///
    /// ```
    /// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// assert!(worker.try_submit(Lane::Bulk, Epoch::new()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and if the lane is full.
    pub fn try_submit(&self, lane: Lane, epoch: Epoch) -> Result<Ticket, Refused> {
        let epoch = native(lane, epoch)?;
        self.queue(lane).try_submit(epoch).map_err(|(refusal, epoch)| match refusal {
            Refusal::Full => Refused::Full(epoch),
            Refusal::Closed => Refused::Closed(epoch),
        })
    }

    /// Runs an epoch and waits for it; in the log lane, on the calling thread if the lane is idle. A buffered
    /// epoch is written by the calling thread whenever nobody is ahead of it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Durability, Epoch, EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// let log = Target::create(Arc::new(MemFs::new()), "/log".as_ref())?;
    /// let frame = Epoch::new().write(&log, FileOffset::ZERO, b"frame".to_vec());
    /// worker.commit(Lane::Log, frame.durability(Durability::Buffered))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If not everything of it is done; what is not is given back.
    ///
    /// # Panics
    /// If the epoch depends on one of the other lane, which no run of the program could put right.
    pub fn commit(&self, lane: Lane, epoch: Epoch) -> Result<Done, Box<Failed>> {
        let foreign = epoch.after.as_ref().is_some_and(|after| after.seq.lane != lane);
        assert!(!foreign, "an epoch and the one it depends on share a lane");
        self.queue(lane).commit(epoch)
    }

    /// Hands bytes over to the kernel without an epoch, as a buffered one of a single write would: by the calling
    /// thread if nobody is ahead of it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// let log = Target::create(Arc::new(MemFs::new()), "/log".as_ref())?;
    /// worker.write(Lane::Log, &log, FileOffset::ZERO, b"frame")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the disk refuses or the file is not trusted: it is suspended, as after a failed epoch.
    pub fn write(
        &self,
        lane: Lane,
        target: &Arc<Target>,
        offset: FileOffset,
        bytes: &[u8],
    ) -> Result<(), Cause> {
        if let Some(result) = self.queue(lane).write_now(target, offset, bytes) {
            return result;
        }
        let epoch = Epoch::new().write(target, offset, bytes.to_vec()).durability(Durability::Buffered);
        self.commit(lane, epoch).map(|_| ()).map_err(|failed| failed.cause)
    }

    /// How many turns there have been.
    ///
    /// ```
    /// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// worker.commit(Lane::Log, Epoch::new())?;
    /// assert_eq!(worker.turns(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Takes no more epochs, runs those that wait, and syncs in one final round whatever was written and not
    /// synced. Stop whatever submits before: what comes later is refused. A second call only repeats the round.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Crash, Durability, Epoch, EpochWorker, FileOffset, Fs, Lane, Limits, MemFs, Target};
    /// let (fs, worker) = (Arc::new(MemFs::new()), EpochWorker::start(Limits::default())?);
    /// let log = Target::create(fs.clone(), "/log".as_ref())?;
    /// let frame = Epoch::new().write(&log, FileOffset::ZERO, b"frame".to_vec());
    /// worker.commit(Lane::Log, frame.durability(Durability::Buffered))?;
    /// worker.stop()?;
    /// assert_eq!(fs.crash(Crash::LoseUnsynced).list("/".as_ref())?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a file could not be synced; the others were. Only the first is returned, the rest is logged.
    pub fn stop(&self) -> Result<(), Cause> {
        for lane in [Lane::Bulk, Lane::Log] {
            self.queue(lane).close();
        }
        for (lane, thread) in std::mem::take(&mut *self.threads.lock()) {
            if thread.join().is_err() {
                log::error!("the thread of the {lane} lane panicked; what it held was given back");
            }
        }
        self.final_round()
    }

    fn final_round(&self) -> Result<(), Cause> {
        let mut first = None;
        let mut fail = |cause: Cause| match &first {
            None => first = Some(cause),
            Some(_) => log::error!("the final sync round also failed: {cause}"),
        };
        for target in self.debts.list() {
            match target.sync() {
                Ok(()) if target.name() == Name::Fresh => {
                    let dir = Dir::of(target.fs(), target.path());
                    match dir.fs.sync_dir(&dir.path) {
                        Ok(()) => target.name_is_durable(),
                        Err(error) => fail(Cause::Io(error)),
                    }
                }
                Ok(()) => {}
                Err(SyncError::Io(error)) => fail(Cause::Io(error)),
                Err(SyncError::Distrusted(standing)) => {
                    fail(Cause::Distrusted { path: target.path().into(), standing });
                }
            }
            self.debts.settle(&target);
        }
        first.map_or(Ok(()), Err)
    }

    fn queue(&self, lane: Lane) -> &Arc<Queue> {
        match lane {
            Lane::Log => &self.log,
            Lane::Bulk => &self.bulk,
        }
    }
}

impl Drop for EpochWorker {
    /// Stops, if nobody has: no thread outlives the worker and nothing written stays unsynced.
    fn drop(&mut self) {
        let stopped = self.threads.lock().is_empty();
        if !stopped && let Err(cause) = self.stop() {
            log::error!("the final sync round failed: {cause}");
        }
    }
}

impl fmt::Debug for EpochWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochWorker").field("turns", &self.turns()).finish_non_exhaustive()
    }
}

fn spawn(lane: Lane, queue: Arc<Queue>) -> Result<JoinHandle<()>, IoError> {
    let name = format!("lsm-io-{lane}");
    let spawned = std::thread::Builder::new().name(name.clone()).spawn(move || queue.serve());
    spawned.map_err(|cause| IoError::new(Op::Spawn, Path::new(&name), cause))
}

/// Refuses an epoch that depends on one of another lane.
fn native(lane: Lane, epoch: Epoch) -> Result<Epoch, Refused> {
    match &epoch.after {
        Some(after) if after.seq.lane != lane => Err(Refused::ForeignDependency(epoch)),
        _ => Ok(epoch),
    }
}
