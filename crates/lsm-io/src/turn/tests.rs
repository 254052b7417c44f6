//! Single turns, run to the end on a counting, faulty disk in memory.

use std::io::ErrorKind;

use super::*;
use crate::{
    ByteLen, Count, CountingFs, Durability, FaultFs, FaultPlan, Lane, MemFs, Mishap, Op, Trigger,
    executor::{Blocking, Executor},
};

struct Bench {
    fs: Arc<dyn Fs>,
    count: CountingFs,
    faults: FaultFs,
    disk: MemFs,
    debts: Arc<Debts>,
    turns: u64,
    epochs: u64,
}

impl Bench {
    fn new() -> Self {
        let disk = MemFs::new();
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(0));
        let count = CountingFs::new(Arc::new(faults.clone()));
        Self { fs: Arc::new(count.clone()), count, faults, disk, debts: Arc::default(), turns: 0, epochs: 0 }
    }

    /// A file whose name is durable.
    fn target(&self, path: &str) -> Arc<Target> {
        self.disk.create(path.as_ref()).unwrap();
        self.disk.sync_dir("/".as_ref()).unwrap();
        Target::open(self.fs.clone(), path.as_ref()).unwrap()
    }

    fn file(&self, path: &str) {
        self.disk.create(path.as_ref()).unwrap();
        self.disk.sync_dir("/".as_ref()).unwrap();
    }

    fn fails(&self, op: Op, name: &str) {
        self.faults.arm(Trigger::nth(op, 1).of(name), Mishap::Fail(ErrorKind::Other));
    }

    fn run<const N: usize>(&mut self, epochs: [Epoch; N]) -> [Verdict; N] {
        self.run_once(epochs, |_| {})
    }

    /// Runs a turn once something else happened to it.
    fn run_once<const N: usize>(
        &mut self,
        epochs: [Epoch; N],
        happens: impl FnOnce(&mut Turn),
    ) -> [Verdict; N] {
        self.turns += 1;
        let numbered = epochs.into_iter().map(|epoch| {
            self.epochs += 1;
            (EpochSeq { lane: Lane::Bulk, number: self.epochs }, epoch)
        });
        let mut turn = Turn::new(TurnId(self.turns), numbered.collect(), self.debts.clone());
        happens(&mut turn);
        Blocking::new(self.debts.clone(), None).run(&mut turn, Until::Finished);
        turn.finish().try_into().unwrap()
    }

    fn calls(&self, op: Op) -> u64 {
        self.count.tally("", op).calls
    }
}

fn write(target: &Arc<Target>, byte: u8) -> Epoch {
    Epoch::new().write(target, FileOffset::ZERO, vec![byte; 10])
}

#[track_caller]
fn failed<'v>(
    verdict: &'v Verdict,
    cause: &str,
    writes: (usize, usize),
    deletions: (usize, usize),
) -> &'v Failed {
    let failed = verdict.as_ref().unwrap_err();
    let kind = match &failed.cause {
        Cause::Io(error) => return check(failed, &error.op().to_string(), cause, writes, deletions),
        Cause::TurnFailed { .. } => "turn",
        Cause::Distrusted { .. } => "distrusted",
        Cause::Dependency { .. } => "dependency",
        Cause::Panicked => "panicked",
        Cause::Closed => "closed",
    };
    check(failed, kind, cause, writes, deletions)
}

#[track_caller]
fn check<'v>(
    failed: &'v Failed,
    kind: &str,
    cause: &str,
    writes: (usize, usize),
    deletions: (usize, usize),
) -> &'v Failed {
    assert_eq!(kind, cause, "{failed:?}");
    assert_eq!((failed.writes.attempted, failed.writes.done), writes, "{failed:?}");
    assert_eq!((failed.deletions.attempted, failed.deletions.done), deletions, "{failed:?}");
    failed
}

#[test]
fn two_coalesced_epochs_cost_one_batch_and_one_sync() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    let second = Epoch::new().write(&log, FileOffset::new(10), vec![2; 10]);
    let [first, second] = bench.run([write(&log, 1), second]);
    assert_eq!(first.unwrap().turn, second.unwrap().turn);
    assert_eq!((bench.calls(Op::Write), bench.calls(Op::Sync)), (2, 1));
}

