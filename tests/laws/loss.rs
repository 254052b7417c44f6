//! Loss: whatever part of whatever tables is gone, a store answers nothing wrong, goes on, and can be made whole.
//!
//! Each case lives a while, loses up to half of some of its tables, lives on, and gives up what it lost; it is asked
//! for everything all along, now and as of snapshots. One more, hurt in log and manifest too, goes on for a million
//! operations by night. By day a few seeded cases, by night as many as there is time for, and longer ones.

mod crashes;
mod life;
mod long;
mod truth;

use lsm_io::Rng;
use resilver_tests::{
    Watchdog,
    budget::{self, Budget},
};

use self::{
    life::{Life, Tally},
    long::{Long, Scale},
};

#[test]
fn a_store_that_lost_pages_answers_nothing_wrong_and_can_be_made_whole() {
    let (is_night, budget) = (budget::is_night(), Budget::of(40));
    let watchdog = Watchdog::over("loss".into());
    let (mut rng, mut tally) = (Rng::new(budget::seed()), Tally::default());
    let cases_max = if is_night { u64::MAX } else { 12 };
    while tally.cases < cases_max && budget.lasts() {
        watchdog.pat();
        let length = if is_night { 1 + rng.below(8) } else { 1 };
        let seed = rng.next_u64();
        println!("loss: case {} of length {length} with seed {seed:#x}", tally.cases);
        Life::new(seed, length).live(&mut tally);
    }
    println!("loss: {tally:?}");
    assert!(tally.cases >= 3 && tally.unanswered > tally.cases, "hardly anything was lost: {tally:?}");
    assert!(tally.answered > 20 * tally.cases && tally.accepted >= tally.cases / 2, "{tally:?}");
}

#[test]
fn a_store_that_is_badly_hurt_goes_on_for_a_million_operations_and_can_be_made_whole() {
    let by_day = Scale { keys: 6_000, writes_before: 6_000, operations: 16_000 };
    let by_night = Scale { keys: 40_000, writes_before: 60_000, operations: 1_000_000 };
    let (is_night, budget) = (budget::is_night(), Budget::of(50));
    let watchdog = Watchdog::over("a long way after a loss".into());
    let (mut rng, mut lost) = (Rng::new(!budget::seed()), 0);
    let cases_max = if is_night { u64::MAX } else { 2 };
    for case in (0..cases_max).take_while(|case| *case == 0 || budget.lasts()) {
        let seen = Long::new(rng.next_u64(), if is_night { by_night } else { by_day }).live(&watchdog);
        println!("loss: long case {case}: {seen:?}");
        assert!(seen.reads > seen.operations / 3 && seen.hurt.0 > 0);
        lost += seen.unanswered.0.min(seen.accepted.0);
    }
    assert!(lost > 0, "nothing was lost");
}
