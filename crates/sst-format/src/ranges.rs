//! Ranges: deletes of whole key ranges, and markers of ranges whose entries were lost.
//!
//! The range block is a cell block that stands twice in a table. A cell's key is the lower bound's (empty for
//! none), its sequence number the highest that the range concerns, its tag 1 for a range delete and 2 for a
//! loss marker; its value:
//!
//! | at | len | field   | meaning                                                                         |
//! |---:|----:|---------|---------------------------------------------------------------------------------|
//! |  0 |   1 | bounds  | low half the lower, high half the upper: 0 none, 1 included, 2 excluded         |
//! |  1 |   v | seq_low | the lowest sequence number that the range concerns                              |
//! | .. |  .. | upper   | the upper bound's key                                                           |

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Bound;

use bytes::Bytes;
use page_ecc::varint;

use crate::cells::{Buckets, CellBlock, CellBuilder, CellCursor, NewCell, PayloadError};
use crate::entry::SeqNo;
use crate::order::KeyOrder;

const INTERVAL: u32 = 16;

/// What holds over a range of keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RangeKind {
    /// Entries older than its highest sequence number are deleted.
    Delete,
    /// Entries with its sequence numbers may have been lost: nobody knows.
    Loss,
}

/// A range delete or a loss marker.
///
/// ```
/// use std::ops::Bound;
/// use sst_format::{KeyOrder, RangeEntry, SeqNo};
/// let range = RangeEntry::delete(&b"a"[..], &b"c"[..], SeqNo::new(9));
/// assert!(range.holds(&KeyOrder::Bytes, b"b"));
/// assert!(!range.holds(&KeyOrder::Bytes, b"c"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeEntry {
    /// What holds.
    pub kind: RangeKind,
    /// Where it starts.
    pub lower: Bound<Bytes>,
    /// Where it ends.
    pub upper: Bound<Bytes>,
    /// The lowest sequence number it concerns.
    pub seq_low: SeqNo,
    /// The highest: when a delete was written.
    pub seq_high: SeqNo,
}

impl RangeEntry {
    /// A delete from `start` up to, not including, `end`.
    #[must_use]
    pub fn delete(start: impl Into<Bytes>, end: impl Into<Bytes>, seq: SeqNo) -> Self {
        let (lower, upper) = (Bound::Included(start.into()), Bound::Excluded(end.into()));
        Self { kind: RangeKind::Delete, lower, upper, seq_low: SeqNo::new(0), seq_high: seq }
    }

    /// Whether `key` is within.
    #[must_use]
    pub fn holds(&self, order: &KeyOrder, key: &[u8]) -> bool {
        let is_behind_lower = match &self.lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => order.compare(lower, key) != Ordering::Greater,
            Bound::Excluded(lower) => order.compare(lower, key) == Ordering::Less,
        };
        is_behind_lower
            && match &self.upper {
                Bound::Unbounded => true,
                Bound::Included(upper) => order.compare(key, upper) != Ordering::Greater,
                Bound::Excluded(upper) => order.compare(key, upper) == Ordering::Less,
            }
    }

    /// Whether no key can be within, as far as the order tells.
    pub(crate) fn is_empty(&self, order: &KeyOrder) -> bool {
        let (Some(lower), Some(upper)) = (bound_key(&self.lower), bound_key(&self.upper)) else {
            return false;
        };
        match order.compare(lower, upper) {
            Ordering::Less => false,
            Ordering::Equal => {
                !matches!((&self.lower, &self.upper), (Bound::Included(_), Bound::Included(_)))
            }
            Ordering::Greater => true,
        }
    }

    fn place(&self) -> (Option<&Bytes>, core::cmp::Reverse<SeqNo>) {
        (bound_key(&self.lower), core::cmp::Reverse(self.seq_high))
    }
}

fn bound_key(bound: &Bound<Bytes>) -> Option<&Bytes> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
    }
}

/// The ranges of a table, in order of their starts.
///
/// ```
/// use sst_format::RangeSet;
/// assert!(RangeSet::default().is_empty());
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RangeSet {
    entries: Vec<RangeEntry>,
}

impl RangeSet {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &RangeEntry> {
        self.entries.iter()
    }

