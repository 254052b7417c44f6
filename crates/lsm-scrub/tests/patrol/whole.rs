//! What one pass examines, finds, tells and reports.

use std::sync::atomic::{AtomicU64, Ordering};

use lsm_scrub::*;
use page_ecc::{PageNo, Rung};

use crate::world::{FileState, World, brisk, of_store, secs, table, wrongs};

struct Threads;

impl Crew for Threads {
    fn run(&self, workers: usize, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    }
}

/// One that runs nothing.
struct Idle;

impl Crew for Idle {
    fn run(&self, _: usize, _: &(dyn Fn() + Sync)) {}
}

#[test]
fn a_pass_reads_every_page_once_and_tells_everything_it_finds() {
    let world = World::troubled();
    let report = world.scrub(&brisk());
    world.check_read_once();
    assert_eq!(world.told_set(), world.all_wrong());
    assert_eq!(world.told.lock().len(), world.all_wrong().len());
    let listed: Vec<_> = report.found.iter().flat_map(|found| wrongs(&found.finding)).collect();
    assert_eq!(listed, *world.told.lock());
}

#[test]
fn a_report_counts_what_was_found() {
    let report = World::troubled().scrub(&brisk());
    let evidence = report.evidence;
    assert_eq!((report.files, report.pages, report.bytes), (7, 81, 81 * 4096));
    assert_eq!((evidence.transient, evidence.corrected, evidence.bits), (1, 1, 1));
    assert_eq!((evidence.rebuilt, evidence.copied, evidence.supplied, evidence.lost), (3, 3, 1, 3));
    // The last page of each file counts as its footer here.
    assert_eq!(report.redundancy_damaged, 4);
    assert_eq!((report.files_scheduled, report.files_healed), (6, 0));
    assert!(report.is_complete() && !report.is_ok() && !report.is_clean());
    assert_eq!(report.uncorrectable(), 3);
    assert!(report.to_string().starts_with("something is lost: 7 files, 81 pages"), "{report}");
}

#[test]
fn workers_on_many_threads_find_the_same_and_read_each_page_once() {
    let alone = World::troubled();
    let one = alone.scrub(&brisk());
    for workers in [2, 3, 16] {
        let world = World::troubled();
        let around = Around { crew: &Threads, ..world.around() };
        let report = patrol_scrub(&world, &brisk().parallelism(workers), &around);
        world.check_read_once();
        assert_eq!(world.told_set(), alone.told_set());
        assert_eq!((report.evidence, report.pages, report.files), (one.evidence, one.pages, one.files));
    }
}

#[test]
fn a_crew_that_runs_nothing_holds_nothing_up() {
    let world = World::troubled();
    let report = patrol_scrub(&world, &brisk(), &Around { crew: &Idle, ..world.around() });
    world.check_read_once();
    assert!(report.is_complete());
}

#[test]
fn a_file_that_does_not_open_is_a_loss_and_no_end() {
    let world = World::troubled();
    world.change(table(1, 1), |file| file.state = FileState::Unopenable);
    let report = world.scrub(&brisk());
    world.check_read_once();
    assert_eq!((report.files_unopened, report.files), (1, 6));
    let unopened = report.found.iter().find(|found| found.finding.file == table(1, 1)).unwrap();
    assert_eq!(unopened.finding.severity(), Severity::Lost);
    assert!(unopened.finding.to_string().ends_with("the disk refused; keys [a, z]"), "{}", unopened.finding);
    assert!(report.is_complete() && !report.is_ok());
}

#[test]
fn a_store_in_which_nothing_opens_is_walked_to_its_end() {
    let world = World::troubled();
    world.files.lock().values_mut().for_each(|file| file.state = FileState::Unopenable);
    let report = world.scrub(&brisk());
    assert!(report.is_complete() && !report.is_ok());
    assert_eq!((report.files_unopened, report.pages), (7, 0));
}

#[test]
fn a_file_that_is_gone_is_no_error() {
    let world = World::new();
    world.add(table(1, 1), 10, &[(2, Rung::Lost)]);
    world.add(table(1, 2), 10, &[]);
    world.change(table(1, 1), |file| file.state = FileState::Gone);
    let report = world.scrub(&brisk());
    assert!(report.is_complete() && report.is_clean());
    assert_eq!((report.files, report.files_gone), (1, 1));
    world.check_read_once();
}

#[test]
fn a_file_that_is_gone_is_forgotten() {
    let world = World::new();
    world.add(table(1, 1), 10, &[]);
    world.scrub(&brisk());
    assert!(Remembered::load(&world.memory).last_examined(table(1, 1)).is_some());
    world.change(table(1, 1), |file| file.state = FileState::Gone);
    world.scrub(&brisk());
    assert_eq!(Remembered::load(&world.memory).last_examined(table(1, 1)), None);
}

#[test]
fn a_finding_in_a_file_that_was_replaced_meanwhile_is_no_loss() {
    let world = World::new();
    world.add(table(1, 1), 10, &[(2, Rung::Lost)]);
    *world.answer.lock() = Action::Left(Reason::Gone);
    let report = world.scrub(&brisk());
    assert!(report.is_complete() && report.is_clean());
    assert_eq!((report.files_gone, report.findings()), (1, 0));
    // Nobody reads on in it.
    assert_eq!(report.pages, 4);
}

#[test]
fn findings_beyond_the_bound_are_counted_and_told() {
    let world = World::new();
    let wrong: Vec<_> = (0..50).map(|at| (at * 2, Rung::Rebuilt)).collect();
    world.add(table(1, 1), 100, &wrong);
    let report = world.scrub(&brisk().findings_max(7));
    assert_eq!((report.found.len(), report.found_unlisted, report.findings()), (7, 43, 50));
    assert_eq!((report.evidence.rebuilt, world.told.lock().len()), (50, 50));
    assert!(report.is_ok() && !report.is_clean());
}