#[test]
fn a_failed_write_costs_no_sync_and_leaves_the_data_dirty() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    bench.fails(Op::Write, "log");
    let [verdict] = bench.run([write(&log, 1)]);
    let failed = failed(&verdict, "write", (1, 0), (0, 0));
    assert_eq!(failed.returned.writes[0].image.as_slice(), [1; 10]);
    assert_eq!(bench.calls(Op::Sync), 0);
    assert_eq!(log.standing(), Standing::Suspended(TurnId(1)));
    assert_eq!(bench.debts.list().len(), 1, "what was half written is owed a sync");
}

#[test]
fn a_file_written_in_two_coalesced_epochs_ends_with_the_second() {
    let mut bench = Bench::new();
    let page = bench.target("/page");
    let verdicts = bench.run([write(&page, 1), write(&page, 2)]);
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(page.file().read_to_vec(FileOffset::ZERO, 10).unwrap(), [2; 10]);
}

#[test]
fn an_error_fails_the_epochs_that_touch_its_file_and_no_others() {
    let mut bench = Bench::new();
    let (a, b) = (bench.target("/a"), bench.target("/b"));
    bench.fails(Op::Write, "/a");
    let [first, other, behind] = bench.run([write(&a, 1), write(&b, 2), write(&a, 3)]);
    failed(&first, "write", (1, 0), (0, 0));
    assert_eq!(other.unwrap().writes, Count { attempted: 1, done: 1 });
    failed(&behind, "turn", (0, 0), (0, 0));
}

#[test]
fn an_epoch_before_the_failed_one_is_done_unless_it_touches_the_failed_file() {
    let mut bench = Bench::new();
    let (a, b) = (bench.target("/a"), bench.target("/b"));
    bench.fails(Op::Write, "/b");
    let failing = write(&a, 2).write(&b, FileOffset::ZERO, vec![2]);
    let [before, failing] = bench.run([write(&a, 1), failing]);
    assert_eq!(before.unwrap().writes.done, 1);
    let failing = failed(&failing, "write", (2, 1), (0, 0));
    assert_eq!(
        failing.returned.writes.len(),
        1,
        "its bytes in the first file became durable with the other's"
    );

    let mut bench = Bench::new();
    let a = bench.target("/a");
    bench.faults.arm(Trigger::nth(Op::Write, 2), Mishap::Fail(ErrorKind::Other));
    let [before, failing] = bench.run([write(&a, 1), write(&a, 2)]);
    failed(&before, "turn", (1, 0), (0, 0));
    failed(&failing, "write", (1, 0), (0, 0));
    assert_eq!(bench.calls(Op::Sync), 0);
}

#[test]
fn a_file_named_without_a_directory_lies_in_the_current_one() {
    let bench = Bench::new();
    assert_eq!(Dir::of(&bench.fs, Path::new("log")).path, Path::new("."));
    assert_eq!(Dir::of(&bench.fs, Path::new("/log")).path, Path::new("/"));
}

#[test]
fn what_is_ordered_behind_a_failed_epoch_fails_through_any_file_they_share() {
    let mut bench = Bench::new();
    let (table, manifest) = (bench.target("/table"), bench.target("/manifest"));
    bench.fails(Op::Write, "table");
    let first = write(&table, 1).write(&manifest, FileOffset::ZERO, vec![1]);
    let [first, second] = bench.run([first, write(&manifest, 2)]);
    failed(&first, "write", (1, 0), (0, 0));
    failed(&second, "turn", (0, 0), (0, 0));
    let [later] = bench.run([write(&manifest, 3)]);
    failed(&later, "distrusted", (0, 0), (0, 0));
    assert_eq!(manifest.resume(), Standing::Trusted);
    let [resumed] = bench.run([write(&manifest, 3)]);
    assert!(resumed.is_ok());
}

#[test]
fn a_file_whose_sync_failed_is_never_synced_again() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    bench.fails(Op::Sync, "log");
    let [verdict] = bench.run([write(&log, 1)]);
    failed(&verdict, "sync", (1, 0), (0, 0));
    assert_eq!((log.standing(), log.resume()), (Standing::Poisoned, Standing::Poisoned));
    let [verdict, sync] = bench.run([write(&log, 2), Epoch::new().sync(&log)]);
    failed(&verdict, "distrusted", (0, 0), (0, 0));
    failed(&sync, "distrusted", (0, 0), (0, 0));
    assert_eq!(bench.calls(Op::Sync), 1);
}

