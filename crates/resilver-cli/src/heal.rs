//! Writes what a survey found to be right, and reads it back.
//!
//! Only pages that were wrong are written, each with the bytes that were sealed, so a kill at any
//! moment leaves a page that is at worst still wrong.

use page_ecc::{Geometry, ReadFrom, Region};

use crate::failure::Failure;
use crate::files::{Access, Regular};
use crate::pair::{Half, Pair, Side};
use crate::progress::Progress;
use crate::spans::Spans;
use crate::survey::{Look, Survey, survey};

/// Patches held at a time.
pub(crate) const PATCH_BYTES_MAX: u64 = 64 << 20;
/// Pages looked at between two rounds of writing when patches were too many to keep: never more
/// patches than the bound.
const ROUND_PAGES: u64 = 8 << 10;

/// Which files of a pair are to be healed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heal {
    File,
    Seal,
    Both,
}

impl Heal {
    /// The pages that this is about.
    pub(crate) fn pages(self, pair: &Pair) -> Spans {
        match self {
            Self::File if pair.is_detached() => body(pair.geometry()),
            _ => Spans::first(pair.geometry().total_pages()),
        }
    }

    fn includes(self, side: Side) -> bool {
        match self {
            Self::File => side == Side::File,
            Self::Seal => side == Side::Seal,
            Self::Both => true,
        }
    }
}

/// Writes every page that `found` has wrong, sets lengths and syncs; gives how many were written.
///
/// # Errors
/// When a write failed: pages written until then are right, the others are as they were.
pub(crate) fn heal(pair: &mut Pair, found: &Survey, what: Heal) -> Result<u64, Failure> {
    let written = match &found.patches {
        Some(_) => write(pair, found, what)?,
        None => heal_in_rounds(pair, what)?,
    };
    for side in [Side::File, Side::Seal].into_iter().filter(|&side| what.includes(side)) {
        let sealed_len = pair.sealed_len(side);
        let Some(half) = pair.half_mut(side) else { continue };
        let is_resized = half.file.state()?.len != sealed_len;
        if is_resized {
            half.file.set_len(sealed_len)?;
        }
        if is_resized || written > 0 {
            half.file.sync()?;
        }
        half.state = half.file.state()?;
    }
    Ok(written)
}

/// Looks again, on the medium, at the pages that were wrong.
pub(crate) fn look_again(pair: &Pair, before: &Survey, what: Heal, patch_bytes: u64) -> Survey {
    let pages = match before.unlisted {
        0 => Spans::of(before.damaged.iter().chain(&before.lost).map(|one| one.pages.clone()).collect()),
        _ => Spans::first(pair.geometry().total_pages()),
    };
    let all = what.pages(pair);
    let pages = Spans::of(all.iter().flat_map(|range| pages.within(&range).into_ranges()).collect());
    survey(pair, &pages, Look { always: Some(ReadFrom::Medium), patch_bytes }, &Progress::hidden())
}

/// Looks at every page of a pair's file, on the medium.
pub(crate) fn look_at_file(pair: &Pair) -> Survey {
    let look = Look { always: Some(ReadFrom::Medium), patch_bytes: PATCH_BYTES_MAX };
    survey(pair, &Heal::File.pages(pair), look, &Progress::hidden())
}

/// Calls `act` with what is found in each round of pages.
///
/// # Errors
/// What `act` said.
pub(crate) fn in_rounds(
    pair: &Pair,
    what: Heal,
    mut act: impl FnMut(&Survey) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for range in what.pages(pair).iter() {
        let mut at = range.start;
        while at < range.end {
            let end = (at + ROUND_PAGES).min(range.end);
            let round = Spans::one(at..end);
            let look = Look { always: None, patch_bytes: PATCH_BYTES_MAX };
            act(&survey(pair, &round, look, &Progress::hidden()))?;
            at = end;
        }
    }
    Ok(())
}

fn heal_in_rounds(pair: &Pair, what: Heal) -> Result<u64, Failure> {
    let mut written = 0;
    in_rounds(pair, what, |found| {
        written += write(pair, found, what)?;
        Ok(())
    })?;
    Ok(written)
}

fn write(pair: &Pair, found: &Survey, what: Heal) -> Result<u64, Failure> {
    let mut written = 0;
    for patch in found.patches.iter().flatten() {
        let (region, _) = pair.geometry().locate(patch.page).expect("patches are of pages of the file");
        if what.includes(pair.side_of(region)) {
            pair.write(patch.page, &patch.bytes)?;
            written += 1;
        }
    }
    Ok(written)
}

fn body(geometry: &Geometry) -> Spans {
    let body = geometry.region(Region::Body);
    Spans::one(body.start.get()..body.end.get())
}

/// Opens again, to be written, a file that was looked at.
///
/// # Errors
/// When it cannot be opened so, or changed meanwhile.
pub(crate) fn reopen(half: &Half) -> Result<Half, Failure> {
    let file = Regular::open(half.file.path(), Access::Write)?;
    file.check_unchanged(half.state)?;
    Ok(Half { file, state: half.state })
}
