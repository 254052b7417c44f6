//! Events that are not written yet, and which of them are worth a line.
//!
//! **Invariants**: what is kept in memory is bounded in count, whatever is met how often. An event that says nothing
//! new within some minutes waits and is counted with those to come; what does not fit is counted by its rungs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    event::{Event, EventKind, Outcome, union},
    tally::Tally,
};

/// Events that wait to be written.
const PENDING_MAX: usize = 256;
/// Files and kinds of which is known what was written lately.
const RECENT_MAX: usize = 1024;
/// How long something that was written is not written again.
const REPEATED: Duration = Duration::from_secs(10 * 60);
/// How far two batches are apart.
const BATCH: Duration = Duration::from_secs(1);

/// What makes events the same, but for their pages.
type Sameness = (EventKind, Outcome, Arc<str>);

/// Whether an event was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Yes,
    No,
}

/// Which events are taken to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// Those that say something new, if the last ones are some time ago.
    Due,
    /// All: the store is closed, or somebody waits for them.
    All,
}

/// Events that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    events: Vec<Event>,
    /// What did not fit.
    missed: Tally,
    recent: BTreeMap<Sameness, (Duration, Vec<(u64, u64)>)>,
    taken: Option<Duration>,
    /// Taken, and neither settled nor put back yet.
    writing: Vec<Event>,
}

fn sameness(event: &Event) -> Sameness {
    (event.kind, event.outcome, event.file.clone())
}

impl Pending {
    pub(super) fn add(&mut self, event: Event) -> News {
        if event.kind == EventKind::Heal && event.outcome.is_healed() {
            // What is wrong with the file from now on is wrong anew.
            self.recent.retain(|(_, _, file), _| *file != event.file);
        }
        let is_recent = self.is_recent(&event);
        let is_alike = |known: &&mut Event| sameness(known) == sameness(&event);
        let same = self.events.iter_mut().find(is_alike).filter(|known| !known.kind.is_deed());
        if let Some(known) = same {
            let is_known = event.says_no_more_than(&known.pages);
            known.absorb(&event);
            return if is_known || is_recent { News::No } else { News::Yes };
        }
        if self.events.len() >= PENDING_MAX {
            self.missed.count(&event);
            return News::No;
        }
        self.events.push(event);
        if is_recent { News::No } else { News::Yes }
    }

