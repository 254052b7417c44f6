//! The laws: what is reported is durable and whole, what fails is told and leaves nothing that is named.

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicU64, AtomicUsize},
};

use lsm_io::{Access, Crash, FaultFs, FaultPlan, Limits, MemFs, Mishap, Op, Trigger};
use page_ecc::Uid;
use sst_format::{EntryKind, KeyOrder, RangeEntry, SeqNo, SpareMemory, TableOptions};

use super::*;
use crate::{
    FileId, LiveSnapshots, RunNo, TreeId, Version,
    flush::{flush_edit, flush_retention},
    output_cuts::OverlapLimit,
    vec_cursor::{OwnedEntry, VecCursor},
};

const DIR: &str = "/tables";
/// Where the job of these tests may be divided.
const CUTS: &[&str] = &["k0100", "k0250"];

fn plan(body_bytes: u64) -> MergePlan {
    let order = KeyOrder::Bytes;
    let options = TableOptions::new().created_at(7);
    let retention = flush_retention(&order, &Version::default(), LiveSnapshots::default());
    let shape = OutputShape { options, order, body_bytes, overlap: OverlapLimit::NONE, birth: None };
    MergePlan { retention, shape, accepted: Acceptance::default() }
}

/// Enough for several tables of 8 KiB.
fn inputs() -> VecCursor {
    let value = "v".repeat(100);
    VecCursor::new(
        (0..400).map(|n| OwnedEntry::new(&format!("k{n:04}"), n + 1, EntryKind::Put, &value)).collect(),
    )
}

fn disk() -> MemFs {
    let fs = MemFs::new();
    fs.create_dir(DIR.as_ref()).unwrap();
    fs.sync_dir("/".as_ref()).unwrap();
    fs
}

fn worker() -> EpochWorker {
    EpochWorker::start(Limits::default()).unwrap()
}

fn run(
    fs: Arc<dyn Fs>,
    worker: &EpochWorker,
    should_stop: &(dyn Fn() -> bool + Sync),
) -> Result<JobOutput, Error> {
    run_cut(fs, worker, should_stop, &[])
}

/// Runs a job in pieces, the last first.
fn run_cut(
    fs: Arc<dyn Fs>,
    worker: &EpochWorker,
    should_stop: &(dyn Fn() -> bool + Sync),
    cuts: &[&'static str],
) -> Result<JobOutput, Error> {
    let next = AtomicU64::new(1);
    let new_file = || {
        let number = next.fetch_add(1, Relaxed);
        NewFile {
            id: FileId::new(number),
            uid: Uid::new([number as u8; 16]),
            key: None,
            memory: SpareMemory::default(),
        }
    };
    let env =
        JobEnv { fs, dir: DIR.as_ref(), worker, spare: &Arc::default(), new_file: &new_file, should_stop };
    let ranges = vec![RangeEntry::delete("k0003", "k0399", SeqNo::new(3))];
    let plan = plan(8 << 10);
    if cuts.is_empty() {
        return run_merge(&mut inputs(), ranges, &plan, &env);
    }
    let cuts: Vec<Bytes> = cuts.iter().map(|cut| Bytes::from(*cut)).collect();
    run_pieces(&inputs, &ranges, &plan, &cuts, &env, &LastFirst)
}

/// Runs the last piece first, so that nothing may rest on their order.
struct LastFirst;

impl Crew for LastFirst {
    fn hands(&self) -> usize {
        usize::MAX
    }

    fn run(&self, count: usize, piece: &(dyn Fn(usize) + Sync)) {
        (0..count).rev().for_each(piece);
    }
}

/// The files of `fs`, all of which must be tables of `output`, whole.
#[track_caller]
fn check_whole(fs: &MemFs, output: &JobOutput) {
    let listed = fs.list(DIR.as_ref()).unwrap();
    assert_eq!(listed.len(), output.tables.len());
    for table in &output.tables {
        let path = table_path(DIR.as_ref(), table.id);
        let file = fs.open(&path, Access::ReadOnly).unwrap();
        let bytes = file.read_to_vec(FileOffset::ZERO, table.file_bytes() as usize).unwrap();
        assert_eq!(file.len().unwrap().get(), table.file_bytes());
        let body = table.body_bytes() as usize;
        let again = sst_format::MemoryTable::open_body(
            table.descriptor.uid(),
            Bytes::from(bytes).slice(page_ecc::PAGE_LEN..page_ecc::PAGE_LEN + body),
            sst_format::ReadOptions::new(),
        );
        again.unwrap();
    }
}

#[test]
fn what_a_job_reports_survives_a_power_cut() {
    let fs = disk();
    let worker = worker();
    let output = run(Arc::new(fs.clone()), &worker, &|| false).unwrap();
    assert!(output.tables.len() > 3);
    assert_eq!((output.tally.read, output.tally.kept), (400, 400));
    assert_eq!(output.file_bytes, output.tables.iter().map(|table| table.file_bytes()).sum());
    check_whole(&fs.crash(Crash::LoseUnsynced), &output);
    let edit = flush_edit(TreeId::new(1), RunNo::new(1), &output, SeqNo::new(400));
    assert_eq!(edit.changes.len(), 2 * output.tables.len() + 1);
}

/// What a failed job may leave on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Files that nobody names: the next sweep's.
    Orphans,
}

