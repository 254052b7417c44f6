//! Where an output is cut besides its length: before it overlaps too much of the level below its own, so that
//! merging it down later stays cheap.

use std::{cmp::Ordering, sync::Arc};

use sst_format::KeyOrder;

use crate::{KeyBounds, TableMeta, key_span::Edge};

/// The tables of the level below the outputs' level, and how much of them one output may overlap.
#[derive(Clone, Debug)]
pub(crate) struct OverlapLimit {
    /// Their bounds and bytes, in key order, not overlapping.
    pub(crate) tables: Vec<(KeyBounds, u64)>,
    /// Bytes of them that one output may overlap; a single larger one does no harm.
    pub(crate) bytes_max: u64,
}

/// Walks the tables below along with the outputs.
#[derive(Debug)]
pub(crate) struct OverlapWalk<'a> {
    limit: &'a OverlapLimit,
    /// The first table whose start the outputs have not reached.
    at: usize,
    /// Bytes that the open output overlaps.
    overlap: u64,
}

impl OverlapLimit {
    /// No table below, no limit.
    pub(crate) const NONE: Self = Self { tables: Vec::new(), bytes_max: u64::MAX };

    /// These tables, which are one run, and how many bytes of their bodies one output may overlap.
    pub(crate) fn of_tables(tables: &[Arc<TableMeta>], bytes_max: u64) -> Self {
        let tables = tables.iter().map(|table| (table.bounds.clone(), table.body_bytes()));
        Self { tables: tables.collect(), bytes_max }
    }
}

impl<'a> OverlapWalk<'a> {
    pub(crate) const fn new(limit: &'a OverlapLimit) -> Self {
        Self { limit, at: 0, overlap: 0 }
    }

    /// Says that an output was cut, wherever it was.
    pub(crate) fn begin_output(&mut self) {
        let under_way = self.at.checked_sub(1).and_then(|at| self.limit.tables.get(at));
        self.overlap = under_way.map_or(0, |(_, bytes)| *bytes);
    }

    /// The next cut at or before `key`, which comes next; `has_content` says whether the open output would
    /// hold anything if it ended at an edge.
    pub(crate) fn cut_before(
        &mut self,
        order: &KeyOrder,
        key: &[u8],
        has_content: impl Fn(&Edge) -> bool,
    ) -> Option<Edge> {
        while let Some((bounds, bytes)) = self.limit.tables.get(self.at)
            && order.compare(&bounds.smallest, key) != Ordering::Greater
        {
            self.at += 1;
            let edge = Edge::before(bounds.smallest.clone());
            if !has_content(&edge) {
                self.overlap = *bytes;
                continue;
            }
            self.overlap = self.overlap.saturating_add(*bytes);
            // The table that it begins in may lie partly before it: that one counts whole.
            if self.overlap > self.limit.bytes_max && self.overlap > *bytes {
                return Some(edge);
            }
        }
        None
    }
}
