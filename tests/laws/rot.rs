//! The rot law: whatever a promise covers is answered right, and healed so that not one page is wrong any more;
//! beyond it no answer is wrong, missing without an error, or come back from the dead.
//!
//! By day a small store and a sample of places, by night a larger one and as many as there is time for.

mod bed;
mod harm;

use std::{collections::BTreeMap, io::Write as _, path::Path};

use lsm_io::Rng;
use resilver::{Codec, HealMode, PatrolOptions, ScrubControl, ScrubStart, ZstdLevel};
use resilver_tests::budget::{self, Budget};

use self::{
    bed::{Bed, DIR, End, Size, bytes_of},
    harm::{FileKind, HARMS, Harm},
};

/// What became of the cases of one row.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    cases: u64,
    right: u64,
    healed: u64,
    lost: u64,
}

fn size() -> Size {
    match budget::is_night() {
        true => Size { changes: 60_000, keys: 20_000, value_bytes_max: 1 << 20, table_bytes: 4 << 20 },
        false => Size { changes: 2_500, keys: 900, value_bytes_max: 20_000, table_bytes: 256 << 10 },
    }
}

/// Past the test harness, which keeps what passing tests say to itself.
fn tell(rows: &BTreeMap<(FileKind, &'static str), Row>) {
    let mut text =
        format!("{:<10}{:<24}{:>7}{:>7}{:>8}{:>6}\n", "file", "damage", "cases", "right", "healed", "lost");
    for ((kind, harm), row) in rows {
        let Row { cases, right, healed, lost } = row;
        text.push_str(&format!(
            "{:<10}{harm:<24}{cases:>7}{right:>7}{healed:>8}{lost:>6}\n",
            kind.to_string()
        ));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Hurts one file, asks for everything, scrubs, heals, looks at every page, and asks again.
#[track_caller]
fn check(bed: &Bed, path: &Path, harm: Harm, rng: &mut Rng, mode: HealMode) -> Row {
    let case = format!("{} {harm:?} {mode:?}", path.display());
    let disk = bed.disk();
    let sealed = bytes_of(&disk, path);
    harm.strike(&disk, path, rng);
    let db = bed.options(&disk).open(DIR).unwrap_or_else(|error| panic!("{case}: {error}"));
    let answers = bed.ask(&db);
    assert!(answers.are_right(), "{case}: while hurt: {answers:?}");
    let everything = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
    let report = db.scrub(&everything, &ScrubControl::new()).unwrap();
    assert!(report.is_ok() && report.is_complete(), "{case}: {report}");
    let healed = db.heal(mode).unwrap();
    assert!(healed.is_whole() && db.hints().is_empty(), "{case}: {healed:?}");
    let answers = bed.ask(&db);
    assert!(answers.are_right(), "{case}: once healed: {answers:?}");
    db.close().unwrap();
    let verified = resilver::verify(DIR, &bed.options(&disk), |_| {}).unwrap();
    assert!(verified.bad.is_empty() && verified.is_ok(), "{case}: still wrong: {:?}", verified.bad);
    if let Some(now) = bytes_of(&disk, path).filter(|_| FileKind::of(path) == Some(FileKind::Table)) {
        assert!(Some(now) == sealed, "{case}: the healed table is not the one first written");
    }
    let db = bed.options(&disk).open(DIR).unwrap();
    let answers = bed.ask(&db);
    assert!(answers.are_right(), "{case}: opened again: {answers:?}");
    Row { cases: 1, right: 1, healed: 1, lost: 0 }
}

/// Every harm to files of every kind.
fn check_bed(bed: &Bed, budget: Budget, by_day: usize, rows: &mut BTreeMap<(FileKind, &'static str), Row>) {
    let mut rng = Rng::new(budget::seed());
    let files = bed.files();
    let kinds = FileKind::ALL
        .map(|kind| files.iter().filter(|(path, _)| FileKind::of(path) == Some(kind)).collect::<Vec<_>>());
    let mut cases = Vec::new();
    for (kind, of_kind) in FileKind::ALL.into_iter().zip(&kinds) {
        for harm in HARMS.into_iter().filter(|harm| harm.is_promised(kind)) {
            for nth in 0..if budget::is_night() { of_kind.len() } else { 1 } {
                let (path, _) = of_kind[(nth + rng.below(of_kind.len() as u64) as usize) % of_kind.len()];
                cases.push((kind, harm, path));
            }
        }
    }
    for at in (1..cases.len()).rev() {
        cases.swap(at, rng.below(at as u64 + 1) as usize);
    }
    if !budget::is_night() {
        cases.truncate(by_day);
    }
    for (kind, harm, path) in cases {
        if !budget.lasts() {
            break;
        }
        let mode = if rng.below(2) == 0 { HealMode::InPlace } else { HealMode::Rewrite };
        let found = check(bed, path, harm, &mut rng, mode);
        let row = rows.entry((kind, harm.name())).or_default();
        row.cases += found.cases;
        row.right += found.right;
        row.healed += found.healed;
    }
}

#[test]
fn what_is_promised_is_right_and_healed() {
    let mut rows = BTreeMap::new();
    let zstd = Codec::Zstd { level: ZstdLevel::default() };
    let share = Budget::of(40);
    for (codec, end) in [(Codec::None, End::Killed), (zstd, End::Killed), (Codec::Lz4, End::Closed)] {
        let bed = Bed::new(size(), codec, end, budget::seed());
        check_bed(&bed, if budget::is_night() { Budget::of(13) } else { share }, 9, &mut rows);
    }
    tell(&rows);
    assert!(rows.values().map(|row| row.cases).sum::<u64>() >= 20, "{rows:?}");
}

#[test]
fn beyond_the_promise_nothing_is_wrong_or_silently_gone() {
    let budget = Budget::of(30);
    let mut rng = Rng::new(budget::seed());
    let mut rows = BTreeMap::<_, Row>::new();
    let bed = Bed::new(size(), Codec::None, End::Closed, budget::seed());
    for round in 0..if budget::is_night() { 100_000 } else { 16 } {
        if !budget.lasts() {
            break;
        }
        let disk = bed.disk();
        let mut files = bed.files();
        files.retain(|(path, _)| FileKind::of(path) == Some(FileKind::Table));
        let mut struck = Vec::new();
        for _ in 0..=rng.below(4) {
            let (path, _) = &files[rng.below(files.len() as u64) as usize];
            let harm = [Harm::Holes, Harm::Gone, Harm::Half][rng.below(3) as usize];
            harm.strike(&disk, path, &mut rng);
            struck.push((path.clone(), harm));
        }
        let case = format!("round {round}: {struck:?}");
        let db = bed.options(&disk).open(DIR).unwrap_or_else(|error| panic!("{case}: {error}"));
        let answers = bed.ask(&db);
        assert!(answers.wrong.is_none(), "{case}: {answers:?}");
        let everything = PatrolOptions::new().bytes_per_sec(0).start(ScrubStart::Over);
        db.scrub(&everything, &ScrubControl::new()).unwrap();
        db.heal(if round % 2 == 0 { HealMode::InPlace } else { HealMode::Rewrite }).unwrap();
        let again = bed.ask(&db);
        assert!(again.wrong.is_none(), "{case}: once healed: {again:?}");
        assert!(again.lost <= answers.lost, "{case}: healing lost more: {answers:?}, then {again:?}");
        db.close().unwrap();
        let row = rows.entry((FileKind::Table, "beyond the promise")).or_default();
        row.cases += 1;
        row.right += u64::from(answers.lost == 0);
        row.lost += u64::from(answers.lost > 0);
    }
    tell(&rows);
    assert!(rows.values().any(|row| row.lost > 0), "some of it was too much: {rows:?}");
}

#[test]
fn any_flipped_byte_of_any_file_is_right_and_healed() {
    let budget = Budget::of(30);
    let small = Size { changes: 300, keys: 100, value_bytes_max: 400, table_bytes: 256 << 10 };
    let bed = Bed::new(small, Codec::None, End::Killed, budget::seed());
    let mut places: Vec<_> = bed
        .files()
        .into_iter()
        .flat_map(|(path, len)| (0..len).map(move |at| (path.clone(), at)))
        // Most of what holds edits was never written; some of it is hurt all the same.
        .filter(|(path, at)| {
            FileKind::of(path) != Some(FileKind::Manifest) || *at < 32 << 10 || at % 4099 == 0
        })
        .collect();
    let mut rng = Rng::new(budget::seed());
    for at in (1..places.len()).rev() {
        places.swap(at, rng.below(at as u64 + 1) as usize);
    }
    if !budget::is_night() {
        places.truncate(10);
    }
    let mut done = 0_u64;
    for (path, at) in places {
        if !budget.lasts() {
            break;
        }
        check(&bed, &path, Harm::FlipAt(at), &mut rng, HealMode::InPlace);
        done += 1;
    }
    let _ = writeln!(std::io::stderr(), "flipped bytes: {done} cases, each right and healed");
    assert!(done >= 10);
}
