//! Stretches of the key space between two edges: what clipping, merging and cutting of ranges is done with.
//!
//! Invariant: a span's start comes before its end, so something may be within it.

use std::{cmp::Ordering, ops::Bound};

use bytes::Bytes;
use sst_format::{KeyOrder, RangeEntry};

use crate::{Error, KeyBounds, KeyEnd};

/// A place between keys: just before one, or just behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) key: Bytes,
    pub(crate) side: Side,
}

/// On which side of its key an edge lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Before,
    Behind,
}

/// The keys between two edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Edge,
    pub(crate) end: Edge,
}

/// Spans that neither overlap nor touch, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanSet {
    spans: Vec<Span>,
}

impl Edge {
    pub(crate) fn before(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), side: Side::Before }
    }

    pub(crate) fn behind(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), side: Side::Behind }
    }

    pub(crate) fn compare(&self, order: &KeyOrder, other: &Self) -> Ordering {
        order.compare(&self.key, &other.key).then(self.side.cmp(&other.side))
    }

    /// Whether `key` lies behind it.
    pub(crate) fn is_passed_by(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match order.compare(&self.key, key) {
            Ordering::Less => true,
            Ordering::Equal => self.side == Side::Before,
            Ordering::Greater => false,
        }
    }

    fn as_lower(&self) -> Bound<Bytes> {
        match self.side {
            Side::Before => Bound::Included(self.key.clone()),
            Side::Behind => Bound::Excluded(self.key.clone()),
        }
    }

    fn as_upper(&self) -> Bound<Bytes> {
        match self.side {
            Side::Before => Bound::Excluded(self.key.clone()),
            Side::Behind => Bound::Included(self.key.clone()),
        }
    }
}

impl Span {
    /// The keys from `start` to `end`, if any can be between them.
    pub(crate) fn new(order: &KeyOrder, start: Edge, end: Edge) -> Option<Self> {
        (start.compare(order, &end) == Ordering::Less).then_some(Self { start, end })
    }

    /// The keys within a range, if there can be any.
    ///
    /// # Errors
    /// If the range has no end on a side: the table that holds it could not say which keys it concerns.
    pub(crate) fn of_range(order: &KeyOrder, range: &RangeEntry) -> Result<Option<Self>, Error> {
        let start = match &range.lower {
            Bound::Included(key) => Edge::before(key.clone()),
            Bound::Excluded(key) => Edge::behind(key.clone()),
            Bound::Unbounded => return Err(Error::UnboundedRange),
        };
        let end = match &range.upper {
            Bound::Included(key) => Edge::behind(key.clone()),
            Bound::Excluded(key) => Edge::before(key.clone()),
            Bound::Unbounded => return Err(Error::UnboundedRange),
        };
        Ok(Self::new(order, start, end))
    }

    pub(crate) fn of_bounds(bounds: &KeyBounds) -> Self {
        let side = match bounds.end {
            KeyEnd::Included => Side::Behind,
            KeyEnd::Excluded => Side::Before,
        };
        let end = Edge { key: bounds.largest.clone(), side };
        Self { start: Edge::before(bounds.smallest.clone()), end }
    }

    /// The smallest bounds around it: a key that it starts behind counts as within.
    pub(crate) fn bounds(&self) -> KeyBounds {
        let end = match self.end.side {
            Side::Before => KeyEnd::Excluded,
            Side::Behind => KeyEnd::Included,
        };
        KeyBounds { smallest: self.start.key.clone(), largest: self.end.key.clone(), end }
    }

    /// A range over these keys that otherwise says what `range` says.
    pub(crate) fn range_like(&self, range: &RangeEntry) -> RangeEntry {
        RangeEntry { lower: self.start.as_lower(), upper: self.end.as_upper(), ..range.clone() }
    }

    /// The keys within both, if there can be any.
    pub(crate) fn intersect(&self, order: &KeyOrder, other: &Self) -> Option<Self> {
        let start = later(order, &self.start, &other.start);
        let end = earlier(order, &self.end, &other.end);
        Self::new(order, start.clone(), end.clone())
    }

    /// The part of it from `lower` to `upper`, if there can be any.
    pub(crate) fn within(
        &self,
        order: &KeyOrder,
        lower: &Bound<Bytes>,
        upper: &Bound<Bytes>,
    ) -> Option<Self> {
        let start = match lower {
            Bound::Unbounded => self.start.clone(),
            Bound::Included(key) => Edge::before(key.clone()),
            Bound::Excluded(key) => Edge::behind(key.clone()),
        };
        let end = match upper {
            Bound::Unbounded => self.end.clone(),
            Bound::Included(key) => Edge::behind(key.clone()),
            Bound::Excluded(key) => Edge::before(key.clone()),
        };
        Self::new(order, start, end)?.intersect(order, self)
    }

    /// Whether everything within `other` is within it.
    pub(crate) fn holds(&self, order: &KeyOrder, other: &Self) -> bool {
        self.start.compare(order, &other.start) != Ordering::Greater
            && self.end.compare(order, &other.end) != Ordering::Less
    }

    /// Whether `key` is within.
    pub(crate) fn contains(&self, order: &KeyOrder, key: &[u8]) -> bool {
        self.start.is_passed_by(order, key) && !self.end.is_passed_by(order, key)
    }

