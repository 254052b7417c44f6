//! The worker as its users see it: under faults, under power cuts, beside a large table, at the end.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::{
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lsm_io::{
    Access, Backlog, Cause, CountingFs, Crash, Durability, Epoch, EpochWorker, FaultFs, FaultPlan,
    FileOffset, Fs, Lane, Limits, MemFs, Mishap, Op, Ops, Piece, Refused, Rng, Standing, Target, Trigger,
};

const PAGE: usize = 4096;

fn worker() -> EpochWorker {
    EpochWorker::start(Limits::default()).unwrap()
}

/// A page that says who wrote it.
fn page(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(PAGE / 8)
}

fn place(at: u64) -> FileOffset {
    FileOffset::new(at * PAGE as u64)
}

/// The files every test needs, durable, on a disk that then goes wrong by plan.
fn disk(names: &[&str], plan: FaultPlan) -> (MemFs, FaultFs) {
    let mem = MemFs::new();
    for name in names {
        mem.create(name.as_ref()).unwrap();
    }
    mem.sync_dir("/".as_ref()).unwrap();
    (mem.clone(), FaultFs::new(Arc::new(mem), plan))
}

/// Writers each write their own pages of one log until something fails; whatever was acknowledged must be
/// found after a power cut, and without a resume no acknowledged page may follow a hole.
#[track_caller]
fn check_writers(seed: u64, mishap: Mishap) {
    const WRITERS: u64 = 4;
    let mut rng = Rng::new(seed);
    let trigger = Trigger::nth(Ops::Changing, 1 + rng.below(60));
    let trigger = if rng.chance(1, 2) { trigger.and_later() } else { trigger };
    let (mem, faults) = disk(&["/log"], FaultPlan::new(seed).mishap(trigger, mishap));
    let log = Target::open(Arc::new(faults), "/log".as_ref()).unwrap();
    let worker = worker();
    let acknowledged: Vec<Vec<u64>> = thread::scope(|scope| {
        let write = |writer: u64| {
            let (worker, log) = (&worker, &log);
            move || {
                let mut acknowledged = Vec::new();
                for round in 0..20 {
                    let at = round * WRITERS + writer;
                    match worker.commit(Lane::Log, Epoch::new().write(log, place(at), page(at + 1))) {
                        Ok(_) => acknowledged.push(at),
                        Err(_) => break,
                    }
                }
                acknowledged
            }
        };
        let threads: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(write(writer))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for how in [Crash::LoseUnsynced, Crash::KeepSome { seed, piece: Piece::Torn }] {
        let left = mem.crash(how).open("/log".as_ref(), Access::ReadOnly).unwrap();
        for at in acknowledged.iter().flatten() {
            let found = left.read_to_vec(place(*at), PAGE);
            assert!(
                found.is_ok_and(|found| found == page(at + 1)),
                "page {at} is lost, seed {seed}, {how:?}"
            );
        }
    }
    // Stopping never hangs, whatever failed.
    let _ = worker.stop();
}

#[test]
fn no_acknowledged_page_of_any_writer_is_lost_whatever_fails() {
    let other = ErrorKind::Other;
    for seed in 0..60 {
        check_writers(seed, Mishap::Fail(other));
        check_writers(seed, Mishap::FailAndForget(other));
        check_writers(seed, Mishap::FailDone(other));
        check_writers(seed, Mishap::PartWrite(ErrorKind::StorageFull));
    }
}

#[test]
fn stopping_syncs_what_was_only_buffered() {
    let (mem, faults) = disk(&["/log"], FaultPlan::new(0));
    let log = Target::open(Arc::new(faults), "/log".as_ref()).unwrap();
    let worker = worker();
    let epoch = Epoch::new().write(&log, FileOffset::ZERO, page(7)).durability(Durability::Buffered);
    worker.commit(Lane::Log, epoch).unwrap();
    let len =
        || mem.crash(Crash::LoseUnsynced).open("/log".as_ref(), Access::ReadOnly).unwrap().len().unwrap();
    assert_eq!(len().get(), 0);
    worker.stop().unwrap();
    assert_eq!(len().get(), PAGE as u64);
}

#[test]
fn dropping_the_worker_runs_what_waits_and_syncs_what_was_buffered() {
    let (mem, faults) = disk(&["/log", "/table"], FaultPlan::new(0));
    let fs: Arc<dyn Fs> = Arc::new(faults);
    let [log, table] = ["/log", "/table"].map(|name| Target::open(fs.clone(), name.as_ref()).unwrap());
    let worker = worker();
    let buffered = Epoch::new().write(&log, FileOffset::ZERO, page(1)).durability(Durability::Buffered);
    worker.commit(Lane::Log, buffered).unwrap();
    for at in 0..200 {
        drop(worker.submit(Lane::Bulk, Epoch::new().write(&table, place(at), page(at))).unwrap());
    }
    drop(worker);
    let left = mem.crash(Crash::LoseUnsynced);
    let len = |name: &str| left.open(name.as_ref(), Access::ReadOnly).unwrap().len().unwrap().get();
    assert_eq!((len("/log"), len("/table")), (PAGE as u64, 200 * PAGE as u64));
}

#[test]
fn a_final_round_that_fails_says_so() {
    let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Sync, 1), Mishap::Fail(ErrorKind::Other));
    let (_, faults) = disk(&["/log"], plan);
    let log = Target::open(Arc::new(faults), "/log".as_ref()).unwrap();
    let worker = worker();
    let epoch = Epoch::new().write(&log, FileOffset::ZERO, page(7)).durability(Durability::Buffered);
    worker.commit(Lane::Log, epoch).unwrap();
    assert!(matches!(worker.stop(), Err(Cause::Io(error)) if error.op() == Op::Sync));
    // Asked again, it does not believe a sync that would now succeed.
    assert!(matches!(worker.stop(), Err(Cause::Distrusted { standing: Standing::Poisoned, .. })));
    log.retire();
    assert!(worker.stop().is_ok());
}

