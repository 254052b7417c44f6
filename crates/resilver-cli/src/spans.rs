//! Page numbers as few ranges, whatever the numbers are: a hostile seal can name 2^44 pages.

use std::ops::Range;

/// Ranges in ascending order that neither touch nor overlap.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Spans(Vec<Range<u64>>);

impl Spans {
    /// Of ranges in any order; empty ones count for nothing.
    pub(crate) fn of(mut ranges: Vec<Range<u64>>) -> Self {
        ranges.retain(|range| !range.is_empty());
        ranges.sort_unstable_by_key(|range| range.start);
        let mut spans: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match spans.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => spans.push(range),
            }
        }
        Self(spans)
    }

    pub(crate) fn one(range: Range<u64>) -> Self {
        Self::of(std::iter::once(range).collect())
    }

    /// The first so many pages.
    pub(crate) fn first(count: u64) -> Self {
        Self::one(0..count)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().cloned()
    }

    pub(crate) fn into_ranges(self) -> Vec<Range<u64>> {
        self.0
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// What lies within a range.
    pub(crate) fn within(&self, bounds: &Range<u64>) -> Self {
        let cut = |range: &Range<u64>| range.start.max(bounds.start)..range.end.min(bounds.end);
        Self(self.0.iter().map(cut).filter(|range| !range.is_empty()).collect())
    }

    /// What of `whole` these leave.
    pub(crate) fn rest_of(&self, whole: Range<u64>) -> Self {
        let mut rest = Vec::new();
        let mut at = whole.start;
        for range in self.within(&whole).0 {
            rest.push(at..range.start);
            at = range.end;
        }
        rest.push(at..whole.end);
        Self::of(rest)
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "spans are vectors of ranges")]
mod tests {
    use super::Spans;

    #[test]
    fn spans_merge_cut_and_leave_the_rest() {
        let spans = Spans::of(vec![9..12, 3..5, 5..6, 4..5, 7..7]);
        assert_eq!(spans, Spans(vec![3..6, 9..12]));
        assert_eq!(spans.count(), 6);
        assert_eq!(spans.within(&(5..10)), Spans(vec![5..6, 9..10]));
        assert_eq!(spans.rest_of(0..20), Spans(vec![0..3, 6..9, 12..20]));
        assert_eq!(spans.rest_of(3..12), Spans(vec![6..9]));
        assert_eq!(Spans::default().rest_of(1..2), Spans(vec![1..2]));
    }
}
