//! Power cuts and ends of the process, before every change that a store makes on the disk and within it.
//!
//! One run serves all its crash points: before each change the disk is copied as a kill or a power cut would
//! leave it, and the copy is opened and judged while the run stands still. What the copy's own recovery changes
//! is crashed in turn. By night every change of the scripted lives is crashed, by day one in a few.

mod court;
mod run;
mod scripts;

use std::{io::Write as _, sync::Arc};

use lsm_io::{MemFs, Rng};
use parking_lot::Mutex;
use proptest::prelude::*;
use resilver::{Background, Creation};
use resilver_tests::{
    Action, History, Setup, Subject, Watch, Watchdog, WatchedFs,
    budget::{self, Budget},
    changes, setup,
};

use self::{
    court::{Care, Court},
    run::Run,
};

/// How many crash points it took.
#[track_caller]
fn check(setup: &Setup, history: &[Action], care: Care, seed: u64) -> u64 {
    let watchdog = Watchdog::over(format!("{setup:?} seed {seed} {history:?}"));
    let court = Arc::new(Court::new(setup.clone(), care, seed, watchdog));
    let mut run = Run::new(&court);
    let done = run.open().and_then(|()| history.iter().try_for_each(|action| run.act(action)));
    let done = done.and_then(|()| run.end());
    if let Some(failure) = court.failure() {
        panic!("seed {seed}: {failure}");
    }
    done.unwrap_or_else(|error| panic!("seed {seed}: without a crash: {error}"));
    court.points()
}

fn tell(what: &str, points: u64) {
    // Past the test harness, which keeps what passing tests say to itself.
    let _ = writeln!(std::io::stderr(), "{what}: {points} crash points");
}

/// Those that nothing about is random have by night 20 000 crash points together at the least.
fn check_script(name: &str, setup: &Setup, history: &History, points_min: u64) {
    let is_night = budget::is_night();
    let care = if is_night { Care::EVERYTHING } else { Care::GLANCE };
    let points_min = if is_night { points_min } else { points_min / 120 };
    let points = check(setup, history, care, budget::seed());
    tell(name, points);
    assert!(points >= points_min, "{points} crash points are fewer than a run like this has");
}

#[test]
fn a_store_comes_back_from_a_crash_at_any_moment_of_a_life_of_flushes() {
    check_script("flushes", &Setup::small(), &scripts::flushes(), 8000);
}

#[test]
fn a_store_comes_back_from_a_crash_at_any_moment_of_a_life_of_logs() {
    let setup = Setup { memtable_bytes: 1 << 20, ..Setup::small() };
    check_script("logs", &setup, &scripts::logs(), 8000);
}

#[test]
fn a_store_comes_back_from_a_crash_at_any_moment_of_keyspaces_that_come_and_go() {
    check_script("keyspaces", &Setup::small(), &scripts::keyspaces(), 4000);
}

#[test]
fn a_keyspace_is_replayed_whole_where_another_was_flushed_further() {
    let left = Arc::new(Mutex::new(Vec::new()));
    let seen = left.clone();
    let watch: Watch = Arc::new(move |change| seen.lock().push(change.disk.fork()));
    let fs = Arc::new(WatchedFs::new(MemFs::new(), watch));
    let roomy = Setup { memtable_bytes: 1 << 20, ..Setup::small() };
    let subject = Subject::open(fs, &roomy, "/store".as_ref(), Creation::Always).unwrap();
    let writes = [scripts::put(1, 1, 9000), scripts::put(1, 2, 10), scripts::put(0, 1, 10)];
    for write in writes {
        subject.keyspace(write.keyspace).unwrap();
        subject.write(&[write], false).unwrap();
    }
    let expected = subject.dump().unwrap();
    left.lock().clear();
    subject.db.flush().unwrap();
    let left = std::mem::take(&mut *left.lock());
    assert!(left.len() > 10, "a flush changes more than that");
    for disk in left {
        // So little memory that it is full, and flushed, in the middle of the log.
        let again = Subject::open(Arc::new(disk), &Setup::small(), "/store".as_ref(), Creation::Never);
        assert_eq!(again.unwrap().dump().unwrap(), expected);
    }
}

fn check_random(background: Background, by_day: u32) {
    let budget = Budget::of(80);
    let points = std::cell::Cell::new(0);
    let histories = (setup(background), changes(30), any::<u64>());
    let mut runner = proptest::test_runner::TestRunner::new(budget::cases(by_day));
    let outcome = runner.run(&histories, |(setup, history, seed)| {
        if budget.lasts() {
            let care = match Rng::new(seed).below(2) {
                _ if !budget::is_night() => Care::GLANCE,
                0 => Care::SAMPLES,
                _ => Care::FEW,
            };
            points.set(points.get() + check(&setup, &history, care, seed));
        }
        Ok(())
    });
    tell(&format!("random lives, {background:?}"), points.get());
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_store_comes_back_from_crashes_in_random_lives() {
    check_random(Background::Inline, 6);
}

#[test]
fn a_store_that_works_in_the_background_comes_back_from_crashes() {
    check_random(Background::Threads, 3);
}
