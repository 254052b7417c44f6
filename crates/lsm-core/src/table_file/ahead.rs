//! Reading ahead for a cursor that goes through a table: one large read instead of many small ones.
//!
//! Invariant: it only spares reads. What it gives is proven by whoever asked, and what it cannot give, or
//! what does not prove itself, is read as if it were not there.

use bytes::Bytes;
use sst_format::{BlockAddr, BlockSpan, RawBlock};

use super::{TableFile, offset_of};
use crate::block_cache::Fill;

/// The first read ahead, and the largest: each is twice the one before.
const WINDOW_MIN: u64 = 16 << 10;
const WINDOW_MAX: u64 = 256 << 10;

/// Blocks stand on multiples of this.
const BLOCK_ALIGN: u64 = 8;

/// What one cursor reads ahead.
#[derive(Debug, Default)]
pub(crate) struct ReadAhead {
    /// Where the block behind the last one of a sequence starts.
    next: u64,
    /// Where the block behind the last one that was none of the sequence starts: of the index, or of the next
    /// sequence.
    next_apart: u64,
    window: u64,
    start: u64,
    bytes: Bytes,
}

impl ReadAhead {
    /// Notes that a block was had, and says whether it stands behind the one before.
    #[inline]
    pub(crate) fn is_next(&mut self, at: BlockSpan) -> bool {
        let is_next = at.offset != 0 && (at.offset == self.next || at.offset == self.next_apart);
        let end = at.end().next_multiple_of(BLOCK_ALIGN);
        if is_next {
            (self.next, self.next_apart) = (end, 0);
        } else {
            self.next_apart = end;
        }
        is_next
    }

    /// The bytes of a block that stands behind the one before.
    pub(crate) fn read(&mut self, table: &TableFile, addr: BlockAddr, fill: Fill) -> Option<RawBlock> {
        let at = addr.span;
        if at.offset < self.start || at.end() > self.start + self.bytes.len() as u64 {
            self.read_window(table, at)?;
        }
        let from = (at.offset - self.start) as usize;
        let bytes = self.bytes.get(from..from + at.len as usize)?;
        Some(RawBlock::new(match fill {
            // A block that stays must not keep the whole window in memory.
            Fill::Keep => Bytes::copy_from_slice(bytes),
            Fill::Pass => self.bytes.slice_ref(bytes),
        }))
    }

    fn read_window(&mut self, table: &TableFile, at: BlockSpan) -> Option<()> {
        self.window = (self.window * 2).clamp(WINDOW_MIN, WINDOW_MAX);
        let left = table.meta.body_bytes().checked_sub(at.offset)?;
        let len = self.window.max(at.len.into()).min(left);
        let read = table.file.read_to_vec(offset_of(at.offset), len as usize);
        self.start = at.offset;
        self.bytes = read.unwrap_or_default().into();
        Some(())
    }
}
