//! Decides where a run is crashed and how, and keeps the verdict.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lsm_io::{Crash, MemFs, Piece, Rng};
use parking_lot::Mutex;
use resilver_tests::{Change, End, Ledger, Setup, Watch, Watchdog};

use super::run::{Copies, Run};

/// How much of what is possible is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Care {
    /// One change in so many is crashed.
    pub(super) one_in: u64,
    /// Power cuts tried with each grain of a medium.
    pub(super) cuts: u64,
    /// One recovery in so many is crashed in turn.
    pub(super) nested_one_in: u64,
    /// One change in so many of such a recovery.
    pub(super) nested_changes_one_in: u64,
}

/// Decides where a run is crashed and how.
#[derive(Debug)]
pub(super) struct Court {
    pub(super) setup: Setup,
    care: Care,
    watchdog: Watchdog,
    rng: Mutex<Rng>,
    points: AtomicU64,
    failure: Mutex<Option<String>>,
}

/// How deep within crashes of recoveries from crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// The run itself.
    Life,
    /// The recovery from one of its crashes.
    Recovery,
}

impl Care {
    pub(super) const EVERYTHING: Self =
        Self { one_in: 1, cuts: 1, nested_one_in: 12, nested_changes_one_in: 3 };
    pub(super) const GLANCE: Self =
        Self { one_in: 12, cuts: 1, nested_one_in: 24, nested_changes_one_in: 16 };
    pub(super) const SAMPLES: Self = Self { one_in: 6, cuts: 1, nested_one_in: 12, nested_changes_one_in: 6 };
    pub(super) const FEW: Self = Self { one_in: 25, cuts: 2, nested_one_in: 4, nested_changes_one_in: 4 };
}

impl Court {
    pub(super) fn new(setup: Setup, care: Care, seed: u64, watchdog: Watchdog) -> Self {
        let (rng, failure) = (Mutex::new(Rng::new(seed)), Mutex::new(None));
        Self { setup, care, watchdog, rng, points: AtomicU64::new(0), failure }
    }

    /// How many states a crash left were judged.
    pub(super) fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    /// What was wrong first.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Crashes a run before its changes.
    pub(super) fn watch(self: &Arc<Self>, ledger: Arc<Mutex<Ledger>>, copies: Copies, depth: Depth) -> Watch {
        let court = self.clone();
        Arc::new(move |change| {
            let one_in = match depth {
                Depth::Life => court.care.one_in,
                Depth::Recovery => court.care.nested_changes_one_in,
            };
            if court.failure.lock().is_some() || !court.rng.lock().chance(1, one_in) {
                return;
            }
            // Others may go on meanwhile: what counts is what was promised before and begun until after.
            let earlier = ledger.lock().clone();
            let copies = copies.as_of_now();
            let disk = change.disk.fork();
            let later = ledger.lock().clone();
            let Some(ledger) = Ledger::between(&earlier, later) else { return };
            for (what, end, disk) in court.ends(change, disk, depth) {
                court.watchdog.pat();
                court.points.fetch_add(1, Ordering::Relaxed);
                let judged = || court.judge(ledger.after(end), copies.clone(), &disk, depth);
                let verdict = catch_unwind(AssertUnwindSafe(judged));
                let verdict = verdict.unwrap_or_else(|_| Err("it panicked".into()));
                if let Err(wrong) = verdict {
                    let Change { op, path, .. } = change;
                    let place = format!("{depth:?}: {what} before `{op} {}`: {wrong}", path.display());
                    court.failure.lock().get_or_insert(place);
                    return;
                }
            }
        })
    }

    /// The ways in which a run may end before, or within, a change.
    fn ends(&self, change: &Change<'_>, disk: MemFs, depth: Depth) -> Vec<(String, End, MemFs)> {
        let mut rng = self.rng.lock();
        let mut ends = Vec::new();
        let cut = |disk: &MemFs, crash| (format!("{crash:?}"), End::PowerCut, disk.crash(crash));
        ends.push(cut(&disk, Crash::LoseUnsynced));
        for _ in 0..self.care.cuts {
            for piece in [Piece::Page, Piece::Sector, Piece::Torn] {
                ends.push(cut(&disk, Crash::KeepSome { seed: rng.next_u64(), piece }));
            }
        }
        if let Some(torn) = change.in_part(&disk, |len| rng.below(len as u64 + 1) as usize) {
            ends.push(cut(&torn, Crash::KeepSome { seed: rng.next_u64(), piece: Piece::Torn }));
            ends.push(("a kill within".into(), End::Killed, torn));
        }
        ends.push(("a kill".into(), End::Killed, disk));
        if depth == Depth::Recovery {
            // One of them is enough there.
            let one = rng.below(ends.len() as u64) as usize;
            ends = vec![ends.swap_remove(one)];
        }
        ends
    }

    /// Opens what a crash left, and goes on with it.
    fn judge(
        self: &Arc<Self>,
        ledger: Ledger,
        copies: Copies,
        disk: &MemFs,
        depth: Depth,
    ) -> Result<(), String> {
        let nests = depth == Depth::Life && self.rng.lock().chance(1, self.care.nested_one_in);
        let mut run = Run::after_crash(self, ledger, disk, nests);
        run.open()?;
        copies.judge(self, disk)?;
        run.go_on()
    }
}
