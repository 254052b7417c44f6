//! How fast a patrol goes: its rate, changes of it, rests between files, stepping back for the foreground.

use std::{sync::atomic::Ordering, time::Duration};

use lsm_scrub::PatrolOptions;

use crate::world::{Event, World, brisk, secs, table};

const PAGE: u64 = 4096;

fn large(pages: u64) -> World {
    let world = World::new();
    world.add(table(1, 1), pages, &[]);
    world
}

/// Bytes read from one moment to another, seconds after the beginning.
fn read_between(world: &World, from: u64, until: u64) -> u64 {
    let within = secs(1000 + from)..secs(1000 + until);
    let reads = world.reads.lock();
    reads
        .iter()
        .filter(|(.., at)| within.contains(at))
        .map(|(_, pages, _)| (pages.end - pages.start) * PAGE)
        .sum()
}

/// 10 pages a second.
fn slow() -> PatrolOptions {
    brisk().bytes_per_sec(10 * PAGE)
}

#[test]
fn the_rate_is_kept_and_used_up() {
    let world = large(1000);
    let report = world.scrub(&slow());
    world.check_read_once();
    for from in (0..90).step_by(10) {
        let read = read_between(&world, from, from + 10);
        assert!((95 * PAGE..=107 * PAGE).contains(&read), "{} pages from {from} s on", read / PAGE);
    }
    assert!((9 * PAGE..=10 * PAGE + 500).contains(&report.bytes_per_sec()), "{report}");
}

#[test]
fn what_the_ladder_reads_besides_counts_too() {
    let world = large(300);
    world.effort.store(3, Ordering::SeqCst);
    let report = world.scrub(&slow());
    assert_eq!(report.bytes, 900 * PAGE);
    assert!((8 * PAGE..=11 * PAGE).contains(&report.bytes_per_sec()), "{report}");
}

#[test]
fn another_rate_counts_at_once() {
    let world = large(2000);
    world.at(10, Event::Rate(100 * PAGE));
    world.at(20, Event::Rate(PAGE));
    world.at(60, Event::Rate(0));
    world.scrub(&slow());
    world.check_read_once();
    let within = |from, until, least: u64, most: u64| {
        let pages = read_between(&world, from, until) / PAGE;
        assert!((least..=most).contains(&pages), "{pages} pages from {from} to {until} s");
    };
    within(0, 10, 95, 107);
    within(10, 20, 900, 1029);
    within(21, 60, 30, 44);
    within(60, 62, 800, 1000);
}

#[test]
fn a_slow_foreground_is_stepped_back_for_and_not_waited_out() {
    let world = large(4000);
    world.at(0, Event::Latency(5));
    world.at(1, Event::Latency(50));
    world.at(101, Event::Latency(20));
    let report =
        world.scrub(&brisk().bytes_per_sec(400 * PAGE).foreground_latency_max(Duration::from_millis(20)));
    assert!(report.is_complete());
    world.check_read_once();
    assert!(read_between(&world, 0, 1) >= 350 * PAGE);
    let meanwhile = read_between(&world, 11, 101);
    assert!((40 * PAGE..=200 * PAGE).contains(&meanwhile), "{} pages", meanwhile / PAGE);
    assert!(read_between(&world, 102, 105) >= 1000 * PAGE);
}

#[test]
fn a_foreground_that_is_always_slow_ends_no_pass() {
    let world = large(100);
    world.at(0, Event::Latency(1000));
    let report = world.scrub(&brisk().foreground_latency_max(Duration::from_millis(20)));
    assert!(report.is_complete());
    world.check_read_once();
}

#[test]
fn files_stand_apart_in_time() {
    let world = World::new();
    (1..=5).for_each(|number| world.add(table(1, number), 3, &[]));
    world.scrub(&brisk().pause_between_files(secs(7)));
    let times: Vec<_> = world.reads.lock().iter().map(|(.., at)| *at).collect();
    assert_eq!(times.len(), 5);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= secs(7)), "{times:?}");
}
