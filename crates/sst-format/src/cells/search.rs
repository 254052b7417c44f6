//! Finds a cell by key and sequence number: binary search over restarts, then a walk within one of them.
//!
//! The walk never puts a key together: it knows how many bytes of the target the key before matched. A cell
//! that shares more than that is before the target too; any other differs in the bytes it spells out.

use core::{cmp::Ordering, ops::Range};

use super::CellBlock;
use super::buckets::Bucket;
use super::cell::Cell;
use super::cursor::CellCursor;
use super::error::PayloadError;
use crate::filter::KeyHash;
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

/// The cell of an index block that leads on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChildHit {
    pub(crate) cell: Cell,
    /// How many stand before it, where that is known.
    pub(crate) number: Option<usize>,
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

    /// The first cell of an index block that is not before the target. No key is looked at where the heads decide.
    #[inline]
    pub(crate) fn child_over(
        &self,
        order: &KeyOrder,
        target: Target<'_>,
    ) -> Result<Option<ChildHit>, PayloadError> {
        let (KeyOrder::Bytes, Some(heads)) = (order, &self.heads) else {
            let hit = self.lower_bound(order, target)?;
            return Ok(hit.map(|hit| ChildHit { cell: hit.cell, number: None }));
        };
        let Range { start: mut low, end: mut high } = heads.narrow(self.cells(), target.key);
        while low < high {
            let middle = low.midpoint(high);
            let (cell, key) = self.restart_cell(middle)?;
            if target.compare(order, key, cell.seq) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == self.restarts() {
            return Ok(None);
        }
        Ok(Some(ChildHit { cell: self.cell_at(self.restart(low))?, number: Some(low) }))
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
            let (cell, key) = self.restart_cell(middle)?;
            if target.compare(order, key, cell.seq) == Ordering::Less {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The first cell from a restart on that is not before the target, by byte order.
    fn walk(&self, restart: usize, target: Target<'_>) -> Result<Option<Hit>, PayloadError> {
        let cells = self.cells();
        let mut at = self.restart(restart);
        let (mut matched, mut last_len) = (0, 0);
        while at < cells.len() {
            let cell = self.cell_at(at)?;
            let (shared, unshared) = (cell.shared as usize, cell.unshared(cells));
            if shared > last_len {
                return Err(PayloadError { at, what: "a key shares more than the key before has" });
            }
            last_len = shared + unshared.len();
            if shared <= matched {
                let rest = &target.key[shared..];
                let same = common_prefix(unshared, rest);
                matched = shared + same;
                let order = unshared.get(same).cmp(&rest.get(same));
                let is_key = order == Ordering::Equal;
                if order == Ordering::Greater || (is_key && cell.seq <= target.seq) {
                    return Ok(Some(Hit { cell, is_key }));
                }
            }
            at = cell.end as usize;
        }
        Ok(None)
    }
}
