//! Scrubs of many tables that are paused, cancelled or killed: they go on where they were, and find the same.

use std::{collections::BTreeSet, sync::Arc};

use lsm_io::{MemFs, Rng};
use parking_lot::Mutex;
use resilver::{Db, PatrolOptions, ScrubControl, ScrubReport, Trouble};
use resilver_tests::{Watch, Watchdog, WatchedFs, budget};

use super::patient::{STORE, files, fill, options, pages_of, spoil, told};

/// The longest that a file is: what is read again after a kill.
const FILE_BYTES_MAX: u64 = 600 << 10;

/// How a piece of a scrub ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    Nothing,
    Pause,
    Cancel,
    Kill,
}

/// File and pages, as text.
type Findings = BTreeSet<String>;

/// What an interrupted pass came to.
#[derive(Debug, Default)]
struct Pass {
    pieces: u64,
    found: Findings,
    hinted: Findings,
    bytes: u64,
    bytes_total: u64,
}

/// Many small tables, one in ten of them hurt.
fn many(tables_min: usize) -> MemFs {
    let disk = MemFs::new();
    let db = small(Arc::new(disk.clone()));
    fill(&db, 0..tables_min as u32 * 68);
    db.compact().unwrap();
    db.close().unwrap();
    let tables = files(&disk, ".table");
    assert!(tables.len() >= tables_min, "{} tables", tables.len());
    let mut rng = Rng::new(budget::seed());
    for table in tables.iter().step_by(10) {
        let page = rng.below(pages_of(&disk, table));
        spoil(&disk, table, page..page + 1);
    }
    disk
}

fn small(fs: Arc<dyn lsm_io::Fs>) -> Db {
    options(fs).table_bytes(16 << 10).open(STORE).unwrap()
}

/// Interrupts at the n-th write to the log, and keeps the disk of that moment.
#[derive(Default)]
struct Sword {
    writes_left: u64,
    left: Option<MemFs>,
    bytes: u64,
}

/// One piece; the disk to go on with, unless the pass is through.
fn piece(disk: &MemFs, how: Interruption, after: u64, workers: usize, pass: &mut Pass) -> Option<MemFs> {
    let control = ScrubControl::new();
    let sword = Arc::new(Mutex::new(Sword::default()));
    let watch: Watch = {
        let (control, sword) = (control.clone(), sword.clone());
        Arc::new(move |change| {
            let mut sword = sword.lock();
            if sword.writes_left == 0 || !change.path.to_string_lossy().ends_with(".wal") {
                return;
            }
            sword.writes_left -= 1;
            if sword.writes_left > 0 {
                return;
            }
            match how {
                Interruption::Nothing => {}
                Interruption::Pause => {
                    control.pause();
                    sword.writes_left = after;
                }
                Interruption::Cancel => control.cancel(),
                Interruption::Kill => {
                    let progress = control.progress();
                    (sword.left, sword.bytes) =
                        (Some(change.disk.fork()), progress.bytes_done - progress.bytes_before);
                    control.cancel();
                }
            }
        })
    };
    let db = small(Arc::new(WatchedFs::new(disk.clone(), watch)));
    sword.lock().writes_left = after;
    let report = steered(&db, &control, workers, &mut pass.pieces);
    let mut sword = sword.lock();
    sword.writes_left = 0;
    if let Some(left) = sword.left.take() {
        pass.bytes += sword.bytes;
        return Some(left);
    }
    pass.bytes += report.bytes;
    pass.bytes_total = control.progress().bytes_total;
    for found in &report.found {
        if let Trouble::Pages { pages, .. } = &found.finding.trouble {
            pass.found.insert(format!("{:?} {pages:?}", found.finding.file));
        }
    }
    pass.hinted = db.hints().iter().map(|hint| format!("{} {:?}", hint.file, hint.pages)).collect();
    drop(sword);
    db.close().unwrap();
    (!report.is_complete()).then(|| disk.clone())
}

/// Scrubs, and resumes whenever it is paused.
fn steered(db: &Db, control: &ScrubControl, workers: usize, pauses: &mut u64) -> ScrubReport {
    let options = PatrolOptions::new().bytes_per_sec(0).parallelism(workers);
    std::thread::scope(|scope| {
        let scrub = scope.spawn(|| db.scrub(&options, control).map_err(|error| told(&error)).unwrap());
        while !scrub.is_finished() {
            if control.is_paused() {
                *pauses += 1;
                control.resume();
            }
            std::thread::yield_now();
        }
        scrub.join().unwrap()
    })
}

fn run(disk: &MemFs, how: Interruption, workers: usize) -> Pass {
    let watchdog = Watchdog::over(format!("{how:?} with {workers} workers"));
    let mut rng = Rng::new(budget::seed());
    let (mut pass, mut disk) = (Pass::default(), disk.fork());
    loop {
        watchdog.pat();
        pass.pieces += 1;
        assert!(pass.pieces < 500, "it starts over and over");
        match piece(&disk, how, 5 + rng.below(40), workers, &mut pass) {
            Some(left) => disk = left,
            None => return pass,
        }
    }
}

#[track_caller]
fn check(how: Interruption) {
    let disk = many(if budget::is_night() { 1000 } else { 200 });
    let whole = run(&disk, Interruption::Nothing, 1);
    assert!(whole.pieces == 1 && whole.found.len() >= 20, "{} findings", whole.found.len());
    for workers in [1, 3] {
        let pass = run(&disk, how, workers);
        assert!(pass.pieces > 4, "{how:?}: {} pieces", pass.pieces);
        assert_eq!(pass.hinted, whole.hinted, "{how:?}, {workers} workers");
        if how != Interruption::Kill {
            assert_eq!(pass.found, whole.found, "{how:?}, {workers} workers");
        }
        let again = pass.pieces * workers as u64 * FILE_BYTES_MAX;
        assert!(pass.bytes <= whole.bytes + again, "{how:?}: {} bytes of {}", pass.bytes, whole.bytes);
    }
}

#[test]
fn a_scrub_that_is_paused_goes_on() {
    check(Interruption::Pause);
}

#[test]
fn a_scrub_that_is_cancelled_goes_on_where_it_was() {
    check(Interruption::Cancel);
}

#[test]
fn a_scrub_that_is_killed_goes_on_where_it_was() {
    check(Interruption::Kill);
}
