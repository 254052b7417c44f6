//! Walks a cell block in both directions, putting each key together in one buffer.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::CellBlock;
use super::cell::Cell;
use super::error::PayloadError;
use super::search::Target;
use crate::order::KeyOrder;

/// A place in a cell block: on a cell, or on none.
#[derive(Clone, Debug)]
pub(crate) struct CellCursor {
    block: CellBlock,
    key: Vec<u8>,
    cell: Option<Cell>,
}

impl CellCursor {
    /// On no cell.
    pub(crate) const fn new(block: CellBlock) -> Self {
        Self { block, key: Vec::new(), cell: None }
    }

    /// Goes on with another block, on no cell.
    pub(crate) fn set_block(&mut self, block: CellBlock) {
        self.block = block;
        self.cell = None;
    }

    pub(crate) const fn block(&self) -> &CellBlock {
        &self.block
    }

    pub(crate) const fn cell(&self) -> Option<Cell> {
        self.cell
    }

    /// Whether it is on the first cell, the last one, or none.
    #[inline]
    pub(crate) fn is_at_edge(&self) -> bool {
        self.cell.is_none_or(|cell| cell.at == 0 || cell.end == self.block.cells_len)
    }

    /// The key of the cell it is on.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn seek_first(&mut self) -> Result<(), PayloadError> {
        self.enter(0)
    }

    pub(crate) fn seek_last(&mut self) -> Result<(), PayloadError> {
        self.enter_before(self.block.cells_len as usize)
    }

    /// To the first cell that is not before the target, or to none.
    pub(crate) fn seek(&mut self, order: &KeyOrder, target: Target<'_>) -> Result<(), PayloadError> {
        self.enter(self.block.restart_before(order, target)?)?;
        while let Some(cell) = self.cell {
            if target.compare(order, &self.key, cell.seq) != Ordering::Less {
                break;
            }
            self.next()?;
        }
        Ok(())
    }

    /// To the next cell, or to none.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<(), PayloadError> {
        let Some(cell) = self.cell else { return Ok(()) };
        if cell.end == self.block.cells_len {
            self.cell = None;
            return Ok(());
        }
        self.load(cell.end as usize)
    }

    /// To the cell before, or to none.
    pub(crate) fn prev(&mut self) -> Result<(), PayloadError> {
        let Some(cell) = self.cell else { return Ok(()) };
        if cell.at == 0 {
            self.cell = None;
            return Ok(());
        }
        self.enter_before(cell.at as usize)
    }

    fn enter(&mut self, restart: usize) -> Result<(), PayloadError> {
        self.key.clear();
        self.load(self.block.restart(restart))
    }

    /// To the last cell that ends at or before `end`, which is behind the first cell's start.
    fn enter_before(&mut self, end: usize) -> Result<(), PayloadError> {
        let (mut low, mut high) = (0, self.block.restarts());
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.block.restart(middle) < end { low = middle } else { high = middle }
        }
        self.enter(low)?;
        while let Some(cell) = self.cell.filter(|cell| (cell.end as usize) < end) {
            self.load(cell.end as usize)?;
        }
        Ok(())
    }

    #[inline]
    fn load(&mut self, at: usize) -> Result<(), PayloadError> {
        self.cell = None;
        let cell = self.block.cell_at(at)?;
        let shared = cell.shared as usize;
        if shared > self.key.len() {
            return Err(PayloadError { at, what: "a key shares more than the key before has" });
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(cell.unshared(self.block.cells()));
        self.cell = Some(cell);
        Ok(())
    }
}
