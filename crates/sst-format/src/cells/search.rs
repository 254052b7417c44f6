//! Finds a cell by key and sequence number: binary search over restarts, then a walk within one of them.
//!
//! The walk never puts a key together: it knows how many bytes of the target the key before matched. A cell
//! that shares more than that is before the target too; any other differs in the bytes it spells out.

use core::{cmp::Ordering, ops::Range};

use super::buckets::Bucket;
use super::cell::{Cell, Extent};
use super::cursor::CellCursor;
use super::error::PayloadError;
use super::{CellBlock, Parsed};
use crate::block::BlockSpan;
use crate::filter::KeyHash;
use crate::index::{Child, ChildKind};
use crate::order::{KeyOrder, common_prefix};

/// The place before every version of a key that is not newer than a sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'k> {
    pub(crate) key: &'k [u8],
    pub(crate) seq: u64,
}

impl Target<'_> {
    /// How a cell stands to the target.
    #[inline]
    pub(crate) fn compare(&self, order: &KeyOrder, key: &[u8], seq: u64) -> Ordering {
        order.compare(key, self.key).then(self.seq.cmp(&seq))
    }
}

/// The first cell that is not before a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) cell: Cell,
    /// Whether its key is the target's.
    pub(crate) is_key: bool,
}

/// The child of an index block that may hold a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildHit {
    pub(crate) kind: ChildKind,
    pub(crate) span: BlockSpan,
    /// How many stand before it, where that is known.
    pub(crate) number: Option<usize>,
}

impl ChildHit {
    fn of(index: &Parsed, cell: Cell, number: Option<usize>) -> Result<Self, PayloadError> {
        let (kind, span) = Child::place(index, cell)?;
        Ok(Self { kind, span, number })
    }
}

impl CellBlock {
    /// The first cell that is not before the target.
    pub(crate) fn lower_bound(
        &self,
        order: &KeyOrder,
        target: Target<'_>,
    ) -> Result<Option<Hit>, PayloadError> {
        match order {
            KeyOrder::Bytes => self.walk(self.restart_before(order, target)?, target),
            KeyOrder::Custom(_) => {
                let mut cursor = CellCursor::new(self.clone());
                cursor.seek(order, target)?;
                Ok(cursor.cell().map(|cell| Hit { cell, is_key: cursor.key() == target.key }))
            }
        }
    }

    /// Where the first cell of an index block leads to that is not before the target. No cell is looked at where the
    /// heads decide.
    #[inline]
    pub(crate) fn child_over(
        &self,
        order: &KeyOrder,
        target: Target<'_>,
    ) -> Result<Option<ChildHit>, PayloadError> {
        let (KeyOrder::Bytes, Some(heads)) = (order, &self.heads) else {
            let hit = self.lower_bound(order, target)?;
            return hit.map(|hit| ChildHit::of(self, hit.cell, None)).transpose();
        };
        let Range { start: mut low, end: mut high } = heads.narrow(self.cells(), target.key);
        while low < high {
            let middle = low.midpoint(high);
            if self.is_restart_before(middle, order, target)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == self.restarts() {
            return Ok(None);
        }
        if let Some(span) = heads.place(low) {
            return Ok(Some(ChildHit { kind: ChildKind::Block, span, number: Some(low) }));
        }
        ChildHit::of(self, self.cell_at(self.restart(low))?, Some(low)).map(Some)
    }

    /// The newest version of the target's key that is not newer than its sequence number.
    #[inline]
    pub(crate) fn find(
        &self,
        order: &KeyOrder,
        target: Target<'_>,
        hash: KeyHash,
    ) -> Result<Option<Cell>, PayloadError> {
        let bucket = if self.buckets == 0 { Bucket::Mixed } else { Bucket::of(self.buckets(), hash) };
        let hit = match (bucket, order) {
            (Bucket::Empty, _) => None,
            (Bucket::Restart(restart), KeyOrder::Bytes) if restart < self.restarts() => {
                self.walk(restart, target)?
            }
            _ => self.lower_bound(order, target)?,
        };
        Ok(hit.filter(|hit| hit.is_key).map(|hit| hit.cell))
    }

    /// The last restart whose cell is before the target, else the first.
    pub(super) fn restart_before(&self, order: &KeyOrder, target: Target<'_>) -> Result<usize, PayloadError> {
        let (mut low, mut high) = match (order, &self.heads) {
            (KeyOrder::Bytes, Some(heads)) => {
                let alike = heads.narrow(self.cells(), target.key);
                (alike.start.saturating_sub(1), alike.end.max(1))
            }
            _ => (0, self.restarts()),
        };
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.is_restart_before(middle, order, target)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Whether the cell of a restart is before the target. Its sequence number is only looked at if the key is the same.
    #[inline]
    fn is_restart_before(
        &self,
        restart: usize,
        order: &KeyOrder,
        target: Target<'_>,
    ) -> Result<bool, PayloadError> {
        let at = self.restart(restart);
        let extent = Extent::decode_restart(self.cells(), at)?;
        Ok(match order.compare(extent.unshared(self.cells()), target.key) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => extent.into_cell(self.cells(), at, self.base_seq).seq > target.seq,
        })
    }

    /// The first cell from a restart on that is not before the target, by byte order.
    fn walk(&self, restart: usize, target: Target<'_>) -> Result<Option<Hit>, PayloadError> {
        let cells = self.cells();
        let mut at = self.restart(restart);
        let (mut matched, mut last_len) = (0, 0);
        while at < cells.len() {
            let cell = Extent::decode(cells, at)?;
            let shared = cell.shared;
            if shared > last_len {
                return Err(PayloadError { at, what: "a key shares more than the key before has" });
            }
            last_len = shared + (cell.value_at - cell.key_at);
            if shared as usize <= matched {
                let (unshared, rest) = (cell.unshared(cells), &target.key[shared as usize..]);
                let same = common_prefix(unshared, rest);
                matched = shared as usize + same;
                let (is_before, is_key) = match (unshared.get(same), rest.get(same)) {
                    (Some(here), Some(there)) => (here < there, false),
                    (None, Some(_)) => (true, false),
                    (Some(_), None) => (false, false),
                    (None, None) => (false, true),
                };
                if !is_before {
                    let cell = cell.into_cell(cells, at, self.base_seq);
                    if !is_key || cell.seq <= target.seq {
                        return Ok(Some(Hit { cell, is_key }));
                    }
                }
            }
            at = cell.end as usize;
        }
        Ok(None)
    }
}
