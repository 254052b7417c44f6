//! Kills and power cuts before every change that a compaction over a loss, and giving that loss up, make on the disk.

use std::{
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{Access, Crash, FileOffset, Fs, MemFs, Piece, Rng};
use parking_lot::Mutex;
use resilver::{Background, Db, EventKind, Options, PatrolOptions, Scheme, ScrubControl};
use resilver_tests::{Watch, Watchdog, WatchedFs, budget};

use super::truth::{Truth, give_up};

const STORE: &str = "/store";
const KEYS: u32 = 500;

fn options(fs: Arc<dyn Fs>) -> Options {
    let options = Options::new().fs(fs).background(Background::Inline).cache_bytes(0).block_bytes(1 << 10);
    options.protection(Scheme::ChecksumOnly).segment_bytes(256 << 10).level_base_bytes(64 << 20)
}

fn key(number: u32) -> Vec<u8> {
    format!("key/{number:05}").into_bytes()
}

/// What came of crashes so far.
#[derive(Default)]
struct State {
    rng: Option<Rng>,
    points: u64,
    failures: Vec<String>,
}

/// Old values below, newer ones and deletes above, of which a part is lost.
fn hurt_store(db: &Db, disk: &MemFs) -> Truth {
    let mut truth = Truth::new();
    for round in 0..3u8 {
        for number in 0..KEYS {
            match (number + u32::from(round)) % 5 {
                0 if round > 0 => {
                    db.delete(&key(number)).unwrap();
                    truth.insert(key(number), None);
                }
                1 if round > 1 => {}
                _ => {
                    db.put(&key(number), &[round; 50]).unwrap();
                    truth.insert(key(number), Some(vec![round; 50]));
                }
            }
        }
        match round {
            0 => db.compact().unwrap(),
            _ => db.flush().unwrap(),
        }
    }
    db.sync().unwrap();
    let mut tables: Vec<PathBuf> =
        disk.list(Path::new(STORE)).unwrap().into_iter().map(|entry| entry.name).collect();
    tables.retain(|name| name.extension().is_some_and(|end| end == "table"));
    tables.sort();
    for (table, page) in tables.iter().skip(1).zip([3, 5]) {
        let file = disk.open(&Path::new(STORE).join(table), Access::ReadWrite).unwrap();
        file.write_at(FileOffset::new(page * 4096), &[0; 4096]).unwrap();
        file.sync().unwrap();
    }
    truth
}

/// Opens what a crash left: nothing older is answered, and it can be made whole.
fn judge(disk: &MemFs, truth: &Truth, what: &str) {
    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
    let space = db.default_keyspace();
    for (key, value) in truth {
        match space.get(key) {
            // It may have been given up by then.
            Ok(None) => {}
            Ok(found) => {
                assert_eq!(found.map(|value| value.to_vec()), *value, "{what}: {}", key.escape_ascii());
            }
            Err(error) => assert!(error.is_loss(), "{what}: {error:?}"),
        }
    }
    db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
    let ledger = db.ledger().unwrap();
    assert!(ledger.damage.is_none(), "{what}: {ledger:?}");
    if db.losses().unwrap().is_empty() {
        // Nothing is given up before that is on record.
        let is_on_record = ledger.events.iter().any(|event| event.kind == EventKind::LossAccepted);
        assert!(is_on_record, "{what}: {ledger:?}");
    } else {
        give_up(&space, &mut truth.clone(), what);
    }
    assert_eq!(db.losses().unwrap(), [], "{what}");
    let answers = || -> Vec<_> { truth.keys().map(|key| space.get(key).unwrap()).collect() };
    let before = answers();
    let right =
        truth.values().zip(&before).filter(|(value, found)| value.as_deref() == found.as_deref()).count();
    assert!(right > truth.len() / 2, "{what}: only {right} are left");
    db.compact().unwrap();
    assert!(before == answers(), "{what}: a compaction changes nothing");
}

fn ends(disk: &MemFs, rng: &mut Rng) -> Vec<MemFs> {
    let some = Crash::KeepSome { seed: rng.next_u64(), piece: Piece::Page };
    vec![disk.fork(), disk.crash(Crash::LoseUnsynced), disk.crash(some)]
}

#[test]
fn a_crash_anywhere_brings_nothing_older_back_and_leaves_a_loss_that_can_be_given_up() {
    let one_in = if budget::is_night() { 1 } else { 2 };
    let watchdog = Arc::new(Watchdog::over("crashes over a loss".into()));
    let state = Arc::new(Mutex::new(State { rng: Some(Rng::new(budget::seed())), ..State::default() }));
    let (truth, is_on) = (Arc::new(Mutex::new(Truth::new())), Arc::new(AtomicBool::new(false)));
    let watch: Watch = {
        let (state, truth, is_on) = (state.clone(), truth.clone(), is_on.clone());
        Arc::new(move |change| {
            if !is_on.load(Ordering::Relaxed) {
                return;
            }
            let mut state = state.lock();
            let mut rng = state.rng.take().unwrap();
            if rng.chance(1, one_in) {
                for disk in ends(change.disk, &mut rng) {
                    watchdog.pat();
                    state.points += 1;
                    let what = format!("before `{} {}`", change.op, change.path.display());
                    let judged = catch_unwind(AssertUnwindSafe(|| judge(&disk, &truth.lock(), &what)));
                    if judged.is_err() {
                        state.failures.push(what);
                    }
                }
            }
            state.rng = Some(rng);
        })
    };
    let disk = MemFs::new();
    let db = options(Arc::new(WatchedFs::new(disk.clone(), watch))).open(STORE).unwrap();
    *truth.lock() = hurt_store(&db, &disk);
    is_on.store(true, Ordering::Relaxed);
    db.compact().unwrap();
    let accepted = db.default_keyspace().accept_loss(Bound::Unbounded, Bound::Unbounded).unwrap();
    is_on.store(false, Ordering::Relaxed);
    let state = state.lock();
    println!("{} crash points, {} losses given up", state.points, accepted.len());
    assert_eq!(state.failures, Vec::<String>::new());
    assert!(state.points >= if one_in == 1 { 40 } else { 12 }, "only {} crash points", state.points);
}

/// Opens what a crash left: the ledger can be read, and tells of so many passes at least.
fn judge_ledger(disk: &MemFs, passes: usize, what: &str) {
    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
    let ledger = db.ledger().unwrap();
    assert!(ledger.damage.is_none(), "{what}: {ledger:?}");
    let told = ledger.events.iter().filter(|event| event.kind == EventKind::Pass).count();
    assert!(told >= passes, "{what}: {told} of {passes} passes are on record");
    db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
    db.close().unwrap();
    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
    let again = db.ledger().unwrap().events.iter().filter(|event| event.kind == EventKind::Pass).count();
    assert_eq!(again, told + 1, "{what}: it goes on");
}

#[test]
fn a_crash_at_any_write_leaves_of_the_ledger_what_was_synced() {
    let one_in = if budget::is_night() { 1 } else { 3 };
    let watchdog = Arc::new(Watchdog::over("crashes over the ledger".into()));
    let rng = Arc::new(Mutex::new(Rng::new(budget::seed())));
    let (passes, points) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let watch: Watch = {
        let (passes, points, rng) = (passes.clone(), points.clone(), rng.clone());
        Arc::new(move |change| {
            let mut rng = rng.lock();
            if *passes.lock() == 0 || !rng.chance(1, one_in) {
                return;
            }
            for disk in ends(change.disk, &mut rng) {
                watchdog.pat();
                *points.lock() += 1;
                let what = format!("before `{} {}`", change.op, change.path.display());
                judge_ledger(&disk, *passes.lock(), &what);
            }
        })
    };
    let disk = MemFs::new();
    let db = options(Arc::new(WatchedFs::new(disk.clone(), watch))).open(STORE).unwrap();
    for round in 1..=4 {
        db.put(&key(round), b"value").unwrap();
        let report = db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        assert!(report.is_ok() && report.is_complete());
        match round {
            2 => db.flush().unwrap(),
            3 => db.compact().unwrap(),
            _ => db.sync().unwrap(),
        }
        *passes.lock() = round as usize;
    }
    db.close().unwrap();
    let points = *points.lock();
    println!("{points} crash points");
    assert!(points >= if one_in == 1 { 30 } else { 10 }, "only {points} crash points");
}
