//! Which jobs are sound, and which may run side by side.

use page_ecc::{SealOptions, Uid};
use sst_format::SeqNo;

use super::*;
use crate::{
    BusySet, CompactionStrategy, JobKind, KeyEnd, Leveled, PlanContext, Reason, RunNo, TableChange, TreeId,
};

const ORDER: &KeyOrder = &KeyOrder::Bytes;
const TREE: TreeId = TreeId::new(1);

/// Level, run, number, first and last key.
type Row = (u8, u64, u64, &'static str, &'static str);

/// Level 0 has three runs, the levels below it one each.
const ROWS: &[Row] = &[
    (0, 3, 30, "a", "c"),
    (0, 2, 20, "b", "e"),
    (0, 2, 21, "m", "p"),
    (0, 1, 10, "d", "g"),
    (4, 0, 40, "a", "f"),
    (4, 0, 41, "k", "l"),
    (5, 0, 50, "a", "d"),
    (5, 0, 51, "f", "k"),
    (6, 0, 60, "a", "b"),
    (6, 0, 61, "h", "z"),
];

fn version(rows: &[Row]) -> Version {
    let descriptor = SealOptions::new(Uid::new([1; 16])).seal(b"body").unwrap().descriptor().clone();
    let add = |&(level, run, id, from, to): &Row| TableChange::Add {
        level: Level::new(level),
        run: RunNo::new(run),
        table: Arc::new(TableMeta {
            id: FileId::new(id),
            descriptor: descriptor.clone(),
            bounds: KeyBounds::closed(from, to),
            seq_low: SeqNo::new(id),
            seq_high: SeqNo::new(id),
            entries: 1,
            deletes: 0,
            range_deletes: 0,
            losses: 0,
        }),
    };
    Version::default().with(ORDER, &rows.iter().map(add).collect::<Vec<_>>()).unwrap()
}

fn place(level: u8, run: u64) -> Place {
    Place { level: Level::new(level), run: RunNo::new(run) }
}

fn job(version: &Version, tables: &[u64], target: Place) -> CompactionJob {
    let context = PlanContext { tree: TREE, order: ORDER, busy: &BusySet::default() };
    let input = |&id: &u64| {
        let (level, run, table) = version.find(FileId::new(id)).unwrap();
        JobInput::new(Place { level, run }, table)
    };
    CompactionJob::new(version, &context, tables.iter().map(input).collect(), target, Reason::Asked)
}

#[track_caller]
fn check(tables: &[u64], target: Place, expected: Result<(), UnsoundJob>) {
    let version = version(ROWS);
    assert_eq!(job(&version, tables, target).prove(&version, ORDER), expected, "{tables:?} into {target:?}");
}

#[test]
fn a_job_takes_what_is_older_and_in_its_way() {
    let (table, older) = (FileId::new, FileId::new);
    check(&[10, 40], place(4, 0), Ok(()));
    check(&[20, 10, 40], place(4, 0), Ok(()));
    check(&[20, 40], place(4, 0), Err(UnsoundJob::Passes { table: table(20), older: older(10) }));
    check(&[30, 10, 40], place(4, 0), Err(UnsoundJob::Passes { table: table(30), older: older(20) }));
    check(&[30, 20, 10], place(4, 0), Err(UnsoundJob::InTheWay { table: table(40) }));
    check(&[21], place(4, 0), Ok(()));
    check(&[21], place(6, 0), Err(UnsoundJob::InTheWay { table: table(61) }));
    check(&[10], place(5, 0), Err(UnsoundJob::Passes { table: table(10), older: older(40) }));
    check(&[40, 50], place(5, 0), Err(UnsoundJob::InTheWay { table: table(51) }));
    check(&[40, 50, 51], place(5, 0), Ok(()));
    check(&[40, 41, 50, 51], place(5, 0), Ok(()));
}

#[test]
fn runs_of_level_0_are_merged_into_the_oldest_ones_place() {
    let (table, older) = (FileId::new, FileId::new);
    check(&[30, 20, 21], place(0, 2), Ok(()));
    check(&[30, 20], place(0, 2), Ok(()));
    check(&[30, 20], place(0, 3), Err(UnsoundJob::Rises { table: table(20) }));
    check(&[30, 20, 21, 10], place(0, 1), Ok(()));
    check(&[30, 10], place(0, 1), Err(UnsoundJob::Passes { table: table(30), older: older(20) }));
    check(&[30], place(0, 3), Ok(()));
}