#[test]
fn a_commit_is_not_held_up_by_a_large_table() {
    let slow = Mishap::Delay(Duration::from_millis(100));
    let plan = FaultPlan::new(0).mishap(Trigger::nth(Ops::Any, 1).of("table").and_later(), slow);
    let (_, faults) = disk(&["/log"], plan);
    let fs: Arc<dyn Fs> = Arc::new(faults);
    let log = Target::open(fs.clone(), "/log".as_ref()).unwrap();
    let table = Target::create(fs, "/table".as_ref()).unwrap();
    let worker = worker();
    let bulk =
        worker.submit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, vec![1; 8 << 20])).unwrap();
    let begun = Instant::now();
    for at in 0..20 {
        worker.commit(Lane::Log, Epoch::new().write(&log, place(at), page(at))).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_millis(400), "commits waited for the table");
    assert_eq!(bulk.wait().unwrap().writes.done, 1);
}

#[test]
fn a_large_table_is_synced_piece_by_piece_and_a_small_one_once() {
    for (len, syncs) in [(1 << 20, 1), (4 << 20, 1), ((4 << 20) + 1, 2), (13 << 20, 4)] {
        let count = CountingFs::new(Arc::new(MemFs::new()));
        let table = Target::create(Arc::new(count.clone()), "/table".as_ref()).unwrap();
        worker().commit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, vec![1; len])).unwrap();
        assert_eq!(count.tally("table", Op::Sync).calls, syncs, "{len} bytes");
    }
}

#[test]
fn a_large_table_whose_first_piece_fails_to_sync_is_written_no_further() {
    let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Sync, 1), Mishap::FailAndForget(ErrorKind::Other));
    let (mem, faults) = disk(&["/table"], plan);
    let table = Target::open(Arc::new(faults), "/table".as_ref()).unwrap();
    let failed = worker()
        .commit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, vec![1; 12 << 20]))
        .unwrap_err();
    assert!(matches!(failed.cause, Cause::Io(error) if error.op() == Op::Sync));
    assert_eq!((failed.writes.attempted, failed.writes.done), (1, 0));
    assert_eq!(table.standing(), Standing::Poisoned);
    assert_eq!(mem.open("/table".as_ref(), Access::ReadOnly).unwrap().len().unwrap().get(), 4 << 20);
}

#[test]
fn an_epoch_whose_dependency_failed_writes_nothing() {
    let plan = FaultPlan::new(0)
        .mishap(Trigger::nth(Op::Write, 1).of("table"), Mishap::Fail(ErrorKind::StorageFull));
    let (mem, faults) = disk(&["/manifest"], plan);
    let fs: Arc<dyn Fs> = Arc::new(faults);
    let table = Target::create(fs.clone(), "/table".as_ref()).unwrap();
    let manifest = Target::open(fs, "/manifest".as_ref()).unwrap();
    let worker = worker();
    let first = worker.submit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, page(1))).unwrap();
    let edit = Epoch::new().write(&manifest, FileOffset::ZERO, page(2)).after(&first);
    let on = first.seq();
    let edit = worker.submit(Lane::Bulk, edit).unwrap();
    assert!(
        matches!(first.wait().unwrap_err().cause, Cause::Io(error) if error.kind() == ErrorKind::StorageFull)
    );
    let failed = edit.wait().unwrap_err();
    assert!(matches!(failed.cause, Cause::Dependency { on: named } if named == on), "{failed}");
    assert_eq!(mem.open("/manifest".as_ref(), Access::ReadOnly).unwrap().len().unwrap().get(), 0);
}

#[test]
fn a_dependency_on_the_other_lane_is_refused() {
    let worker = worker();
    let ticket = worker.submit(Lane::Bulk, Epoch::new()).unwrap();
    let epoch = Epoch::new().after(&ticket);
    assert!(matches!(worker.submit(Lane::Log, epoch), Err(Refused::ForeignDependency(_))));
}

