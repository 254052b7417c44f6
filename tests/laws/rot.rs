//! Damage at rest: what a store promises to make good it makes good, and beyond that it answers nothing wrong.
//!
//! Each case takes a copy of a store that was killed, closed, or is a checkpoint, does one thing to one file of it,
//! and asks for everything, scrubs, heals, looks at every page from outside and asks again. By day a seeded sample
//! of a small store, by night everything of one of about 100 MB, as often as there is time for. The outcome is a
//! table.

mod case;
mod flips;
mod harm;
mod ruin;
mod tally;
mod truth;
mod world;

use lsm_io::Rng;
use resilver::HealMode;
use resilver_tests::{
    Watchdog,
    budget::{self, Budget},
};

use self::{
    case::{Case, Moment},
    flips::Flips,
    harm::{Harm, Kind},
    ruin::{Ruin, ruin},
    tally::{Promise, Tally},
    world::{Size, World, codecs, worlds},
};

const BY_DAY: Size = Size { bytes: 3 << 20, table_bytes: 256 << 10, value_max: 300_000 };
const BY_NIGHT: Size = Size { bytes: 160 << 20, table_bytes: 4 << 20, value_max: 1 << 20 };

fn all_worlds(size: Size, seed: u64) -> Vec<World> {
    codecs().into_iter().flat_map(|codec| worlds(codec, size, seed)).collect()
}

/// So small that each of its bytes can be turned over in turn.
const SMALL: Size = Size { bytes: 128 << 10, table_bytes: 16 << 10, value_max: 3_000 };

const MOMENTS: [Moment; 2] = [Moment::AtRest, Moment::WhileOpen];
const MODES: [HealMode; 2] = [HealMode::InPlace, HealMode::Rewrite];

/// Which of the stores are hurt in each way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    One,
    All,
}

/// Every way to hurt, to heal, and to come at a good or a bad moment, shuffled: where time is short, some of each.
fn ways(rng: &mut Rng) -> Vec<(Kind, Harm, HealMode, Moment)> {
    let all = Kind::ALL.into_iter().flat_map(|kind| Harm::ALL.map(|harm| (kind, harm)));
    let all = all.filter(|(kind, harm)| harm.is_promised(*kind));
    let all = all.flat_map(|(kind, harm)| MODES.map(|mode| (kind, harm, mode)));
    let all = all.flat_map(|(kind, harm, mode)| MOMENTS.map(|moment| (kind, harm, mode, moment)));
    let mut all: Vec<_> = all.collect();
    for at in (1..all.len()).rev() {
        all.swap(at, rng.below(at as u64 + 1) as usize);
    }
    all
}

/// Hurts stores in every way, as long as there is time.
fn pass(worlds: &[World], which: Which, budget: Budget, rng: &mut Rng, tally: &mut Tally) {
    let watchdog = Watchdog::over("rot within the promise".into());
    for (kind, harm, mode, moment) in ways(rng) {
        let chosen = rng.below(worlds.len() as u64) as usize;
        for (at, world) in worlds.iter().enumerate() {
            let case = Case { world, kind, harm, moment, mode, seed: rng.next_u64() };
            if (which == Which::All || at == chosen) && budget.lasts() {
                watchdog.pat();
                if let Some(verdict) = case.run() {
                    tally.note(format!("{kind:?} {harm:?}"), Promise::Everything, &verdict);
                }
            }
        }
    }
}

/// By day each way on one of the small stores; by night on all of them, and on big ones as long as there is time.
#[test]
fn what_is_promised_to_be_made_good_is_made_good() {
    let is_night = budget::is_night();
    let budget = Budget::of(60);
    let (mut rng, mut tally) = (Rng::new(budget::seed()), Tally::default());
    let which = if is_night { Which::All } else { Which::One };
    pass(&all_worlds(BY_DAY, budget::seed()), which, budget, &mut rng, &mut tally);
    tally.tell("rot within the promise");
    tally.check();
    let (cases, seen) = (tally.cases(), tally.seen());
    assert!(cases >= 150 && seen >= cases / 2, "of {cases} cases {seen} showed");
    if is_night {
        let (worlds, mut tally) = (all_worlds(BY_NIGHT, budget::seed()), Tally::default());
        while budget.lasts() {
            pass(&worlds, Which::One, budget, &mut rng, &mut tally);
        }
        tally.tell("rot within the promise, big stores");
        tally.check();
    }
}

#[test]
fn beyond_the_promise_nothing_wrong_is_answered() {
    let is_night = budget::is_night();
    let budget = Budget::of(20);
    let worlds = all_worlds(BY_DAY, budget::seed());
    let watchdog = Watchdog::over("rot beyond the promise".into());
    let (mut rng, mut tally) = (Rng::new(!budget::seed()), Tally::default());
    let mut turn = 0;
    while turn == 0 || is_night && budget.lasts() {
        for (at, how) in Ruin::ALL.into_iter().enumerate() {
            for world in worlds.iter().skip((at + turn) % 2).step_by(if is_night { 1 } else { 2 }) {
                watchdog.pat();
                let mode = MODES[rng.below(2) as usize];
                if let Some(verdict) = ruin(world, how, mode, rng.next_u64()) {
                    tally.note(format!("{how:?}"), Promise::NothingWrong, &verdict);
                }
            }
        }
        turn += 1;
    }
    tally.tell("rot beyond the promise");
    tally.check();
    assert!(tally.cases() >= 20, "only {} cases", tally.cases());
}

#[test]
fn any_byte_of_any_file_may_be_wrong() {
    let is_night = budget::is_night();
    let budget = Budget::of(20);
    let worlds = all_worlds(SMALL, budget::seed());
    let watchdog = Watchdog::over("flips".into());
    let mut tally = Tally::default();
    let all: Vec<_> = worlds.iter().map(|world| Flips::of(world, budget::seed())).collect();
    let turns = all.iter().map(Flips::turns).max().unwrap_or(0);
    let turns = if is_night { turns } else { 12 };
    for turn in (0..turns).take_while(|_| budget.lasts()) {
        for flips in all.iter().filter(|flips| turn < flips.turns()) {
            watchdog.pat();
            let verdict = flips.flip(turn, MODES[(turn % 7 == 0) as usize]);
            tally.note(flips.world.name.clone(), Promise::Everything, &verdict);
        }
    }
    let bytes: u64 = all.iter().map(Flips::bytes).sum();
    tally.tell(&format!("one byte of each file wrong, of {bytes} bytes in turn"));
    tally.check();
    assert_eq!(tally.seen(), tally.cases());
}
