//! The end of the log: the segment in use, what is in it, and what becomes of it when the disk refuses.
//!
//! **Invariants**
//! * A page that a sync was asked for is never written again.
//! * A segment takes frames only behind a durable header that names the segment before it and how much of
//!   that counts, and only once it is on record; everything the header speaks of was durable before.
//! * After a failed write or sync nothing is acknowledged before another segment is in use. What had been
//!   acknowledged is carried over into it, in order, and the numbers of what had not are void.
//!
//! It is locked while bytes are handed over, so whoever holds it is the writer.

mod entry;
mod place;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{Epoch, EpochWorker};

pub(crate) use self::entry::{Body, Entry};
use self::place::Place;
use crate::{
    Durability, Fault, SegmentRecord, SeqNo,
    depot::{Blank, Depot, Zeros},
    header::{Header, Predecessor},
    piece::Origin,
    segment::Position,
    slot::Verdict,
};

/// What the tail needs of the world.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) depot: Depot,
    pub(crate) worker: Arc<EpochWorker>,
    /// Whether somebody should prepare a segment, or sync what was appended.
    pub(crate) wants_care: AtomicBool,
}

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The segment in use; none before the first and after a failure.
    place: Option<Place>,
    base: Base,
    /// The highest any segment was put to use with.
    generation: u64,
    /// What is not durable, oldest first: first what was settled and what a sync waits for, then what is not
    /// written yet.
    unsynced: VecDeque<Entry>,
    /// Segments that take no more, with the first number behind each, oldest first.
    closed: Vec<(SegmentRecord, SeqNo)>,
    /// Segments that hold nothing of the history.
    dead: Vec<SegmentRecord>,
}

/// How far the log is durable: what a new segment has to name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) predecessor: Option<Predecessor>,
    /// Everything below is durable.
    pub(crate) next: SeqNo,
}

/// When bytes are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// At once, so that nobody waits for a sync that does not need one.
    Now,
    /// With the sync that follows: less work where everybody needs it.
    WithSync,
}

/// A sync to be done, and what it will have covered.
#[derive(Debug)]
pub(crate) struct SyncPlan {
    epoch: Epoch,
    generation: u64,
    end: Position,
}

impl Tail {
    /// The end of a history that is durable up to `base`, where `unsynced` comes next.
    pub(crate) fn new(base: Base, generation: u64, unsynced: VecDeque<Entry>) -> Self {
        Self { place: None, base, generation, unsynced, closed: Vec::new(), dead: Vec::new() }
    }

    /// Notes the segments before, oldest first, and those that hold nothing of the history.
    pub(crate) fn behind(self, closed: Vec<(SegmentRecord, SeqNo)>, dead: Vec<SegmentRecord>) -> Self {
        Self { closed, dead, ..self }
    }

    /// Everything below is durable.
    pub(crate) fn durable(&self) -> SeqNo {
        self.base.next
    }

    /// The segment in use.
    pub(crate) fn current(&self) -> Option<SegmentRecord> {
        self.place.as_ref().map(|place| place.record)
    }

    /// Pages of an extent of the segment in use that may have been written.
    pub(crate) fn pages_written(&self) -> Option<u64> {
        self.place.as_ref().map(|place| place.end.round_up().page())
    }

    /// Segments that take no more, with the first number behind each.
    pub(crate) fn closed(&self) -> &[(SegmentRecord, SeqNo)] {
        &self.closed
    }

    /// Lets go of the segments that hold nothing at or above `keep`.
    pub(crate) fn trim(&mut self, keep: SeqNo) -> Vec<SegmentRecord> {
        // Only from the front: a segment names the one before it.
        let count = self.closed.iter().take_while(|(_, next)| *next <= keep).count();
        let gone = self.closed.drain(..count).map(|(record, _)| record);
        gone.chain(self.dead.drain(..)).collect()
    }

    /// Writes `entries` and settles those that wait for no more, and all of them if it fails.
    pub(crate) fn write(&mut self, cx: &Context, entries: Vec<Entry>) {
        let count = entries.len();
        self.unsynced.extend(entries);
        match self.write_out(cx, Hand::Now) {
            Ok(()) => {
                for entry in self.unsynced.iter_mut().rev().take(count) {
                    entry.settle_if(Durability::Buffered);
                }
            }
            Err(fault) => _ = self.fail(fault),
        }
    }

