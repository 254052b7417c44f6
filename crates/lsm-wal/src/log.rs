//! The log in use: append, sync, trim, close.
//!
//! **Invariant**: whatever is reported appended or durable is in the log or is void and reported so; numbers
//! run on without a gap, in the order of the log.
//!
//! Lock order: the queue, or the tail, then a slot; the queue and the tail are never held together.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Durability, Fault, LogError, SegmentNo, SegmentRecord, SeqNo, Seqs,
    frame::PAYLOAD_MAX,
    queue::{Gate, Part, Queue},
    slot::{Slot, Verdict},
    tail::{Context, Entry, Hand, Tail},
};

/// How often one whose bytes are being handed over by another lets others run before it sleeps: handing over
/// takes less time than falling asleep and being woken.
const YIELDS: u32 = 4;

/// A write-ahead log in use.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{EpochWorker, Limits, MemFs};
/// use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, SeqNo, Uid, Whereabouts};
///
/// let store = Uid::new([7; 16]);
/// let at = Whereabouts::new(Arc::new(MemFs::new()), "/", store);
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let registry = Arc::new(DirectoryOnly::new(store));
/// let log = Recovery::scan(at, &[])?.open(worker, registry, LogOptions::default())?;
///
/// let seqs = log.append(&b"three changes"[..], 3, Durability::Synced)?;
/// assert_eq!((seqs.first, seqs.count()), (SeqNo::FIRST, 3));
/// log.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Log {
    cx: Context,
    queue: Mutex<Queue>,
    tail: Mutex<Tail>,
}

/// A group that has its numbers and is on its way. Dropping it waits for it.
///
/// ```
/// # use std::sync::Arc;
/// # use lsm_io::{EpochWorker, Limits, MemFs};
/// # use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, Uid, Whereabouts};
/// # let store = Uid::new([7; 16]);
/// # let at = Whereabouts::new(Arc::new(MemFs::new()), "/", store);
/// # let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// # let log = Recovery::scan(at, &[])?.open(worker, Arc::new(DirectoryOnly::new(store)), LogOptions::default())?;
/// let first = log.enqueue(&b"a"[..], 1, Durability::Buffered)?;
/// let second = log.enqueue(&b"b"[..], 1, Durability::Buffered)?;
/// assert!(first.seqs().first < second.seqs().first);
/// second.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "whether it is in the log is known only after waiting"]
#[derive(Debug)]
pub struct Pending<'a> {
    log: &'a Log,
    slot: Arc<Slot>,
    seqs: Seqs,
    durability: Durability,
}

impl Log {
    pub(crate) fn new(cx: Context, tail: Tail, next: SeqNo) -> Self {
        Self { cx, queue: Mutex::new(Queue::new(next)), tail: Mutex::new(tail) }
    }

    /// Appends a group of `count` changes and waits until it is as durable as asked.
    ///
    /// # Errors
    /// If it is not in the log: its numbers are void, and appended again it gets others.
    pub fn append(
        &self,
        payload: impl Into<Bytes>,
        count: u32,
        durability: Durability,
    ) -> Result<Seqs, LogError> {
        let mut payload = payload.into();
        if durability == Durability::Buffered {
            check(&payload, count)?;
            match self.append_alone(payload, count) {
                Ok(appended) => return appended,
                Err(back) => payload = back,
            }
        }
        self.enqueue(payload, count, durability)?.wait()
    }

    /// Writes a buffered group on this thread if nobody is ahead of it, else gives it back.
    fn append_alone(&self, payload: Bytes, count: u32) -> Result<Result<Seqs, LogError>, Bytes> {
        let mut queue = self.queue.lock();
        if queue.gate() == Gate::Closed {
            return Ok(Err(LogError::Closed));
        }
        let Some(seqs) = queue.pass(count) else { return Err(payload) };
        drop(queue);
        let _writer = Office { log: self, leave: Queue::wrote };
        let verdict = self.tail.lock().write_alone(&self.cx, Entry::alone(seqs, payload));
        Ok(verdict.map(|()| seqs).map_err(|fault| LogError::NotAppended { seqs, fault }))
    }

    /// Gives a group its numbers and its place without waiting, so that a caller may do so under its own lock.
    ///
    /// # Errors
    /// If the log is closed, or the group is too long or counts no change.
    pub fn enqueue(
        &self,
        payload: impl Into<Bytes>,
        count: u32,
        durability: Durability,
    ) -> Result<Pending<'_>, LogError> {
        let payload = payload.into();
        check(&payload, count)?;
        if durability == Durability::Synced && self.cx.depot.wait_for_syncs() {
            self.cx.wants_care.store(true, Ordering::Relaxed);
        }
        let slot = Arc::new(Slot::default());
        let mut queue = self.queue.lock();
        if queue.gate() == Gate::Closed {
            return Err(LogError::Closed);
        }
        let seqs = queue.push(payload, count, durability, &slot);
        if queue.is_full() && queue.part(Durability::Buffered) == Part::Write {
            self.work(queue, Part::Write);
        }
        Ok(Pending { log: self, slot, seqs, durability })
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// If it is not; then it will be carried over into another segment by the next call.
    pub fn sync(&self) -> Result<(), LogError> {
        let slot = Arc::new(Slot::default());
        self.queue.lock().push_sync(&slot);
        self.wait(&slot, Durability::Synced).map_err(|fault| LogError::NotSynced { fault })
    }

