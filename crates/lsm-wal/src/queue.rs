//! Who waits, and who works for all: a writer hands bytes over, a syncer waits for the disk.
//!
//! Whoever finds nobody writing writes for everybody who waits. Whoever needs a sync and finds nobody at either
//! does both, once as many wait as the last sync was for, or seem not to come: those who were woken by it are
//! about to ask for the next. While a sync runs, buffered groups go on being written; groups that wait for a sync gather for the
//! next one.
//!
//! **Invariant**: whenever groups wait and nobody works, a waiter has been summoned or is on its way. A
//! summons reserves nothing, so whoever does not answer it holds up nobody.
//!
//! Pure bookkeeping under the log's lock; nothing here touches the disk.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::{Durability, SeqNo, Seqs, slot::Slot, tail::Entry};

/// A writer takes no more than so much at once, so that a turn has an end; one group at least.
const TURN_BYTES_MAX: usize = 64 << 20;

/// A syncer waits no longer for others, however long syncs take.
const PATIENCE_MAX: Duration = Duration::from_millis(2);

/// What waits, and who works.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Vec<Entry>,
    /// Written, waiting for a sync.
    written: Vec<Arc<Slot>>,
    bytes: usize,
    next: SeqNo,
    last: Last,
    writer: Role,
    syncer: Role,
    gate: Gate,
}

/// The last turn with a sync.
#[derive(Debug)]
struct Last {
    /// How many groups it was for.
    groups: usize,
    began: Instant,
    took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Vacant,
    Taken,
}

/// What a waiter may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Write for all.
    Write,
    /// Write for all, and sync.
    WriteAndSync,
    /// Sleep until there is something to do or to hear.
    Sleep,
}

impl Queue {
    pub(crate) fn new(next: SeqNo) -> Self {
        let last = Last { groups: 0, began: Instant::now(), took: Duration::ZERO };
        let (waiting, written, gate) = (Vec::new(), Vec::new(), Gate::Open);
        Self { waiting, written, bytes: 0, next, last, writer: Role::Vacant, syncer: Role::Vacant, gate }
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate
    }

    pub(crate) fn close(&mut self) {
        self.gate = Gate::Closed;
    }

    /// The number the next change will get.
    pub(crate) fn next(&self) -> SeqNo {
        self.next
    }

    /// Whether so much waits that whoever adds more should help.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes > TURN_BYTES_MAX
    }

    /// Adds a group with the next `count` numbers.
    pub(crate) fn push(
        &mut self,
        payload: Bytes,
        count: u32,
        durability: Durability,
        slot: &Arc<Slot>,
    ) -> Seqs {
        let seqs = self.number(count);
        self.bytes += payload.len();
        self.waiting.push(Entry::changes(seqs, payload, durability, slot.clone()));
        seqs
    }

    /// Gives out the next `count` numbers to a group that its own thread writes at once, if nobody is ahead of it:
    /// that thread is the writer then.
    pub(crate) fn pass(&mut self, count: u32) -> Option<Seqs> {
        let is_free = self.writer == Role::Vacant && self.waiting.is_empty();
        is_free.then(|| {
            self.writer = Role::Taken;
            self.number(count)
        })
    }

    fn number(&mut self, count: u32) -> Seqs {
        let seqs = Seqs::new(self.next, self.next.plus(u64::from(count)));
        self.next = seqs.next;
        seqs
    }

    /// Adds somebody who waits until all that was added before is durable.
    pub(crate) fn push_sync(&mut self, slot: &Arc<Slot>) {
        self.waiting.push(Entry::sync(self.next, slot.clone()));
    }

    /// What one who waits for `durability` may do now.
    pub(crate) fn part(&self, durability: Durability) -> Part {
        match (self.writer, self.syncer, durability) {
            (Role::Vacant, _, Durability::Buffered) => Part::Write,
            (Role::Vacant, Role::Vacant, Durability::Synced) => Part::WriteAndSync,
            _ => Part::Sleep,
        }
    }

    /// Takes on a part: what is to be written is given with [`begin`](Self::begin).
    pub(crate) fn take_on(&mut self, part: Part) {
        self.writer = Role::Taken;
        if part == Part::WriteAndSync {
            self.syncer = Role::Taken;
        }
    }

    /// Whether fewer wait for a sync than the last one was for, and may still come: `waited` is little beside what a
    /// sync takes.
    pub(crate) fn is_worth_waiting(&self, waited: Duration) -> bool {
        let synced = self.waiting.iter().filter(|entry| entry.durability() == Durability::Synced);
        let patience = (self.last.took / 2).min(PATIENCE_MAX);
        waited < patience && self.written.len() + synced.count() < self.last.groups
    }

    /// Begins the turn of a part that was taken on: what is to be written, in order.
    pub(crate) fn begin(&mut self, part: Part) -> Vec<Entry> {
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += entry.body.payload().len();
            first || bytes <= TURN_BYTES_MAX
        };
        let count = self.waiting.iter().take_while(fits).count();
        let batch: Vec<_> = self.waiting.drain(..count).collect();
        self.bytes -= batch.iter().map(|entry| entry.body.payload().len()).sum::<usize>();
        let synced = batch.iter().filter(|entry| entry.durability() == Durability::Synced);
        self.written.extend(synced.filter_map(Entry::waiter).cloned());
        if part == Part::WriteAndSync {
            (self.last.groups, self.last.began) = (self.written.len(), Instant::now());
        }
        batch
    }

    /// Nobody writes any more.
    pub(crate) fn wrote(&mut self) {
        self.writer = Role::Vacant;
        self.pass_on();
    }

    /// Nobody syncs any more.
    pub(crate) fn synced(&mut self) {
        self.syncer = Role::Vacant;
        self.last.took = self.last.began.elapsed();
        self.pass_on();
    }

    /// Sees to it that somebody works next, if there is anything to do.
    fn pass_on(&mut self) {
        self.written.retain(|slot| !slot.is_settled());
        if self.writer == Role::Taken {
            return;
        }
        let waiting = |durability| {
            let wants = move |entry: &&Entry| entry.durability() == durability;
            self.waiting.iter().filter(wants).filter_map(Entry::waiter)
        };
        let buffered = waiting(Durability::Buffered);
        let asleep = |slot: &&Arc<Slot>| slot.summon();
        let _summoned = match self.syncer {
            // Whoever syncs writes for all first.
            Role::Vacant => {
                self.written.iter().chain(waiting(Durability::Synced)).chain(buffered).find(asleep)
            }
            Role::Taken => buffered.into_iter().find(asleep),
        };
    }
}