/// Runs a job under a fault of one operation: it fails with what the disk said, or is whole all the same. The
/// worker makes the next job's tables as if nothing had been.
#[track_caller]
fn check_fault(op: Op, nth: u64, plan: FaultPlan, left: Left) {
    check_fault_of(&[], op, nth, plan.clone(), left);
    check_fault_of(CUTS, op, nth, plan, left);
}

#[track_caller]
fn check_fault_of(cuts: &[&'static str], op: Op, nth: u64, plan: FaultPlan, left: Left) {
    let (disk, worker) = (disk(), worker());
    let faulty = FaultFs::new(Arc::new(disk.clone()), plan.clone());
    match run_cut(Arc::new(faulty.clone()), &worker, &|| false, cuts) {
        Ok(output) => {
            assert!(nth > 1, "{plan:?} goes unnoticed");
            check_whole(&disk.crash(Crash::LoseUnsynced), &output);
            return;
        }
        Err(Error::Io(error)) => assert_eq!(error.op(), op, "{plan:?}"),
        Err(error) => panic!("{plan:?} is told as {error:?}"),
    }
    faulty.calm();
    for entry in disk.list(DIR.as_ref()).unwrap() {
        assert_eq!(left, Left::Orphans, "{plan:?} leaves {entry:?}");
        disk.remove(&Path::new(DIR).join(entry.name)).unwrap();
    }
    let output = run(Arc::new(faulty), &worker, &|| false).unwrap();
    check_whole(&disk.crash(Crash::LoseUnsynced), &output);
}

#[test]
fn any_refusal_is_told_and_leaves_nothing_behind() {
    for op in [Op::Create, Op::Allocate, Op::Write, Op::Sync, Op::SyncDir] {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            for nth in 1..=8 {
                let fault = |trigger| FaultPlan::new(nth).mishap(trigger, Mishap::Fail(kind));
                check_fault(op, nth, fault(Trigger::nth(op, nth)), Left::Nothing);
                check_fault(op, nth, fault(Trigger::nth(op, nth).and_later()), Left::Nothing);
            }
        }
    }
}

#[test]
fn a_refusal_of_what_was_done_is_a_refusal() {
    let refused = |op, mishap, left| {
        for nth in 1..=3 {
            check_fault(op, nth, FaultPlan::new(nth).mishap(Trigger::nth(op, nth), mishap), left);
        }
    };
    // The file may be somebody else's: only a sweep, which knows every name, may remove it.
    refused(Op::Create, Mishap::FailDone(ErrorKind::Other), Left::Orphans);
    refused(Op::Allocate, Mishap::FailDone(ErrorKind::Other), Left::Nothing);
    refused(Op::Write, Mishap::PartWrite(ErrorKind::Other), Left::Nothing);
    refused(Op::Sync, Mishap::FailAndForget(ErrorKind::Other), Left::Nothing);
}

#[test]
fn a_disk_that_removes_nothing_keeps_orphans_and_the_first_error_is_told() {
    let plan = FaultPlan::new(0)
        .mishap(Trigger::nth(Op::Write, 2), Mishap::Fail(ErrorKind::Other))
        .mishap(Trigger::nth(Op::Remove, 1).and_later(), Mishap::Fail(ErrorKind::PermissionDenied));
    check_fault(Op::Write, 1, plan, Left::Orphans);
}

