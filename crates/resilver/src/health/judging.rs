//! What follows from the facts: the reasons, and the verdict that is the worst of them. Pure.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use super::{Health, Margin, Reason, Trend};
use crate::{Event, EventKind, FileKind, Outcome};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long something that was wrong is remembered in the verdict, and how old a scrub may be.
const MONTH_DAYS: u32 = 30;
/// Reads that were right only the second time: so many in a week are no accident.
const UNSTEADY_MIN: u64 = 16;
/// Of one kind, at most so many files are named.
const NAMED_MAX: usize = 16;

/// What is known of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) now: Duration,
    /// The oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) is_ledger_whole: bool,
    pub(crate) files: Vec<FileFacts>,
    /// What the log lost, in words.
    pub(crate) log_losses: Vec<Arc<str>>,
    /// How many ranges of keys are lost, and one of them in words.
    pub(crate) lost_keys: (u64, Arc<str>),
    pub(crate) heals_itself: bool,
    /// Whether each page was looked at just now.
    pub(crate) is_every_page_seen: bool,
}

/// What is known of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileFacts {
    pub(crate) name: Arc<str>,
    pub(crate) kind: FileKind,
    /// Whether nothing but the store's own keyspace is in it.
    pub(crate) is_own: bool,
    /// Pages that are wrong, those that are lost among them.
    pub(crate) wrong: u64,
    pub(crate) lost: u64,
    pub(crate) left: u16,
    pub(crate) of: u16,
    /// How often healing it failed.
    pub(crate) failures: u32,
}

/// How a store is of which this is known.
pub(crate) fn judge(facts: Facts) -> Health {
    let trend = Trend::of(&facts.events, facts.now);
    let mut reasons = Vec::new();
    losses(&facts, &mut reasons);
    damages(&facts, &mut reasons);
    if trend.is_growing {
        let Trend { last_week, weekly_before, .. } = trend;
        reasons.push(Reason::Growing { last_week, weekly_before });
    }
    history(&facts, &mut reasons);
    reasons.sort_by_key(|reason| Reverse(reason.verdict()));
    let verdict = reasons.iter().map(Reason::verdict).max().unwrap_or_default();
    let margins = facts.files.into_iter().map(|file| {
        let FileFacts { name, kind, wrong, left, of, .. } = file;
        Margin { file: name, kind, wrong, left, of }
    });
    let mut margins: Vec<_> = margins.collect();
    margins.sort_by(|a, b| (a.left, Reverse(a.wrong), &a.file).cmp(&(b.left, Reverse(b.wrong), &b.file)));
    Health { verdict, reasons, margins, trend }
}

/// What is gone. Here losses of every kind become reasons.
fn losses(facts: &Facts, reasons: &mut Vec<Reason>) {
    let lost = facts.files.iter().filter(|file| file.lost > 0 && !file.is_own);
    let lost = lost.map(|file| Reason::Lost { file: file.name.clone(), pages: file.lost });
    reasons.extend(lost.take(NAMED_MAX));
    let from_log = facts.log_losses.iter().take(NAMED_MAX);
    reasons.extend(from_log.map(|what| Reason::LogLost { what: what.clone() }));
    let (ranges, first) = &facts.lost_keys;
    if *ranges > 0 {
        reasons.push(Reason::KeysLost { ranges: *ranges, first: first.clone() });
    }
}

/// What is wrong now and not lost.
fn damages(facts: &Facts, reasons: &mut Vec<Reason>) {
    let waiting = || facts.files.iter().filter(|file| file.wrong > file.lost);
    let unhealed = waiting().filter(|file| file.failures > 0);
    let unhealed =
        unhealed.map(|file| Reason::NotHealed { file: file.name.clone(), failures: file.failures });
    reasons.extend(unhealed.take(NAMED_MAX));
    let bare = waiting().filter(|file| file.left == 0 && file.of > 1 && file.lost == 0);
    reasons.extend(bare.map(|file| Reason::NoMargin { file: file.name.clone() }).take(NAMED_MAX));
    let files = waiting().count() as u64;
    if files > 0 {
        let pages = waiting().map(|file| file.wrong - file.lost).sum();
        reasons.push(Reason::Waiting { files, pages, heals_itself: facts.heals_itself });
    }
    if !facts.is_ledger_whole || facts.files.iter().any(|file| file.lost > 0 && file.is_own) {
        reasons.push(Reason::LedgerDamaged);
    }
}

