//! Where a large job is divided by key, so that its pieces can be merged side by side.
//!
//! Invariants: pieces ascend, touch, and together are every key; all versions of a key are in one of them, and a range
//! that crosses a cut is in both, each with its own part. A piece brings about a whole number of tables, at least
//! one: divided or not, a job that leaves nothing out makes about the same tables.

use std::{cmp::Ordering, ops::Bound};

use bytes::Bytes;
use sst_format::{KeyOrder, RangeEntry};

use crate::{Error, key_span::Span, pedigree::Share};

/// A key of an input, and the bytes that the input has up to it and behind its sample before.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) key: Bytes,
    pub(crate) bytes: u64,
}

/// Keys from one, which is within, to another, which is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) from: Option<Bytes>,
    pub(crate) to: Option<Bytes>,
    /// Which one of all it is.
    pub(crate) share: Share,
}

/// So many pieces can be told apart.
const PIECES_MAX: usize = 1 << u8::BITS;

impl Piece {
    /// Every key.
    pub(crate) const ALL: Self = Self { from: None, to: None, share: Share { piece: 0, last: 0 } };

    /// What lies before, between and behind cuts that ascend, 255 at most.
    pub(crate) fn between(cuts: &[Bytes]) -> Vec<Self> {
        debug_assert!(cuts.len() < PIECES_MAX);
        let last = cuts.len() as u8;
        let from = std::iter::once(None).chain(cuts.iter().cloned().map(Some));
        let to = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
        let shares = (0..=last).map(|piece| Share { piece, last });
        from.zip(to).zip(shares).map(|((from, to), share)| Self { from, to, share }).collect()
    }

    /// Whether `key`, which is not before it, is behind it.
    #[inline]
    pub(crate) fn is_passed_by(&self, order: &KeyOrder, key: &[u8]) -> bool {
        self.to.as_ref().is_some_and(|to| order.compare(to, key) != Ordering::Greater)
    }

    /// The parts of ranges that are within.
    ///
    /// # Errors
    /// If a range has no end on a side.
    pub(crate) fn clip(&self, order: &KeyOrder, ranges: &[RangeEntry]) -> Result<Vec<RangeEntry>, Error> {
        let lower = self.from.clone().map_or(Bound::Unbounded, Bound::Included);
        let upper = self.to.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut within = Vec::new();
        for range in ranges {
            let span = Span::of_range(order, range)?.and_then(|span| span.within(order, &lower, &upper));
            within.extend(span.map(|span| span.range_like(range)));
        }
        Ok(within)
    }
}

/// Cuts for at most `hands` pieces of a job whose inputs these samples are of, and whose outputs are tables of about
/// `table_bytes`.
pub(crate) fn cuts(order: &KeyOrder, mut samples: Vec<Sample>, table_bytes: u64, hands: usize) -> Vec<Bytes> {
    let table_bytes = table_bytes.max(1);
    let whole: u64 = samples.iter().map(|sample| sample.bytes).sum();
    let tables = whole / table_bytes;
    let pieces = tables.min(hands.min(PIECES_MAX) as u64);
    let mut cuts = Vec::<Bytes>::new();
    if pieces < 2 {
        return cuts;
    }
    samples.sort_by(|a, b| order.compare(&a.key, &b.key));
    let (mut passed, mut last) = (0, 0);
    let mut samples = samples.into_iter().peekable();
    let mut before = None;
    for no in 1..pieces {
        // The nearest to an even share that leaves a table for each piece behind.
        let goal = table_bytes * divided(u128::from(whole) * u128::from(no), u128::from(pieces), table_bytes);
        let goal = goal.min(table_bytes * (tables - (pieces - no)));
        while let Some(sample) = samples.next_if(|sample| passed + sample.bytes <= goal) {
            passed += sample.bytes;
            before = Some(sample.key);
        }
        let Some(cut) = before.clone() else { continue };
        let ascends = cuts.last().is_none_or(|cut_before| order.compare(cut_before, &cut).is_lt());
        // Inputs that are sampled too coarsely, or mostly one key, are not worth a cut.
        if ascends && passed - last >= table_bytes / 2 {
            cuts.push(cut);
            last = passed;
        }
    }
    cuts
}

/// `bytes / parts` in tables, rounded.
fn divided(bytes: u128, parts: u128, table_bytes: u64) -> u64 {
    let table = u128::from(table_bytes) * parts;
    u64::try_from((bytes + table / 2) / table).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sst_format::SeqNo;

    use super::*;

    const ORDER: &KeyOrder = &KeyOrder::Bytes;

    /// Runs of samples `k000`, `k001`.. of so many bytes each.
    fn runs(runs: usize, samples: usize, bytes: u64) -> Vec<Sample> {
        let run = (0..samples).map(|at| Sample { key: format!("k{at:03}").into(), bytes });
        std::iter::repeat_n(run, runs).flatten().collect()
    }

    #[track_caller]
    fn check(samples: Vec<Sample>, table_bytes: u64, hands: usize, expected: &[&str]) {
        assert_eq!(cuts(ORDER, samples, table_bytes, hands), expected);
    }

    #[test]
    fn pieces_are_even_in_whole_tables() {
        check(runs(1, 100, 10), 100, 2, &["k049"]);
        check(runs(1, 100, 10), 100, 4, &["k029", "k049", "k079"]);
        check(runs(4, 100, 10), 1000, 4, &["k024", "k049", "k074"]);
        // Of 3.9 tables one goes to the first piece only if that leaves more for each behind.
        check(runs(1, 39, 10), 100, 2, &["k019"]);
        check(runs(1, 39, 10), 100, 3, &["k009", "k019"]);
    }

    #[test]
    fn no_piece_is_smaller_than_a_table() {
        check(runs(1, 100, 10), 1000, 4, &[]);
        check(runs(1, 100, 10), 501, 4, &[]);
        check(runs(1, 100, 10), 500, 4, &["k049"]);
        check(runs(1, 100, 10), u64::MAX, 4, &[]);
        check(runs(1, 100, 10), 10, 1, &[]);
        check(Vec::new(), 10, 4, &[]);
    }

    #[test]
    fn a_key_is_cut_at_once_only_and_a_single_one_not_at_all() {
        check(runs(100, 1, 10), 100, 4, &["k000"]);
        check(runs(1, 1, 1000), 100, 4, &[]);
        check(runs(1, 2, 1000), 100, 4, &["k000"]);
    }

    #[test]
    fn a_range_across_cuts_is_in_each_piece_with_its_part() {
        let pieces = Piece::between(&["c".into(), "f".into()]);
        assert_eq!(Piece::between(&[]), [Piece::ALL]);
        let range = RangeEntry::delete("b", "g", SeqNo::new(7));
        let ranges = [range.clone(), RangeEntry::delete("f", "g", SeqNo::new(8))];
        let clipped = pieces.iter().map(|piece| piece.clip(ORDER, &ranges).unwrap());
        let part = |from, to, seq| RangeEntry::delete(from, to, SeqNo::new(seq));
        let expected =
            [vec![part("b", "c", 7)], vec![part("c", "f", 7)], vec![part("f", "g", 7), part("f", "g", 8)]];
        assert_eq!(clipped.collect::<Vec<_>>(), expected);
        assert_eq!(Piece::ALL.clip(ORDER, std::slice::from_ref(&range)).unwrap(), [range]);
        let within = |piece: &Piece| ["e", "f", "g"].map(|key| piece.is_passed_by(ORDER, key.as_bytes()));
        assert_eq!(within(&pieces[1]), [false, true, true]);
        assert_eq!(within(&pieces[2]), [false; 3]);
    }
}
