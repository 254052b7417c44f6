//! Index: which block holds which keys.
//!
//! An index block is a cell block. A cell's key and sequence number are the last place its child may hold:
//! every entry in the child is at or before it, every entry behind the child is after it. Its tag is 1 for a
//! child; its value, in numbers of 7 bits a byte:
//!
//! | at | len | field    | meaning                                                |
//! |---:|----:|----------|--------------------------------------------------------|
//! |  0 |   v | offset   | where the child starts in the body                     |
//! | .. |   v | len      | bytes of the child, at least a head and a trailer      |
//! | .. |   v | seq_low  | lowest sequence number in it                           |
//! | .. |   v | seq_span | highest less lowest                                    |
//!
//! With one level the children of the top index are data blocks; with two they are index blocks, whose
//! children are data blocks. Tag 2 stands in rebuilt indexes only: the child is a gap, its span the bytes lost.

use alloc::vec::Vec;

use page_ecc::varint;

use crate::block::{BlockKind, BlockSpan, Packer};
use crate::cells::{Buckets, Cell, CellBuilder, NewCell, Parsed, PayloadError};
use crate::codec::CodecError;

/// Restart points of index blocks: every key is whole, so that a binary search is all there is.
const INTERVAL: u32 = 1;

/// What an index cell leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChildKind {
    /// A block.
    Block,
    /// Bytes that are lost.
    Gap,
}

impl ChildKind {
    const fn of(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Block),
            2 => Some(Self::Gap),
            _ => None,
        }
    }
}

/// One child of an index block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Child {
    pub(crate) kind: ChildKind,
    pub(crate) span: BlockSpan,
    pub(crate) seqs: [u64; 2],
}

impl Child {
    /// What a search needs of an index cell: what it leads to, and where that is. The rest is not looked at.
    #[inline]
    pub(crate) fn place(block: &Parsed, cell: Cell) -> Result<(ChildKind, BlockSpan), PayloadError> {
        let (cells, mut at) = (block.cells(), cell.value_at as usize);
        let (offset, len) = (varint::take(cells, &mut at), varint::take(cells, &mut at));
        match (ChildKind::of(cell.tag), offset, len.and_then(|len| u32::try_from(len).ok())) {
            (Some(kind), Some(offset), Some(len)) if at <= cell.end as usize => {
                Ok((kind, BlockSpan { offset, len }))
            }
            // It is not sound, and reading all of it says why.
            _ => Self::decode(block, &cell).map(|child| (child.kind, child.span)),
        }
    }

    /// Reads the value of an index cell.
    pub(crate) fn decode(block: &Parsed, cell: &Cell) -> Result<Self, PayloadError> {
        let error = |what| PayloadError { at: cell.at as usize, what };
        let kind = ChildKind::of(cell.tag).ok_or(error("an index cell is neither child nor gap"))?;
        let (value, mut at) = (cell.value(block.cells()), 0);
        let mut take = || varint::take(value, &mut at);
        let (offset, len, low, distance) = (take(), take(), take(), take());
        let cut = error("an index cell is cut short");
        let (Some(offset), Some(len), Some(low), Some(distance)) = (offset, len, low, distance) else {
            return Err(cut);
        };
        if at != value.len() {
            return Err(error("an index cell has bytes left over"));
        }
        let len = u32::try_from(len).map_err(|_| error("a child is over 4 GiB"))?;
        let high = low.checked_add(distance).ok_or(error("a sequence number is over 64 bits"))?;
        Ok(Self { kind, span: BlockSpan { offset, len }, seqs: [low, high] })
    }

    fn encode(&self, into: &mut Vec<u8>) {
        let [low, high] = self.seqs;
        assert!(low <= high);
        into.clear();
        for number in [self.span.offset, self.span.len.into(), low, high - low] {
            varint::put(into, number);
        }
    }
}

/// The last place a child may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) seq: u64,
}

/// Collects children; keeps finished index blocks until the data blocks are all written.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    block_len: usize,
    leaf: CellBuilder,
    leaf_seqs: [u64; 2],
    leaf_fence_seq: u64,
    leaves: Vec<Leaf>,
    value: Vec<u8>,
}

#[derive(Debug)]
struct Leaf {
    framed: Vec<u8>,
    fence_key: Vec<u8>,
    fence_seq: u64,
    seqs: [u64; 2],
}

/// What an index took.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct IndexSize {
    pub(crate) top: BlockSpan,
    pub(crate) levels: u16,
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

impl IndexBuilder {
    pub(crate) fn new(block_len: usize) -> Self {
        Self {
            block_len,
            leaf: CellBuilder::new(INTERVAL, Buckets::Off),
            leaf_seqs: [u64::MAX, 0],
            leaf_fence_seq: 0,
            leaves: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Adds the child behind the last one.
    pub(crate) fn add(&mut self, fence: Fence<'_>, child: Child) {
        if !self.leaf.is_empty() && self.leaf.payload_len() + fence.key.len() + 24 > self.block_len {
            self.finish_leaf();
        }
        add_child(&mut self.leaf, &mut self.value, fence, child);
        self.leaf_seqs = join(self.leaf_seqs, child.seqs);
        self.leaf_fence_seq = fence.seq;
    }

    fn finish_leaf(&mut self) {
        let fence_key = self.leaf.last_key().to_vec();
        let framed = self.leaf.finish().clone();
        self.leaf.clear();
        let seqs = core::mem::replace(&mut self.leaf_seqs, [u64::MAX, 0]);
        self.leaves.push(Leaf { framed, fence_key, fence_seq: self.leaf_fence_seq, seqs });
    }

    /// Writes the index; without children there is none.
    pub(crate) fn finish(mut self, packer: &mut Packer) -> Result<IndexSize, CodecError> {
        let mut size = IndexSize::default();
        if self.leaf.is_empty() {
            return Ok(size);
        }
        let start = packer.len();
        size.levels = 1;
        if !self.leaves.is_empty() {
            self.finish_leaf();
            size.levels = 2;
            size.blocks = self.leaves.len() as u64;
            for leaf in &mut self.leaves {
                let span = packer.append(BlockKind::Index, &mut leaf.framed)?;
                leaf.framed = Vec::new();
                let child = Child { kind: ChildKind::Block, span, seqs: leaf.seqs };
                let fence = Fence { key: &leaf.fence_key, seq: leaf.fence_seq };
                add_child(&mut self.leaf, &mut self.value, fence, child);
            }
        }
        size.top = packer.append(BlockKind::TopIndex, self.leaf.finish())?;
        size.blocks += 1;
        size.bytes = packer.len() - start;
        Ok(size)
    }

    /// The index as one block in memory, whatever its size; `None` without children.
    pub(crate) fn into_block(mut self) -> Option<Vec<u8>> {
        if self.leaf.is_empty() {
            return None;
        }
        let mut framed = core::mem::take(self.leaf.finish());
        framed.drain(..crate::block::Head::LEN);
        Some(framed)
    }
}

fn add_child(cells: &mut CellBuilder, value: &mut Vec<u8>, fence: Fence<'_>, child: Child) {
    child.encode(value);
    let tag = match child.kind {
        ChildKind::Block => 1,
        ChildKind::Gap => 2,
    };
    cells.add(NewCell { tag, flags: 0, key: fence.key, seq: fence.seq, value });
}

/// The bounds of both.
pub(crate) fn join(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0].min(b[0]), a[1].max(b[1])]
}
