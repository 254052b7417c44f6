//! One lane at run time: its queue, who runs the next turn, and who waits for what.
//!
//! Whoever finds the lane idle leads: runs a turn for everybody who waits, itself included. A thread stands
//! by for epochs nobody waits for. In the bulk lane it alone leads.
//!
//! **Invariant**: whenever epochs wait and nobody leads, a waiter has been summoned or the thread been
//! woken. A summons reserves nothing, so whoever does not answer it holds up nobody.
//!
//! Lock order: lane state, then a slot; nothing is locked while the disk works, except by the disk.

mod slot;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

pub(crate) use self::slot::Fate;
use self::slot::Slot;
use crate::{
    Cause, Count, Done, Epoch, EpochSeq, Failed, FileOffset, Lane, Limits, Standing, Target, TurnId,
    debts::Debts,
    epoch::After,
    executor::{Executor, Traffic, Until},
    planner::{Next, Planner, Refusal},
    turn::{SLICE_LEN, Turn, Verdict},
};

/// One lane at run time.
pub(crate) struct Queue {
    lane: Lane,
    state: Mutex<State>,
    /// Wakes the thread that stands by.
    thread: Condvar,
    /// Wakes a leader who lingers.
    crowd: Condvar,
    /// Wakes submitters who wait for room.
    room: Condvar,
    executor: Box<dyn Executor>,
    debts: Arc<Debts>,
    traffic: Arc<Traffic>,
    turns: Arc<AtomicU64>,
    started: Instant,
}

/// Guarded by the lane's lock.
struct State {
    planner: Planner<Entry>,
    leader: Role,
    /// Who hands bytes over: the leader until its sync round, or one buffered writer.
    writer: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Vacant,
    Taken,
}

struct Entry {
    epoch: Epoch,
    slot: Arc<Slot>,
}

/// A submitted epoch. Dropping it is no error: the epoch runs all the same.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Epoch, EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
/// let worker = EpochWorker::start(Limits::default())?;
/// let table = Target::create(Arc::new(MemFs::new()), "/table".as_ref())?;
/// let ticket = worker.submit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, vec![1; 5000]))?;
/// assert_eq!(ticket.wait()?.writes.done, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the worker runs it all the same, but nobody hears what became of it"]
pub struct Ticket {
    queue: Arc<Queue>,
    slot: Arc<Slot>,
    seq: EpochSeq,
}

impl Queue {
    pub(crate) fn new(
        lane: Lane,
        limits: Limits,
        executor: Box<dyn Executor>,
        debts: Arc<Debts>,
        traffic: Arc<Traffic>,
        turns: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let state = State { planner: Planner::new(limits), leader: Role::Vacant, writer: Role::Vacant };
        Arc::new(Self {
            lane,
            state: Mutex::new(state),
            thread: Condvar::new(),
            crowd: Condvar::new(),
            room: Condvar::new(),
            executor,
            debts,
            traffic,
            turns,
            started: Instant::now(),
        })
    }

    /// Queues an epoch, waiting for room if the lane is full.
    pub(crate) fn submit(self: &Arc<Self>, epoch: Epoch) -> Result<Ticket, Epoch> {
        let mut state = self.state.lock();
        loop {
            match state.planner.admits(epoch.len()) {
                Ok(()) => break,
                Err(Refusal::Closed) => return Err(epoch),
                Err(Refusal::Full) => self.room.wait(&mut state),
            }
        }
        let ticket = self.push(&mut state, epoch);
        if state.is_free() {
            self.thread.notify_one();
        }
        Ok(ticket)
    }

    /// Queues an epoch if there is room now; else hands it back with the reason.
    pub(crate) fn try_submit(self: &Arc<Self>, epoch: Epoch) -> Result<Ticket, (Refusal, Epoch)> {
        let mut state = self.state.lock();
        if let Err(refusal) = state.planner.admits(epoch.len()) {
            return Err((refusal, epoch));
        }
        let ticket = self.push(&mut state, epoch);
        if state.is_free() {
            self.thread.notify_one();
        }
        Ok(ticket)
    }

