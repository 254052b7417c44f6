//! Kills and power cuts before every change that a scrub and a heal make on the disk, and within it.
//!
//! One run serves all its crash points: before each change the disk is copied as a kill or a power cut would leave
//! it, and the copy is opened, read, scrubbed, healed and verified while the run stands still.

use std::{
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{Crash, MemFs, Piece, Rng};
use parking_lot::Mutex;
use resilver::{Db, HealMode};
use resilver_tests::{Change, Watch, Watchdog, WatchedFs, budget};

use super::patient::{
    STORE, files, fill, heal, is_clean, options, pages_of, reads_right, scrub, spoil, told,
};

const KEYS: u32 = 1200;

/// Decides which changes are crashed, and keeps the verdict.
struct Court {
    watchdog: Watchdog,
    mode: HealMode,
    one_in: u64,
    is_sitting: AtomicBool,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    points: u64,
    failure: Option<String>,
}

impl Court {
    fn new(mode: HealMode, one_in: u64, seed: u64) -> Arc<Self> {
        let state = State { rng: Rng::new(seed), points: 0, failure: None };
        Arc::new(Self {
            watchdog: Watchdog::over(format!("{mode:?} seed {seed}")),
            mode,
            one_in,
            is_sitting: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    fn watch(self: &Arc<Self>) -> Watch {
        let court = self.clone();
        Arc::new(move |change| {
            let mut state = court.state.lock();
            if !court.is_sitting.load(Ordering::Relaxed)
                || state.failure.is_some()
                || !state.rng.chance(1, court.one_in)
            {
                return;
            }
            for (what, disk) in ends(change, &mut state.rng) {
                court.watchdog.pat();
                state.points += 1;
                if let Err(wrong) = court.judge(&disk) {
                    let place = format!("{what} before `{} {}`", change.op, change.path.display());
                    state.failure = Some(format!("{place}: {wrong}"));
                    return;
                }
            }
        })
    }

    /// What a crash left reads right, and is put right as a whole.
    fn judge(&self, disk: &MemFs) -> Result<(), String> {
        let fs = || Arc::new(disk.clone());
        let open = || options(fs()).open(STORE).map_err(|error| format!("opening: {}", told(&error)));
        let db = open()?;
        reads_right(&db, KEYS)?;
        scrub(&db)?;
        heal(&db, self.mode)?;
        db.close().map_err(|error| format!("closing: {}", told(&error)))?;
        is_clean(fs())?;
        let cut = Arc::new(disk.crash(Crash::LoseUnsynced));
        is_clean(cut).map_err(|error| format!("with a power cut behind it: {error}"))?;
        reads_right(&open()?, KEYS)
    }
}

/// The ways in which a run may end before, or within, a change.
fn ends(change: &Change<'_>, rng: &mut Rng) -> Vec<(String, MemFs)> {
    let disk = change.disk.fork();
    let cut = |disk: &MemFs, crash| (format!("{crash:?}"), disk.crash(crash));
    let mut ends = vec![cut(&disk, Crash::LoseUnsynced)];
    for piece in [Piece::Page, Piece::Sector, Piece::Torn] {
        ends.push(cut(&disk, Crash::KeepSome { seed: rng.next_u64(), piece }));
    }
    if let Some(torn) = change.in_part(&disk, |len| rng.below(len as u64 + 1) as usize) {
        ends.push(cut(&torn, Crash::KeepSome { seed: rng.next_u64(), piece: Piece::Torn }));
        ends.push(("a kill within".into(), torn));
    }
    ends.push(("a kill".into(), disk));
    ends
}

/// Tables, a log with changes that are in no table, and a manifest; all durable.
fn settle(fs: &WatchedFs) -> Db {
    let db = options(Arc::new(fs.clone())).open(STORE).unwrap();
    fill(&db, 0..KEYS - 100);
    db.compact().unwrap();
    fill(&db, KEYS - 100..KEYS);
    db.sync().unwrap();
    db
}

/// Damage in two tables, in both extents of the log at different places, and in a copy of the manifest.
fn damage(disk: &MemFs) {
    let tables = files(disk, ".table");
    assert!(tables.len() > 2);
    spoil(disk, &tables[0], 2..3);
    let last = pages_of(disk, &tables[1]) - 1;
    spoil(disk, &tables[1], last..last + 1);
    let log: PathBuf = files(disk, ".wal").into_iter().next().unwrap();
    let extent = pages_of(disk, &log) / 2;
    spoil(disk, &log, 2..3);
    spoil(disk, &log, extent + 4..extent + 5);
    let copies = files(disk, "-a");
    spoil(disk, copies.last().unwrap(), 0..1);
}

/// Everything that was wrong is known and healed, with a crash at some of the steps.
#[track_caller]
fn check(mode: HealMode, one_in_by_day: u64, points_min: u64) {
    let seed = budget::seed();
    let one_in = if budget::is_night() { 1 } else { one_in_by_day };
    let court = Court::new(mode, one_in, seed);
    let disk = MemFs::new();
    let fs = WatchedFs::new(disk.clone(), court.watch());
    let db = settle(&fs);
    damage(&disk);
    court.is_sitting.store(true, Ordering::Relaxed);
    let report = scrub(&db).unwrap();
    assert!(report.is_complete() && report.evidence.lost == 0, "{report:?}");
    let healed = heal(&db, mode);
    court.is_sitting.store(false, Ordering::Relaxed);
    let state = court.state.lock();
    let _ = writeln!(std::io::stderr(), "{mode:?}: {} crash points", state.points);
    if let Some(failure) = &state.failure {
        panic!("{mode:?} seed {seed}: {failure}");
    }
    let healed = healed.unwrap();
    assert_eq!(healed.files.len(), 4, "two tables, the log and the manifest: {healed:?}");
    let points_min = if budget::is_night() { points_min } else { points_min / one_in_by_day / 2 };
    assert!(state.points >= points_min, "{} crash points are fewer than a run like this has", state.points);
    drop(state);
    reads_right(&db, KEYS).unwrap();
    db.close().unwrap();
    is_clean(Arc::new(disk)).unwrap();
}

#[test]
fn a_heal_in_place_that_is_crashed_anywhere_is_done_again() {
    check(HealMode::InPlace, 8, 300);
}

#[test]
fn a_heal_by_rewrite_that_is_crashed_anywhere_is_done_again() {
    check(HealMode::Rewrite, 8, 300);
}