    /// Writes a group whose caller waits for nothing but this.
    pub(crate) fn write_alone(&mut self, cx: &Context, entry: Entry) -> Verdict {
        self.unsynced.push_back(entry);
        if let Err(fault) = self.write_out(cx, Hand::Now) {
            return Err(self.fail(fault));
        }
        if let Some(entry) = self.unsynced.back_mut() {
            entry.settle_if(Durability::Buffered);
        }
        Ok(())
    }

    /// Writes `entries`, all of which wait for a sync, and syncs, in one go.
    pub(crate) fn write_and_sync(&mut self, cx: &Context, entries: Vec<Entry>) {
        self.unsynced.extend(entries);
        if let Err(fault) = self.write_out(cx, Hand::WithSync) {
            self.fail(fault);
            return;
        }
        if let Some(plan) = self.plan_sync(cx, Hand::WithSync) {
            let result = plan.run(cx);
            self.synced(&plan, result);
        }
    }

    /// Whether every change written is durable, so that a sync holds up nobody.
    pub(crate) fn is_clean(&self) -> bool {
        self.unsynced.iter().all(|entry| entry.seqs.next <= self.base.next)
    }

    /// Whether so much waits to become durable that a sync should not be left to whoever needs one.
    pub(crate) fn is_due(&self) -> bool {
        self.place.as_ref().is_some_and(Place::is_due)
    }

