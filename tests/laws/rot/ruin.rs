//! More damage than is promised to be made good: no answer may be wrong, whatever becomes of the rest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lsm_io::{MemFs, Rng};
use page_ecc::PAGE_LEN;
use resilver::{Db, HealMode, LogLoss};

use super::{
    case::{Bed, Verdict, heal},
    harm::{Deed, Hurt, Kind, bytes_of, files, hole, len_of},
    truth::{Answers, told},
    world::World,
};

const PAGE: u64 = PAGE_LEN as u64;

/// What is done to a whole store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruin {
    /// Up to half of some files in several places.
    Holes,
    /// Holes in tables alone, so that the store is there.
    TableHoles,
    /// Some tables are gone.
    TablesGone,
    /// Segments of the log are gone.
    LogsGone,
    /// Both extents of the log are wrong in the same places.
    BothExtents,
    /// Segments of the log end within their first extent.
    LogsCut,
    /// Both copies of the manifest's edits are gone.
    EditsGone,
    /// Both copies of the newest edits are wrong all over.
    EditsLost,
    /// Both copies are wrong in the same places.
    BothEdits,
    /// Everything of one generation of the manifest is gone.
    GenerationGone,
    /// A table that another one has taken the place of.
    TablesSwapped,
}

impl Ruin {
    pub(super) const ALL: [Self; 11] = [
        Self::Holes,
        Self::TableHoles,
        Self::TablesGone,
        Self::LogsGone,
        Self::BothExtents,
        Self::LogsCut,
        Self::EditsGone,
        Self::EditsLost,
        Self::BothEdits,
        Self::GenerationGone,
        Self::TablesSwapped,
    ];

    /// What is to be done to the disk, drawn.
    fn draw(self, bed: &Bed<'_>, rng: &mut Rng) -> Vec<Hurt> {
        let of = |kind| files(&bed.disk, bed.world.dir, kind);
        let some = |kind, rng: &mut Rng| -> Vec<_> {
            let all = of(kind);
            let (count, one) = (all.len() as u64, rng.below(all.len() as u64) as usize);
            let chosen = |at: usize, rng: &mut Rng| at == one || rng.chance(2, count.max(3));
            all.into_iter().enumerate().filter_map(|(at, path)| chosen(at, rng).then_some(path)).collect()
        };
        let gone = |paths: Vec<std::path::PathBuf>| {
            paths.into_iter().map(|path| Hurt::new(path, Deed::Remove)).collect()
        };
        match self {
            Self::Holes => {
                let kinds = Kind::ALL.into_iter().filter(|_| rng.chance(1, 2)).collect::<Vec<_>>();
                let paths: Vec<_> = kinds.into_iter().flat_map(|kind| some(kind, rng)).collect();
                paths.iter().flat_map(|path| holes(&bed.disk, path, rng)).collect()
            }
            Self::TableHoles => {
                some(Kind::Table, rng).iter().flat_map(|path| holes(&bed.disk, path, rng)).collect()
            }
            Self::TablesGone => gone(some(Kind::Table, rng)),
            Self::LogsGone => gone(some(Kind::Log, rng)),
            Self::BothExtents => {
                some(Kind::Log, rng).iter().flat_map(|path| both_extents(&bed.disk, path, rng)).collect()
            }
            Self::LogsCut => some(Kind::Log, rng).into_iter().map(|path| cut(&bed.disk, path, rng)).collect(),
            Self::EditsGone => {
                let all = of(Kind::Edits);
                gone(if rng.chance(1, 2) { all } else { all[all.len() - 2..].to_vec() })
            }
            Self::EditsLost => {
                let all = of(Kind::Edits);
                let whole = |path: &std::path::PathBuf| {
                    let deed = hole(0, len_of(&bed.disk, path), rng);
                    Hurt::new(path.clone(), deed)
                };
                all[all.len() - 2..].iter().map(whole).collect()
            }
            Self::BothEdits => both_edits(&bed.disk, &of(Kind::Edits), rng),
            Self::GenerationGone => {
                let newest = of(Kind::Edits).pop().unwrap();
                let number = newest.to_str().unwrap().rsplit('-').nth(1).unwrap().to_owned();
                let mut all = of(Kind::Edits);
                all.extend(of(Kind::Snapshot));
                gone(all.into_iter().filter(|path| path.to_str().unwrap().contains(&number)).collect())
            }
            Self::TablesSwapped => {
                let (all, chosen) = (of(Kind::Table), some(Kind::Table, rng));
                chosen.into_iter().flat_map(|path| taken_over(&bed.disk, &path, &all, rng)).collect()
            }
        }
    }
}

/// The last page in this range that holds anything.
fn last_used(bytes: &[u8], pages: std::ops::Range<u64>) -> Option<u64> {
    let is_used = |page: &u64| bytes[(page * PAGE) as usize..].iter().take(PAGE_LEN).any(|&byte| byte != 0);
    pages.rev().find(is_used)
}