    fn is_recent(&self, event: &Event) -> bool {
        if event.kind.is_deed() {
            return false;
        }
        let recent = self.recent.get(&sameness(event));
        recent.is_some_and(|(at, pages)| {
            event.at.saturating_sub(*at) < REPEATED && event.says_no_more_than(pages)
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == Tally::default()
    }

    /// Events to write now, the oldest first, with what did not fit before.
    pub(super) fn take(&mut self, take: Take, now: Duration) -> (Vec<Event>, Tally) {
        let is_early = self.taken.is_some_and(|taken| now.saturating_sub(taken) < BATCH && taken <= now);
        if self.is_empty() || (take == Take::Due && is_early) {
            return Default::default();
        }
        let mut due = Vec::new();
        for event in std::mem::take(&mut self.events) {
            let waits = take == Take::Due && self.is_recent(&Event { at: now, ..event.clone() });
            if waits { self.events.push(event) } else { due.push(event) }
        }
        for event in &due {
            self.remember(event, now);
        }
        if !due.is_empty() {
            self.taken = Some(now);
        }
        self.writing.clone_from(&due);
        (due, std::mem::take(&mut self.missed))
    }

    /// What was taken last is written.
    pub(super) fn settle(&mut self) {
        self.writing.clear();
    }

    fn remember(&mut self, event: &Event, now: Duration) {
        if event.kind.is_deed() {
            return;
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.retain(|_, (at, _)| now.saturating_sub(*at) < REPEATED);
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.clear();
        }
        let (at, pages) = self.recent.entry(sameness(event)).or_default();
        // Only what is still fresh stays known, so that pages that come and go are told again.
        let known = if now.saturating_sub(*at) < REPEATED { std::mem::take(pages) } else { Vec::new() };
        *pages = union([&known[..], &event.pages].concat());
        pages.truncate(super::event::RANGES_MAX);
        *at = now;
    }

    /// Events that could not be written.
    pub(super) fn put_back(&mut self, events: Vec<Event>, missed: Tally) {
        self.settle();
        let newer = std::mem::replace(&mut self.events, events);
        self.missed.add(&missed);
        for event in newer {
            let _known = self.add(event);
        }
    }

    /// What is not written yet, or is just being written.
    pub(super) fn events(&self) -> Vec<Event> {
        [&self.writing[..], &self.events].concat()
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::Evidence;

    use super::*;

    fn read(at: u64, file: &str, pages: &[(u64, u64)]) -> Event {
        let rebuilt = pages.iter().map(|(_, count)| count).sum();
        let event = Event::new(EventKind::Read, Outcome::Answered)
            .of_file(file)
            .with_pages(pages.iter().copied())
            .with_evidence(Evidence { rebuilt, ..Evidence::default() });
        Event { at: Duration::from_secs(at), ..event }
    }

    fn healed(at: u64, file: &str) -> Event {
        Event { at: Duration::from_secs(at), ..Event::new(EventKind::Heal, Outcome::Healed).of_file(file) }
    }

    /// Adds events, each at its second, asking after each what is due; how many lines come of it.
    #[track_caller]
    fn check(events: Vec<Event>, lines: usize, times: u32) {
        let mut pending = Pending::default();
        let mut written = Vec::new();
        for event in events {
            let now = event.at;
            let _news = pending.add(event);
            written.extend(pending.take(Take::Due, now).0);
        }
        assert_eq!(written.len(), lines, "{written:?}");
        written.extend(pending.take(Take::All, Duration::ZERO).0);
        assert_eq!(written.iter().map(|event| event.times).sum::<u32>(), times, "none goes uncounted");
        assert!(pending.is_empty());
    }

    #[test]
    fn what_says_nothing_new_is_one_line() {
        check((0..500).map(|at| read(at, "a", &[(3, 1)])).collect(), 1, 500);
        check((0..500).map(|at| read(at, "a", &[])).collect(), 1, 500);
        check((0..3).map(|at| read(at * 700, "a", &[(3, 1)])).collect(), 3, 3);
    }

    #[test]
    fn other_pages_and_files_are_lines_of_their_own() {
        check((0..20).map(|at| read(at * 2, "a", &[(at * 5, 1)])).collect(), 20, 20);
        check((0..20).map(|at| read(at * 2, &at.to_string(), &[(3, 1)])).collect(), 20, 20);
    }

    #[test]
    fn what_is_wrong_again_after_healing_is_told_again() {
        check(vec![read(0, "a", &[(3, 1)]), healed(2, "a"), read(4, "a", &[(3, 1)])], 3, 3);
        check(vec![read(0, "a", &[(3, 1)]), healed(2, "b"), read(4, "a", &[(3, 1)])], 2, 3);
    }

    #[test]
    fn a_batch_waits_for_the_one_before() {
        let mut pending = Pending::default();
        let second = Duration::from_secs;
        assert_eq!(pending.add(read(9, "a", &[(1, 1)])), News::Yes);
        assert_eq!(pending.take(Take::Due, second(9)).0.len(), 1);
        assert_eq!(pending.add(read(9, "a", &[(2, 1)])), News::Yes);
        assert_eq!(pending.add(read(9, "a", &[(2, 1)])), News::No);
        assert_eq!(pending.take(Take::Due, second(9)).0.len(), 0);
        assert_eq!(pending.take(Take::Due, second(10)).0[0].times, 2);
        // A clock that was set back holds nothing up.
        assert_eq!(pending.add(read(3, "b", &[(2, 1)])), News::Yes);
        assert_eq!(pending.take(Take::Due, second(3)).0.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_is_counted() {
        let mut pending = Pending::default();
        for at in 0..5000_u64 {
            let _news = pending.add(read(at, &at.to_string(), &[(1, 2)]));
        }
        let (events, missed) = pending.take(Take::All, Duration::ZERO);
        assert_eq!((events.len(), missed.events), (PENDING_MAX, 5000 - PENDING_MAX as u64));
        assert_eq!(missed.evidence.rebuilt, 2 * missed.events);
        for at in 1..5000_u64 {
            let _news = pending.add(read(at * 2, &format!("other {at}"), &[(1, 2)]));
            assert_eq!(pending.take(Take::Due, Duration::from_secs(at * 2)).0.len(), 1);
            assert!(pending.recent.len() <= RECENT_MAX);
        }
    }

    #[test]
    fn what_could_not_be_written_is_kept_with_what_came_since() {
        let mut pending = Pending::default();
        let _news = pending.add(read(1, "a", &[(1, 1)]));
        let (events, missed) = pending.take(Take::Due, Duration::from_secs(1));
        let _news = pending.add(read(2, "a", &[(2, 1)]));
        assert_eq!(pending.events().len(), 2, "neither is written yet");
        pending.put_back(events, missed);
        assert_eq!(pending.events().len(), 1);
        let (events, _) = pending.take(Take::All, Duration::from_secs(2));
        pending.settle();
        assert_eq!((events.len(), pending.events().len()), (1, 0));
        assert_eq!((&events[0].pages[..], events[0].times), (&[(1, 2)][..], 2));
    }
}
