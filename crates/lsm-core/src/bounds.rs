//! From which key to which: of a table, a job, a range of a scan.
//!
//! Invariant: the lower bound of a table is a key that it concerns; its upper bound may be one that it just
//! does not, where a range delete ends.

use std::{cmp::Ordering, ops::Bound};

use bytes::Bytes;
use sst_format::KeyOrder;

/// The keys that a table concerns, range deletes included.
///
/// ```
/// use lsm_core::{KeyBounds, KeyEnd};
/// use sst_format::KeyOrder;
/// let bounds = KeyBounds { smallest: "b".into(), largest: "d".into(), end: KeyEnd::Excluded };
/// assert!(bounds.holds(&KeyOrder::Bytes, b"c"));
/// assert!(!bounds.holds(&KeyOrder::Bytes, b"d"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBounds {
    /// The smallest of them.
    pub smallest: Bytes,
    /// Where they end.
    pub largest: Bytes,
    /// Whether `largest` is one of them.
    pub end: KeyEnd,
}

/// Whether the last key of bounds is within.
///
/// ```
/// assert_ne!(lsm_core::KeyEnd::Included, lsm_core::KeyEnd::Excluded);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEnd {
    /// It is.
    Included,
    /// It is the first that is not.
    Excluded,
}

impl KeyBounds {
    /// Bounds around both keys.
    #[must_use]
    pub fn closed(smallest: impl Into<Bytes>, largest: impl Into<Bytes>) -> Self {
        Self { smallest: smallest.into(), largest: largest.into(), end: KeyEnd::Included }
    }

    /// Whether `key` is within.
    #[must_use]
    pub fn holds(&self, order: &KeyOrder, key: &[u8]) -> bool {
        !self.is_behind(order, key) && !self.is_before(order, key)
    }

    /// Whether every key within comes behind `key`.
    #[inline]
    pub(crate) fn is_behind(&self, order: &KeyOrder, key: &[u8]) -> bool {
        order.compare(&self.smallest, key) == Ordering::Greater
    }

    /// Whether every key within comes before `key`.
    #[inline]
    #[must_use]
    pub fn is_before(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match order.compare(&self.largest, key) {
            Ordering::Less => true,
            Ordering::Equal => self.end == KeyEnd::Excluded,
            Ordering::Greater => false,
        }
    }

    /// Whether some key may be within both.
    #[must_use]
    pub fn overlap(&self, order: &KeyOrder, other: &Self) -> bool {
        !self.is_before(order, &other.smallest) && !other.is_before(order, &self.smallest)
    }

    /// Whether some key may be within both these and a range.
    #[must_use]
    pub fn meet(&self, order: &KeyOrder, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
        let starts_in_time = match upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => order.compare(&self.smallest, upper) != Ordering::Greater,
            Bound::Excluded(upper) => order.compare(&self.smallest, upper) == Ordering::Less,
        };
        starts_in_time
            && match lower {
                Bound::Unbounded => true,
                Bound::Included(lower) => !self.is_before(order, lower),
                Bound::Excluded(lower) => order.compare(&self.largest, lower) == Ordering::Greater,
            }
    }

    /// The smallest bounds around both.
    #[must_use]
    pub fn union(&self, order: &KeyOrder, other: &Self) -> Self {
        let smallest = match order.compare(&self.smallest, &other.smallest) {
            Ordering::Greater => &other.smallest,
            Ordering::Less | Ordering::Equal => &self.smallest,
        };
        let (largest, end) = match order.compare(&self.largest, &other.largest) {
            Ordering::Less => (&other.largest, other.end),
            Ordering::Greater => (&self.largest, self.end),
            Ordering::Equal if self.end == KeyEnd::Included => (&self.largest, KeyEnd::Included),
            Ordering::Equal => (&other.largest, other.end),
        };
        Self { smallest: smallest.clone(), largest: largest.clone(), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(smallest: &'static str, largest: &'static str) -> KeyBounds {
        KeyBounds { end: KeyEnd::Excluded, ..KeyBounds::closed(smallest, largest) }
    }

    #[test]
    fn neighbours_that_share_an_excluded_key_do_not_overlap() {
        let order = &KeyOrder::Bytes;
        assert!(!open("a", "c").overlap(order, &KeyBounds::closed("c", "d")));
        assert!(!KeyBounds::closed("c", "d").overlap(order, &open("a", "c")));
        assert!(KeyBounds::closed("a", "c").overlap(order, &KeyBounds::closed("c", "d")));
    }

    #[test]
    fn a_union_keeps_the_key_that_either_includes() {
        let order = &KeyOrder::Bytes;
        assert_eq!(open("b", "c").union(order, &KeyBounds::closed("a", "c")), KeyBounds::closed("a", "c"));
        assert_eq!(KeyBounds::closed("b", "c").union(order, &open("a", "d")), open("a", "d"));
    }

    #[test]
    fn a_range_meets_what_lies_in_it() {
        let order = &KeyOrder::Bytes;
        let bounds = KeyBounds::closed("c", "e");
        assert!(bounds.meet(order, Bound::Included(b"e"), Bound::Unbounded));
        assert!(!bounds.meet(order, Bound::Excluded(b"e"), Bound::Unbounded));
        assert!(!bounds.meet(order, Bound::Unbounded, Bound::Excluded(b"c")));
        assert!(bounds.meet(order, Bound::Unbounded, Bound::Included(b"c")));
        assert!(!open("c", "e").meet(order, Bound::Included(b"e"), Bound::Unbounded));
    }
}