    /// The smallest span around both.
    pub(crate) fn hull(&self, order: &KeyOrder, other: &Self) -> Self {
        let start = earlier(order, &self.start, &other.start).clone();
        Self { start, end: later(order, &self.end, &other.end).clone() }
    }
}

impl SpanSet {
    pub(crate) fn new(order: &KeyOrder, mut spans: Vec<Span>) -> Self {
        spans.sort_by(|a, b| a.start.compare(order, &b.start));
        let mut merged = Vec::<Span>::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if last.end.compare(order, &span.start) != Ordering::Less => {
                    if last.end.compare(order, &span.end) == Ordering::Less {
                        last.end = span.end;
                    }
                }
                _ => merged.push(span),
            }
        }
        Self { spans: merged }
    }

    /// Whether `key` is within. `at` remembers the place between calls with ascending keys; it starts at 0.
    pub(crate) fn holds(&self, order: &KeyOrder, at: &mut usize, key: &[u8]) -> bool {
        while self.spans.get(*at).is_some_and(|span| span.end.is_passed_by(order, key)) {
            *at += 1;
        }
        self.spans.get(*at).is_some_and(|span| span.start.is_passed_by(order, key))
    }

    /// The smallest span around everything that is within both this set and `span`.
    pub(crate) fn hull_within(&self, order: &KeyOrder, span: &Span) -> Option<Span> {
        let from = self.spans.partition_point(|one| one.end.compare(order, &span.start) != Ordering::Greater);
        let to = self.spans.partition_point(|one| one.start.compare(order, &span.end) == Ordering::Less);
        let met = self.spans.get(from..to)?;
        let (first, last) = (met.first()?, met.last()?);
        first.hull(order, last).intersect(order, span)
    }
}

/// The part of `range` within `bounds`, if there can be one: how a gap in a table, which may have no end that
/// the table still knows, becomes a range that stays within the table.
///
/// ```
/// use lsm_core::{KeyBounds, clip_range};
/// use sst_format::{KeyOrder, RangeEntry, SeqNo};
/// let range = RangeEntry::delete("a", "m", SeqNo::new(9));
/// let clipped = clip_range(&KeyOrder::Bytes, &range, &KeyBounds::closed("c", "z"));
/// assert_eq!(clipped, Some(RangeEntry::delete("c", "m", SeqNo::new(9))));
/// ```
#[must_use]
pub fn clip_range(order: &KeyOrder, range: &RangeEntry, bounds: &KeyBounds) -> Option<RangeEntry> {
    let whole = Span::of_bounds(bounds);
    Some(whole.within(order, &range.lower, &range.upper)?.range_like(range))
}

fn earlier<'a>(order: &KeyOrder, a: &'a Edge, b: &'a Edge) -> &'a Edge {
    if a.compare(order, b) == Ordering::Greater { b } else { a }
}

fn later<'a>(order: &KeyOrder, a: &'a Edge, b: &'a Edge) -> &'a Edge {
    if a.compare(order, b) == Ordering::Less { b } else { a }
}

#[cfg(test)]
mod tests {
    use sst_format::SeqNo;

    use super::*;

    const ORDER: &KeyOrder = &KeyOrder::Bytes;

    fn span(start: Edge, end: Edge) -> Span {
        Span::new(ORDER, start, end).unwrap()
    }

    #[test]
    fn touching_spans_become_one_and_others_stay() {
        let set = SpanSet::new(
            ORDER,
            vec![
                span(Edge::before("m"), Edge::before("p")),
                span(Edge::before("a"), Edge::before("c")),
                span(Edge::before("c"), Edge::behind("e")),
                span(Edge::behind("e"), Edge::before("f")),
            ],
        );
        assert_eq!(
            set.spans,
            [span(Edge::before("a"), Edge::before("f")), span(Edge::before("m"), Edge::before("p"))]
        );
        let mut at = 0;
        let held = ["a", "e", "f", "m", "p"].map(|key| set.holds(ORDER, &mut at, key.as_bytes()));
        assert_eq!(held, [true, true, false, true, false]);
    }

    #[test]
    fn a_hull_reaches_from_the_first_met_to_the_last() {
        let set = SpanSet::new(
            ORDER,
            vec![span(Edge::before("b"), Edge::behind("c")), span(Edge::before("e"), Edge::behind("f"))],
        );
        let within = |from: &'static str, to: &'static str| {
            set.hull_within(ORDER, &span(Edge::before(from), Edge::before(to)))
        };
        assert_eq!(within("a", "z"), Some(span(Edge::before("b"), Edge::behind("f"))));
        assert_eq!(within("c", "e"), Some(span(Edge::before("c"), Edge::behind("c"))));
        assert_eq!(within("d", "e"), None);
    }

    #[test]
    fn a_gap_without_ends_is_clipped_to_its_table() {
        let gap = RangeEntry {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            ..RangeEntry::delete("x", "y", SeqNo::new(3))
        };
        let clipped = clip_range(ORDER, &gap, &KeyBounds::closed("b", "d")).unwrap();
        assert_eq!(clipped.lower, Bound::Included("b".into()));
        assert_eq!(clipped.upper, Bound::Included("d".into()));
        assert_eq!(
            clip_range(ORDER, &RangeEntry::delete("e", "f", SeqNo::new(3)), &KeyBounds::closed("b", "d")),
            None
        );
    }
}
