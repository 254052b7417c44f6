//! The ledger: what happened to the store's bytes, in the store's own keyspace.
//!
//! Events are noted where they are met and written in batches, in the background; at most 4096 of them and 512 KiB
//! are kept, the oldest go first, and what they told of stays counted. They are ordinary data: what a crash leaves
//! is a prefix of them, and what damage takes of them is missed by nothing else.
//!
//! **Invariant**: nobody depends on the ledger. That it cannot be read or written is said, and is nobody's failure.

mod event;
mod event_bytes;
mod pending;
mod recorder;
mod tally;

use std::{
    collections::VecDeque,
    ops::Bound::{Excluded, Included},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use lsm_core::{Batch, KeyRange, TreeId};
use parking_lot::Mutex;

pub(crate) use self::{event::union, pending::Take, recorder::Recorder};
pub use self::{
    event::{Event, EventKind, Outcome},
    recorder::{Listener, NoListener},
    tally::Tally,
};
use crate::{Durability, Error, engine::Engine, system::SYSTEM_KEYSPACE};

/// Events that are kept.
const EVENTS_MAX: usize = 4096;
/// Bytes of them.
const BYTES_MAX: u64 = 512 << 10;
/// More than are written while the ledger is read.
const RECENTLY_STORED_MAX: usize = 1024;
/// Once there are too many, this part of them goes, so that this is not done each time.
const DROPPED_PART: usize = 8;

/// What the keys of events begin with; their number follows, from the highest byte.
const PREFIX: &[u8] = b"ledger/e";
/// The first key behind all of them.
const PREFIX_END: &[u8] = b"ledger/f";
/// The key of the tally.
const TALLY: &[u8] = b"ledger/t";

/// What is on record of a store's bytes.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = resilver::Db::open(dir.path().join("store"))?;
/// for event in db.ledger()?.events {
///     println!("{event}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What happened, the oldest first.
    pub events: Vec<Event>,
    /// What was dropped, so that this has an end.
    pub dropped: Tally,
    /// What of it cannot be read.
    pub damage: LedgerDamage,
}

/// What of a ledger cannot be read. Nothing else is the worse for it.
///
/// ```
/// assert!(resilver::LedgerDamage::default().is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerDamage {
    /// Stretches that are lost, each with who knows how many events.
    pub gaps: u64,
    /// Records that are there and that this release does not understand.
    pub foreign: u64,
    /// What was said when it was read first.
    pub message: Option<Arc<str>>,
}

/// Keeps the ledger of an open store.
#[derive(Debug)]
pub(crate) struct LedgerKeeper {
    pub(crate) recorder: Arc<Recorder>,
    /// What is stored, once something was written. Held over I/O, before every other lock of the store.
    stored: Mutex<Option<Stored>>,
}

/// What is stored, as far as is needed to keep it within bounds.
#[derive(Debug, Default)]
struct Stored {
    /// Numbers and bytes of events, ascending.
    events: VecDeque<(u64, u64)>,
    bytes: u64,
    dropped: Tally,
}

impl LedgerDamage {
    /// Whether all of it can be read.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl LedgerKeeper {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, stored: Mutex::default() }
    }
}

/// Time since 1970, as fine as the ledger keeps it.
pub(crate) fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn key_of(number: u64) -> Vec<u8> {
    [PREFIX, &number.to_be_bytes()].concat()
}

fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(PREFIX)?.try_into().ok()?))
}

impl Stored {
    fn push(&mut self, number: u64, bytes: u64) {
        self.events.push_back((number, bytes));
        self.bytes += bytes;
    }

    /// Lets go of the oldest if there are too many; the first number that stays, if some went.
    fn trim(&mut self) -> Option<u64> {
        if self.events.len() <= EVENTS_MAX && self.bytes <= BYTES_MAX {
            return None;
        }
        let (events, bytes) =
            (EVENTS_MAX - EVENTS_MAX / DROPPED_PART, BYTES_MAX - BYTES_MAX / DROPPED_PART as u64);
        while self.events.len() > events || self.bytes > bytes {
            let (_, gone) = self.events.pop_front()?;
            self.bytes -= gone;
        }
        Some(self.events.front().map_or(u64::MAX, |(number, _)| *number))
    }
}

impl Engine {
    /// What is on record, with what is not written yet.
    pub(crate) fn ledger(&self) -> Result<Ledger, Error> {
        self.check_open()?;
        // Asked before the store too, so that nothing is missed that moves there meanwhile; then it is in both.
        let before = self.ledger.recorder.pending();
        let mut ledger = Ledger::default();
        self.read_ledger(None, &mut ledger, |_, _, _| {});
        // Only the newest of what is stored can be what was pending a moment ago.
        let newest = ledger.events.len().saturating_sub(RECENTLY_STORED_MAX);
        for event in before.into_iter().chain(self.ledger.recorder.pending()) {
            match ledger.events[newest..].iter_mut().find(|known| known.is_earlier_state_of(&event)) {
                Some(known) => *known = event,
                None => ledger.events.push(event),
            }
        }
        ledger.events.sort_by_key(|event| event.at);
        Ok(ledger)
    }

    /// Notes what happened.
    pub(crate) fn record(&self, event: Event) {
        self.ledger.recorder.record(event);
    }

