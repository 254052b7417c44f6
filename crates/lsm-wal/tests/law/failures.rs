//! Any operation fails, once or for ever: the right caller hears of it, nothing acknowledged is lost, and nothing
//! that failed comes back after its caller went on.

use std::{io::ErrorKind, sync::Arc};

use crate::bench::{Bench, Manifest};
use crate::history::{Act, Fate, Run, random_acts, scripted_acts};
use lsm_io::{ByteLen, Crash, FaultFs, FaultPlan, MemFs, Mishap, Op, Ops, Trigger};
use lsm_wal::{Durability, Fault, LogError, LogOptions, SeqNo};

/// Plays `acts` with a mishap, then looks at what a killed process and what a power cut leaves. Says whether
/// anything befell it.
fn befall(acts: &[Act], trigger: Trigger, what: Mishap) -> bool {
    let mem = MemFs::new();
    let faults = FaultFs::new(Arc::new(mem.clone()), FaultPlan::new(1).mishap(trigger.clone(), what));
    let mut run = Run::new(&faults);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.play(acts)));
    assert!(outcome.is_ok(), "{trigger:?} {what:?}");
    let (bench, model) = run.kill();
    let trace = faults.trace();
    faults.calm();
    let cut = Arc::new(mem.crash(Crash::LoseUnsynced));
    for (least, fs) in [(Fate::Buffered, bench.fs.clone()), (Fate::Synced, cut)] {
        let left = bench.moved_to(fs);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            model.check(&left.scan(), least);
            std::mem::forget(left.open());
            model.check(&left.scan(), least);
        }));
        assert!(outcome.is_ok(), "{trigger:?} {what:?}, {least:?} groups");
    }
    trace.iter().any(|traced| traced.fate != lsm_io::Fate::Passed)
}

fn befall_each(acts: &[Act], ops: impl Into<Ops>, what: Mishap) -> u64 {
    let ops = ops.into();
    let mut nth = 1;
    while befall(acts, Trigger::nth(ops, nth), what) {
        nth += 1;
    }
    nth - 1
}

#[test]
fn each_operation_that_fails_once_is_told_and_costs_nothing_acknowledged() {
    let acts = scripted_acts();
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        assert!(befall_each(&acts, Ops::Changing, Mishap::Fail(kind)) > 80);
    }
    assert!(befall_each(&acts, Ops::Changing, Mishap::FailDone(ErrorKind::Other)) > 80);
    assert!(befall_each(&acts, Op::Write, Mishap::PartWrite(ErrorKind::StorageFull)) > 10);
}

#[test]
fn a_failed_sync_is_never_believed_again() {
    for acts in [scripted_acts(), random_acts(11, 40), random_acts(12, 40)] {
        assert!(befall_each(&acts, Op::Sync, Mishap::FailAndForget(ErrorKind::Other)) > 10);
    }
}

#[test]
fn each_operation_that_fails_for_ever_is_told_and_costs_nothing_acknowledged() {
    let acts = scripted_acts();
    for nth in (1..).step_by(3) {
        let trigger = Trigger::nth(Ops::Changing, nth).and_later();
        if !befall(&acts, trigger, Mishap::Fail(ErrorKind::StorageFull)) {
            break;
        }
    }
}

#[test]
fn operations_failing_here_and_there_cost_nothing_acknowledged() {
    for seed in 20..30 {
        println!("seed {seed}");
        let acts = random_acts(seed, 60);
        for nth in (1 + seed % 7..200).step_by(23) {
            befall(&acts, Trigger::nth(Ops::Changing, nth), Mishap::Fail(ErrorKind::Other));
        }
    }
}

#[test]
fn a_failed_group_is_told_its_numbers_and_the_next_goes_into_a_new_segment() {
    let faults = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    let bench = Bench::on(Arc::new(faults.clone()), Manifest::default());
    let log = bench.open();
    log.append(&b"kept"[..], 1, Durability::Buffered).unwrap();
    faults.arm(Trigger::nth(Op::Sync, 1), Mishap::FailAndForget(ErrorKind::Other));
    let error = log.append(&b"failed"[..], 2, Durability::Synced).unwrap_err();
    assert!(
        matches!(&error, LogError::NotAppended { seqs, fault } if seqs.first == SeqNo::new(2) && matches!(**fault, Fault::Sync(_))),
        "{error}"
    );
    let before = log.segments().len();
    let seqs = log.append(&b"failed"[..], 2, Durability::Buffered).unwrap();
    assert_eq!((seqs.first, log.segments().len()), (SeqNo::new(4), before + 1));
    log.close().unwrap();
    let payloads: Vec<_> = bench.replay().into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads, [b"kept".to_vec(), b"failed".to_vec()]);
}

#[test]
fn a_sync_that_failed_succeeds_when_asked_again_and_then_everything_is_durable() {
    let mem = MemFs::new();
    let faults = FaultFs::new(Arc::new(mem.clone()), FaultPlan::new(0));
    let bench = Bench::on(Arc::new(faults.clone()), Manifest::default());
    let log = bench.open();
    log.append(&b"kept"[..], 1, Durability::Buffered).unwrap();
    faults.arm(Trigger::nth(Op::Sync, 1), Mishap::FailAndForget(ErrorKind::Other));
    assert!(matches!(log.sync(), Err(LogError::NotSynced { .. })));
    log.sync().unwrap();
    std::mem::forget(log);
    let left = bench.moved_to(Arc::new(mem.crash(Crash::LoseUnsynced)));
    assert_eq!(left.replay().len(), 1);
}

#[test]
fn where_there_is_no_room_for_a_longer_segment_a_short_one_does() {
    const SHORT: u64 = 256 << 10;
    let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0).room(ByteLen::new(5 * SHORT)));
    let mut bench = Bench::on(Arc::new(fs), Manifest::default());
    bench.options = LogOptions::default()
        .segment_bytes(SHORT)
        .segment_bytes_max(4 * SHORT)
        .durability(Durability::Buffered);
    let log = bench.open();
    let appended = (0..).take_while(|_| log.append(vec![7; 4000], 1, Durability::Buffered).is_ok()).count();
    let lens: Vec<_> = log.segments().iter().map(|segment| segment.file_len() / SHORT).collect();
    assert_eq!(lens, [1, 1, 2, 1]);
    assert!(appended > 100);
    drop(log);
    assert_eq!(bench.replay().len(), appended);
}