    /// Runs an epoch and waits for it, on the calling thread if the lane is idle.
    pub(crate) fn commit(self: &Arc<Self>, epoch: Epoch) -> Verdict {
        let mut state = self.state.lock();
        loop {
            match state.planner.admits(epoch.len()) {
                Ok(()) => break,
                Err(Refusal::Closed) => return Err(closed(state.planner.stamp(), self.lane, epoch)),
                Err(Refusal::Full) => self.room.wait(&mut state),
            }
        }
        let waits_for_nobody = !epoch.wants_sync() && epoch.after.is_none();
        if waits_for_nobody && state.planner.is_empty() && state.writer == Role::Vacant {
            return self.write_past_queue(state, epoch);
        }
        let ticket = self.push(&mut state, epoch);
        if self.lane.waiters_lead() && state.is_free() {
            self.lead(state);
        } else {
            if state.is_free() {
                self.thread.notify_one();
            }
            drop(state);
        }
        ticket.wait()
    }

    /// Stands by until the lane is closed and everything in it has run.
    pub(crate) fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if state.can_lead() {
                self.lead(state);
                state = self.state.lock();
            } else if state.planner.is_closed() && state.planner.is_empty() && state.is_free() {
                return;
            } else {
                self.thread.wait(&mut state);
            }
        }
    }

    /// Takes no more epochs in; those waiting for room are turned away.
    pub(crate) fn close(&self) {
        self.state.lock().planner.close();
        self.thread.notify_all();
        self.room.notify_all();
        self.crowd.notify_all();
    }

    fn push(self: &Arc<Self>, state: &mut State, epoch: Epoch) -> Ticket {
        let slot = Arc::new(Slot::default());
        let (len, after) = (epoch.len(), epoch.after.as_ref().map(|after| after.seq.number));
        let number = state.planner.push(Entry { epoch, slot: slot.clone() }, len, after);
        if state.planner.crowd_is_back() {
            self.crowd.notify_one();
        }
        Ticket { queue: self.clone(), slot, seq: EpochSeq { lane: self.lane, number } }
    }

    /// Hands a buffered epoch's bytes over at once. Nobody is ahead of it, so order is kept, and a sync that
    /// is under way does not mind.
    fn write_past_queue(&self, mut state: MutexGuard<'_, State>, epoch: Epoch) -> Verdict {
        let seq = EpochSeq { lane: self.lane, number: state.planner.stamp() };
        state.writer = Role::Taken;
        drop(state);
        let mut turn = self.turn(vec![(seq, epoch)]);
        self.run(&mut turn, Until::Finished);
        let verdict = turn.finish().pop();
        let mut state = self.state.lock();
        state.writer = Role::Vacant;
        self.pass_on(&state);
        drop(state);
        verdict.expect("a turn of one epoch has one verdict")
    }

    /// Hands bytes over at once, if nobody is ahead of them; none if somebody is, or they are too many for one
    /// step.
    pub(crate) fn write_now(
        &self,
        target: &Arc<Target>,
        offset: FileOffset,
        bytes: &[u8],
    ) -> Option<Result<(), Cause>> {
        let mut state = self.state.lock();
        if state.planner.is_closed() {
            return Some(Err(Cause::Closed));
        }
        if !state.planner.is_empty() || state.writer == Role::Taken || bytes.len() > SLICE_LEN {
            return None;
        }
        state.writer = Role::Taken;
        drop(state);
        let id = TurnId(self.turns.fetch_add(1, Ordering::Relaxed) + 1);
        let written = catch_unwind(AssertUnwindSafe(|| self.hand_over(id, target, offset, bytes)));
        let result = written.unwrap_or_else(|_| {
            log::error!("the file system panicked in a write of the {} lane; it fails", self.lane);
            target.poison();
            self.debts.owe(target);
            Err(Cause::Panicked)
        });
        let mut state = self.state.lock();
        state.writer = Role::Vacant;
        self.pass_on(&state);
        Some(result)
    }

    fn hand_over(
        &self,
        id: TurnId,
        target: &Arc<Target>,
        offset: FileOffset,
        bytes: &[u8],
    ) -> Result<(), Cause> {
        match target.standing() {
            Standing::Trusted => {}
            standing => return Err(Cause::Distrusted { path: target.path().into(), standing }),
        }
        let result = target.write_at(offset, bytes);
        self.debts.owe(target);
        result.map_err(|error| {
            target.suspend(id);
            Cause::Io(error)
        })
    }

    /// Runs one turn. The caller has seen that the lane is free and has epochs waiting.
    fn lead(&self, mut state: MutexGuard<'_, State>) {
        debug_assert!(state.can_lead());
        state.leader = Role::Taken;
        while let Next::Linger(patience) = state.planner.poll(self.now()) {
            // Asleep rather than spinning: those it waits for need the processor.
            let _ = self.crowd.wait_for(&mut state, patience);
        }
        let entries = state.planner.take();
        state.writer = Role::Taken;
        drop(state);
        self.traffic.begins();

        let mut slots = Vec::with_capacity(entries.len());
        let mut epochs = Vec::with_capacity(entries.len());
        for (number, Entry { epoch, slot }) in entries {
            slots.push(slot);
            epochs.push((EpochSeq { lane: self.lane, number }, epoch));
        }
        let mut turn = self.turn(epochs);
        self.run(&mut turn, Until::Written);
        self.state.lock().writer = Role::Vacant;
        self.run(&mut turn, Until::Finished);
        self.traffic.ends();
        for (slot, verdict) in slots.iter().zip(turn.finish()) {
            slot.settle(verdict);
        }

        let mut state = self.state.lock();
        state.planner.done(self.now());
        state.leader = Role::Vacant;
        self.pass_on(&state);
        drop(state);
        self.room.notify_all();
    }

    /// Sees to it that somebody leads next, if there is anything to lead.
    fn pass_on(&self, state: &State) {
        let asleep = |entry: &&Entry| entry.slot.summon();
        let waiters_lead = self.lane.waiters_lead();
        let summoned = state.can_lead() && waiters_lead && state.planner.waiting().find(asleep).is_some();
        if state.planner.is_closed() || (state.can_lead() && !summoned) {
            self.thread.notify_all();
        }
    }

    fn turn(&self, epochs: Vec<(EpochSeq, Epoch)>) -> Turn {
        let id = TurnId(self.turns.fetch_add(1, Ordering::Relaxed) + 1);
        Turn::new(id, epochs, self.debts.clone())
    }

    /// Runs a turn as far as asked; a panic of the file system ends it and fails its epochs.
    fn run(&self, turn: &mut Turn, until: Until) {
        if catch_unwind(AssertUnwindSafe(|| self.executor.run(turn, until))).is_err() {
            log::error!("the file system panicked in a turn of the {} lane; its epochs fail", self.lane);
            turn.abandon();
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

impl State {
    /// Whether nobody leads or writes.
    fn is_free(&self) -> bool {
        self.leader == Role::Vacant && self.writer == Role::Vacant
    }

    fn can_lead(&self) -> bool {
        self.is_free() && !self.planner.is_empty()
    }
}

impl Ticket {
    /// Waits for the epoch, leading a turn if the lane is idle.
    ///
    /// ```
    /// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// assert!(worker.submit(Lane::Log, Epoch::new())?.wait().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If not everything of it is done; what is not is given back.
    pub fn wait(self) -> Result<Done, Box<Failed>> {
        loop {
            if let Some(verdict) = self.slot.take() {
                return verdict;
            }
            let state = self.queue.state.lock();
            if self.queue.lane.waiters_lead() && state.can_lead() {
                self.queue.lead(state);
            } else {
                self.slot.sleep(state);
            }
        }
    }

    /// Its place in its lane.
    ///
    /// ```
    /// # use lsm_io::{Epoch, EpochWorker, Lane, Limits};
    /// # let worker = EpochWorker::start(Limits::default())?;
    /// let ticket = worker.submit(Lane::Log, Epoch::new())?;
    /// assert_eq!(ticket.seq(), ticket.wait()?.seq);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn seq(&self) -> EpochSeq {
        self.seq
    }

    pub(crate) fn as_dependency(&self) -> After {
        After { seq: self.seq, fate: self.slot.fate.clone() }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// The verdict on an epoch that came too late.
fn closed(number: u64, lane: Lane, epoch: Epoch) -> Box<Failed> {
    let (seq, none) = (EpochSeq { lane, number }, Count::default());
    Box::new(Failed { seq, turn: None, writes: none, deletions: none, cause: Cause::Closed, returned: epoch })
}