#[test]
fn a_read_only_patrol_tells_and_remembers_nothing() {
    let world = World::troubled();
    let report = world.scrub(&brisk().access(Access::ReadOnly));
    world.check_read_once();
    assert!(world.told.lock().is_empty() && world.memory.load().unwrap().is_empty());
    assert_eq!(report.findings(), 12);
    assert!(report.found.iter().all(|found| found.action == Action::Left(Reason::ReadOnly)));
}

#[test]
fn a_read_only_patrol_is_whole_beside_one_that_is_under_way() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    let kept = world.memory.load().unwrap();
    world.reads.lock().clear();
    world.scrub(&brisk().access(Access::ReadOnly));
    world.check_read_once();
    assert_eq!(world.memory.load().unwrap(), kept);
}

#[test]
fn known_damage_is_all_that_is_read_of_known_damage() {
    let world = World::troubled();
    let pages = Suspicion::Pages(vec![PageNo::new(3)..PageNo::new(6), PageNo::new(4)..PageNo::new(10)]);
    world.change(table(1, 1), |file| file.file.suspicion = pages);
    world.change(of_store(FileKind::Manifest, 1), |file| file.file.suspicion = Suspicion::Whole);
    let report = world.scrub(&brisk().scope(Scope::KnownDamage));
    let read: Vec<_> = world.read_counts().into_iter().collect();
    let manifest = (0..3).map(|page| ((of_store(FileKind::Manifest, 1), page), 1));
    let table = (3..10).map(|page| ((table(1, 1), page), 1));
    assert_eq!(read, manifest.chain(table).collect::<Vec<_>>());
    assert_eq!((report.evidence.rebuilt, report.evidence.corrected, report.evidence.copied), (2, 1, 1));
    assert!(world.memory.load().unwrap().is_empty());
}

#[test]
fn the_next_pass_begins_with_the_oldest_and_damage_counts_as_old() {
    let world = World::new();
    [3, 1, 2].into_iter().for_each(|file| world.add(table(file, file.into()), 4, &[]));
    world.scrub(&brisk().start(Start::At(table(2, 0))));
    assert_eq!(world.order(), [table(2, 2), table(3, 3), table(1, 1)]);
    world.change(table(3, 3), |file| {
        file.wrong.insert(1, Rung::Lost);
    });
    for expected in [[2, 3, 1], [3, 2, 1]] {
        world.pass_time(secs(10));
        world.reads.lock().clear();
        world.scrub(&brisk());
        assert_eq!(world.order(), expected.map(|file| table(file, file.into())));
    }
    let remembered = Remembered::load(&world.memory);
    assert!(!remembered.is_under_way());
    assert!(remembered.last_clean(table(3, 3)) < remembered.last_examined(table(3, 3)));
    assert_eq!(remembered.last_clean(table(1, 1)), remembered.last_examined(table(1, 1)));
}

#[test]
fn progress_is_seen_from_outside_and_comes_to_its_end() {
    let world = World::troubled();
    let (control, mut patrol) = (world.control.clone(), Patrol::new(brisk().bytes_per_sec(4096)));
    let mut last = Progress::default();
    loop {
        let step = patrol.step(&world, &world.around(), 5 * 4096);
        let progress = control.progress();
        assert!(progress.bytes_done > last.bytes_done && progress.elapsed > last.elapsed);
        assert_eq!((progress.bytes_total, progress.files_total), (81 * 4096, 7));
        last = progress;
        if let Step::Finished(report) = step {
            assert_eq!(report.findings(), last.findings);
            break;
        }
        assert!(progress.remaining().unwrap() > secs(0));
    }
    assert_eq!((last.bytes_done, last.files_done, last.remaining()), (81 * 4096, 7, Some(secs(0))));
    assert_eq!(last.pages_lost, 3);
}

#[test]
fn a_cycle_asks_for_what_no_pass_has_examined_yet() {
    let world = World::troubled();
    let due = |remembered: &Remembered| Cycle::new(secs(100)).due(&world.files(), remembered, world.now());
    assert_eq!(due(&Remembered::load(&world.memory)).overdue_bytes, 81 * 4096);
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    assert_eq!(due(&Remembered::load(&world.memory)).overdue_bytes, 41 * 4096);
    assert!(matches!(patrol.step(&world, &world.around(), u64::MAX), Step::Finished(_)));
    let now = due(&Remembered::load(&world.memory));
    assert_eq!(now.overdue_bytes, 0);
    assert!((81 * 40..83 * 41).contains(&now.bytes_per_sec), "{now:?}");
}

#[test]
fn a_store_of_many_small_files_is_spread_over_threads() {
    let world = World::new();
    (1..200).for_each(|number| world.add(table(1, number), number % 7, &[]));
    let started = AtomicU64::new(0);
    struct Counting<'a>(&'a AtomicU64);
    impl Crew for Counting<'_> {
        fn run(&self, workers: usize, work: &(dyn Fn() + Sync)) {
            self.0.fetch_add(workers as u64, Ordering::SeqCst);
            Threads.run(workers, work);
        }
    }
    let around = Around { crew: &Counting(&started), ..world.around() };
    let report = patrol_scrub(&world, &brisk().parallelism(4), &around);
    world.check_read_once();
    assert_eq!((report.files, started.into_inner()), (199, 4));
    assert!(report.found.is_empty());
}