#[test]
fn the_first_failed_epoch_gets_the_original_error_and_the_others_name_the_turn() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    bench.fails(Op::Sync, "log");
    let [first, second] = bench.run([write(&log, 1), write(&log, 2)]);
    failed(&first, "sync", (1, 0), (0, 0));
    let second = failed(&second, "turn", (1, 0), (0, 0));
    assert!(matches!(second.cause, Cause::TurnFailed { turn: TurnId(1) }));
    assert_eq!(second.returned.writes.len(), 1);
}

#[test]
fn deletions_follow_the_sync_and_are_synced_themselves() {
    let mut bench = Bench::new();
    let manifest = bench.target("/manifest");
    bench.file("/old");
    let [verdict] = bench.run([write(&manifest, 1).delete(bench.fs.clone(), "/old".as_ref())]);
    assert_eq!(verdict.unwrap().deletions, Count { attempted: 1, done: 1 });
    let ops: Vec<_> =
        bench.faults.trace().iter().map(|entry| entry.op).skip_while(|op| *op == Op::Open).collect();
    assert_eq!(ops, [Op::Write, Op::Sync, Op::Remove, Op::SyncDir]);
}

#[test]
fn a_turn_without_deletions_has_no_second_round() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    let [verdict] = bench.run([write(&log, 1)]);
    assert!(verdict.is_ok());
    assert_eq!((bench.calls(Op::Sync), bench.calls(Op::SyncDir)), (1, 0));
}

#[test]
fn a_new_file_has_its_name_synced_once() {
    let mut bench = Bench::new();
    let table = Target::create(bench.fs.clone(), "/table".as_ref()).unwrap();
    let [first] = bench.run([write(&table, 1)]);
    let [second] = bench.run([write(&table, 2)]);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!((bench.calls(Op::Sync), bench.calls(Op::SyncDir)), (2, 1));
}

#[test]
fn a_deletion_only_epoch_first_syncs_what_is_owed() {
    let mut bench = Bench::new();
    let manifest = bench.target("/manifest");
    bench.file("/old");
    let [buffered] = bench.run([write(&manifest, 1).durability(Durability::Buffered)]);
    assert_eq!((buffered.unwrap().writes.done, bench.calls(Op::Sync)), (1, 0));
    let [deleted] = bench.run([Epoch::new().delete(bench.fs.clone(), "/old".as_ref())]);
    assert!(deleted.is_ok());
    let ops: Vec<_> = bench.faults.trace().iter().map(|entry| entry.op).collect();
    assert_eq!(ops[ops.len() - 3..], [Op::Sync, Op::Remove, Op::SyncDir]);
}

#[test]
fn what_is_let_go_while_it_waits_to_be_synced_for_others_holds_up_no_deletion() {
    let mut bench = Bench::new();
    let log = bench.target("/log");
    bench.file("/old");
    let [buffered] = bench.run([write(&log, 1).durability(Durability::Buffered)]);
    assert!(buffered.is_ok());
    let deletion = Epoch::new().delete(bench.fs.clone(), "/old".as_ref());
    let [deleted] = bench.run_once([deletion], |turn| {
        assert!(matches!(turn.next(Until::Finished), Some(Step::Sync(_))));
        log.retire();
    });
    assert!(deleted.is_ok());
    assert_eq!((bench.calls(Op::Sync), bench.calls(Op::Remove)), (0, 1));
    assert!(bench.debts.list().is_empty());
}

#[test]
fn a_failed_write_blocks_all_deletions_of_the_turn() {
    let mut bench = Bench::new();
    let (a, b) = (bench.target("/a"), bench.target("/b"));
    bench.file("/old");
    bench.fails(Op::Write, "/a");
    let deleting = write(&b, 2).delete(bench.fs.clone(), "/old".as_ref());
    let [first, second] = bench.run([write(&a, 1), deleting]);
    failed(&first, "write", (1, 0), (0, 0));
    let second = failed(&second, "turn", (1, 1), (0, 0));
    assert_eq!((second.returned.writes.len(), second.returned.deletions.len()), (0, 1));
    assert_eq!(bench.calls(Op::Remove), 0);
}

#[test]
fn a_failed_sync_blocks_all_deletions_of_the_turn() {
    let mut bench = Bench::new();
    let (a, b) = (bench.target("/a"), bench.target("/b"));
    bench.file("/old");
    bench.fails(Op::Sync, "/a");
    let deleting = write(&b, 2).delete(bench.fs.clone(), "/old".as_ref());
    let [first, second] = bench.run([write(&a, 1), deleting]);
    failed(&first, "sync", (1, 0), (0, 0));
    failed(&second, "turn", (1, 1), (0, 0));
    assert_eq!(bench.calls(Op::Remove), 0);
}

