//! Loss markers that a job writes: what stands in its outputs for the gaps in its inputs.
//!
//! Invariant: markers hold every key and every sequence number of the gaps they were made of. So a merge that passes
//! over known gaps only, and writes their markers, leaves no key without either its newest version or a marker that
//! reaches as new as what was lost of it.

use std::{cmp::Ordering, collections::BTreeSet};

use sst_format::{KeyOrder, RangeEntry, RangeKind};

use crate::{Error, FileId, key_span::Span, loss::TableLoss};

/// Gaps in the inputs of a job, by table and key.
#[derive(Clone, Debug, Default)]
pub(crate) struct LossMarkers {
    known: Vec<Marker>,
}

#[derive(Clone, Debug)]
struct Marker {
    table: FileId,
    span: Span,
    range: RangeEntry,
}

impl LossMarkers {
    /// Learns of gaps. Those of a table that touch become one.
    ///
    /// # Errors
    /// If a gap has no end on a side, which no gap of a table has.
    pub(crate) fn learn(
        &mut self,
        order: &KeyOrder,
        gaps: impl IntoIterator<Item = TableLoss>,
    ) -> Result<(), Error> {
        for gap in gaps {
            let range = gap.marker();
            if let Some(span) = Span::of_range(order, &range)? {
                self.known.push(Marker { table: gap.table, span, range });
            }
        }
        let place = |a: &Marker, b: &Marker| {
            a.table.cmp(&b.table).then_with(|| a.span.start.compare(order, &b.span.start))
        };
        self.known.sort_by(place);
        let mut joined = Vec::<Marker>::new();
        for Marker { table, span, range } in self.known.drain(..) {
            match joined.last_mut() {
                Some(last)
                    if last.table == table && last.span.end.compare(order, &span.start) != Ordering::Less =>
                {
                    last.span = last.span.hull(order, &span);
                    last.range.seq_low = last.range.seq_low.min(range.seq_low);
                    last.range.seq_high = last.range.seq_high.max(range.seq_high);
                }
                _ => joined.push(Marker { table, span, range }),
            }
        }
        self.known = joined;
        Ok(())
    }

    /// Whether the markers hold everything of a gap.
    pub(crate) fn hold(&self, order: &KeyOrder, gap: &TableLoss) -> bool {
        let range = gap.marker();
        // Where no key can be, nothing was lost.
        let Ok(Some(span)) = Span::of_range(order, &range) else { return true };
        self.known.iter().any(|known| {
            known.table == gap.table
                && known.span.holds(order, &span)
                && known.range.seq_low <= range.seq_low
                && range.seq_high <= known.range.seq_high
        })
    }

    /// What goes into the outputs.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = RangeEntry> {
        self.known.iter().map(|known| known.span.range_like(&known.range))
    }

    /// The tables with gaps.
    pub(crate) fn tables(&self) -> BTreeSet<FileId> {
        self.known.iter().map(|known| known.table).collect()
    }
}

impl TableLoss {
    /// The marker that stands for it.
    pub(crate) fn marker(&self) -> RangeEntry {
        RangeEntry {
            kind: RangeKind::Loss,
            lower: self.lost.lower.clone(),
            upper: self.lost.upper.clone(),
            seq_low: self.lost.seq_low,
            seq_high: self.lost.seq_high,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use sst_format::{BlockSpan, LostRange, SeqNo};

    use super::*;
    use crate::TreeId;

    fn gap(table: u64, from: &'static str, to: &'static str, seqs: [u64; 2]) -> TableLoss {
        let [seq_low, seq_high] = seqs.map(SeqNo::new);
        let (lower, upper) = (Bound::Included(from.into()), Bound::Included(to.into()));
        let lost = LostRange { at: BlockSpan::default(), lower, upper, seq_low, seq_high };
        TableLoss { tree: TreeId::new(1), table: FileId::new(table), lost }
    }

    fn markers(gaps: &[TableLoss]) -> LossMarkers {
        let mut markers = LossMarkers::default();
        gaps.iter().for_each(|gap| markers.learn(&KeyOrder::Bytes, [gap.clone()]).unwrap());
        markers
    }

    #[test]
    fn gaps_of_a_table_that_touch_are_one_marker_and_others_stay_apart() {
        let markers = markers(&[
            gap(1, "e", "g", [9, 9]),
            gap(1, "a", "c", [4, 6]),
            gap(2, "c", "e", [1, 1]),
            gap(1, "c", "d", [2, 5]),
        ]);
        let ranges: Vec<_> = markers.ranges().collect();
        let expected = [gap(1, "a", "d", [2, 6]), gap(1, "e", "g", [9, 9]), gap(2, "c", "e", [1, 1])];
        assert_eq!(ranges, expected.map(|gap| gap.marker()));
        assert_eq!(markers.tables().len(), 2);
    }

    #[test]
    fn a_gap_is_known_if_nothing_of_it_is_outside() {
        let markers = markers(&[gap(1, "b", "d", [4, 6])]);
        for (table, from, to, seqs, is_known) in [
            (1, "b", "d", [4, 6], true),
            (1, "c", "c", [5, 5], true),
            (1, "a", "c", [5, 5], false),
            (1, "c", "e", [5, 5], false),
            (1, "c", "c", [3, 5], false),
            (1, "c", "c", [5, 7], false),
            (2, "c", "c", [5, 5], false),
        ] {
            let gap = gap(table, from, to, seqs);
            assert_eq!(markers.hold(&KeyOrder::Bytes, &gap), is_known, "{gap:?}");
        }
    }
}
