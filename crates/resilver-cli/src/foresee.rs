//! What is lost for certain because a file is missing or cut, told from lengths alone.
//!
//! Pages behind a file's end are erasures. Where a column has more of them than parity, or where
//! both copies of a digest page are behind the end, no look at the disk changes the outcome, so
//! these pages are settled as ranges: a seal that claims 2^44 pages costs no more than one that
//! claims ten. What is left to look at is bounded by what is there, since every column left has at
//! least as many pages on disk as pages of the body.

use std::ops::Range;

use page_ecc::{Fault, Geometry, Region};

use crate::spans::Spans;

/// Digest pages that the ladder works out anew at most.
const RESCUED_PAGES: u64 = 16;
/// Digests to a digest page.
const DIGESTS_PER_PAGE: u64 = 510;
/// Pages whose word checks fill a page.
const PAGES_PER_WORD_PAGE: u64 = 8;

/// Pages that nothing brings back, given those behind the ends of the files, and why.
pub(crate) fn losses(geometry: &Geometry, cut_off: &Spans) -> Vec<(Fault, Spans)> {
    let digests = lost_digests(geometry, cut_off);
    let unprovable = covered_by(geometry, &digests);
    let columns = lost_columns(geometry, &coded(geometry, cut_off));
    let beyond = pages_of(geometry, &columns);
    let words = lost_words(geometry, cut_off, &columns);
    let digest_pages = [Region::DigestsA, Region::DigestsB]
        .map(|region| digests.iter().map(|range| shift(&range, start(geometry, region))).collect::<Vec<_>>());
    let lost = [digest_pages.concat(), beyond.iter().collect(), words.iter().collect()].concat();
    let lost = Spans::of(lost);
    let only_unprovable = unprovable.iter().flat_map(|range| lost.rest_of(range).into_ranges()).collect();
    vec![(Fault::Unreadable, lost), (Fault::Unprovable, Spans::of(only_unprovable))]
}

/// Digest pages both copies of which are cut off, if they are too many to work out anew.
fn lost_digests(geometry: &Geometry, cut_off: &Spans) -> Spans {
    let [a, b] = [Region::DigestsA, Region::DigestsB].map(|region| indices(geometry, cut_off, region));
    let both = Spans::of(a.iter().flat_map(|range| b.within(&range).into_ranges()).collect());
    if both.count() > RESCUED_PAGES { both } else { Spans::default() }
}

/// The pages whose digests stand in these digest pages.
fn covered_by(geometry: &Geometry, digests: &Spans) -> Spans {
    let numbers = digests.iter().map(|range| range.start * DIGESTS_PER_PAGE..range.end * DIGESTS_PER_PAGE);
    pages_of(geometry, &Spans::of(numbers.collect()))
}

/// Cut-off pages of columns that lack more pages than they have parity; in the order of the code:
/// body first, then parity.
fn lost_columns(geometry: &Geometry, cut_off: &Spans) -> Spans {
    let columns = geometry.columns();
    let pad = geometry.body_pages().div_ceil(columns).max(1) * columns - geometry.body_pages();
    let seats = Spans::of(cut_off.iter().map(|range| shift(&range, pad)).collect());
    let mut cuts: Vec<u64> =
        seats.iter().flat_map(|range| [range.start % columns, range.end % columns]).collect();
    cuts.extend([0, columns]);
    cuts.sort_unstable();
    cuts.dedup();
    let arcs: Vec<Range<u64>> = cuts.windows(2).map(|arc| arc[0]..arc[1]).collect();
    let lacks = |column| seats.iter().map(|range| seated(&range, column, columns)).sum::<u64>();
    let is_lost = |arc: &&Range<u64>| lacks(arc.start) > u64::from(geometry.scheme().parity());
    let lost: Vec<&Range<u64>> = arcs.iter().filter(is_lost).collect();
    if lost.len() == arcs.len() {
        return cut_off.clone();
    }
    // Some column lacks at most its parity, so no range goes round more often than that.
    let mut found = Vec::new();
    for range in seats.iter() {
        for row in range.start / columns..range.end.div_ceil(columns) {
            let arcs = lost.iter().map(|arc| shift(arc, row * columns));
            let within = arcs.map(|arc| arc.start.max(range.start)..arc.end.min(range.end));
            found.extend(
                within.filter(|seats| !seats.is_empty()).map(|seats| seats.start - pad..seats.end - pad),
            );
        }
    }
    Spans::of(found)
}

/// How many seats of a range are of this column.
fn seated(seats: &Range<u64>, column: u64, columns: u64) -> u64 {
    let below = |end: u64| end / columns + u64::from(end % columns > column);
    below(seats.end) - below(seats.start)
}

