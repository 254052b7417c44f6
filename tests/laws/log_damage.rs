//! Damage to the log and to the manifest of a store: right answers; beyond what the copies make up for, a loss that
//! names its sequence numbers. A history that is silently shorter is never an answer.
//!
//! By day places are sampled; by night each is taken, in an order that the seed decides, while there is time.

mod victim;

use std::io::Write as _;

use lsm_io::Rng;
use resilver_tests::budget::{self, Budget};

use self::victim::{Demand, End, How, Hurt, PAGE, Part, Seen, Victim};

const HOLE: usize = 64 << 10;

/// Every place of every file that lies `step` behind the one before and is chosen, in random order; by day so many.
fn places(
    victim: &Victim,
    step: usize,
    by_day: usize,
    is_chosen: impl Fn(Part, &[u8]) -> bool,
) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    for (file, image) in victim.files.iter().enumerate() {
        let starts = (0..image.bytes.len()).step_by(step);
        let chosen =
            starts.filter(|at| is_chosen(image.part, &image.bytes[*at..(at + step).min(image.bytes.len())]));
        places.extend(chosen.map(|at| (file, at)));
    }
    let mut rng = Rng::new(budget::seed());
    for at in (1..places.len()).rev() {
        places.swap(at, rng.below(at as u64 + 1) as usize);
    }
    if !budget::is_night() {
        places.truncate(by_day);
    }
    places
}

/// Hurts one place after the other; returns how many losses were named.
#[track_caller]
fn each(
    what: &str,
    victim: &Victim,
    share: u64,
    cases: impl IntoIterator<Item = Vec<Hurt>>,
    demand: impl Fn(&[Hurt]) -> Demand,
) -> usize {
    let budget = Budget::of(share);
    let (mut done, mut named, mut end) = (0, 0, "all of them");
    for hurts in cases {
        if !budget.lasts() {
            end = "as many as there was time for";
            break;
        }
        // Opening for writing costs ten times what reading does.
        let seen = victim.check(&hurts, demand(&hurts), done % 8 == 0);
        named += usize::from(seen == Seen::Named);
        done += 1;
    }
    // Past the test harness, which keeps what passing tests say to itself.
    let _ = writeln!(std::io::stderr(), "{what}: {done} cases, {end}, {named} named losses");
    assert!(done > 0, "there is something to hurt");
    named
}

fn one(file: usize, at: usize, len: usize, how: How) -> Vec<Hurt> {
    vec![Hurt { file, at, len, how }]
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[test]
fn any_flipped_byte_of_log_and_manifest_costs_nothing() {
    let victim = Victim::new(End::Closed);
    let flips = |by_day, zeros: bool| {
        let places = places(&victim, 1, by_day, |_, bytes| is_zero(bytes) == zeros);
        places.into_iter().map(|(file, at)| one(file, at, 1, How::Flip))
    };
    each("flips of what is written", &victim, 60, flips(200, false), |_| Demand::Right);
    each("flips of what is zero", &victim, 5, flips(40, true), |_| Demand::Right);
}

#[test]
fn any_zeroed_sector_of_log_and_manifest_costs_nothing() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let sectors = places(&victim, 512, 80, |_, bytes| !is_zero(bytes));
        let cases = sectors.into_iter().map(|(file, at)| one(file, at, 512, How::Zero));
        each("zeroed sectors", &victim, 5, cases, |_| Demand::Right);
    }
}

#[test]
fn any_lost_page_of_log_and_manifest_costs_nothing() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let pages = places(&victim, PAGE, 50, |_, _| true);
        let hows = [How::Zero, How::Garble, How::Foreign, How::Unreadable];
        let cases: Vec<_> =
            pages.iter().flat_map(|(file, at)| hows.map(|how| one(*file, *at, PAGE, how))).collect();
        each("lost pages", &victim, 8, cases, |_| Demand::Right);
    }
}

#[test]
fn any_hole_of_64_kib_in_log_and_manifest_costs_nothing() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let starts = places(&victim, PAGE, 40, |_, _| true);
        let cases: Vec<_> = starts
            .iter()
            .flat_map(|(file, at)| {
                let len = victim.files[*file].bytes.len();
                let aligned = [How::Zero, How::Garble, How::Unreadable].map(|how| one(*file, *at, HOLE, how));
                let between = (at + 2048 + 77 < len).then(|| one(*file, at + 2048 + 77, HOLE, How::Zero));
                aligned.into_iter().chain(between)
            })
            .collect();
        each("holes of 64 KiB", &victim, 8, cases, |_| Demand::Right);
    }
}