    /// Those that hold `key` and were known at `snapshot`.
    pub fn over<'a>(
        &'a self,
        order: &'a KeyOrder,
        key: &'a [u8],
        snapshot: SeqNo,
    ) -> impl Iterator<Item = &'a RangeEntry> {
        let known = move |range: &&RangeEntry| match range.kind {
            RangeKind::Delete => range.seq_high <= snapshot,
            RangeKind::Loss => range.seq_low <= snapshot,
        };
        self.entries.iter().filter(known).filter(move |range| range.holds(order, key))
    }

    /// When `key` was last deleted by a range, as known at `snapshot`.
    #[must_use]
    pub fn deleted_at(&self, order: &KeyOrder, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        let deletes = self.over(order, key, snapshot).filter(|range| range.kind == RangeKind::Delete);
        deletes.map(|range| range.seq_high).max()
    }

    pub(crate) fn push(&mut self, entry: RangeEntry) {
        self.entries.push(entry);
    }

    pub(crate) fn sort(&mut self, order: &KeyOrder) {
        self.entries.sort_by(|a, b| {
            let ((a, a_seq), (b, b_seq)) = (a.place(), b.place());
            let keys = match (a, b) {
                (Some(a), Some(b)) => order.compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            };
            keys.then(a_seq.cmp(&b_seq))
        });
    }

    /// The payload, behind room for a head.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut cells = CellBuilder::new(INTERVAL, Buckets::Off);
        let mut value = Vec::new();
        for range in &self.entries {
            value.clear();
            value.push(bound_tag(&range.lower) | bound_tag(&range.upper) << 4);
            varint::put(&mut value, range.seq_low.get());
            value.extend_from_slice(bound_key(&range.upper).map_or(&[], |key| key));
            let tag = match range.kind {
                RangeKind::Delete => 1,
                RangeKind::Loss => 2,
            };
            let key = bound_key(&range.lower).map_or(&[][..], |key| key);
            cells.add(NewCell { tag, flags: 0, key, seq: range.seq_high.get(), value: &value });
        }
        core::mem::take(cells.finish())
    }

    pub(crate) fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let mut cursor = CellCursor::new(CellBlock::parse(payload.clone())?);
        let mut set = Self::default();
        cursor.seek_first()?;
        while let Some(cell) = cursor.cell() {
            let error = |what| PayloadError { at: cell.at as usize, what };
            let kind = match cell.tag {
                1 => RangeKind::Delete,
                2 => RangeKind::Loss,
                _ => return Err(error("a range is neither delete nor loss marker")),
            };
            let value = payload.slice(cell.value_at as usize..cell.end as usize);
            let &bounds = value.first().ok_or(error("a range has no bounds"))?;
            let mut at = 1;
            let seq_low = varint::take(&value, &mut at).ok_or(error("a range is cut short"))?;
            let lower = bound(bounds & 15, Bytes::copy_from_slice(cursor.key()));
            let upper = bound(bounds >> 4, value.slice(at..));
            let (Some(lower), Some(upper)) = (lower, upper) else {
                return Err(error("a bound is neither none, included nor excluded"));
            };
            let (seq_low, seq_high) = (SeqNo::new(seq_low), SeqNo::new(cell.seq));
            set.push(RangeEntry { kind, lower, upper, seq_low, seq_high });
            cursor.next()?;
        }
        Ok(set)
    }
}

const fn bound_tag(bound: &Bound<Bytes>) -> u8 {
    match bound {
        Bound::Unbounded => 0,
        Bound::Included(_) => 1,
        Bound::Excluded(_) => 2,
    }
}

fn bound(tag: u8, key: Bytes) -> Option<Bound<Bytes>> {
    match tag {
        0 => Some(Bound::Unbounded),
        1 => Some(Bound::Included(key)),
        2 => Some(Bound::Excluded(key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Head;

    #[test]
    fn ranges_come_back_sorted() {
        let mut set = RangeSet::default();
        set.push(RangeEntry::delete(&b"m"[..], &b"z"[..], SeqNo::new(3)));
        set.push(RangeEntry::delete(&b"a"[..], &b"c"[..], SeqNo::new(3)));
        set.push(RangeEntry::delete(&b"a"[..], &b"b"[..], SeqNo::new(9)));
        set.push(RangeEntry {
            kind: RangeKind::Loss,
            lower: Bound::Unbounded,
            upper: Bound::Included(Bytes::from_static(b"q")),
            seq_low: SeqNo::new(4),
            seq_high: SeqNo::MAX,
        });
        set.sort(&KeyOrder::Bytes);
        let payload = Bytes::from(set.encode()).slice(Head::LEN..);
        let decoded = RangeSet::decode(&payload).unwrap();
        assert_eq!(decoded, set);
        assert_eq!(decoded.deleted_at(&KeyOrder::Bytes, b"a", SeqNo::MAX), Some(SeqNo::new(9)));
        assert_eq!(decoded.deleted_at(&KeyOrder::Bytes, b"a", SeqNo::new(8)), Some(SeqNo::new(3)));
        assert_eq!(decoded.deleted_at(&KeyOrder::Bytes, b"z", SeqNo::MAX), None);
        assert_eq!(decoded.over(&KeyOrder::Bytes, b"", SeqNo::new(3)).count(), 0);
    }
}
