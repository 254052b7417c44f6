//! Whether a device gets worse: pages found wrong on the medium of late, against those of the weeks before.
//!
//! A page that is met by a read and by a scrub on the same day counts once. A first hole is an accident, however
//! large; that it is a trend takes several days or files, and a record that is older than what it is held against.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{Event, ledger::union};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Weeks that the last one is held against.
const WEEKS_BEFORE: u64 = 4;
/// Fewer pages than these are no trend.
const PAGES_MIN: u64 = 8;
/// Neither is what is met in one file on one day.
const INCIDENTS_MIN: usize = 2;

/// How many pages were found wrong on the medium, of late and before.
///
/// ```
/// assert!(!resilver::Trend::default().is_growing);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    /// In the last seven days.
    pub last_week: u64,
    /// In each of the four weeks before, on average and rounded up.
    pub weekly_before: u64,
    /// Whether they grow.
    pub is_growing: bool,
}

impl Trend {
    pub(super) fn of(events: &[Event], now: Duration) -> Self {
        let (mut last, mut before, mut incidents_last) = (0, 0, 0);
        for (day, count) in incidents(events, now) {
            match day {
                0..7 => {
                    last += count;
                    incidents_last += 1;
                }
                _ if day < 7 * (1 + WEEKS_BEFORE) => before += count,
                _ => {}
            }
        }
        let weekly_before = before.div_ceil(WEEKS_BEFORE);
        let oldest = events.iter().map(|event| event.at).min().unwrap_or(now);
        let has_record = now.saturating_sub(oldest) >= WEEK * 2;
        let is_more = last >= PAGES_MIN && last > 2 * weekly_before && incidents_last >= INCIDENTS_MIN;
        Self { last_week: last, weekly_before, is_growing: is_more && has_record }
    }

    /// Pages that were found wrong in so many days.
    pub(super) fn pages_since(events: &[Event], now: Duration, days: u32) -> u64 {
        let lately = incidents(events, now).filter(|(day, _)| *day <= u64::from(days));
        lately.map(|(_, count)| count).sum()
    }
}

/// How many pages of a file were found wrong on a day, for each day and file; days are counted back from now.
fn incidents(events: &[Event], now: Duration) -> impl Iterator<Item = (u64, u64)> + use<> {
    // Pages that are named, and how many there were where none are.
    let mut incidents = BTreeMap::<(u64, Arc<str>), (Vec<(u64, u64)>, u64)>::new();
    let day_of = |at: Duration| now.saturating_sub(at).as_secs() / DAY.as_secs();
    for event in events.iter().filter(|event| event.is_damage()) {
        let (pages, unnamed) = incidents.entry((day_of(event.at), event.file.clone())).or_default();
        match event.pages.is_empty() {
            true => *unnamed = (*unnamed).max(event.evidence.healable() + event.evidence.lost),
            false => pages.extend(&event.pages),
        }
    }
    incidents.into_iter().map(|((day, _), (pages, unnamed))| {
        let named: u64 = union(pages).iter().map(|(_, count)| count).sum();
        (day, named.max(unnamed))
    })
}

#[cfg(test)]
mod tests {
    use page_ecc::Evidence;

    use super::*;
    use crate::{EventKind, Outcome};

    const NOW: Duration = Duration::from_secs(400 * 24 * 60 * 60);

    /// So many days ago, these pages of this file.
    fn met(days: u32, file: &str, first: u64, count: u64) -> Event {
        let evidence = Evidence { rebuilt: count, ..Evidence::default() };
        let event = Event::new(EventKind::Read, Outcome::Answered).of_file(file);
        Event { at: NOW - DAY * days, ..event.with_pages([(first, count)]).with_evidence(evidence) }
    }

    #[track_caller]
    fn check(events: &[Event], last_week: u64, weekly_before: u64, is_growing: bool) {
        assert_eq!(Trend::of(events, NOW), Trend { last_week, weekly_before, is_growing });
    }

    #[test]
    fn more_pages_on_more_days_than_before_are_a_trend() {
        let before = met(20, "a", 0, 4);
        check(&[before.clone(), met(1, "b", 0, 6), met(3, "c", 0, 6)], 12, 1, true);
        check(&[before.clone(), met(1, "b", 0, 6), met(3, "b", 9, 6)], 12, 1, true);
        // One hole, however large.
        check(&[before.clone(), met(1, "b", 0, 600)], 600, 1, false);
        // Few.
        check(&[before, met(1, "b", 0, 3), met(3, "c", 0, 4)], 7, 1, false);
        // As many as ever.
        let weekly = (0..5).flat_map(|week| [met(7 * week, "a", 0, 6), met(7 * week + 2, "b", 0, 6)]);
        check(&weekly.collect::<Vec<_>>(), 12, 12, false);
    }

    #[test]
    fn without_a_record_there_is_no_trend() {
        check(&[], 0, 0, false);
        check(&[met(13, "a", 0, 1), met(1, "b", 0, 20), met(2, "c", 0, 20)], 40, 1, false);
        check(&[met(14, "a", 0, 1), met(1, "b", 0, 20), met(2, "c", 0, 20)], 40, 1, true);
        check(&[met(390, "a", 0, 1), met(1, "b", 0, 20), met(2, "c", 0, 20)], 40, 0, true);
    }

    #[test]
    fn a_page_that_is_met_twice_a_day_counts_once() {
        let mut scrub = met(1, "a", 2, 4);
        scrub.kind = EventKind::Scrub;
        check(&[met(1, "a", 0, 4), scrub, met(1, "a", 1, 1)], 6, 0, false);
        let healed = Event::new(EventKind::Heal, Outcome::Healed).of_file("a").with_pages([(0, 9)]);
        check(&[healed], 0, 0, false);
    }

    #[test]
    fn what_was_right_on_a_second_read_is_no_damage_of_the_medium() {
        let evidence = Evidence { transient: 90, ..Evidence::default() };
        let event = Event::new(EventKind::Read, Outcome::Answered).of_file("a").with_evidence(evidence);
        check(&[Event { at: NOW, ..event }], 0, 0, false);
    }
}
