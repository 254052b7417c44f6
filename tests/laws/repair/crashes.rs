//! Kills, power cuts and full disks anywhere within a repair: it can always be run again, and loses nothing by it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{Access, ByteLen, Crash, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Piece, Rng};
use parking_lot::Mutex;
use resilver::Repair;
use resilver_tests::{Watch, Watchdog, WatchedFs, budget};

use super::world::{Life, Moment, STORE, bytes_of, files, judge, lose_manifest, options, repaired};

/// A store with stale and foreign files beside its own, without a manifest, and with wrong pages.
fn victim(seed: u64) -> Moment {
    let mut rng = Rng::new(seed);
    let mut life = Life::new(rng.next_u64(), 40);
    life.live(500);
    let mut moments = life.end();
    // One with as many files as any, as a compaction leaves them before its inputs go.
    moments.sort_by_key(|moment| files(&moment.disk, &[".table"]).len());
    let moment = moments.pop().unwrap();
    // What was not synced is gone with the power, but not with the process: a kill is what left this.
    sync_all(&moment.disk);
    let junk = moment.disk.create(&Path::new(STORE).join("007000.table")).unwrap();
    junk.append(&[1; 5000]).unwrap();
    junk.sync().unwrap();
    let table = &files(&moment.disk, &[".table"])[0];
    let file = moment.disk.open(table, Access::ReadWrite).unwrap();
    file.write_at(FileOffset::new(4096), &[0; 4096]).unwrap();
    file.sync().unwrap();
    lose_manifest(&moment.disk);
    moment.disk.sync_dir(Path::new(STORE)).unwrap();
    moment
}

fn sync_all(disk: &MemFs) {
    for path in bytes_of(disk).keys() {
        disk.open(path, Access::ReadWrite).unwrap().sync().unwrap();
    }
    disk.sync_dir(Path::new(STORE)).unwrap();
}

fn ends(disk: &MemFs, rng: &mut Rng) -> Vec<MemFs> {
    let some = Crash::KeepSome { seed: rng.next_u64(), piece: Piece::Page };
    vec![disk.fork(), disk.crash(Crash::LoseUnsynced), disk.crash(some)]
}

#[test]
fn a_repair_cut_short_anywhere_can_be_run_again() {
    let (seed, is_night) = (budget::seed(), budget::is_night());
    let watchdog = Arc::new(Watchdog::over("crashes of a repair".into()));
    let mut points = 0;
    for round in 0..if is_night { 20 } else { 1 } {
        let moment = victim(seed.wrapping_add(round));
        let (kept, is_on) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(true)));
        let watch: Watch = {
            let (kept, is_on) = (kept.clone(), is_on.clone());
            Arc::new(move |change| {
                if is_on.load(Ordering::Relaxed) {
                    let what = format!("before `{} {}`", change.op, change.path.display());
                    kept.lock().push((what, change.disk.fork()));
                }
            })
        };
        let disk = moment.disk.fork();
        let watched: Arc<dyn Fs> = Arc::new(WatchedFs::new(disk.clone(), watch));
        Repair::new(STORE, options(watched)).run().unwrap();
        is_on.store(false, Ordering::Relaxed);
        let mut rng = Rng::new(seed);
        let mut failures = Vec::new();
        for (what, disk) in std::mem::take(&mut *kept.lock()) {
            for disk in ends(&disk, &mut rng) {
                watchdog.pat();
                points += 1;
                let judged = catch_unwind(AssertUnwindSafe(|| {
                    repaired(&disk, &what);
                    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
                    judge(&db, &moment.truths, &what);
                }));
                if judged.is_err() {
                    failures.push(what.clone());
                }
            }
        }
        assert_eq!(failures, Vec::<String>::new());
    }
    println!("{points} crash points");
    assert!(points > 60, "only {points}");
}

#[test]
fn a_full_disk_stops_a_repair_and_makes_nothing_worse() {
    let moment = victim(budget::seed());
    let mut refused = 0;
    for room in (0..40).map(|step| step * (100 << 10)) {
        let disk = moment.disk.fork();
        let fs = Arc::new(FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(1)));
        fs.limit(ByteLen::new(room));
        let done = Repair::new(STORE, options(fs)).run();
        refused += u64::from(done.is_err());
        let what = format!("with room for {room} bytes");
        repair_again(&disk, &moment, &what);
    }
    println!("{refused} refused for want of room");
    assert!(refused > 3);
}

fn repair_again(disk: &MemFs, moment: &Moment, what: &str) {
    repaired(disk, what);
    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
    judge(&db, &moment.truths, what);
}