/// Cut-off word-check pages that cannot be worked out anew because a page under them is lost.
fn lost_words(geometry: &Geometry, cut_off: &Spans, lost: &Spans) -> Spans {
    let words = indices(geometry, cut_off, Region::WordChecks);
    let under =
        lost.iter().map(|range| range.start / PAGES_PER_WORD_PAGE..range.end.div_ceil(PAGES_PER_WORD_PAGE));
    let under = Spans::of(under.collect());
    let both = words.iter().flat_map(|range| under.within(&range).into_ranges());
    Spans::of(both.map(|range| shift(&range, start(geometry, Region::WordChecks))).collect())
}

/// Body and parity pages among these, in the order of the code.
fn coded(geometry: &Geometry, pages: &Spans) -> Spans {
    let body = indices(geometry, pages, Region::Body);
    let parity = indices(geometry, pages, Region::Parity);
    let parity = parity.iter().map(|range| shift(&range, geometry.body_pages()));
    Spans::of(body.iter().chain(parity).collect())
}

/// The pages of these numbers: body, then parity, then word checks.
fn pages_of(geometry: &Geometry, numbers: &Spans) -> Spans {
    let mut pages = Vec::new();
    let mut first = 0;
    for region in [Region::Body, Region::Parity, Region::WordChecks] {
        let at = geometry.region(region);
        let len = at.end.get() - at.start.get();
        let inside = numbers.within(&(first..first + len));
        pages.extend(
            inside
                .iter()
                .map(|range| range.start - first + at.start.get()..range.end - first + at.start.get()),
        );
        first += len;
    }
    Spans::of(pages)
}

/// The part of these pages that lies in a region, counted from its start.
fn indices(geometry: &Geometry, pages: &Spans, region: Region) -> Spans {
    let at = geometry.region(region);
    let inside = pages.within(&(at.start.get()..at.end.get()));
    Spans::of(inside.iter().map(|range| range.start - at.start.get()..range.end - at.start.get()).collect())
}

fn start(geometry: &Geometry, region: Region) -> u64 {
    geometry.region(region).start.get()
}

const fn shift(range: &Range<u64>, by: u64) -> Range<u64> {
    range.start + by..range.end + by
}

#[cfg(test)]
mod tests {
    use super::*;
    use page_ecc::{
        InnerCode, Ladder, Page, PageNo, PageSource, ReadFrom, Scheme, SealOptions, Uid, Unreadable,
    };
    use proptest::prelude::*;

    /// An image without the pages that are cut off.
    struct Cut<'a>(&'a [u8], &'a Spans);

    impl PageSource for Cut<'_> {
        fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
            let wanted = first.get()..first.get() + pages.len() as u64;
            if self.1.within(&wanted).count() > 0 {
                return Err(Unreadable);
            }
            self.0.read(first, pages, from)
        }
    }

    fn scheme() -> impl Strategy<Value = Scheme> {
        let coded = (1..20u16, 1..6u16).prop_map(|(data, parity)| Scheme::ReedSolomon { data, parity });
        prop_oneof![Just(Scheme::ChecksumOnly), Just(Scheme::Xor { data: 5 }), coded, Just(Scheme::STANDARD)]
    }

    proptest! {
        #[test]
        fn what_is_foreseen_is_what_the_ladder_finds_lost(
            body_pages in 0..200u64,
            scheme in scheme(),
            has_words: bool,
            cuts in (0.0..1.0f64, 0.0..1.0f64),
        ) {
            let inner = if has_words { InnerCode::Hsiao } else { InnerCode::None };
            let body: Vec<u8> = (0..body_pages as u32 * 1024).flat_map(|at| (at + 1).wrapping_mul(2_654_435_761).rotate_left(at % 31).to_le_bytes()).collect();
            let image = SealOptions::new(Uid::new([1; 16])).scheme(scheme).inner(inner).seal(&body).unwrap();
            let geometry = *image.descriptor().geometry();
            let (total, body_end) = (geometry.total_pages(), 1 + body_pages);
            let body_cut = 1 + (cuts.0 * body_pages as f64) as u64;
            let seal_cut = body_end + (cuts.1 * (total - body_end) as f64) as u64;
            let cut_off = Spans::of(vec![body_cut..body_end, seal_cut..total]);
            let mut ladder = Ladder::new(image.descriptor().clone(), Cut(image.as_bytes(), &cut_off));
            let lost = ladder.examine(geometry.all_pages()).lost();
            let lost = Spans::of(lost.iter().map(|range| range.start.get()..range.end.get()).collect());
            let foreseen = losses(&geometry, &cut_off).into_iter().flat_map(|(_, spans)| spans.into_ranges());
            let foreseen = Spans::of(foreseen.collect());
            for range in foreseen.iter() {
                prop_assert_eq!(lost.within(&range).count(), range.end - range.start, "{:?}", range);
            }
            // Digest pages are few here, so with them at hand nothing else is lost.
            if seal_cut >= geometry.region(Region::DigestsA).end.get() {
                prop_assert_eq!(foreseen, lost);
            }
        }
    }
}