#[test]
fn a_job_from_another_version_is_refused() {
    let version = version(ROWS);
    let good = job(&version, &[21], place(4, 0));
    let table = FileId::new(21);
    let moved = version.with(ORDER, &good.moves()).unwrap();
    assert_eq!(good.prove(&moved, ORDER), Err(UnsoundJob::Absent { table }));
    assert_eq!(
        job(&version, &[21, 21], place(4, 0)).prove(&version, ORDER),
        Err(UnsoundJob::Twice { table })
    );
    let empty = CompactionJob { inputs: Vec::new(), ..good };
    assert_eq!(empty.prove(&version, ORDER), Err(UnsoundJob::Empty));
}

#[track_caller]
fn check_conflict(one: (&[u64], Place), other: (&[u64], Place), expected: bool) {
    let version = version(ROWS);
    let (one, other) = (job(&version, one.0, one.1), job(&version, other.0, other.1));
    assert_eq!((one.conflicts(ORDER, &other), other.conflicts(ORDER, &one)), (expected, expected));
    let elsewhere = CompactionJob { tree: TreeId::new(2), ..other };
    assert!(!one.conflicts(ORDER, &elsewhere), "a job of another tree");
}

#[test]
fn jobs_conflict_over_tables_and_keys_of_outputs_and_what_they_sink_through() {
    // The same table.
    check_conflict((&[50, 60], place(6, 0)), (&[40, 50, 51], place(5, 0)), true);
    // The same level, though no key is in both: 40 and 41 may share an output, and 51 begins between them.
    check_conflict((&[40, 41, 50], place(5, 0)), (&[51], place(5, 0)), true);
    check_conflict((&[50, 60], place(6, 0)), (&[51, 61], place(6, 0)), false);
    // 30 would sink through what 20 and 10 become.
    check_conflict((&[20, 21, 10], place(0, 1)), (&[30, 40], place(4, 0)), true);
    check_conflict((&[20, 10], place(0, 1)), (&[21], place(4, 0)), false);
    // What is newer may come after.
    check_conflict((&[20, 10, 40], place(4, 0)), (&[30], place(0, 3)), false);
    check_conflict((&[20, 10, 40], place(4, 0)), (&[51, 61], place(6, 0)), false);
}

#[test]
fn the_bottom_is_where_nothing_older_is_left() {
    let version = version(ROWS);
    let upper = job(&version, &[20, 10, 40], place(4, 0));
    let lower = job(&version, &[40, 50, 51], place(5, 0));
    let bounds = |from: &'static str, to: &'static str| KeyBounds {
        end: KeyEnd::Excluded,
        ..KeyBounds::closed(from, to)
    };
    let found = |job: &CompactionJob| {
        ["a", "b", "c", "e", "f", "g"].map(|key| job.is_bottom_at(ORDER, key.as_bytes()))
    };
    assert_eq!(found(&upper), [false, false, false, true, false, false]);
    assert_eq!(found(&lower), [false, false, true, true, true, true]);
    assert!(upper.is_bottom_for(ORDER, &bounds("e", "f")));
    assert!(!upper.is_bottom_for(ORDER, &bounds("e", "g")));
    assert!(lower.is_bottom_for(ORDER, &bounds("c", "h")));
    assert!(!lower.is_bottom_for(ORDER, &KeyBounds::closed("c", "h")));
}

#[test]
fn the_tables_below_are_those_that_come_next() {
    let version = version(ROWS);
    let below = |tables: &[u64], target| {
        let job = job(&version, tables, target);
        job.tables_below().iter().map(|table| table.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(below(&[20, 10, 40], place(4, 0)), [50, 51]);
    assert_eq!(below(&[40, 50, 51], place(5, 0)), [60, 61]);
    assert_eq!(below(&[50, 60], place(6, 0)), [0; 0]);
    assert_eq!(below(&[30, 20, 21], place(0, 2)), [0; 0]);
    // Level 5 has nothing there, so a level 6 that has is not next.
    assert_eq!(below(&[21], place(4, 0)), [0; 0]);
}

#[test]
fn what_overlaps_a_busy_table_waits_and_the_others_go() {
    let rows = &[(0, 3, 30, "c", "e"), (0, 2, 20, "d", "g"), (0, 1, 10, "a", "c"), (0, 1, 11, "m", "p")];
    let version = version(rows);
    let busy = BusySet::default();
    let context = PlanContext { tree: TREE, order: ORDER, busy: &busy };
    let heal = job(&version, &[20], place(0, 2)).with_kind(JobKind::Rewrite);
    let _claim = busy.claim(ORDER, &heal).unwrap();
    let leveled = Leveled::new().flushed_runs(1);
    let mut claims = Vec::new();
    for id in [10, 11] {
        let chosen = leveled.choose(&version, &context).unwrap();
        assert_eq!(chosen.inputs.iter().map(|input| input.table.id.get()).collect::<Vec<_>>(), [id]);
        claims.push(busy.claim(ORDER, &chosen).unwrap());
    }
    assert!(leveled.choose(&version, &context).is_none());
}
