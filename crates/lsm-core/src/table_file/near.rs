//! The blocks that the read before used: of keys that are looked up in order, the next is often in the same ones.
//!
//! Invariant: it holds blocks of one table only, the one it was last used with.

use sst_format::{BlockAddr, TableBlock};

use super::{Missing, TableFile};
use crate::{FileId, block_cache::Fill, reader::ReadEnv};

/// The last data block that was read, and the last index block.
#[derive(Debug, Default)]
pub(crate) struct Near {
    table: Option<FileId>,
    data: Option<TableBlock>,
    leaf: Option<TableBlock>,
}

impl Near {
    /// A block, from here or from the table; `leaf` is its number if it is an index block.
    #[inline]
    pub(super) fn block(
        &mut self,
        table: &TableFile,
        env: &ReadEnv,
        addr: BlockAddr,
        leaf: Option<usize>,
    ) -> Result<&TableBlock, Missing> {
        if self.table != Some(table.meta.id) {
            *self = Self { table: Some(table.meta.id), data: None, leaf: None };
        }
        let place = if leaf.is_some() { &mut self.leaf } else { &mut self.data };
        if place.as_ref().is_none_or(|block| block.span() != addr.span) {
            let block = table.block(env, addr, Fill::Keep)?;
            if let Some(number) = leaf {
                table.pins.pin_leaf(number, &block);
            }
            *place = Some(block);
        }
        place.as_ref().ok_or(Missing::Lost)
    }
}
