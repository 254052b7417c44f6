//! Walks a body from block to block, and over gaps to the next block that proves itself.

use core::ops::Range;

use bytes::Bytes;

use crate::block::{BLOCK_ALIGN, Block, BlockSpan, FRAME_LEN, FileSalt, Head, RawBlock};

/// What stands at a place of a body.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Block(Block),
    /// Bytes in which no block proves itself.
    Gap(Range<u64>),
}

/// Goes through a body once, front to back.
#[derive(Debug)]
pub(super) struct Walker<'a> {
    file: FileSalt,
    body: &'a Bytes,
    /// Ranges that could not be read, ascending.
    bad: &'a [Range<u64>],
    at: u64,
}

impl<'a> Walker<'a> {
    pub(super) const fn new(file: FileSalt, body: &'a Bytes, bad: &'a [Range<u64>]) -> Self {
        Self { file, body, bad, at: 0 }
    }

    /// The block that starts at `at` and proves itself.
    fn block_at(&self, at: u64) -> Option<Block> {
        let start = usize::try_from(at).ok()?;
        let head = Head::decode(*self.body.get(start..)?.first_chunk()?, self.file, at)?;
        let span = BlockSpan { offset: at, len: head.len + FRAME_LEN as u32 };
        let bytes = start..start.checked_add(span.len as usize)?;
        if bytes.end > self.body.len() || self.bad_after(at).is_some_and(|bad| bad.start < span.end()) {
            return None;
        }
        RawBlock::new(self.body.slice(bytes)).verify(self.file.at(span)).ok()
    }

    /// The first unreadable range that ends behind `at`.
    fn bad_after(&self, at: u64) -> Option<&Range<u64>> {
        self.bad.get(self.bad.partition_point(|bad| bad.end <= at))
    }

    /// The next place at or behind `at` where a block could start.
    fn place_after(&self, at: u64) -> u64 {
        let at = at.next_multiple_of(BLOCK_ALIGN);
        match self.bad_after(at) {
            Some(bad) if bad.start <= at => bad.end.next_multiple_of(BLOCK_ALIGN),
            _ => at,
        }
    }
}

impl Iterator for Walker<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let end = self.body.len() as u64;
        let start = self.at;
        let mut at = start;
        while at < end {
            if let Some(block) = self.block_at(at) {
                if at > start {
                    self.at = at;
                    return Some(Piece::Gap(start..at));
                }
                self.at = block.addr().span.end().next_multiple_of(BLOCK_ALIGN);
                return Some(Piece::Block(block));
            }
            at = self.place_after(at + BLOCK_ALIGN);
        }
        self.at = end;
        (start < end).then_some(Piece::Gap(start..end))
    }
}
