//! Kills at every effect, steps of every size, orders to pause and cancel, files that come and go.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use lsm_core::FileId;
use lsm_scrub::*;
use page_ecc::Rung;
use proptest::prelude::*;

use crate::world::{Event, World, brisk, table};

/// Runs `patrol` steps of this many bytes until the pass is through.
fn walk(world: &World, patrol: &mut Patrol, budget: u64) -> Report {
    loop {
        if let Step::Finished(report) = patrol.step(world, &world.around(), budget) {
            return report;
        }
    }
}

#[test]
fn killed_at_any_effect_it_goes_on_and_finds_the_same() {
    let whole = World::troubled();
    whole.scrub(&brisk());
    let effects = whole.effects.load(Ordering::SeqCst);
    assert!(effects > 50, "{effects}");
    for lives in 0..effects {
        let world = World::troubled();
        world.live(lives);
        world.scrub(&brisk());
        let cut: Option<FileRef> = world.reads.lock().last().map(|(of, ..)| *of);
        world.live(u64::MAX);
        let finished = Remembered::load(&world.memory).pass_is_over();
        if !finished {
            world.scrub(&brisk());
        }
        assert_eq!(world.told_set(), whole.told_set(), "killed after {lives} effects");
        let counts = world.read_counts();
        assert_eq!(counts.keys().collect::<BTreeSet<_>>(), whole.read_counts().keys().collect());
        let twice: BTreeSet<_> =
            counts.iter().filter(|(_, count)| **count > 1).map(|((of, _), _)| *of).collect();
        assert!(twice.iter().all(|of| Some(*of) == cut), "{lives}: {twice:?} and {cut:?}");
        let again = counts.values().sum::<u64>() - counts.len() as u64;
        assert!(again <= 8 + 4, "{lives}: {again} pages were read again");
    }
}

trait Over {
    fn pass_is_over(&self) -> bool;
}

impl Over for Remembered {
    /// Whether there was a pass and it is not under way any more.
    fn pass_is_over(&self) -> bool {
        !self.is_under_way() && self.last_examined(table(2, 3)).is_some()
    }
}

#[test]
fn a_loss_found_before_a_kill_is_not_forgotten() {
    let world = World::new();
    world.add(table(1, 1), 20, &[(1, Rung::Lost)]);
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 12 * 4096), Step::Worked));
    drop(patrol);
    let report = world.scrub(&brisk());
    assert_eq!((report.pages, report.findings(), report.pages_lost_before), (8, 0, 1));
    assert_eq!(report.bytes_before, 12 * 4096);
    assert!(!report.is_ok() && !report.is_clean());
}

#[test]
fn a_step_keeps_its_budget_and_comes_on_with_any() {
    for budget in [1, 4096, 5 * 4096, 17 * 4096 + 5, u64::MAX] {
        let world = World::troubled();
        let mut patrol = Patrol::new(brisk());
        let mut before = 0;
        loop {
            let step = patrol.step(&world, &world.around(), budget);
            let read = world.read_counts().values().sum::<u64>();
            assert!(read - before <= (budget / 4096).max(1));
            before = read;
            match step {
                Step::Finished(report) => break assert_eq!(report.pages, 81),
                Step::Worked => {}
                other => panic!("{other:?}"),
            }
        }
        world.check_read_once();
        assert_eq!(world.told_set(), world.all_wrong());
    }
}

#[test]
fn a_step_without_budget_reads_nothing() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 0), Step::Worked));
    assert!(world.reads.lock().is_empty());
    assert_eq!(patrol.report().unwrap().pages, 0);
}

#[test]
fn paused_it_reads_nothing_until_it_is_resumed() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 10 * 4096), Step::Worked));
    world.control.pause();
    let before = world.read_counts();
    for _ in 0..3 {
        assert!(matches!(patrol.step(&world, &world.around(), u64::MAX), Step::Paused));
    }
    assert_eq!(world.read_counts(), before);
    world.control.resume();
    walk(&world, &mut patrol, u64::MAX);
    world.check_read_once();
}

#[test]
fn a_whole_pass_waits_out_a_pause() {
    let world = World::troubled();
    world.at(20, Event::Pause);
    world.at(50, Event::Resume);
    let report = world.scrub(&brisk().bytes_per_sec(4096));
    world.check_read_once();
    assert!(report.is_complete());
    let asleep = crate::world::secs(1021)..crate::world::secs(1050);
    assert!(world.reads.lock().iter().all(|(.., at)| !asleep.contains(at)));
    assert!(world.reads.lock().iter().any(|(.., at)| *at < asleep.start));
}

