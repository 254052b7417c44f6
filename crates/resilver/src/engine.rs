//! A store while it is open: its trees, its log, and the one way a write takes through both.
//!
//! **Invariant**: what is acknowledged is in the log as durably as was asked, and shows to every read that
//! begins afterwards. A table is never durable before the log is up to its newest entry, so what a power cut
//! leaves is a prefix.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use lsm_core::{Batch, Change, Compaction, CompactionStrategy, Copying, Edit, Store};
use lsm_io::{EpochWorker, LockGuard};
use lsm_wal::{Log, LogError, SegmentNo, SegmentRecord};
use parking_lot::Mutex;
use sst_format::SeqNo;

use crate::{
    Background, Durability, Error, Options, Snapshot,
    background::Bell,
    crew::Compactors,
    journal::record_of,
    latency::Latency,
    ledger::{LedgerKeeper, Recorder},
    pacing::Pacer,
};

/// How long to wait at once for a job that is in the way.
pub(crate) const WAIT_FOR_JOBS: Duration = Duration::from_millis(5);

/// What is at most such a part of a memtable is left in the log when the store is closed: by default 1 MiB, which
/// is replayed in some milliseconds, while a table takes as long to make durable and has to be merged later.
const REPLAYED_PART: u64 = 64;

/// A store while it is open.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Unique in the process: which store a batch or a keyspace is of.
    pub(crate) number: u64,
    pub(crate) options: Options,
    pub(crate) store: Arc<Store>,
    /// None in a store that is only read.
    log: Option<Log>,
    pub(crate) worker: Arc<EpochWorker>,
    pub(crate) bell: Arc<Bell>,
    /// Rung for the thread that keeps the log ready.
    pub(crate) log_bell: Bell,
    pub(crate) pacer: Pacer,
    pub(crate) compactors: Compactors,
    pub(crate) latency: Arc<Latency>,
    pub(crate) ledger: LedgerKeeper,
    is_closed: AtomicBool,
    /// Held until the last handle is gone, or the store is closed.
    lock: Mutex<Option<LockGuard>>,
    durable: BTreeMap<SegmentNo, lsm_wal::SeqNo>,
}

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) options: Options,
    pub(crate) store: Arc<Store>,
    pub(crate) log: Option<Log>,
    pub(crate) worker: Arc<EpochWorker>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) lock: Option<LockGuard>,
    /// Of a log that is only read: below which number every change of a segment was durable.
    pub(crate) durable: BTreeMap<SegmentNo, lsm_wal::SeqNo>,
}

impl Engine {
    pub(crate) fn new(parts: Parts) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Parts { options, store, log, worker, bell, recorder, lock, durable } = parts;
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            pacer: Pacer::new(&options),
            compactors: Compactors::new(&options),
            latency: Arc::default(),
            ledger: LedgerKeeper::new(recorder),
            options,
            store,
            log,
            worker,
            bell,
            log_bell: Bell::default(),
            is_closed: AtomicBool::new(false),
            lock: Mutex::new(lock),
            durable,
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.is_closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn log(&self) -> Result<&Log, Error> {
        self.check_open()?;
        self.log.as_ref().ok_or(Error::ReadOnly)
    }

    /// Writes a batch: when it returns, the batch is as durable as asked and shows.
    pub(crate) fn write(&self, batch: &Batch, durability: Durability) -> Result<(), Error> {
        batch.check()?;
        let log = self.log()?;
        let Ok(count) = u32::try_from(batch.len()) else { unreachable!("a batch counts in 32 bits") };
        if count == 0 {
            // It is as durable as asked once everything before it is.
            return if durability == Durability::Synced { self.sync() } else { Ok(()) };
        }
        self.store.check_trees(batch.trees())?;
        self.wait_for_room(batch.bytes().len())?;
        let pass = self.store.enter();
        let payload = bytes::Bytes::copy_from_slice(batch.bytes());
        let appended = match log.append(payload, count, durability.into()) {
            Ok(seqs) => {
                self.store.apply(&pass, SeqNo::new(seqs.first.get()), batch.ops());
                Ok(seqs)
            }
            Err(LogError::NotAppended { seqs, fault }) => Err((seqs, LogError::NotAppended { seqs, fault })),
            Err(error) => return Err(error.into()),
        };
        let seqs = appended.as_ref().unwrap_or_else(|(seqs, _)| seqs);
        // Void numbers are published too: nobody must wait for them.
        self.store.publish(&pass, SeqNo::new(seqs.first.get()), seqs.count());
        drop(pass);
        if let Err((_, error)) = appended {
            return Err(error.into());
        }
        self.after_write(log);
        Ok(())
    }

