//! Many threads on one store: writers, readers of every kind, snapshots, checkpoints, flushes, compactions, scrubs,
//! heals, keyspaces that come and go, all at once, each answer judged by what was written.
//!
//! A round opens the store, lets the threads loose, compares everything once they have ended, and closes it. By
//! night there is one round after the other on the same store, so each opens what the last one left.

mod load;
mod passing;
mod truth;

use std::{
    io::Write as _,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use lsm_io::{FaultFs, FaultPlan, MemFs, StdFs};
use resilver::{HealMode, PatrolOptions, ScrubControl, verify};
use resilver_tests::{
    Watchdog,
    budget::{self, Budget},
};

use self::{
    load::{Counts, Ground, Load},
    truth::{Truth, told},
};

const BY_DAY: Duration = Duration::from_secs(2);
const BY_NIGHT: Duration = Duration::from_secs(20);

/// Rounds on one store, as many as fit; at least two.
fn check(what: &str, ground: &Ground) {
    let (truth, counts, budget) = (Truth::new(), Counts::default(), Budget::of(30));
    let watchdog = Watchdog::over(format!("{what}, seed {}", budget::seed()));
    let lasts = if budget::is_night() { BY_NIGHT } else { BY_DAY / 2 };
    let mut rounds = 0;
    while rounds < 2 || (budget::is_night() && budget.lasts()) {
        let judged = round(ground, &truth, &counts, &watchdog, (lasts, load::seed_of(rounds)));
        if let Err(wrong) = judged {
            panic!("{what}, seed {}, round {rounds}: {wrong}; {counts:?}", budget::seed());
        }
        rounds += 1;
    }
    let load = Load::open(ground, &truth, &counts, &watchdog).unwrap();
    load.judge_end().unwrap();
    let _ = writeln!(std::io::stderr(), "{what}, {rounds} rounds: {counts:?}");
    let Counts {
        writes,
        gets,
        scans,
        snapshots,
        repeats,
        copies,
        flushes,
        compactions,
        scrubs,
        passings,
        damages,
    } = &counts;
    let done = [writes, gets, scans, snapshots, repeats, copies, flushes, compactions, scrubs, passings];
    assert!(done.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{counts:?}");
    assert_eq!(damages.load(Ordering::Relaxed) > 0, ground.rot.is_some());
}

fn round(
    ground: &Ground,
    truth: &Truth,
    counts: &Counts,
    watchdog: &Watchdog,
    (lasts, seed): (Duration, u64),
) -> Result<(), String> {
    let load = Load::open(ground, truth, counts, watchdog)?;
    load.judge_end().map_err(|wrong| format!("opened: {wrong}"))?;
    load.run(lasts, seed)?;
    load.judge_end().map_err(|wrong| format!("at the end: {wrong}"))?;
    load.compact()?;
    load.judge_end().map_err(|wrong| format!("compacted: {wrong}"))?;
    if ground.rot.is_some() {
        let all = PatrolOptions::new().bytes_per_sec(0);
        load.db.scrub(&all, &ScrubControl::new()).map_err(|error| told(&error))?;
        load.db.heal(HealMode::InPlace).map_err(|error| told(&error))?;
    }
    load.db.close().map_err(|error| format!("closing: {}", told(&error)))?;
    let verified = verify(ground.store(), &ground.options(), |_| {}).map_err(|error| told(&error))?;
    if verified.bad.is_empty() && verified.log_losses.is_empty() {
        return Ok(());
    }
    let bad: Vec<_> = verified.bad.iter().map(|bad| (&bad.file, bad.page, bad.state)).collect();
    Err(format!("not clean: {bad:?}, log {:?}", verified.log_losses))
}

#[test]
fn threads_on_a_store_in_memory_see_and_leave_what_was_written() {
    check("in memory", &Ground { fs: Arc::new(MemFs::new()), dir: PathBuf::from("/"), rot: None });
}

#[test]
fn threads_on_a_store_that_rots_see_and_leave_what_was_written() {
    let disk = MemFs::new();
    let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(budget::seed()));
    let fs = Arc::new(faults.clone());
    check("rotting", &Ground { fs, dir: PathBuf::from("/"), rot: Some((faults, disk)) });
}

#[test]
fn threads_on_a_store_on_the_disk_see_and_leave_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    check("on the disk", &Ground { fs: Arc::new(StdFs::new()), dir: dir.path().to_owned(), rot: None });
}