#[test]
fn cancelled_it_says_what_it_has_and_the_next_one_goes_on() {
    let mut world = World::troubled();
    world.at(20, Event::Cancel);
    let report = world.scrub(&brisk().bytes_per_sec(4096));
    assert_eq!(report.end, End::Cancelled);
    assert!(report.pages > 0 && report.pages < 81);
    world.control.resume();
    assert!(world.control.is_cancelled());
    world.control = Control::new();
    let rest = world.scrub(&brisk());
    assert!(rest.is_complete());
    assert_eq!((rest.pages + report.pages, rest.bytes_before), (81, report.pages * 4096));
    world.check_read_once();
    assert_eq!(world.told_set(), world.all_wrong());
}

#[test]
fn starting_over_reads_everything_again() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    world.reads.lock().clear();
    world.scrub(&brisk().start(Start::Over));
    world.check_read_once();
}

#[test]
fn files_come_and_go_between_steps_and_a_pass_still_ends() {
    let world = World::new();
    (1..=20).for_each(|number| world.add(table(1, number), 10, &[]));
    let (mut patrol, mut next) = (Patrol::new(brisk()), 21);
    let report = loop {
        // A compaction for each step: more comes than is read.
        let oldest = *world.files.lock().keys().next().unwrap();
        world.files.lock().remove(&oldest);
        world.add(table(1, next), 100, &[]);
        next += 1;
        if let Step::Finished(report) = patrol.step(&world, &world.around(), 15 * 4096) {
            break report;
        }
    };
    assert!(report.is_clean());
    assert_eq!(report.files + report.files_gone, 20);
    assert!(world.read_counts().keys().all(|(of, _)| of.file <= FileId::new(21)));
    assert!(world.read_counts().values().all(|count| *count == 1));
}

#[test]
fn resumed_it_leaves_later_files_to_the_next_pass_and_forgets_those_that_are_gone() {
    let world = World::troubled();
    let mut patrol = Patrol::new(brisk());
    assert!(matches!(patrol.step(&world, &world.around(), 40 * 4096), Step::Worked));
    drop(patrol);
    let gone = world.order()[0];
    world.files.lock().remove(&gone);
    world.add(table(1, 99), 10, &[]);
    world.scrub(&brisk());
    assert!(!world.order().contains(&table(1, 99)));
    assert_eq!(Remembered::load(&world.memory).last_examined(gone), None);
    world.reads.lock().clear();
    world.scrub(&brisk());
    assert_eq!(world.order().last(), Some(&table(1, 2)), "the only one that was clean");
    assert!(world.order().contains(&table(1, 99)));
    world.check_read_once();
}

fn rungs() -> impl Strategy<Value = Rung> {
    let rungs = [
        Rung::Transient,
        Rung::Corrected { bits: 2 },
        Rung::Copied,
        Rung::Rebuilt,
        Rung::Supplied,
        Rung::Lost,
    ];
    prop::sample::select(rungs.to_vec())
}

/// A file: its tree, its pages, and which of them are wrong.
type Drawn = (u32, u64, Vec<(u64, Rung)>);

fn files() -> impl Strategy<Value = Vec<Drawn>> {
    let wrong = prop::collection::vec((0u64..40, rungs()), 0..6);
    prop::collection::vec((0u32..4, 0u64..40, wrong), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_store_the_steps_and_the_kills_everything_is_found(
        files in files(),
        steps in prop::collection::vec((1u64..30, 0u64..40), 0..20),
    ) {
        let world = World::new();
        for (number, (tree, pages, wrong)) in files.iter().enumerate() {
            let wrong: Vec<_> = wrong.iter().copied().filter(|(page, _)| page < pages).collect();
            world.add(table(*tree, number as u64), *pages, &wrong);
        }
        // Each one a process that dies after some steps or some effects.
        for (pages, lives) in steps {
            world.live(lives);
            let mut patrol = Patrol::new(brisk());
            (0..3).for_each(|_| drop(patrol.step(&world, &world.around(), pages * 4096)));
        }
        world.live(u64::MAX);
        walk(&world, &mut Patrol::new(brisk()), 7 * 4096);
        prop_assert_eq!(world.told_set(), world.all_wrong());
        let all: u64 = files.iter().map(|(_, pages, _)| pages).sum();
        prop_assert_eq!(world.read_counts().len() as u64, all);
    }
}