    /// Whether the segment in use is one of which each sync has to note where its bytes stand.
    pub(crate) fn has_holes(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.zeros == Zeros::Holes)
    }

    /// Puts a segment to use, if none is, and carries over what was acknowledged.
    pub(crate) fn settle_in(&mut self, cx: &Context) -> Result<(), Fault> {
        match self.place {
            Some(_) => Ok(()),
            None => self.succeed(cx, Position::FRAMES),
        }
    }

    /// Closes the segment in use and puts another to use.
    pub(crate) fn turn_over(&mut self, cx: &Context) -> Result<(), Arc<Fault>> {
        self.settle_in(cx).and_then(|()| self.rotate(cx, Position::FRAMES)).map_err(|fault| self.fail(fault))
    }

    /// States in both extents how far the log is durable, if that is news: damage to its last groups shows from now on.
    pub(crate) fn mark(&mut self, cx: &Context) {
        let Some(place) = &self.place else { return };
        if place.marked < self.base.next {
            let next = self.unsynced.back().map_or(self.base.next, |entry| entry.seqs.next);
            self.write(cx, vec![Entry::mark(next)]);
            if let Some(Err(fault)) = self.place.as_mut().map(|place| place.catch_up(cx)) {
                self.fail(fault);
            }
        }
    }

    /// Ends the page and writes the second extent: what a sync needs before it. None if nothing waits for one.
    pub(crate) fn plan_sync(&mut self, cx: &Context, hand: Hand) -> Option<SyncPlan> {
        let place = self.place.as_mut()?;
        if self.unsynced.is_empty() {
            return None;
        }
        if self.base.predecessor == Some(place.as_predecessor(place.end)) {
            for mut entry in self.unsynced.drain(..) {
                entry.settle(Ok(()));
            }
            return None;
        }
        place.seal();
        let handed = match hand {
            // The bytes go ahead of the sync, so that nobody's write waits for it.
            Hand::Now => place.hand_over(cx),
            Hand::WithSync => Ok(()),
        };
        match handed {
            Ok(()) => Some(place.plan_sync()),
            Err(fault) => {
                self.fail(fault);
                None
            }
        }
    }

    /// Takes note of how a planned sync went.
    pub(crate) fn synced(&mut self, plan: &SyncPlan, result: Result<(), Fault>) {
        // Another segment in use means that what was planned has been settled: carried over, voided, or synced
        // when its segment was closed.
        let Some(place) = self.place.as_ref().filter(|place| place.generation == plan.generation) else {
            return;
        };
        if let Err(fault) = result {
            self.fail(fault);
            return;
        }
        let covered = |entry: &Entry| entry.end.is_some_and(|end| end <= plan.end);
        let predecessor = place.as_predecessor(plan.end);
        let mut next = self.base.next;
        let count = self.unsynced.iter().take_while(|entry| covered(entry)).count();
        for mut entry in self.unsynced.drain(..count) {
            next = next.max(entry.seqs.next);
            entry.settle(Ok(()));
        }
        self.base = Base { predecessor: Some(predecessor), next };
    }

    fn write_out(&mut self, cx: &Context, hand: Hand) -> Result<(), Fault> {
        self.settle_in(cx)?;
        loop {
            let unwritten = self.unsynced.iter().rev().take_while(|entry| entry.end.is_none()).count();
            let Some(place) = self.place.as_mut().filter(|_| unwritten > 0) else { return Ok(()) };
            let first = self.unsynced.len() - unwritten;
            let (mut end, mut fitting) = (place.end, 0);
            for entry in self.unsynced.range(first..) {
                let after = entry.end_after(end, self.base.next);
                if after.0 > place.record.extent_len() {
                    break;
                }
                (end, fitting) = (after, fitting + 1);
            }
            if fitting == 0 {
                // The least watermark makes the longest head.
                let needed = self.unsynced[first].end_after(Position::FRAMES, SeqNo::default());
                self.rotate(cx, needed)?;
                continue;
            }
            let mut strip = place.strip(end);
            for entry in self.unsynced.range_mut(first..first + fitting) {
                entry.encode(&mut strip, Origin::Appended, self.base.next);
                entry.end = Some(strip.end());
            }
            if end > place.end {
                place.marked = self.base.next;
            }
            let was_due = place.is_due();
            place.append(strip);
            if place.is_due() && !was_due {
                cx.wants_care.store(true, Ordering::Relaxed);
            }
            if hand == Hand::Now {
                place.hand_over(cx)?;
            }
        }
    }

    /// Closes the segment in use, durable to its end, and puts another to use that has room up to `needed`.
    fn rotate(&mut self, cx: &Context, needed: Position) -> Result<(), Fault> {
        if let Some(place) = &mut self.place {
            let plan = place.plan_sync();
            plan.run(cx)?;
            self.synced(&plan, Ok(()));
        }
        self.retire();
        self.succeed(cx, needed)
    }

    fn retire(&mut self) {
        if let Some(place) = self.place.take() {
            place.target.retire();
            self.closed.push((place.record, self.base.next));
        }
    }

    /// Gives up the segment in use: fails everybody who waits and keeps what was acknowledged.
    fn fail(&mut self, fault: Fault) -> Arc<Fault> {
        let fault = Arc::new(fault);
        log::error!("{fault}; changes from {} on go into a new segment", self.base.next);
        self.retire();
        let mut kept: VecDeque<Entry> = VecDeque::new();
        for mut entry in self.unsynced.drain(..) {
            entry.end = None;
            if entry.settle(Err(fault.clone())) {
                entry.body = Body::Void;
            }
            let absorbed = kept.back_mut().is_some_and(|last| last.absorb(&entry));
            if !absorbed && !entry.seqs.is_empty() {
                kept.push_back(entry);
            }
        }
        self.unsynced = kept;
        fault
    }

    /// Puts a new segment to use: what was acknowledged first, then the header, then the record, each durable.
    fn succeed(&mut self, cx: &Context, needed: Position) -> Result<(), Fault> {
        let carried = self.unsynced.iter().take_while(|entry| entry.is_settled()).count();
        let stated = SeqNo::default();
        let end =
            self.unsynced.range(..carried).fold(Position::FRAMES, |end, entry| entry.end_after(end, stated));
        let room = Position(end.round_up().0 + needed.0);
        let blank = cx.depot.take(room.round_up().page())?;
        cx.wants_care.store(true, Ordering::Relaxed);
        self.generation += 1;
        let activated = self.activate(cx, blank, carried, end);
        if activated.is_err() {
            self.dead.push(blank.record);
        }
        activated
    }

    fn activate(&mut self, cx: &Context, blank: Blank, carried: usize, end: Position) -> Result<(), Fault> {
        let (record, mut place) = (blank.record, Place::open(cx, blank, self.generation)?);
        let mut strip = place.strip(end);
        let mut next = self.base.next;
        for entry in self.unsynced.range(..carried) {
            entry.encode(&mut strip, Origin::Carried, SeqNo::default());
            next = next.max(entry.seqs.next);
        }
        let header = self.base.header(cx, record, self.generation, next);
        let founded = place.found(cx, strip, header).and_then(|()| cx.depot.record(record));
        founded.inspect_err(|_| place.target.retire())?;
        self.unsynced.drain(..carried);
        self.base = Base { predecessor: Some(place.as_predecessor(place.end)), next };
        self.place = Some(place);
        Ok(())
    }
}

impl Base {
    fn header(&self, cx: &Context, record: SegmentRecord, generation: u64, carried: SeqNo) -> Header {
        let predecessor = self.predecessor;
        Header { store: cx.depot.store, record, generation, first: self.next, carried, predecessor }
    }
}

impl SyncPlan {
    /// Syncs.
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Fault> {
        place::commit(cx, self.epoch.clone())
    }
}
