//! The range deletes and loss markers of a merge: which versions they cover, and which of them go on.
//!
//! Invariants: a range delete goes on unless a newer one of its stripe covers it, or it belongs to the oldest
//! stripe and nothing older lies below. Loss markers always go on, at most a fixed number of them. What goes on covers exactly what it
//! covered; pieces that an earlier cut had parted are one again.

use std::collections::BTreeMap;

use sst_format::{KeyOrder, RangeEntry, RangeKind, SeqNo};

use crate::{
    Error, LiveSnapshots,
    key_span::{Edge, Span, SpanSet},
    retention::{Floor, Retention},
};

/// A merge writes at most so many loss markers: of more, neighbours become one, with the keys between them.
const MARKERS_MAX: usize = 4096;

/// The ranges of a merge.
#[derive(Debug, Default)]
pub(crate) struct MergeRanges {
    /// Ascending, apart from each other; empty if nothing is to be collected.
    fragments: Vec<Fragment>,
    survivors: Vec<RangePiece>,
    losses: SpanSet,
}

/// A range that goes on, over its keys.
#[derive(Clone, Debug)]
pub(crate) struct RangePiece {
    pub(crate) span: Span,
    pub(crate) range: RangeEntry,
}

/// A span within which every range delete holds over every key or none.
#[derive(Debug)]
struct Fragment {
    span: Span,
    /// The newest range delete of each stripe, newest first.
    seqs: Vec<SeqNo>,
}

impl MergeRanges {
    /// Prepares the ranges of all inputs.
    ///
    /// # Errors
    /// If a range has no end on a side.
    pub(crate) fn new(
        order: &KeyOrder,
        ranges: impl IntoIterator<Item = RangeEntry>,
        retention: &Retention,
    ) -> Result<Self, Error> {
        let (mut deletes, mut losses) = (Vec::new(), Vec::new());
        for range in ranges {
            let Some(span) = Span::of_range(order, &range)? else { continue };
            let pieces = if range.kind == RangeKind::Delete { &mut deletes } else { &mut losses };
            pieces.push(RangePiece { span, range });
        }
        let mut losses = few(order, coalesce(order, losses), MARKERS_MAX);
        let lost = SpanSet::new(order, losses.iter().map(|piece| piece.span.clone()).collect());
        let mut fragments = Vec::new();
        let mut survivors = match retention {
            Retention::Everything => deletes,
            Retention::Needed { live, floor } => {
                fragments = fragment(order, live, &deletes);
                let pieces = fragments.iter().flat_map(Fragment::pieces);
                let pieces = coalesce(order, pieces.collect());
                let needed = |piece: RangePiece| needed_part(order, live, floor, &lost, piece);
                pieces.into_iter().filter_map(needed).collect()
            }
        };
        survivors.append(&mut losses);
        let mut survivors = coalesce(order, survivors);
        survivors.sort_by(|a, b| a.span.start.compare(order, &b.span.start));
        Ok(Self { fragments, survivors, losses: lost })
    }

    /// What goes on, by start.
    pub(crate) fn survivors(&self) -> &[RangePiece] {
        &self.survivors
    }

    /// Where entries were lost.
    pub(crate) fn losses(&self) -> &SpanSet {
        &self.losses
    }

    /// The newest range delete over `key` of each stripe, newest first. `at` remembers the place between
    /// calls with ascending keys; it starts at 0.
    pub(crate) fn over(&self, order: &KeyOrder, at: &mut usize, key: &[u8]) -> &[SeqNo] {
        while self.fragments.get(*at).is_some_and(|fragment| fragment.span.end.is_passed_by(order, key)) {
            *at += 1;
        }
        match self.fragments.get(*at) {
            Some(fragment) if fragment.span.start.is_passed_by(order, key) => &fragment.seqs,
            _ => &[],
        }
    }
}

impl Fragment {
    fn pieces(&self) -> impl Iterator<Item = RangePiece> {
        self.seqs.iter().map(|seq| {
            let range = self.span.range_like(&RangeEntry::delete("", "", *seq));
            RangePiece { span: self.span.clone(), range }
        })
    }
}

/// Divides the key space at every edge of a range delete.
fn fragment(order: &KeyOrder, live: &LiveSnapshots, deletes: &[RangePiece]) -> Vec<Fragment> {
    let mut edges = Vec::<(&Edge, Turn, SeqNo)>::with_capacity(2 * deletes.len());
    for piece in deletes {
        edges.push((&piece.span.start, Turn::Starts, piece.range.seq_high));
        edges.push((&piece.span.end, Turn::Ends, piece.range.seq_high));
    }
    edges.sort_by(|a, b| a.0.compare(order, b.0));
    let mut fragments = Vec::new();
    let mut holding = BTreeMap::<SeqNo, usize>::new();
    let mut last: Option<&Edge> = None;
    for (edge, turn, seq) in edges {
        if let Some(span) = last.and_then(|start| Span::new(order, start.clone(), edge.clone()))
            && !holding.is_empty()
        {
            fragments.push(Fragment { span, seqs: newest_of_stripes(live, &holding) });
        }
        last = Some(edge);
        let count = holding.entry(seq).or_default();
        match turn {
            Turn::Starts => *count += 1,
            Turn::Ends if *count > 1 => *count -= 1,
            // Its start came earlier, so it was counted.
            Turn::Ends => drop(holding.remove(&seq)),
        }
    }
    fragments
}

