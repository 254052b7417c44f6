//! The power fails at any operation: what was acknowledged as durable is there, and what is there is a prefix.

use std::{io::ErrorKind, sync::Arc};

use crate::{
    bench::{self, groups},
    history::{Act, Fate, Run, crashes, random_acts, scripted_acts},
};
use lsm_io::{Crash, FaultFs, FaultPlan, MemFs, Mishap, Ops, Trigger};
use lsm_wal::Durability;

/// Plays `acts` until the power fails at changing operation `nth`, and looks at what is left. Says whether it
/// came so far.
fn cut(acts: &[Act], nth: u64, what: Mishap) -> bool {
    let mem = MemFs::new();
    let plan = FaultPlan::new(nth).mishap(Trigger::nth(Ops::Changing, nth), what);
    let dead = Mishap::Fail(ErrorKind::Other);
    let plan = plan.mishap(Trigger::nth(Ops::Changing, nth + 1).and_later(), dead);
    let faults = FaultFs::new(Arc::new(mem.clone()), plan);
    let mut run = Run::new(&faults);
    run.play(acts);
    let (bench, model) = run.kill();
    for (how, fs) in crashes(&mem, nth) {
        let left = bench.moved_to(fs);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let recovery = left.scan();
            model.check(&recovery, Fate::Synced);
            let before = groups(&recovery).0;
            let log = left.open();
            assert!(before.last().is_none_or(|group| group.0.next <= log.next_seq()));
            log.append(&b"behind"[..], 1, Durability::Synced).unwrap();
            std::mem::forget(log);
            let again = left.replay();
            assert_eq!(again[..again.len() - 1], before);
        }));
        assert!(outcome.is_ok(), "operation {nth} ({what:?}), {how}");
    }
    faults
        .trace()
        .iter()
        .any(|traced| traced.op.changes_disk() && !matches!(traced.fate, lsm_io::Fate::Passed))
}

fn cut_everywhere(acts: &[Act], what: Mishap) -> u64 {
    let mut nth = 1;
    while cut(acts, nth, what) {
        nth += 1;
    }
    nth
}

#[test]
fn a_power_cut_at_any_operation_of_a_scripted_history_loses_nothing_durable() {
    for what in [Mishap::Fail(ErrorKind::Other), Mishap::PartWrite(ErrorKind::Other)] {
        assert!(cut_everywhere(&scripted_acts(), what) > 80);
    }
}

#[test]
fn a_power_cut_at_any_operation_of_random_histories_loses_nothing_durable() {
    for seed in 0..3 {
        println!("seed {seed}");
        cut_everywhere(&random_acts(seed, 30), Mishap::Fail(ErrorKind::Other));
    }
}

#[test]
fn a_power_cut_inside_recovery_loses_nothing_durable() {
    let acts = scripted_acts();
    for upto in [3, 5, 9, 10, 14, acts.len()] {
        let mem = MemFs::new();
        let mut run = Run::new(&FaultFs::new(Arc::new(mem.clone()), FaultPlan::new(0)));
        run.play(&acts[..upto]);
        let (bench, model) = run.kill();
        for seed in 0..4 {
            let left = mem.crash(Crash::KeepSome { seed, piece: lsm_io::Piece::Torn });
            let before = bench.moved_to(Arc::new(left.crash(Crash::LoseUnsynced)));
            let found = groups(&before.scan()).0;
            for nth in 1.. {
                // The same disk again each time, and a manifest of its own.
                let mem = left.crash(Crash::LoseUnsynced);
                let plan = FaultPlan::new(0)
                    .mishap(Trigger::nth(Ops::Changing, nth).and_later(), Mishap::Fail(ErrorKind::Other));
                let trying = bench.moved_to(Arc::new(FaultFs::new(Arc::new(mem.clone()), plan)));
                let recovery = trying.scan();
                let opened =
                    recovery.open(bench::worker(), Arc::new(trying.manifest.clone()), trying.options);
                let done = opened.is_ok();
                std::mem::forget(opened);
                for (how, fs) in crashes(&mem, seed) {
                    let after = trying.moved_to(fs);
                    let again = groups(&after.scan()).0;
                    assert_eq!(again, found, "{upto} acts, seed {seed}, operation {nth} of recovery, {how}");
                    model.check(&after.scan(), Fate::Synced);
                }
                if done {
                    break;
                }
            }
        }
    }
}