/// What was, and is not any more.
fn history(facts: &Facts, reasons: &mut Vec<Reason>) {
    let lately = |days: u32| {
        let begin = facts.now.saturating_sub(DAY * days);
        facts.events.iter().filter(move |event| event.at >= begin)
    };
    let transient = lately(7).map(|event| event.evidence.transient).sum::<u64>();
    if transient >= UNSTEADY_MIN {
        reasons.push(Reason::Unsteady { pages: transient });
    }
    let given_up = || lately(MONTH_DAYS).filter(|event| event.kind == EventKind::LossAccepted);
    let last_given_up = given_up().max_by_key(|event| event.at);
    // What was lost and given up since is not right again.
    let is_gone = |event: &Event| {
        event.evidence.lost > 0 && last_given_up.is_some_and(|given_up| given_up.at >= event.at)
    };
    let wrong: Vec<Event> =
        lately(MONTH_DAYS).filter(|event| event.is_damage() && !is_gone(event)).cloned().collect();
    let is_right = facts.files.iter().all(|file| file.wrong == 0) && facts.lost_keys.0 == 0;
    if let Some(last) = wrong.iter().map(|event| event.at).max().filter(|_| is_right) {
        let month = Trend::pages_since(&wrong, facts.now, MONTH_DAYS);
        reasons.push(Reason::Healed { pages: month, last, now: facts.now });
    }
    if let Some(last) = last_given_up {
        let (times, what) = (given_up().count() as u64, last.note.clone());
        reasons.push(Reason::GivenUp { times, what, last: last.at, now: facts.now });
    }
    let is_whole_pass = |event: &Event| event.kind == EventKind::Pass && event.outcome == Outcome::Complete;
    if !facts.is_every_page_seen && !lately(MONTH_DAYS).any(is_whole_pass) {
        reasons.push(Reason::Unlooked);
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::Evidence;

    use super::*;
    use crate::Verdict;

    const NOW: Duration = Duration::from_secs(400 * 24 * 60 * 60);

    fn at(days: u32, event: Event) -> Event {
        Event { at: NOW - DAY * days, ..event }
    }

    fn pass(days: u32) -> Event {
        at(days, Event::new(EventKind::Pass, Outcome::Complete))
    }

    fn read(days: u32, file: &str, evidence: Evidence) -> Event {
        let event = Event::new(EventKind::Read, Outcome::Answered).of_file(file);
        at(days, event.with_pages([(3, evidence.healable())]).with_evidence(evidence))
    }

    fn rebuilt(count: u64) -> Evidence {
        Evidence { rebuilt: count, ..Evidence::default() }
    }

    fn file(wrong: u64, lost: u64, left: u16) -> FileFacts {
        let (name, kind) = ("f".into(), FileKind::Table);
        FileFacts { name, kind, is_own: false, wrong, lost, left, of: 4, failures: 0 }
    }

    fn facts(events: Vec<Event>, files: Vec<FileFacts>) -> Facts {
        Facts { now: NOW, events, is_ledger_whole: true, files, heals_itself: true, ..Facts::default() }
    }

    #[track_caller]
    fn check(facts: Facts, verdict: Verdict, reasons: &[&str]) {
        let health = judge(facts);
        assert_eq!(health.reasons.iter().map(Reason::name).collect::<Vec<_>>(), reasons);
        assert_eq!(health.verdict, verdict);
    }

    #[test]
    fn what_is_known_decides() {
        use Verdict::{DataLoss, Degraded, Healed, Healthy};
        let own = |file| FileFacts { is_own: true, ..file };
        let failed = |file| FileFacts { failures: 2, ..file };
        let seen = || vec![pass(1)];
        for (events, files, verdict, reasons) in [
            (vec![], vec![], Healthy, &["unlooked"][..]),
            (seen(), vec![file(0, 0, 4)], Healthy, &[]),
            (vec![pass(31)], vec![], Healthy, &["unlooked"]),
            (seen(), vec![file(1, 0, 3)], Degraded, &["waiting"]),
            (seen(), vec![file(9, 0, 0)], Degraded, &["no_margin", "waiting"]),
            (seen(), vec![failed(file(1, 0, 3))], Degraded, &["not_healed", "waiting"]),
            (seen(), vec![file(5, 5, 0)], DataLoss, &["lost"]),
            (seen(), vec![file(6, 5, 0)], DataLoss, &["lost", "waiting"]),
            (seen(), vec![own(file(5, 5, 0))], Degraded, &["ledger_damaged"]),
            (vec![read(2, "f", rebuilt(2)), pass(1)], vec![file(0, 0, 4)], Healed, &["healed"]),
            (vec![read(31, "f", rebuilt(2)), pass(1)], vec![file(0, 0, 4)], Healthy, &[]),
            (vec![read(2, "f", rebuilt(2)), pass(1)], vec![file(1, 0, 3)], Degraded, &["waiting"]),
        ] {
            check(facts(events, files), verdict, reasons);
        }
    }

    #[test]
    fn what_is_not_of_a_file_decides_too() {
        let whole = || facts(vec![pass(1)], vec![]);
        check(Facts { is_ledger_whole: false, ..whole() }, Verdict::Degraded, &["ledger_damaged"]);
        check(Facts { lost_keys: (2, "a".into()), ..whole() }, Verdict::DataLoss, &["keys_lost"]);
        let given_up = Event::new(EventKind::LossAccepted, Outcome::Accepted);
        let since = |days| facts(vec![pass(1), at(days, given_up.clone())], vec![file(0, 0, 4)]);
        check(since(2), Verdict::Healed, &["given_up"]);
        check(since(31), Verdict::Healthy, &[]);
        check(
            Facts { lost_keys: (1, "a".into()), ..since(2) },
            Verdict::DataLoss,
            &["keys_lost", "given_up"],
        );
        check(Facts { log_losses: vec!["9".into()], ..whole() }, Verdict::DataLoss, &["log_lost"]);
        check(Facts { is_every_page_seen: true, events: vec![], ..whole() }, Verdict::Healthy, &[]);
        let transient = |count| Evidence { transient: count, ..Evidence::default() };
        let unsteady = |count| facts(vec![read(1, "f", transient(count)), pass(1)], vec![]);
        check(unsteady(15), Verdict::Healthy, &[]);
        check(unsteady(16), Verdict::Degraded, &["unsteady"]);
    }

    #[test]
    fn a_device_that_gets_worse_degrades_a_store_that_is_whole() {
        let events =
            vec![read(29, "a", rebuilt(1)), read(3, "a", rebuilt(9)), read(1, "b", rebuilt(9)), pass(1)];
        check(facts(events, vec![file(0, 0, 4)]), Verdict::Degraded, &["growing", "healed"]);
    }

    #[test]
    fn the_weakest_files_come_first() {
        let named = |name: &str, file| FileFacts { name: name.into(), ..file };
        let files = vec![named("a", file(0, 0, 4)), named("b", file(1, 0, 3)), named("c", file(9, 0, 3))];
        let margins = judge(facts(vec![], files)).margins;
        assert_eq!(margins.iter().map(|margin| &*margin.file).collect::<Vec<_>>(), ["c", "b", "a"]);
    }

    #[test]
    fn reasons_are_bounded_whatever_is_hurt() {
        let health = judge(facts(vec![], (0..1000).map(|_| file(6, 5, 0)).collect()));
        assert_eq!((health.verdict, health.reasons.len()), (Verdict::DataLoss, NAMED_MAX + 2));
    }

    #[test]
    fn every_reason_has_words_and_advice() {
        let all = [
            (
                Reason::Lost { file: "f".into(), pages: 1 },
                "1 page of f is lost, and with them what they held",
            ),
            (Reason::KeysLost { ranges: 2, first: "x".into() }, "2 ranges of keys are lost, among them x"),
            (
                Reason::GivenUp { times: 1, what: "x".into(), last: NOW - DAY, now: NOW },
                "a loss was given up once, the last 1 day ago: x",
            ),
            (
                Reason::Waiting { files: 1, pages: 3, heals_itself: true },
                "3 pages of one file are wrong and can be put right",
            ),
            (
                Reason::Healed { pages: 1, last: NOW - DAY, now: NOW },
                "1 page was wrong, the last 1 day ago, and all right again",
            ),
        ];
        for (reason, words) in all {
            assert_eq!(reason.to_string(), words);
            assert!(!reason.advice().is_empty());
        }
    }
}