/// What happens to a range delete at an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Starts,
    Ends,
}

fn newest_of_stripes(live: &LiveSnapshots, holding: &BTreeMap<SeqNo, usize>) -> Vec<SeqNo> {
    let mut seqs = Vec::new();
    let mut newest = holding.keys().next_back().copied();
    while let Some(seq) = newest {
        seqs.push(seq);
        let older = live.end_below(live.stripe(seq));
        newest = older.and_then(|end| holding.range(..=end).next_back()).map(|(seq, _)| *seq);
    }
    seqs
}

/// The part of a range delete that still deletes something, as far as is known.
fn needed_part(
    order: &KeyOrder,
    live: &LiveSnapshots,
    floor: &Floor,
    lost: &SpanSet,
    piece: RangePiece,
) -> Option<RangePiece> {
    if live.stripe(piece.range.seq_high) > 0 {
        return Some(piece);
    }
    let span = match (floor.spans.hull_within(order, &piece.span), lost.hull_within(order, &piece.span)) {
        (Some(older), Some(lost)) => older.hull(order, &lost),
        (older, lost) => older.or(lost)?,
    };
    Some(RangePiece { span, ..piece })
}

/// Joins neighbours until there are few enough: each holds the keys and the sequence numbers of those it was made of,
/// so what is answered is right as before, and less is.
fn few(order: &KeyOrder, mut losses: Vec<RangePiece>, max: usize) -> Vec<RangePiece> {
    if losses.len() <= max {
        return losses;
    }
    losses.sort_by(|a, b| a.span.start.compare(order, &b.span.start));
    let count = losses.len().div_ceil(max);
    let joined = losses.chunks(count).filter_map(|near| {
        let whole = near.iter().cloned().reduce(|mut whole, piece| {
            whole.span = whole.span.hull(order, &piece.span);
            whole.range.seq_low = whole.range.seq_low.min(piece.range.seq_low);
            whole.range.seq_high = whole.range.seq_high.max(piece.range.seq_high);
            whole
        })?;
        Some(RangePiece { range: whole.span.range_like(&whole.range), span: whole.span })
    });
    joined.collect()
}

/// Joins pieces that say the same over keys that touch or overlap.
fn coalesce(order: &KeyOrder, mut pieces: Vec<RangePiece>) -> Vec<RangePiece> {
    let meaning = |piece: &RangePiece| (piece.range.kind, piece.range.seq_high, piece.range.seq_low);
    pieces
        .sort_by(|a, b| meaning(a).cmp(&meaning(b)).then_with(|| a.span.start.compare(order, &b.span.start)));
    let mut joined = Vec::<RangePiece>::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last)
                if meaning(last) == meaning(&piece)
                    && last.span.end.compare(order, &piece.span.start).is_ge() =>
            {
                last.span = last.span.hull(order, &piece.span);
            }
            _ => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::*;

    const ORDER: &KeyOrder = &KeyOrder::Bytes;

    fn marker(number: u32) -> RangePiece {
        let [lower, upper] = [number * 2, number * 2 + 1].map(|key| key.to_be_bytes().to_vec().into());
        let (lower, upper) = (Bound::Included(lower), Bound::Excluded(upper));
        let seq = SeqNo::new(u64::from(number % 7 + 1));
        let range = RangeEntry { kind: RangeKind::Loss, lower, upper, seq_low: seq, seq_high: seq };
        RangePiece { span: Span::of_range(ORDER, &range).unwrap().unwrap(), range }
    }

    #[test]
    fn many_markers_become_few_that_hold_everything() {
        for (count, max) in [(10, 10), (11, 10), (100, 7), (1, 1), (0, 1)] {
            let markers: Vec<_> = (0..count).rev().map(marker).collect();
            let joined = few(ORDER, markers.clone(), max);
            assert!(joined.len() <= max);
            if count as usize <= max {
                assert_eq!(joined.len(), count as usize);
            }
            for marker in markers {
                let holds = |whole: &RangePiece| {
                    whole.span.holds(ORDER, &marker.span)
                        && whole.range.seq_low <= marker.range.seq_low
                        && marker.range.seq_high <= whole.range.seq_high
                };
                assert!(joined.iter().any(holds), "{marker:?}");
            }
        }
    }
}
