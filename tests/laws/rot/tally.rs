//! What came of many cases: a table, row by row, and what was not as promised.

use std::{collections::BTreeMap, io::Write as _};

use super::case::Verdict;

/// What came of the cases of one row.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    cases: u64,
    seen: u64,
    right: u64,
    healed: u64,
    told: u64,
    wrong: u64,
}

/// What came of all cases.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: BTreeMap<String, Row>,
    /// Cases that were not as promised, and why.
    broken: Vec<String>,
}

/// What a row is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Right answers, and nothing wrong any more.
    Everything,
    /// Right answers or errors.
    NothingWrong,
}

impl Tally {
    pub(super) fn note(&mut self, row: String, promise: Promise, verdict: &Verdict) {
        let row = self.rows.entry(row).or_default();
        let Verdict { answers, unhealed, place, .. } = verdict;
        row.cases += 1;
        row.seen += u64::from(verdict.is_seen);
        row.right += u64::from(answers.is_right());
        row.healed += u64::from(unhealed.is_empty() && answers.is_right());
        row.told += u64::from(!answers.errors.is_empty() && answers.wrong.is_empty());
        row.wrong += u64::from(!answers.wrong.is_empty());
        let is_broken = match promise {
            Promise::Everything => !verdict.is_fine(),
            Promise::NothingWrong => !answers.wrong.is_empty(),
        };
        if is_broken {
            let few = |list: &[String]| list.iter().take(3).cloned().collect::<Vec<_>>();
            let (wrong, errors) = (few(&answers.wrong), few(&answers.errors));
            self.broken
                .push(format!("{place}\n  wrong {wrong:?}\n  errors {errors:?}\n  {:?}", few(unhealed)));
        }
    }

    pub(super) fn cases(&self) -> u64 {
        self.rows.values().map(|row| row.cases).sum()
    }

    /// How many cases had damage that showed.
    pub(super) fn seen(&self) -> u64 {
        self.rows.values().map(|row| row.seen).sum()
    }

    /// Prints the table, past the test harness, which keeps what passing tests say to itself.
    pub(super) fn tell(&self, title: &str) {
        let mut table = format!(
            "{title}\n{:<26}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}\n",
            "what was done", "cases", "seen", "right", "healed", "told", "WRONG"
        );
        for (name, row) in &self.rows {
            let Row { cases, seen, right, healed, told, wrong } = row;
            table += &format!("{name:<26}{cases:>7}{seen:>7}{right:>7}{healed:>7}{told:>7}{wrong:>7}\n");
        }
        let _ = std::io::stderr().write_all(table.as_bytes());
    }

    #[track_caller]
    pub(super) fn check(&self) {
        let first: Vec<_> = self.broken.iter().take(12).cloned().collect();
        assert!(self.broken.is_empty(), "{} cases broken:\n{}", self.broken.len(), first.join("\n"));
    }
}