#[test]
fn what_a_full_disk_gave_back_is_done_once_there_is_room() {
    let (mem, faults) = disk(&["/table"], FaultPlan::new(0).room(lsm_io::ByteLen::new(PAGE as u64)));
    let fs: Arc<dyn Fs> = Arc::new(faults.clone());
    let table = Target::open(fs, "/table".as_ref()).unwrap();
    let (worker, mut backlog) = (worker(), Backlog::default());
    for at in 0..3 {
        if let Err(failed) = worker.commit(Lane::Bulk, Epoch::new().write(&table, place(at), page(at + 1))) {
            backlog.give_back(*failed);
        }
    }
    faults.calm();
    assert_eq!(table.resume(), Standing::Trusted);
    assert_eq!(worker.commit(Lane::Bulk, backlog.take()).unwrap().writes.done, 2);
    let left = mem.crash(Crash::LoseUnsynced).open("/table".as_ref(), Access::ReadOnly).unwrap();
    for at in 0..3 {
        assert_eq!(left.read_to_vec(place(at), PAGE).unwrap(), page(at + 1));
    }
}

#[test]
fn a_newer_state_wins_over_what_an_older_epoch_gave_back() {
    let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Write, 1), Mishap::Fail(ErrorKind::Other));
    let (mem, faults) = disk(&["/page"], plan);
    let target = Target::open(Arc::new(faults), "/page".as_ref()).unwrap();
    let (worker, mut backlog) = (worker(), Backlog::default());
    let old = worker.commit(Lane::Bulk, Epoch::new().write(&target, FileOffset::ZERO, page(1))).unwrap_err();
    target.resume();
    let new = worker.commit(Lane::Bulk, Epoch::new().write(&target, FileOffset::ZERO, page(2))).unwrap();
    backlog.durable(&target, FileOffset::ZERO, new.seq);
    backlog.give_back(*old);
    assert!(backlog.take().is_empty());
    let file = mem.open("/page".as_ref(), Access::ReadOnly).unwrap();
    assert_eq!(file.read_to_vec(FileOffset::ZERO, PAGE).unwrap(), page(2));
}

#[test]
fn eight_writers_share_syncs() {
    let (mem, faults) = disk(
        &["/log"],
        FaultPlan::new(0)
            .mishap(Trigger::nth(Op::Sync, 1).and_later(), Mishap::Delay(Duration::from_micros(500))),
    );
    let count = CountingFs::new(Arc::new(faults));
    let log = Target::open(Arc::new(count.clone()), "/log".as_ref()).unwrap();
    let (worker, next) = (worker(), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    worker.commit(Lane::Log, Epoch::new().write(&log, place(at), page(at))).unwrap();
                }
            });
        }
    });
    let (writes, syncs) = (count.tally("log", Op::Write).calls, count.tally("log", Op::Sync).calls);
    assert_eq!(writes, 400);
    assert!(syncs <= 200, "400 commits of 8 writers cost {syncs} syncs");
    let left = mem.crash(Crash::LoseUnsynced).open("/log".as_ref(), Access::ReadOnly).unwrap();
    assert!((0..400).all(|at| left.read_to_vec(place(at), PAGE).unwrap() == page(at)));
}

#[test]
fn stopping_in_the_middle_of_everything_hangs_nobody_and_loses_nothing_acknowledged() {
    for seed in 0..40 {
        let (mem, faults) = disk(&["/log", "/table"], FaultPlan::new(seed));
        let fs: Arc<dyn Fs> = Arc::new(faults);
        let [log, table] = ["/log", "/table"].map(|name| Target::open(fs.clone(), name.as_ref()).unwrap());
        let worker = EpochWorker::start(Limits::default().queue_epochs_max(3)).unwrap();
        let acknowledged = thread::scope(|scope| {
            let write = |writer: u64| {
                let (worker, log, table) = (&worker, &log, &table);
                move || {
                    let (mut acknowledged, mut rng) = (Vec::new(), Rng::new(seed * 100 + writer));
                    for round in 0.. {
                        let at = round * 6 + writer;
                        let (lane, target) = if writer < 4 { (Lane::Log, log) } else { (Lane::Bulk, table) };
                        let buffered =
                            if rng.chance(1, 3) { Durability::Buffered } else { Durability::Synced };
                        let epoch = Epoch::new().write(target, place(at), page(at)).durability(buffered);
                        match worker.commit(lane, epoch) {
                            Ok(_) => acknowledged.push((target.path().to_path_buf(), at)),
                            Err(failed) => {
                                assert!(matches!(failed.cause, Cause::Closed), "{failed:?}");
                                break;
                            }
                        }
                    }
                    acknowledged
                }
            };
            let threads: Vec<_> = (0..6).map(|writer| scope.spawn(write(writer))).collect();
            thread::sleep(Duration::from_micros(Rng::new(seed).below(2000)));
            worker.stop().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        // After an orderly stop even what was buffered is durable.
        let left = mem.crash(Crash::LoseUnsynced);
        for (path, at) in acknowledged {
            let file = left.open(Path::new(&path), Access::ReadOnly).unwrap();
            assert_eq!(
                file.read_to_vec(place(at), PAGE).unwrap(),
                page(at),
                "{path:?} page {at} seed {seed}"
            );
        }
    }
}