/// Up to half of a file in up to four places. Of a log the last page that is used is left in one extent: without
/// it nothing says that there was more.
fn holes(disk: &MemFs, path: &std::path::Path, rng: &mut Rng) -> Vec<Hurt> {
    let bytes = bytes_of(disk, path);
    let len = bytes.len() as u64;
    let count = 1 + rng.below(4);
    let is_log = Kind::of(path.file_name().unwrap().as_ref()) == Some(Kind::Log);
    let kept = if is_log { last_used(&bytes, len / 2 / PAGE..len / PAGE) } else { None };
    let kept = kept.map(|page| page * PAGE..(page + 1) * PAGE);
    let mut hurts = Vec::new();
    for _ in 0..count {
        let hole_len = 1 + rng.below(len / 2 / count);
        let start = rng.below(len - hole_len);
        let mut end = start + hole_len;
        if let Some(kept) = &kept
            && start < kept.end
            && kept.start < end
        {
            end = kept.start;
        }
        if start < end {
            hurts.push(Hurt::new(path.into(), hole(start, end, rng)));
        }
    }
    hurts
}

/// The same pages of both extents, but for the last that is used.
fn both_extents(disk: &MemFs, path: &std::path::Path, rng: &mut Rng) -> Vec<Hurt> {
    let bytes = bytes_of(disk, path);
    let half = bytes.len() as u64 / 2;
    let last = last_used(&bytes, 0..half / PAGE).unwrap_or(0);
    let start = rng.below(last.max(1));
    let end = (start + 1 + rng.below(8)).min(last.max(1));
    let both = [start * PAGE..end * PAGE, half + start * PAGE..half + end * PAGE];
    both.map(|hurt| Hurt::new(path.into(), hole(hurt.start, hurt.end, rng))).into()
}

fn cut(disk: &MemFs, path: std::path::PathBuf, rng: &mut Rng) -> Hurt {
    let len = len_of(disk, &path);
    Hurt::new(path, Deed::Cut(rng.below(len / 2)))
}

/// The same pages of both copies of the newest edits, but for the last that is used.
fn both_edits(disk: &MemFs, edits: &[std::path::PathBuf], rng: &mut Rng) -> Vec<Hurt> {
    let pair = &edits[edits.len() - 2..];
    let bytes = bytes_of(disk, &pair[0]);
    let last = last_used(&bytes, 0..bytes.len() as u64 / PAGE).unwrap_or(0).max(1);
    let start = rng.below(last);
    let end = start + 1 + rng.below(last - start);
    let both =
        |path: &std::path::PathBuf| Hurt::new(path.clone(), hole(start * PAGE, end.min(last) * PAGE, rng));
    pair.iter().map(both).collect()
}

/// Every page of another table, as far as there are that many.
fn taken_over(disk: &MemFs, path: &std::path::Path, all: &[std::path::PathBuf], rng: &mut Rng) -> Vec<Hurt> {
    let from = all[rng.below(all.len() as u64) as usize].clone();
    let pages = len_of(disk, path).min(len_of(disk, &from)) / PAGE;
    let deed = |page| Deed::Exchange { from: from.clone(), page };
    (0..pages).map(|page| Hurt::new(path.into(), deed(page))).collect()
}

/// Ruins a store and asks, before it is healed, after, once compacted, and opened again.
pub(super) fn ruin(world: &World, ruin: Ruin, mode: HealMode, seed: u64) -> Option<Verdict> {
    let bed = Bed::new(world, world.disk.fork(), seed);
    let has_log = !files(&bed.disk, world.dir, Kind::Log).is_empty();
    if !has_log && matches!(ruin, Ruin::LogsGone | Ruin::BothExtents | Ruin::LogsCut | Ruin::Holes) {
        return None;
    }
    let hurts = ruin.draw(&bed, &mut Rng::new(seed));
    let few: Vec<_> = hurts.iter().take(6).collect();
    let place = format!("{}: {ruin:?} {mode:?} seed {seed:#x}: {} hurts, {few:?}", world.name, hurts.len());
    let mut verdict = Verdict { is_seen: !hurts.is_empty(), place, ..Verdict::default() };
    hurts.iter().for_each(|hurt| bed.hurt(hurt));
    if catch_unwind(AssertUnwindSafe(|| go(&bed, mode, &mut verdict))).is_err() {
        verdict.answers.wrong.push("it panicked".into());
    }
    Some(verdict)
}

fn ask(bed: &Bed<'_>, db: &Db, when: &str, verdict: &mut Verdict) {
    let Answers { errors, wrong } = bed.world.truth.ask(db);
    let at = |what: String| format!("{when}: {what}");
    verdict.answers.errors.extend(errors.into_iter().map(at));
    verdict.answers.wrong.extend(wrong.into_iter().map(at));
}

fn go(bed: &Bed<'_>, mode: HealMode, verdict: &mut Verdict) {
    match Db::open_read_only(bed.world.dir, bed.options()) {
        Ok(db) => ask(bed, &db, "read-only", verdict),
        Err(error) => verdict.answers.error("opening read-only", &error),
    }
    let db = match bed.open() {
        Ok(db) => db,
        Err(error) => {
            verdict.answers.error("opening", &error);
            // Whoever accepts the loss may see older values, but not a panic, nor bytes that were never written.
            drop(bed.options().log_loss(LogLoss::Accept).open(bed.world.dir));
            return;
        }
    };
    ask(bed, &db, "at first", verdict);
    if let Err(error) = heal(&db, mode, &mut verdict.unhealed) {
        verdict.unhealed.push(told(&error));
    }
    ask(bed, &db, "after healing", verdict);
    if let Err(error) = db.compact() {
        verdict.answers.error("compacting", &error);
    }
    ask(bed, &db, "after compacting", verdict);
    if let Err(error) = db.close() {
        verdict.answers.error("closing", &error);
    }
    match bed.open() {
        Ok(db) => ask(bed, &db, "opened again", verdict),
        Err(error) => verdict.answers.error("opening again", &error),
    }
}
