//! Everything once in so much time: what is overdue, and how fast to go so that nothing will be.
//!
//! Pure: files, what is remembered of them, and the time are arguments.

use std::time::Duration;

use page_ecc::PAGE_LEN;

use crate::{PatrolFile, Remembered};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often every file should be examined.
///
/// ```
/// use std::time::Duration;
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::{Cycle, FileKind, FileRef, PatrolFile, RamMemory, Remembered};
/// let of = FileRef { tree: TreeId::new(2), kind: FileKind::Table, file: FileId::new(7) };
/// let remembered = Remembered::load(&RamMemory::default());
///
/// let due = Cycle::days(14).due(&[PatrolFile::new(of, 100)], &remembered, Duration::ZERO);
/// // It was never examined, so all of it should be now.
/// assert_eq!(due.overdue_bytes, 409_600);
/// assert_eq!(due.bytes_within(Duration::from_secs(60)), 409_600);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle(Duration);

/// What a cycle asks for.
///
/// ```
/// use std::time::Duration;
/// let due = lsm_scrub::Due { overdue_bytes: 500, bytes_per_sec: 10 };
/// assert_eq!(due.bytes_within(Duration::from_secs(3)), 530);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Bytes of files that were last examined longer ago than the cycle, or never.
    pub overdue_bytes: u64,
    /// The slowest rate at which none of the others becomes overdue.
    pub bytes_per_sec: u64,
}

impl Due {
    /// The budget of a step that is taken every so often.
    #[must_use]
    pub fn bytes_within(&self, time: Duration) -> u64 {
        let bytes = u128::from(self.bytes_per_sec) * time.as_nanos() / 1_000_000_000;
        self.overdue_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

impl Cycle {
    /// Everything once in this time.
    #[must_use]
    pub const fn new(time: Duration) -> Self {
        Self(time)
    }

    /// Everything once in so many days.
    #[must_use]
    pub fn days(count: u32) -> Self {
        Self(DAY.saturating_mul(count))
    }

    /// What is to be done now; what a pass that is under way has done already counts as done.
    #[must_use]
    pub fn due(&self, files: &[PatrolFile], remembered: &Remembered, now: Duration) -> Due {
        let mut due = Due::default();
        let mut waiting = Vec::new();
        for file in files {
            let examined = remembered.last_examined(file.of);
            let left = examined.map(|at| at.saturating_add(self.0).saturating_sub(now));
            let bytes = remaining_bytes(file, remembered);
            match left {
                Some(left) if !left.is_zero() => waiting.push((left, bytes)),
                _ => due.overdue_bytes = due.overdue_bytes.saturating_add(bytes),
            }
        }
        waiting.sort_unstable();
        let mut bytes = 0u128;
        for (left, more) in waiting {
            bytes += u128::from(more);
            let rate = (bytes * 1_000_000_000).div_ceil(left.as_nanos());
            due.bytes_per_sec = due.bytes_per_sec.max(u64::try_from(rate).unwrap_or(u64::MAX));
        }
        due
    }
}

/// How much of a file the pass that is under way has still to read.
fn remaining_bytes(file: &PatrolFile, remembered: &Remembered) -> u64 {
    let note = remembered.notes.get(&file.of);
    let note = note.filter(|note| remembered.pass.is_some_and(|pass| pass.number == note.pass));
    let pages = match note {
        Some(note) if note.state == crate::note::NoteState::UnderWay => file.pages.saturating_sub(note.page),
        _ => file.pages,
    };
    pages.saturating_mul(PAGE_LEN as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileKind, FileRef, note::Note};
    use lsm_core::{FileId, TreeId};

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn file(number: u64, pages: u64) -> PatrolFile {
        let of = FileRef { tree: TreeId::new(1), kind: FileKind::Table, file: FileId::new(number) };
        PatrolFile::new(of, pages)
    }

    fn examined(files: &[PatrolFile], at: &[Option<u64>]) -> Remembered {
        let mut remembered = Remembered::default();
        for (file, at) in files.iter().zip(at) {
            let mut note = Note::begin(file.of, 1, None);
            at.iter().for_each(|at| note.finish(secs(*at)));
            remembered.notes.insert(file.of, note);
        }
        remembered
    }

    #[track_caller]
    fn check(pages: &[(u64, Option<u64>)], now: u64, overdue: u64, rate: u64) {
        let files: Vec<_> =
            pages.iter().enumerate().map(|(at, (pages, _))| file(at as u64, *pages)).collect();
        let at: Vec<_> = pages.iter().map(|(_, at)| *at).collect();
        let due = Cycle::new(secs(100)).due(&files, &examined(&files, &at), secs(now));
        assert_eq!((due.overdue_bytes, due.bytes_per_sec), (overdue * 4096, rate));
    }

    #[test]
    fn the_rate_meets_the_tightest_deadline() {
        check(&[], 0, 0, 0);
        check(&[(100, Some(0)), (100, Some(0))], 0, 0, 2 * 4096);
        check(&[(100, Some(0)), (100, Some(0))], 50, 0, 4 * 4096);
        check(&[(10, Some(0)), (100, Some(50))], 90, 0, 110 * 4096 / 60 + 1);
        check(&[(100, Some(0)), (100, Some(50))], 90, 0, 10 * 4096);
    }

    #[test]
    fn old_and_unknown_files_are_overdue_and_do_not_speed_up_the_rest() {
        check(&[(7, None), (3, Some(0)), (100, Some(100))], 100, 10, 4096);
        check(&[(3, Some(1))], 100, 0, 3 * 4096);
    }

    #[test]
    fn whoever_keeps_the_budget_is_never_late() {
        let files: Vec<_> = (1..30).map(|number| file(number, number * 7 % 13 + 1)).collect();
        let mut last: Vec<_> = (1..30).map(|number| Some(number * 3)).collect();
        for now in (90..400).step_by(5) {
            let due = Cycle::new(secs(100)).due(&files, &examined(&files, &last), secs(now));
            assert_eq!(due.overdue_bytes, 0, "at {now}");
            // A file is examined as a whole here, so one more than the budget holds is begun.
            let mut budget = i128::from(due.bytes_within(secs(5)));
            let mut oldest: Vec<_> = (0..files.len()).collect();
            oldest.sort_by_key(|at| last[*at]);
            for at in oldest {
                if budget > 0 {
                    budget -= i128::from(files[at].bytes());
                    last[at] = Some(now);
                }
            }
        }
    }
}
