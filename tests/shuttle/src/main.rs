//! The small lock-free parts under a scheduler that tries interleavings.
//!
//! Each law runs under random schedules and under schedules with few, well-placed switches; a failing one is
//! printed with what replays it. `RESILVER_SEED` chooses which, `RESILVER_MINUTES` how many. First a law about code
//! that is wrong must fail, so that a pass means something.
//!
//! The scheduler shows interleavings, not reorderings: that the orderings of the atomics suffice is for the thread
//! sanitizer to say.
#![forbid(unsafe_code)]

mod laws;
// It has no atomics of its own, so its `std` may be the real one.
#[path = "../../../crates/lsm-core/src/snapshots.rs"]
#[expect(dead_code, reason = "only part of it is under test")]
mod snapshots;

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

const BY_MINUTE: u64 = 20_000;
const SWITCHES: usize = 4;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn check(law: fn(), seed: u64, schedules: usize) {
    Runner::new(RandomScheduler::new_from_seed(seed, schedules), Config::new()).run(law);
    Runner::new(PctScheduler::new_from_seed(seed, SWITCHES, schedules), Config::new()).run(law);
}

fn main() {
    let seed = number("RESILVER_SEED", 1);
    let schedules = number("RESILVER_MINUTES", 1) * BY_MINUTE;
    let schedules = usize::try_from(schedules).unwrap_or(usize::MAX);
    println!("a law that does not hold must fail:");
    let planted = catch_unwind(AssertUnwindSafe(|| check(laws::WRONG, seed, schedules)));
    assert!(planted.is_err(), "a lost update was not found in {schedules} schedules");
    for (name, law) in laws::ALL {
        check(*law, seed, schedules);
        println!("{name}: holds in {schedules} random schedules and as many with {SWITCHES} switches");
    }
}