    fn wait_for_room(&self, bytes: usize) -> Result<(), Error> {
        if self.options.background == Background::Inline && self.store.sealed_memtables() > 0 {
            // A flush failed before. If it does again, nothing of this write has happened yet.
            let again = self.work_off();
            return again.map_err(|error| Error::Stalled { cause: Arc::new(error) });
        }
        self.pacer.wait_for_room(self, bytes)
    }

    /// What fails here is not the write's failure: that is in the log by now, and shows.
    fn after_write(&self, log: &Log) {
        if log.wants_care() && self.options.background == Background::Threads {
            self.log_bell.ring();
        }
        if self.store.active_bytes() >= self.options.memtable_bytes {
            self.store.seal_full(self.options.memtable_bytes);
            self.update_pressure();
            match self.options.background {
                Background::Threads => self.bell.ring(),
                Background::Inline => {
                    if let Err(error) = self.work_off() {
                        log::error!("work beside a write failed and is tried again by the next: {error}");
                    }
                }
            }
        }
    }

    /// Makes everything acknowledged so far durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        Ok(self.log()?.sync()?)
    }

    /// Makes tables of everything in memory.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.log()?;
        self.store.seal_all();
        while self.flush_one()? {}
        self.trim_log()
    }

    /// Makes tables of what is in memory now, unless that is replayed sooner than a table is made. What fails is
    /// only logged: the log still holds everything.
    pub(crate) fn flush_last(&self) {
        let (active, sealed) = self.store.memtable_bytes();
        if self.log().is_err() || active + sealed <= self.options.memtable_bytes / REPLAYED_PART {
            return;
        }
        // What others go on writing meanwhile is left to the log, so that this has an end.
        let upto = self.store.seal_all();
        let flush = || {
            while self.store.flushed() < upto && self.flush_one()? {}
            self.trim_log()
        };
        if let Err(error) = flush() {
            log::warn!("what is in memory stays in the log for the next open to replay: {}", error.to_told());
        }
    }

    /// Flushes the oldest sealed memtables, if there are any.
    pub(crate) fn flush_one(&self) -> Result<bool, Error> {
        let log = self.log.as_ref().ok_or(Error::ReadOnly)?;
        let Some(job) = self.store.plan_flush() else { return Ok(false) };
        let flush = self.pacer.flush_begins(job.memtable_bytes());
        if log.durable().get() <= job.upto().get() {
            log.sync()?;
        }
        self.store.run_flush(job, &|| self.bell.is_over())?;
        self.pacer.flush_done(flush);
        Ok(true)
    }

    /// Runs the compaction that is needed most, if one is.
    pub(crate) fn compact_one(&self) -> Result<bool, Error> {
        let Some(compaction) = self.store.plan_compaction() else { return Ok(false) };
        let at_work = self.compactors.begin();
        self.run(compaction)?;
        drop(at_work);
        self.store.sweep()?;
        Ok(true)
    }

    /// Runs a compaction; one whose keyspace was dropped meanwhile has nothing left to do.
    fn run(&self, compaction: Compaction) -> Result<(), Error> {
        match self.store.run_compaction(compaction, &self.compactors, &|| self.bell.is_over()) {
            Ok(_) | Err(lsm_core::Error::NoTree { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets a strategy choose in every tree until it has nothing to choose.
    pub(crate) fn compact_all(&self, strategy: &dyn CompactionStrategy) -> Result<(), Error> {
        self.log()?;
        for name in self.store.names() {
            let Some((tree, _)) = self.store.tree_named(&name) else { continue };
            while let Some(compaction) = self.store.plan_with(tree, strategy) {
                self.run(compaction)?;
            }
        }
        self.update_pressure();
        self.store.sweep()?;
        Ok(())
    }

    /// Merges everything that is there by now, waiting for jobs that are in the way.
    pub(crate) fn compact_fully(&self) -> Result<(), Error> {
        self.flush()?;
        let major = self.store.major();
        for name in self.store.names() {
            let Some((tree, _)) = self.store.tree_named(&name) else { continue };
            while !self.store.is_done(tree, &major) {
                match self.store.plan_with(tree, &major) {
                    Some(compaction) => self.run(compaction)?,
                    None if self.store.stuck_jobs() > 0 => return Err(Error::Stuck),
                    None => _ = self.bell.wait(self.bell.rings(), WAIT_FOR_JOBS),
                }
                self.check_open()?;
            }
        }
        self.update_pressure();
        self.store.sweep()?;
        self.trim_quarantine();
        Ok(())
    }

    /// Makes a checkpoint.
    pub(crate) fn checkpoint(&self, dest: &Path, copying: Copying) -> Result<(), Error> {
        let log = self.log()?;
        let checkpoint = self.store.begin_checkpoint();
        if log.durable().get() <= checkpoint.upto().get() {
            log.sync()?;
        }
        self.store.make_checkpoint(checkpoint, dest, copying)?;
        self.trim_log()
    }

    /// Does on this thread what background threads would.
    pub(crate) fn work_off(&self) -> Result<(), Error> {
        while self.flush_one()? {}
        self.trim_log()?;
        while self.compact_one()? {}
        if self.options.background == Background::Inline {
            // There is no thread that does so after a while.
            self.store.let_go_of_memory(Duration::ZERO);
        }
        self.store.sweep()?;
        Ok(())
    }

    /// Lets segments go whose every entry is in tables.
    pub(crate) fn trim_log(&self) -> Result<(), Error> {
        let log = self.log.as_ref().ok_or(Error::ReadOnly)?;
        let keep = lsm_wal::SeqNo::new(self.store.flushed().get() + 1);
        let gone = log.trim(keep);
        if gone.is_empty() {
            return Ok(());
        }
        let drops = gone.iter().map(|segment| Change::DropSegment { number: segment.number.get() });
        self.store.keeper().record(&Edit { changes: drops.collect() })?;
        gone.iter().for_each(|segment| self.store.let_file_go(segment.path(self.store.dir())));
        self.store.sweep()?;
        Ok(())
    }

    /// The log's segments, with the one that stands ready.
    pub(crate) fn segments(&self) -> Vec<SegmentRecord> {
        match &self.log {
            Some(log) => log.segments().into_iter().chain(log.spare()).collect(),
            None => self.store.keeper().catalog().segments.values().map(record_of).collect(),
        }
    }

    /// Every change of a segment below this number is durable: both its extents should have it.
    pub(crate) fn durable_in(&self, segment: SegmentNo) -> lsm_wal::SeqNo {
        let known = match &self.log {
            Some(log) => log.durable_in(segment),
            None => self.durable.get(&segment).copied(),
        };
        known.unwrap_or_default()
    }

    fn log_bytes(&self) -> u64 {
        self.segments().iter().map(SegmentRecord::file_len).sum()
    }

    /// Seals what holds on to the log once that is too long.
    pub(crate) fn shorten_log(&self) {
        if self.log_bytes() > self.options.log_bytes_max {
            self.store.seal_all();
        }
    }

    /// Takes the debt of the store into account when writers ask for room.
    pub(crate) fn update_pressure(&self) {
        self.pacer.update(self);
    }

    /// States in an idle manifest that it is durable, so that damage to its end shows. The log does so with each sync.
    pub(crate) fn mark_manifest(&self) {
        // Nothing is lost by it: the next edit says the same.
        if let Err(error) = self.store.keeper().mark() {
            log::warn!("the manifest could not state that its last edit is durable: {error}");
        }
    }

    pub(crate) fn check_snapshot(&self, snapshot: &Snapshot) -> Result<(), Error> {
        if snapshot.engine.number == self.number { Ok(()) } else { Err(Error::ForeignSnapshot) }
    }

    /// Has the next segment of the log stand ready, and little of it waiting to be synced.
    pub(crate) fn take_care_of_log(&self) -> Result<(), Error> {
        Ok(self.log.as_ref().map_or(Ok(()), Log::take_care)?)
    }

    /// Says so once, makes everything durable and lets the lock go. The threads have ended before.
    pub(crate) fn close(&self) -> Result<(), Error> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // A store that is only read cannot, and need not: whoever writes to it will meet the same.
        let hinted = self.log.as_ref().map_or(Ok(()), |_| self.store.record_hints());
        let closed = self.log.as_ref().map_or(Ok(()), Log::close);
        let swept = self.store.sweep();
        self.mark_manifest();
        let stopped = self.worker.stop();
        *self.lock.lock() = None;
        closed?;
        hinted?;
        swept?;
        stopped.map_err(|cause| Error::NotStopped { cause })
    }
}

impl From<Durability> for lsm_wal::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Buffered => Self::Buffered,
            Durability::Synced => Self::Synced,
        }
    }
}