    /// Closes the segment in use, durable to its end, and goes on in another: for a segment that is to be
    /// patched.
    ///
    /// # Errors
    /// If the disk refuses. What was acknowledged is carried over by the next append or sync.
    pub fn rotate(&self) -> Result<(), LogError> {
        let rotated = self.tail.lock().turn_over(&self.cx);
        rotated.map_err(|fault| LogError::NotSynced { fault })
    }

    /// Syncs, states that, takes no more, and deletes the segment that stands ready.
    ///
    /// # Errors
    /// If not everything is durable. It may be called again.
    pub fn close(&self) -> Result<(), LogError> {
        self.queue.lock().close();
        self.sync()?;
        // And what states it.
        self.sync()?;
        self.cx.depot.clear();
        Ok(())
    }

    /// The number the next change will get.
    #[must_use]
    pub fn next_seq(&self) -> SeqNo {
        self.queue.lock().next()
    }

    /// Every change below this number is durable.
    #[must_use]
    pub fn durable(&self) -> SeqNo {
        self.tail.lock().durable()
    }

    /// Every change of a segment below this number is durable and counts: both extents should have it. None if the
    /// log has no such segment.
    #[must_use]
    pub fn durable_in(&self, segment: SegmentNo) -> Option<SeqNo> {
        let tail = self.tail.lock();
        let closed = tail.closed().iter().find(|(record, _)| record.number == segment);
        let current = tail.current().filter(|record| record.number == segment);
        closed.map(|(_, next)| *next).or_else(|| current.map(|_| tail.durable()))
    }

    /// How many pages of the extents of a segment may have been written, if it takes more: of the one in use or the one
    /// that stands ready.
    #[must_use]
    pub fn pages_written_in(&self, segment: SegmentNo) -> Option<u64> {
        // In this order, so that it is seen when it comes into use meanwhile.
        let is_ready = self.spare().is_some_and(|spare| spare.number == segment);
        let tail = self.tail.lock();
        let current = tail.current().filter(|record| record.number == segment);
        current.and_then(|_| tail.pages_written()).or(is_ready.then_some(0))
    }