    /// Writes what happened; what cannot be written now is kept for later.
    pub(crate) fn write_ledger(&self, take: Take) {
        let keeper = &self.ledger;
        // In the background it is not written while writers are held back: closing must not wait for that.
        let waits = take == Take::Due && !self.pacer.is_free();
        if keeper.recorder.is_idle() || self.log().is_err() || waits {
            return;
        }
        let mut stored = keeper.stored.lock();
        let (events, missed) = keeper.recorder.take(take);
        if events.is_empty() && missed == Tally::default() {
            return;
        }
        match self.append_events(&mut stored, &events, &missed) {
            Ok(()) => keeper.recorder.settle(),
            Err(error) => {
                log::warn!("the ledger cannot be written now, and is later: {}", error.to_told());
                *stored = None;
                keeper.recorder.put_back(events, missed);
            }
        }
    }

    fn append_events(
        &self,
        stored: &mut Option<Stored>,
        events: &[Event],
        missed: &Tally,
    ) -> Result<(), Error> {
        let tree = self.system_tree()?;
        let known = stored.get_or_insert_with(|| self.load_stored());
        // Each event takes a number of a change at least, so these are higher than all before them.
        let next = self.store.visible().get() + 1;
        let mut batch = Batch::new();
        for (number, event) in (next..).zip(events) {
            let value = event.encode();
            batch.put(tree, &key_of(number), &value);
            known.push(number, (PREFIX.len() + 8 + value.len()) as u64);
        }
        let before = known.dropped;
        known.dropped.add(missed);
        if let Some(first) = known.trim() {
            let mut gone = Ledger::default();
            self.read_ledger(Some(first), &mut gone, |_, _, _| {});
            gone.events.iter().for_each(|event| known.dropped.count(event));
            // Of the newest themselves, those that did not fit are not in the store yet.
            let unwritten = (next..).zip(events).filter(|(number, _)| *number < first);
            unwritten.for_each(|(_, event)| known.dropped.count(event));
            batch.delete_range(tree, PREFIX, &key_of(first));
        }
        if known.dropped != before {
            batch.put(tree, TALLY, &known.dropped.encode());
        }
        self.write(&batch, Durability::Buffered)
    }

    fn load_stored(&self) -> Stored {
        let (mut stored, mut ledger) = (Stored::default(), Ledger::default());
        self.read_ledger(None, &mut ledger, |number, key, value| stored.push(number, (key + value) as u64));
        if !ledger.damage.is_none() {
            log::warn!("a part of the ledger cannot be read; nothing else is concerned: {:?}", ledger.damage);
        }
        stored.dropped = ledger.dropped;
        stored
    }

    /// Reads what is stored, up to this number if one is given.
    fn read_ledger(&self, until: Option<u64>, ledger: &mut Ledger, mut seen: impl FnMut(u64, usize, usize)) {
        let Some((tree, _)) = self.store.tree_named(SYSTEM_KEYSPACE) else { return };
        let end = until.map_or_else(|| PREFIX_END.to_vec(), key_of);
        if let Err(error) = self.read_events(tree, end.into(), ledger, &mut seen) {
            ledger.note_damage(&error);
        }
        if until.is_some() {
            return;
        }
        match self.store.get(tree, TALLY, None) {
            Ok(None) => {}
            Ok(Some(found)) => match Tally::decode(&found.value) {
                Some(tally) => ledger.dropped = tally,
                None => ledger.damage.foreign += 1,
            },
            Err(error) => ledger.note_damage(&error),
        }
    }

    fn read_events(
        &self,
        tree: TreeId,
        end: Bytes,
        ledger: &mut Ledger,
        seen: &mut impl FnMut(u64, usize, usize),
    ) -> Result<(), lsm_core::Error> {
        let range = KeyRange::all().between(Included(PREFIX.into()), Excluded(end));
        let mut items = self.store.iter(tree, range, None)?;
        loop {
            match items.step() {
                Ok(None) => return Ok(()),
                Ok(Some(item)) => {
                    if let Some(number) = number_of(item.key) {
                        seen(number, item.key.len(), item.value.len());
                    }
                    match Event::decode(item.value) {
                        Some(event) => ledger.events.push(event),
                        None => ledger.damage.foreign += 1,
                    }
                }
                // The next step goes on behind it.
                Err(error @ lsm_core::Error::Lost { .. }) if ledger.damage.gaps < EVENTS_MAX as u64 => {
                    ledger.note_damage(&error);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Ledger {
    fn note_damage(&mut self, error: &dyn std::error::Error) {
        self.damage.gaps += 1;
        self.damage.message.get_or_insert_with(|| error.to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_the_bounds_hold() {
        for bytes in [100, 1000, BYTES_MAX / 2] {
            let mut stored = Stored::default();
            let mut kept = 0;
            for number in 0..3 * EVENTS_MAX as u64 {
                stored.push(number, bytes);
                let first = stored.trim();
                assert!(stored.events.len() <= EVENTS_MAX && stored.bytes <= BYTES_MAX);
                let oldest = stored.events.front().map_or(u64::MAX, |(number, _)| *number);
                assert!(first.is_none_or(|first| first == oldest && first > kept));
                kept = first.unwrap_or(kept);
                assert_eq!(stored.bytes, bytes * stored.events.len() as u64);
            }
        }
    }
}