#[test]
fn a_hole_in_the_log_and_one_in_a_file_of_the_manifest_cost_nothing() {
    let victim = Victim::new(End::Killed);
    let holes = |part| places(&victim, PAGE, 60, |found, _| found == part);
    let manifest = holes(Part::Manifest);
    let pairs = holes(Part::Log).into_iter().zip(manifest.iter().cycle());
    let cases: Vec<_> = pairs
        .map(|(log, manifest)| {
            [one(log.0, log.1, HOLE, How::Zero), one(manifest.0, manifest.1, HOLE, How::Garble)].concat()
        })
        .collect();
    each("holes in log and manifest", &victim, 6, cases, |_| Demand::Right);
}

#[test]
fn a_file_cut_or_gone_costs_nothing_or_is_a_named_loss() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let cuts = places(&victim, 1000, 60, |_, _| true).into_iter();
        let pages = places(&victim, PAGE, 60, |_, _| true).into_iter();
        let cuts = cuts.chain(pages).map(|(file, at)| one(file, at, 0, How::Cut));
        let gone = (0..victim.files.len()).map(|file| one(file, 0, 0, How::Gone));
        let cases: Vec<_> = gone.chain(cuts).collect();
        let named = each("cuts", &victim, 8, cases, |hurts| {
            let (hurt, image) = (hurts[0], &victim.files[hurts[0].file]);
            let is_half_there = hurt.how == How::Cut && hurt.at >= image.bytes.len() / 2;
            // A segment that only stood ready holds nothing.
            match image.part {
                Part::Log if !is_half_there && image.is_used() => Demand::RightOrNamed,
                _ => Demand::Right,
            }
        });
        assert!(named > 0, "a log that is gone is told");
    }
}

#[test]
fn what_is_lost_from_both_extents_of_the_log_is_named() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let mut pages = places(&victim, PAGE, usize::MAX, |part, bytes| part == Part::Log && !is_zero(bytes));
        pages.retain(|(file, at)| *at < victim.files[*file].bytes.len() / 2);
        if end == End::Killed {
            // Nothing behind the very last group tells that it was durable.
            let last = *pages.iter().max().unwrap();
            pages.retain(|page| *page != last);
        }
        let cases: Vec<_> = pages
            .iter()
            .flat_map(|&(file, at)| {
                let other = at + victim.files[file].bytes.len() / 2;
                let hows = [(How::Zero, How::Zero), (How::Garble, How::Unreadable)];
                hows.map(|(how, why)| [one(file, at, PAGE, how), one(file, other, PAGE, why)].concat())
            })
            .collect();
        let count = cases.len();
        let named = each("pages of both extents", &victim, 5, cases, |_| Demand::RightOrNamed);
        assert!(
            named > 0 && (budget::is_night() || named > count / 2),
            "most of them hold what is nowhere else"
        );
    }
}

#[test]
fn a_segment_of_which_nothing_is_left_is_named() {
    for end in [End::Closed, End::Killed] {
        let victim = Victim::new(end);
        let cases: Vec<_> = (0..victim.files.len())
            .filter(|file| victim.files[*file].part == Part::Log)
            .flat_map(|file| {
                let len = victim.files[file].bytes.len();
                [How::Zero, How::Garble, How::Unreadable].map(|how| one(file, 0, len, how))
            })
            .collect();
        let named = each("whole segments", &victim, 1, cases, |_| Demand::RightOrNamed);
        assert!(named > 0, "a segment that is gone is told");
    }
}

#[test]
fn any_mix_of_damage_to_the_log_costs_nothing_or_is_a_named_loss() {
    let victim = Victim::new(End::Closed);
    let logs: Vec<usize> =
        (0..victim.files.len()).filter(|file| victim.files[*file].part == Part::Log).collect();
    let mut rng = Rng::new(budget::seed());
    let count = if budget::is_night() { 100_000 } else { 150 };
    let cases: Vec<_> = (0..count).map(|_| mix(&mut rng, &victim, &logs)).collect();
    let named = each("mixes", &victim, 10, cases, |_| Demand::RightOrNamed);
    assert!(named > 0, "some of them are beyond the copies");
}

/// Damage to up to six places, some of them the same in both extents; to the newest segment that is used only one,
/// since both copies of the end may not be told from an end that never was.
fn mix(rng: &mut Rng, victim: &Victim, logs: &[usize]) -> Vec<Hurt> {
    let newest = victim.newest_segment();
    let mut hurts = Vec::new();
    for _ in 0..=rng.below(6) {
        let file = logs[rng.below(logs.len() as u64) as usize];
        let len_all = victim.files[file].bytes.len();
        let at = rng.below(len_all as u64) as usize;
        let len = [1, 512, PAGE, 20_000, HOLE, 100_000][rng.below(6) as usize];
        let how = [How::Zero, How::Garble, How::Foreign, How::Unreadable][rng.below(4) as usize];
        hurts.extend(one(file, at, len, how));
        if rng.chance(1, 2) {
            hurts.extend(one(file, (at + len_all / 2) % len_all, len, how));
        }
    }
    let mut is_hurt = false;
    hurts.retain(|hurt| hurt.file != newest || !std::mem::replace(&mut is_hurt, true));
    hurts
}
