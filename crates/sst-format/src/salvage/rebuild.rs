//! Rebuilds what finds blocks: an index over those that were found, with the gaps as cells of their own.
//!
//! Invariant: a key that may have been lost leads to a gap, never to "absent". A filter is rebuilt only where
//! nothing was lost, since one made from what is left would deny the rest.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::Bytes;

use super::{Salvaged, SalvagedBlock};
use crate::block::{BlockAddr, BlockKind, BlockSpan, FileSalt, RawBlock};
use crate::cells::{CellBlock, CellCursor, Target};
use crate::filter::{Filter, FilterBuilder, FilterPolicy, KeyHash};
use crate::index::{Child, ChildKind, Fence, IndexBuilder};
use crate::limits::KEY_LEN_MAX;
use crate::order::KeyOrder;
use crate::root::TableRoot;
use crate::table::{LostRange, ReadError, TableView};

impl Salvaged {
    /// A table over what was found, through an index made anew. Reads that come upon a gap fail; the filter
    /// is the one that was found, or none.
    ///
    /// # Errors
    /// [`ReadError::Lost`] where a gap has no known end and the order of keys is not that of bytes.
    pub fn into_view(self) -> Result<TableView, ReadError> {
        let mut index = IndexBuilder::new(usize::MAX / 2);
        let mut fence = FenceBuffer { key: Vec::new(), seq: u64::MAX, is_set: false };
        let mut lost = self.lost.iter().peekable();
        for block in &self.data {
            while let Some(gap) = lost.next_if(|gap| gap.at.offset < block.span.offset) {
                let seq = block.first.1.get().saturating_add(1);
                fence.add_gap(&mut index, &self.order, gap, &block.first.0, seq);
            }
            fence.set(&block.last.0, block.last.1.get());
            let seqs = [block.seq_low, block.seq_high].map(crate::entry::SeqNo::get);
            index.add(fence.get(), Child { kind: ChildKind::Block, span: block.span, seqs });
        }
        let greatest = self.greatest_key();
        for gap in lost {
            let key = greatest.as_deref().ok_or(ReadError::Lost { at: gap.at })?;
            fence.add_gap(&mut index, &self.order, gap, key, 0);
        }
        let sound = |cause| ReadError::payload(BlockSpan::default(), BlockKind::TopIndex, cause);
        let top = index
            .into_block()
            .map(|block| CellBlock::parse_index(block.into()).map_err(sound))
            .transpose()?;
        let root = TableRoot {
            levels: u16::from(top.is_some()),
            top_index: BlockSpan::default(),
            ..self.root.unwrap_or_default()
        };
        let Self { uid, order, unpacker, properties, ranges, filter, .. } = self;
        Ok(TableView::rebuilt(uid, root, order, unpacker).with_parts(properties, ranges, top, filter))
    }

    /// A filter over every key found; `None` where anything was lost.
    ///
    /// `read` gives the bytes of a block, as they were when it was found.
    ///
    /// # Errors
    /// When a block is not what it was.
    pub fn rebuild_filter(
        &mut self,
        policy: FilterPolicy,
        mut read: impl FnMut(BlockAddr) -> RawBlock,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        if !self.lost.is_empty() {
            return Ok(None);
        }
        let file = FileSalt::of(self.uid);
        let mut builder = FilterBuilder::new(policy);
        for SalvagedBlock { span, .. } in &self.data {
            let addr = file.at(*span);
            let payload = read(addr).verify(addr)?.unpack(&self.unpacker)?;
            let sound = |cause| ReadError::payload(*span, payload.kind(), cause);
            let mut cursor = CellCursor::new(CellBlock::parse(payload.bytes().clone()).map_err(sound)?);
            cursor.seek_first().map_err(sound)?;
            while cursor.cell().is_some() {
                builder.add_hash(KeyHash::of_key(cursor.key()));
                cursor.next().map_err(sound)?;
            }
        }
        let bytes = builder.finish();
        let filter = Filter::parse(Bytes::from(bytes.clone()));
        self.filter = filter.ok().map(Arc::new);
        Ok(Some(bytes))
    }

    /// A key that none is behind.
    fn greatest_key(&self) -> Option<Bytes> {
        match (&self.properties, &self.order) {
            (Some(properties), _) => Some(properties.largest.clone()),
            (None, KeyOrder::Bytes) => Some([u8::MAX].repeat(KEY_LEN_MAX).into()),
            (None, KeyOrder::Custom(_)) => None,
        }
    }
}

/// The last fence given out.
struct FenceBuffer {
    key: Vec<u8>,
    seq: u64,
    is_set: bool,
}

impl FenceBuffer {
    fn set(&mut self, key: &[u8], seq: u64) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.seq = seq;
        self.is_set = true;
    }

    fn get(&self) -> Fence<'_> {
        Fence { key: &self.key, seq: self.seq }
    }

    /// Adds a gap that ends at this place, unless nothing fits between it and the fence before.
    fn add_gap(&mut self, index: &mut IndexBuilder, order: &KeyOrder, gap: &LostRange, key: &[u8], seq: u64) {
        let end = Target { key, seq };
        if self.is_set && end.compare(order, &self.key, self.seq) != Ordering::Less {
            return;
        }
        self.set(key, seq);
        let seqs = [gap.seq_low, gap.seq_high].map(crate::entry::SeqNo::get);
        index.add(self.get(), Child { kind: ChildKind::Gap, span: gap.at, seqs });
    }
}