    /// The segments that hold the history, oldest first: what [`Recovery::scan`](crate::Recovery::scan) reads.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentRecord> {
        let tail = self.tail.lock();
        let closed = tail.closed().iter().map(|(record, _)| *record);
        closed.chain(tail.current()).collect()
    }

    /// The segment that stands ready, which nobody has recorded.
    #[must_use]
    pub fn spare(&self) -> Option<SegmentRecord> {
        self.cx.depot.spare()
    }

    /// Deletes the segment that stands ready, if it is this one; whether it was: for one that was hurt before it came into
    /// use.
    pub fn discard_spare(&self, segment: SegmentNo) -> bool {
        let was_ready = self.cx.depot.discard(|spare| spare.number == segment);
        self.cx.wants_care.fetch_or(was_ready, Ordering::Relaxed);
        was_ready
    }

    /// The segment in use.
    #[must_use]
    pub fn current(&self) -> Option<SegmentRecord> {
        self.tail.lock().current()
    }

    /// The segments that hold changes from `seq` on, oldest first.
    pub(crate) fn segments_from(&self, seq: SeqNo) -> Vec<SegmentRecord> {
        let tail = self.tail.lock();
        let closed = tail.closed().iter().filter(|(_, next)| *next > seq).map(|(record, _)| *record);
        closed.chain(tail.current()).collect()
    }

    /// Lets go of the segments in which every change is below `keep`, and of those that were never put to use.
    /// The caller forgets their records durably, then deletes their files. The segment in use stays.
    #[must_use = "the records must be forgotten and the files deleted"]
    pub fn trim(&self, keep: SeqNo) -> Vec<SegmentRecord> {
        self.tail.lock().trim(keep)
    }

    /// Whether no segment stands ready for when the one in use is full.
    #[must_use]
    pub fn wants_spare(&self) -> bool {
        self.cx.depot.wants_spare()
    }

    /// Makes a segment ready, so that no append waits for one. For a background thread.
    ///
    /// # Errors
    /// If the disk or the registry refuses. The log goes on without.
    pub fn prepare_spare(&self) -> Result<(), Fault> {
        self.cx.depot.stock_up()
    }

    /// Whether [`take_care`](Self::take_care) may have something to do, said once: for whoever rings for the thread that
    /// calls it.
    #[must_use]
    pub fn wants_care(&self) -> bool {
        let wanted = &self.cx.wants_care;
        wanted.load(Ordering::Relaxed) && wanted.swap(false, Ordering::Relaxed)
    }

    /// Prepares a segment if none stands ready, goes on in it if groups wait for syncs and it is zeroed ahead while
    /// the one in use is not, and syncs what was appended if that is much, so that no append has
    /// to. For a background thread.
    ///
    /// # Errors
    /// If the disk or the registry refuses. The log goes on.
    pub fn take_care(&self) -> Result<(), LogError> {
        if self.wants_spare() {
            self.prepare_spare().map_err(|fault| LogError::NotSynced { fault: Arc::new(fault) })?;
        }
        let (is_due, has_holes) = {
            let tail = self.tail.lock();
            (tail.is_due(), tail.has_holes())
        };
        if has_holes && self.cx.depot.has_zeroed() {
            return self.rotate();
        }
        if is_due { self.sync() } else { Ok(()) }
    }

    fn wait(&self, slot: &Arc<Slot>, durability: Durability) -> Verdict {
        let mut patience = match durability {
            Durability::Buffered => YIELDS,
            Durability::Synced => 0,
        };
        loop {
            if let Some(verdict) = slot.verdict() {
                return verdict;
            }
            let queue = self.queue.lock();
            match queue.part(durability) {
                _ if slot.is_settled() => {}
                Part::Sleep if patience > 0 => {
                    drop(queue);
                    patience -= 1;
                    std::thread::yield_now();
                }
                Part::Sleep => slot.sleep(queue),
                part => self.work(queue, part),
            }
        }
    }

    /// Writes for everybody who waits, and syncs if that is the part.
    fn work(&self, mut queue: MutexGuard<'_, Queue>, part: Part) {
        queue.take_on(part);
        let since = Instant::now();
        while part == Part::WriteAndSync && queue.is_worth_waiting(since.elapsed()) {
            MutexGuard::unlocked(&mut queue, std::thread::yield_now);
        }
        let batch = queue.begin(part);
        drop(queue);
        let _syncer = (part == Part::WriteAndSync).then(|| Office { log: self, leave: Queue::synced });
        let plan = {
            let _writer = Office { log: self, leave: Queue::wrote };
            let mut tail = self.tail.lock();
            let all_wait = batch.iter().all(|entry| entry.durability() == Durability::Synced);
            match part {
                Part::WriteAndSync if all_wait && tail.is_clean() => {
                    tail.write_and_sync(&self.cx, batch);
                    tail.mark(&self.cx);
                    None
                }
                Part::WriteAndSync => {
                    tail.write(&self.cx, batch);
                    tail.plan_sync(&self.cx, Hand::Now)
                }
                Part::Write | Part::Sleep => {
                    tail.write(&self.cx, batch);
                    None
                }
            }
        };
        if let Some(plan) = plan {
            let result = plan.run(&self.cx);
            let mut tail = self.tail.lock();
            tail.synced(&plan, result);
            tail.mark(&self.cx);
        }
    }
}

/// Whether a group may be appended.
fn check(payload: &Bytes, count: u32) -> Result<(), LogError> {
    if payload.len() as u64 > PAYLOAD_MAX {
        return Err(LogError::TooLarge { len: payload.len() as u64, max: PAYLOAD_MAX });
    }
    if count == 0 { Err(LogError::NoNumbers) } else { Ok(()) }
}

/// A part taken on; whatever happens, it is left again.
struct Office<'a> {
    log: &'a Log,
    leave: fn(&mut Queue),
}

impl Drop for Office<'_> {
    fn drop(&mut self) {
        (self.leave)(&mut self.log.queue.lock());
    }
}

impl Drop for Log {
    /// Syncs what was acknowledged, if it was not closed.
    fn drop(&mut self) {
        let open = self.queue.get_mut().gate() == Gate::Open;
        if open && let Err(error) = self.close() {
            log::error!("the log was dropped before all of it was durable: {error}");
        }
    }
}

impl Pending<'_> {
    /// The numbers of the group.
    #[must_use]
    pub fn seqs(&self) -> Seqs {
        self.seqs
    }

    /// Waits until it is as durable as asked.
    ///
    /// # Errors
    /// If it is not in the log.
    pub fn wait(self) -> Result<Seqs, LogError> {
        let verdict = self.log.wait(&self.slot, self.durability);
        verdict.map(|()| self.seqs).map_err(|fault| LogError::NotAppended { seqs: self.seqs, fault })
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        // Whoever drops it does not want to know; it is in the queue all the same.
        if !self.slot.is_settled() && !std::thread::panicking() {
            let _ = self.log.wait(&self.slot, self.durability);
        }
    }
}
