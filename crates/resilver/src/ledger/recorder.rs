//! Whoever hears what happens to the store's bytes: notes it for the ledger and tells the store's listener.
//!
//! **Invariant**: nothing is called, and nothing read or written, while its lock is held. A clean read never comes
//! here.

use std::{fmt, sync::Arc};

use lsm_core::{Sighting, Witness};
use parking_lot::Mutex;

use super::{
    event::{Event, EventKind, Outcome},
    now,
    pending::{News, Pending, Take},
    tally::Tally,
};
use crate::healing::file_name;

/// Hears of every event of a store that says something new: for a log, a metric or an alarm.
///
/// It is called on the thread that met it, with no lock held: note it and return.
///
/// ```
/// use resilver::{Event, Listener, Options};
/// #[derive(Debug)]
/// struct Alarm;
/// impl Listener for Alarm {
///     fn heard(&self, event: &Event) {
///         if event.outcome.is_bad() {
///             eprintln!("look at the store: {event}");
///         }
///     }
/// }
/// let options = Options::new().listener(std::sync::Arc::new(Alarm));
/// ```
pub trait Listener: Send + Sync + fmt::Debug {
    /// Something happened.
    fn heard(&self, event: &Event) {
        let _ = event;
    }
}

/// Hears and forgets.
///
/// ```
/// # let _: &dyn resilver::Listener =
/// &resilver::NoListener;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoListener;

impl Listener for NoListener {}

/// Notes what happens until it is written.
pub(crate) struct Recorder {
    /// A leaf.
    pending: Mutex<Pending>,
    listener: Arc<dyn Listener>,
    then: Arc<dyn Witness>,
}

impl Recorder {
    pub(crate) fn new(listener: Arc<dyn Listener>, then: Arc<dyn Witness>) -> Self {
        Self { pending: Mutex::default(), listener, then }
    }

    /// Notes an event, for the ledger to tell.
    pub(crate) fn record(&self, event: Event) {
        let news = self.pending.lock().add(event.clone());
        if news == News::Yes {
            self.listener.heard(&event);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.lock().is_empty()
    }

    pub(super) fn take(&self, take: Take) -> (Vec<Event>, Tally) {
        self.pending.lock().take(take, now())
    }

    pub(super) fn settle(&self) {
        self.pending.lock().settle();
    }

    pub(super) fn put_back(&self, events: Vec<Event>, missed: Tally) {
        self.pending.lock().put_back(events, missed);
    }

    pub(super) fn pending(&self) -> Vec<Event> {
        self.pending.lock().events()
    }
}

impl Witness for Recorder {
    fn sighted(&self, sighting: &Sighting) {
        let outcome = if sighting.evidence.lost > 0 { Outcome::Lost } else { Outcome::Answered };
        let pages = sighting.pages.iter().map(|run| (run.start.get(), run.end.get() - run.start.get()));
        let event = Event::new(EventKind::Read, outcome)
            .of_file(file_name(sighting.tree, sighting.table))
            .with_pages(pages)
            .with_evidence(sighting.evidence);
        self.record(event);
        self.then.sighted(sighting);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("pending", &self.pending).finish_non_exhaustive()
    }
}