#[test]
fn a_full_disk_is_met_before_a_byte_of_the_table_is_written() {
    let plan = FaultPlan::new(0).room(lsm_io::ByteLen::new(150_000));
    let (disk, worker) = (disk(), worker());
    let faulty = FaultFs::new(Arc::new(disk.clone()), plan);
    let error = run(Arc::new(faulty.clone()), &worker, &|| false).unwrap_err();
    let Error::Io(error) = error else { panic!("{error:?}") };
    assert_eq!((error.op(), error.kind()), (Op::Allocate, ErrorKind::StorageFull));
    let refused: Vec<_> = faulty
        .trace()
        .iter()
        .filter(|traced| traced.op == Op::Write)
        .map(|traced| traced.path.clone())
        .collect();
    assert!(!refused.iter().any(|path| path == error.path()));
    assert!(disk.list(DIR.as_ref()).unwrap().is_empty());
}

#[test]
fn a_job_that_is_told_to_stop_ends_with_nothing_made() {
    let (disk, worker) = (disk(), worker());
    let error = run(Arc::new(disk.clone()), &worker, &|| true).unwrap_err();
    assert!(matches!(error, Error::Closed));
    assert!(disk.list(DIR.as_ref()).unwrap().is_empty());
}

#[test]
fn pieces_are_a_job_that_is_durable_as_a_whole() {
    let (fs, worker) = (disk(), worker());
    let whole = run(Arc::new(fs.clone()), &worker, &|| false).unwrap();
    let (fs, worker) = (disk(), self::worker());
    let output = run_cut(Arc::new(fs.clone()), &worker, &|| false, CUTS).unwrap();
    assert_eq!(output.tally, whole.tally);
    assert!(output.tables.len() <= whole.tables.len() + CUTS.len());
    assert!(output.tables.is_sorted_by(|a, b| a.bounds.is_before(&KeyOrder::Bytes, &b.bounds.smallest)));
    check_whole(&fs.crash(Crash::LoseUnsynced), &output);
}

#[test]
fn a_piece_that_is_told_to_stop_ends_those_that_were_done() {
    for asked in 0..=CUTS.len() {
        let (disk, worker, count) = (disk(), worker(), AtomicUsize::new(0));
        // Each piece asks once.
        let should_stop = || count.fetch_add(1, Relaxed) == asked;
        let error = run_cut(Arc::new(disk.clone()), &worker, &should_stop, CUTS).unwrap_err();
        assert!(matches!(error, Error::Closed));
        assert!(disk.list(DIR.as_ref()).unwrap().is_empty(), "after {asked}");
    }
}

#[test]
fn a_crew_that_leaves_a_piece_out_has_made_nothing() {
    struct Idle;
    impl Crew for Idle {
        fn hands(&self) -> usize {
            2
        }

        fn run(&self, _: usize, piece: &(dyn Fn(usize) + Sync)) {
            piece(0);
        }
    }
    let (disk, worker) = (disk(), worker());
    let next = AtomicU64::new(1);
    let new_file = || {
        let id = FileId::new(next.fetch_add(1, Relaxed));
        NewFile { id, uid: Uid::new([1; 16]), key: None, memory: SpareMemory::default() }
    };
    let fs = Arc::new(disk.clone());
    let env = JobEnv {
        fs,
        dir: DIR.as_ref(),
        worker: &worker,
        spare: &Arc::default(),
        new_file: &new_file,
        should_stop: &|| false,
    };
    let error = run_pieces(&inputs, &[], &plan(8 << 10), &["k0100".into()], &env, &Idle).unwrap_err();
    assert!(matches!(error, Error::Closed));
    assert!(disk.list(DIR.as_ref()).unwrap().is_empty());
}

#[test]
fn a_stopped_worker_is_told_as_a_closed_store() {
    let (disk, worker) = (disk(), worker());
    worker.stop().unwrap();
    let error = run(Arc::new(disk), &worker, &|| false).unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let (disk, worker) = (disk(), worker());
    let taken = table_path(DIR.as_ref(), FileId::new(2));
    disk.create(&taken).unwrap().append(b"somebody else's").unwrap();
    let error = run(Arc::new(disk.clone()), &worker, &|| false).unwrap_err();
    assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::AlreadyExists));
    let file = disk.open(&taken, Access::ReadOnly).unwrap();
    assert_eq!(file.read_to_vec(FileOffset::ZERO, 15).unwrap(), b"somebody else's");
    assert_eq!(disk.list(DIR.as_ref()).unwrap().len(), 1);
}

mod tree;
