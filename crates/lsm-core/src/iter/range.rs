//! What a scan goes over: keys, a snapshot, and what of each entry it wants.

use std::{cmp::Ordering, ops::Bound, sync::Arc};

use bytes::Bytes;
use sst_format::{KeyOrder, SeqNo};

use crate::{
    Run, TableMeta,
    block_cache::Fill,
    loss::{TableLoss, bound_key},
};

/// What a scan goes over.
#[derive(Clone, Debug)]
pub(crate) struct ScanRange {
    pub(crate) lower: Bound<Bytes>,
    pub(crate) upper: Bound<Bytes>,
    pub(crate) snapshot: SeqNo,
    pub(crate) wants: Wants,
    pub(crate) fill: Fill,
}

/// What a scan wants of each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Key and value.
    Entries,
    /// The key; values come out empty.
    Keys,
}

impl ScanRange {
    /// Everything as of `snapshot`.
    pub(crate) const fn all(snapshot: SeqNo) -> Self {
        let (lower, upper) = (Bound::Unbounded, Bound::Unbounded);
        Self { lower, upper, snapshot, wants: Wants::Entries, fill: Fill::Keep }
    }

    /// Keys between bounds.
    pub(crate) fn between(self, lower: Bound<Bytes>, upper: Bound<Bytes>) -> Self {
        Self { lower, upper, ..self }
    }

    /// Keys without values.
    pub(crate) const fn keys_only(mut self) -> Self {
        self.wants = Wants::Keys;
        self
    }

    /// As of another moment.
    pub(crate) const fn at(mut self, snapshot: SeqNo) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// Whether what is read stays in the block cache.
    #[cfg(test)]
    pub(crate) const fn fill(mut self, fill: Fill) -> Self {
        self.fill = fill;
        self
    }

    /// Whether `key` comes before the range.
    #[inline]
    pub(crate) fn starts_behind(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match &self.lower {
            Bound::Unbounded => false,
            Bound::Included(lower) => order.compare(key, lower) == Ordering::Less,
            Bound::Excluded(lower) => order.compare(key, lower) != Ordering::Greater,
        }
    }

    /// Whether `key` comes behind the range.
    #[inline]
    pub(crate) fn ends_before(&self, order: &KeyOrder, key: &[u8]) -> bool {
        match &self.upper {
            Bound::Unbounded => false,
            Bound::Included(upper) => order.compare(key, upper) == Ordering::Greater,
            Bound::Excluded(upper) => order.compare(key, upper) != Ordering::Less,
        }
    }

    /// The tables of a run that may hold something of the range.
    pub(super) fn tables_in<'a>(
        &'a self,
        order: &'a KeyOrder,
        run: &'a Run,
    ) -> impl Iterator<Item = &'a Arc<TableMeta>> {
        let first = bound_key(&self.lower).map_or(0, |lower| run.lower_bound(order, lower));
        let tables = run.tables()[first..].iter();
        let tables = tables.take_while(move |meta| !self.ends_before(order, &meta.bounds.smallest));
        tables.filter(move |meta| meta.seq_low <= self.snapshot)
    }

    /// Whether a loss may hold something of the range.
    pub(super) fn meets(&self, order: &KeyOrder, loss: &TableLoss) -> bool {
        let ends_before = match &self.upper {
            Bound::Unbounded => false,
            Bound::Included(upper) => loss.is_behind(order, upper),
            Bound::Excluded(upper) => match &loss.lost.lower {
                Bound::Unbounded => false,
                Bound::Included(lower) | Bound::Excluded(lower) => {
                    order.compare(lower, upper) != Ordering::Less
                }
            },
        };
        let starts_behind = match &self.lower {
            Bound::Unbounded => false,
            Bound::Included(lower) => loss.is_before(order, lower),
            Bound::Excluded(lower) => match &loss.lost.upper {
                Bound::Unbounded => false,
                Bound::Included(upper) | Bound::Excluded(upper) => {
                    order.compare(upper, lower) != Ordering::Greater
                }
            },
        };
        !ends_before && !starts_behind
    }
}