#[test]
fn a_poisoned_file_holds_up_deletions_until_it_is_retired() {
    let mut bench = Bench::new();
    let manifest = bench.target("/manifest");
    bench.file("/old");
    bench.fails(Op::Sync, "manifest");
    let [poisoning] = bench.run([write(&manifest, 1)]);
    failed(&poisoning, "sync", (1, 0), (0, 0));
    let deletion = || Epoch::new().delete(bench.fs.clone(), "/old".as_ref());
    let (one, two) = (deletion(), deletion());
    let [held_up] = bench.run([one]);
    failed(&held_up, "distrusted", (0, 0), (0, 0));
    manifest.retire();
    let [done] = bench.run([two]);
    assert!(done.is_ok());
}

#[test]
fn a_failed_deletion_fails_only_its_own_epoch_and_does_not_stop_its_siblings() {
    let mut bench = Bench::new();
    for path in ["/old-1", "/old-2", "/old-3"] {
        bench.file(path);
    }
    bench.fails(Op::Remove, "old-1");
    let both =
        Epoch::new().delete(bench.fs.clone(), "/old-1".as_ref()).delete(bench.fs.clone(), "/old-2".as_ref());
    let other = Epoch::new().delete(bench.fs.clone(), "/old-3".as_ref());
    let [both, other] = bench.run([both, other]);
    let both = failed(&both, "remove", (0, 0), (2, 1));
    assert_eq!(both.returned.deletions[0].path, Path::new("/old-1"));
    assert_eq!(other.unwrap().deletions.done, 1);
}

#[test]
fn a_file_that_is_gone_already_counts_as_deleted() {
    let mut bench = Bench::new();
    let [verdict] = bench.run([Epoch::new().delete(bench.fs.clone(), "/never".as_ref())]);
    assert_eq!(verdict.unwrap().deletions.done, 1);
}

#[test]
fn if_the_second_sync_fails_writes_are_done_deletions_pending_and_every_epoch_hears_of_it() {
    let mut bench = Bench::new();
    let (a, b) = (bench.target("/a"), bench.target("/b"));
    bench.file("/old");
    bench.fails(Op::SyncDir, "/");
    let deleting = write(&a, 1).delete(bench.fs.clone(), "/old".as_ref());
    let [first, second] = bench.run([deleting, write(&b, 2)]);
    let first = failed(&first, "sync directory", (1, 1), (1, 0));
    assert_eq!((first.returned.writes.len(), first.returned.deletions.len()), (0, 1));
    failed(&second, "turn", (1, 1), (0, 0));
    let again = first.returned.clone();
    let [verdict] = bench.run([again]);
    assert_eq!(verdict.unwrap().deletions.done, 1);
}

#[test]
fn a_large_write_goes_in_slices_and_counts_as_one() {
    let mut bench = Bench::new();
    let table = bench.target("/table");
    let len = 3 * SLICE_LEN + 5;
    let [verdict] = bench.run([Epoch::new().write(&table, FileOffset::new(7), vec![9; len])]);
    assert_eq!(verdict.unwrap().writes, Count { attempted: 1, done: 1 });
    assert_eq!((bench.calls(Op::Write), bench.calls(Op::Sync)), (4, 1));
    assert_eq!(table.file().len().unwrap(), ByteLen::new(7 + len as u64));
}

#[test]
fn a_failed_directory_sync_leaves_new_files_unacknowledged_and_poisoned() {
    let mut bench = Bench::new();
    let table = Target::create(bench.fs.clone(), "/table".as_ref()).unwrap();
    bench.fails(Op::SyncDir, "/");
    let [verdict] = bench.run([write(&table, 1)]);
    failed(&verdict, "sync directory", (1, 0), (0, 0));
    assert_eq!(table.standing(), Standing::Poisoned);
}

#[test]
fn a_turn_given_up_reports_nothing_done_and_trusts_no_file() {
    let bench = Bench::new();
    let log = bench.target("/log");
    let seq = EpochSeq { lane: Lane::Log, number: 1 };
    let mut turn = Turn::new(TurnId(1), vec![(seq, write(&log, 1))], bench.debts.clone());
    let step = turn.next(Until::Written).unwrap();
    turn.record(&step, Ok(()));
    turn.abandon();
    assert!(turn.next(Until::Finished).is_none());
    failed(&turn.finish()[0], "panicked", (1, 0), (0, 0));
    assert_eq!(log.standing(), Standing::Poisoned);
}
