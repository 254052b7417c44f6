//! Operations of the disk that fail, once or for ever: typed errors, nothing acknowledged lost, nothing by halves.

mod bed;

use std::io::{ErrorKind, Write as _};

use lsm_io::{ByteLen, Mishap, Op, Ops, Rng, Trigger};
use proptest::prelude::*;
use resilver::Background;
use resilver_tests::{
    Action, Setup, Value, Watchdog, Write, WriteKind,
    budget::{self, Budget},
    changes, setup,
};

use self::bed::Bed;

/// Some of everything, in few steps.
fn life() -> Vec<Action> {
    let put = |keyspace, key: usize, len| Write {
        keyspace,
        key: format!("key/{key:03}").into_bytes(),
        kind: WriteKind::Put(Value::new(key as u32 * 2 + 1, len)),
    };
    let write = |synced, writes| Action::Write { writes, synced };
    let mut life = vec![write(false, vec![put(0, 1, 10)]), write(true, vec![put(0, 2, 10), put(1, 2, 2500)])];
    life.extend((0..4).map(|at| write(at == 2, vec![put(0, at, 900), put(1, at + 3, 900)])));
    life.extend([Action::Flush, write(false, vec![put(0, 3, 100)]), Action::Checkpoint, Action::Drop(1)]);
    life.extend((0..3).map(|at| write(false, vec![put(1, at * 2, 1500), put(0, 7, at)])));
    life.extend([Action::Sync, Action::Compact, write(false, vec![put(1, 1, 20)]), Action::Check]);
    life
}

/// A history with a mishap from its first operation on, then calm, then a look at what is left.
#[track_caller]
fn check(setup: &Setup, history: &[Action], mishaps: &[(Trigger, Mishap)]) {
    let told = format!("{setup:?} {mishaps:?} {history:?}");
    let watchdog = Watchdog::over(told.clone());
    let mut bed = Bed::new(setup.clone(), watchdog);
    mishaps.iter().for_each(|(trigger, mishap)| bed.faults.arm(trigger.clone(), *mishap));
    let done = bed.live(history).and_then(|()| bed.recover());
    done.unwrap_or_else(|wrong| panic!("{mishaps:?}: {wrong}"));
}

fn tell(what: &str, count: usize) {
    let _ = writeln!(std::io::stderr(), "{what}: {count} mishaps");
}

/// How many operations of a kind the life takes when nothing fails.
fn operations(setup: &Setup, ops: Ops) -> u64 {
    let mut bed = Bed::new(setup.clone(), Watchdog::over("a life without mishaps".into()));
    bed.live(&life()).unwrap();
    let counts = |op: Op| match ops {
        Ops::Any => true,
        Ops::Changing => op.changes_disk(),
        Ops::Only(only) => only == op,
    };
    bed.faults.trace().iter().filter(|traced| counts(traced.op)).count() as u64
}

/// Each operation of a kind befallen in turn; by day one in `step` of them.
fn each(ops: impl Into<Ops>, mishap: Mishap, step: u64, lasting: bool) {
    let (setup, ops) = (Setup::small(), ops.into());
    let budget = Budget::of(5);
    let step = if budget::is_night() { 1 } else { step };
    let from = 1 + Rng::new(budget::seed()).below(step);
    let mut count = 0;
    for nth in (from..=operations(&setup, ops)).step_by(step as usize) {
        if !budget.lasts() {
            break;
        }
        let trigger = Trigger::nth(ops, nth);
        check(&setup, &life(), &[(if lasting { trigger.and_later() } else { trigger }, mishap)]);
        count += 1;
    }
    tell(&format!("{ops:?} {mishap:?}, lasting: {lasting}"), count);
    assert!(count > 0, "a life has operations of every kind");
}

#[test]
fn an_operation_that_fails_once_costs_no_more_than_an_error() {
    each(Ops::Any, Mishap::Fail(ErrorKind::Other), 5, false);
}

#[test]
fn operations_that_fail_from_some_moment_on_cost_no_more_than_errors() {
    each(Ops::Any, Mishap::Fail(ErrorKind::Other), 9, true);
}

#[test]
fn a_change_that_is_refused_for_want_of_space_costs_no_more_than_an_error() {
    each(Ops::Changing, Mishap::Fail(ErrorKind::StorageFull), 7, false);
}

#[test]
fn a_change_that_happens_and_is_reported_as_refused_costs_no_more_than_an_error() {
    each(Ops::Changing, Mishap::FailDone(ErrorKind::Other), 7, false);
}

/// Also those that take a failed checkpoint away again: what is left of it never misses a table.
#[test]
fn changes_that_happen_and_are_reported_as_refused_from_some_moment_on_cost_no_more_than_errors() {
    each(Ops::Changing, Mishap::FailDone(ErrorKind::Other), 3, true);
}

#[test]
fn a_write_that_stops_half_way_costs_no_more_than_an_error() {
    each(Op::Write, Mishap::PartWrite(ErrorKind::Other), 5, false);
}

#[test]
fn a_sync_that_fails_and_forgets_is_not_believed_later() {
    each(Op::Sync, Mishap::FailAndForget(ErrorKind::Other), 2, false);
}

#[test]
fn a_short_read_is_a_typed_error_or_harmless() {
    each(Op::Read, Mishap::ShortRead, 5, false);
}

#[test]
fn random_mishaps_cost_no_more_than_errors() {
    let budget = Budget::of(40);
    let kinds = [ErrorKind::Other, ErrorKind::StorageFull];
    let mishap = (0..kinds.len(), 0..4_usize).prop_map(move |(kind, which)| {
        let kind = kinds[kind];
        [Mishap::Fail(kind), Mishap::FailDone(kind), Mishap::PartWrite(kind), Mishap::FailAndForget(kind)]
            [which]
    });
    let trigger = (1_u64..400, any::<bool>(), any::<bool>()).prop_map(|(nth, changing, lasting)| {
        let trigger = Trigger::nth(if changing { Ops::Changing } else { Ops::Any }, nth);
        if lasting { trigger.and_later() } else { trigger }
    });
    let mishaps = proptest::collection::vec((trigger, mishap), 1..4);
    let mut runner = proptest::test_runner::TestRunner::new(budget::cases(48));
    let cases = (setup(Background::Inline), changes(25), mishaps);
    let outcome = runner.run(&cases, |(setup, history, mishaps)| {
        if budget.lasts() {
            check(&setup, &history, &mishaps);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_full_disk_is_read_on_and_written_once_there_is_room() {
    for background in [Background::Inline, Background::Threads] {
        for room in [0, 100 << 10, 700 << 10, 2 << 20, 3 << 20] {
            let setup = Setup { background, ..Setup::small() };
            let mut bed =
                Bed::new(setup, Watchdog::over(format!("a full disk: {background:?}, room {room}")));
            bed.live(&life()[..6]).unwrap();
            bed.limit(ByteLen::new(room));
            let filled = bed.live(&life()).and_then(|()| bed.fill());
            let done = filled.and_then(|()| bed.resume()).and_then(|()| bed.recover());
            done.unwrap_or_else(|wrong| panic!("{background:?}, room {room}: {wrong}"));
        }
    }
}
