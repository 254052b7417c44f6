//! What an operator gave up: versions in key ranges, up to a sequence number each.
//!
//! Applied to a table that is written anew: its accepted versions are left out, and so is the accepted part of its
//! losses. Invariant: what is left out of a loss is never more than what was accepted.

use sst_format::{Entry, KeyOrder, SeqNo};

use crate::{
    key_span::{Span, SpanSet},
    merge_ranges::RangePiece,
};

/// Versions that were given up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acceptance {
    given_up: Vec<(Span, SeqNo)>,
    all: SpanSet,
}

impl Acceptance {
    /// In each span everything up to its sequence number.
    pub(crate) fn new(order: &KeyOrder, given_up: Vec<(Span, SeqNo)>) -> Self {
        let all = SpanSet::new(order, given_up.iter().map(|(span, _)| span.clone()).collect());
        Self { given_up, all }
    }

    /// Whether a version goes. `at` remembers the place between calls with ascending keys; it starts at 0.
    #[inline]
    pub(crate) fn takes(&self, order: &KeyOrder, at: &mut usize, entry: &Entry<'_>) -> bool {
        !self.given_up.is_empty() && self.all.holds(order, at, entry.key) && {
            let mut spans = self.given_up.iter();
            spans.any(|(span, upto)| entry.seq <= *upto && span.contains(order, entry.key))
        }
    }

    /// What is left of a loss.
    pub(crate) fn leave(&self, order: &KeyOrder, loss: RangePiece) -> Vec<RangePiece> {
        let mut left = vec![loss];
        for (span, upto) in &self.given_up {
            left = left.into_iter().flat_map(|piece| cut(order, piece, span, *upto)).collect();
        }
        left
    }
}

/// A loss without what lies within `span` and is not newer than `upto`.
fn cut(order: &KeyOrder, piece: RangePiece, span: &Span, upto: SeqNo) -> Vec<RangePiece> {
    let Some(within) = piece.span.intersect(order, span).filter(|_| piece.range.seq_low <= upto) else {
        return vec![piece];
    };
    let before = Span::new(order, piece.span.start.clone(), within.start.clone());
    let behind = Span::new(order, within.end.clone(), piece.span.end.clone());
    let outside = before.into_iter().chain(behind);
    let mut left: Vec<_> = outside.map(|span| RangePiece { span, range: piece.range.clone() }).collect();
    if piece.range.seq_high > upto {
        let range = sst_format::RangeEntry { seq_low: SeqNo::new(upto.get() + 1), ..piece.range };
        left.push(RangePiece { span: within, range });
    }
    left
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use proptest::prelude::*;
    use sst_format::{RangeEntry, RangeKind};

    use super::*;
    use crate::key_span::Edge;

    fn key(number: u8) -> Vec<u8> {
        vec![b'a' + number]
    }

    fn span() -> impl Strategy<Value = Span> {
        (0..9u8, 1..5u8, any::<[bool; 2]>()).prop_map(|(from, len, [behind, through])| {
            let edge = |is_behind, number| {
                if is_behind { Edge::behind(key(number)) } else { Edge::before(key(number)) }
            };
            Span { start: edge(behind, from), end: edge(through, from + len) }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn what_is_left_of_a_loss_is_what_was_not_given_up(
            loss in span(),
            seqs in (1..9u64, 0..6u64),
            given_up in prop::collection::vec((span(), 1..15u64), 0..4),
        ) {
            let order = &KeyOrder::Bytes;
            let (seq_low, seq_high) = (SeqNo::new(seqs.0), SeqNo::new(seqs.0 + seqs.1));
            let (lower, upper) = (Bound::Unbounded, Bound::Unbounded);
            let range = RangeEntry { kind: RangeKind::Loss, lower, upper, seq_low, seq_high };
            let given_up: Vec<_> = given_up.into_iter().map(|(span, seq)| (span, SeqNo::new(seq))).collect();
            let acceptance = Acceptance::new(order, given_up.clone());
            let left = acceptance.leave(order, RangePiece { span: loss.clone(), range });
            let mut at = 0;
            for number in 0..16 {
                let key = key(number);
                // A key's versions come newest first.
                for seq in (1..16).rev().map(SeqNo::new) {
                    let is_lost = loss.contains(order, &key) && seq_low <= seq && seq <= seq_high;
                    let is_given_up =
                        given_up.iter().any(|(span, upto)| seq <= *upto && span.contains(order, &key));
                    let is_left = left.iter().any(|piece| {
                        let RangeEntry { seq_low, seq_high, .. } = piece.range;
                        piece.span.contains(order, &key) && seq_low <= seq && seq <= seq_high
                    });
                    prop_assert_eq!(is_left, is_lost && !is_given_up, "{} at {}", number, seq);
                    let taken = acceptance.takes(order, &mut at, &Entry::put(&key, seq, b""));
                    prop_assert_eq!(taken, is_given_up, "{} at {}", number, seq);
                }
            }
        }
    }
}
