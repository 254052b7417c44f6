//! Salvage: what is left of a table whose pages could not all be brought back, and which keys are not.
//!
//! A body is walked from block to block; behind a gap the walk goes on at the next block that proves itself.
//! Invariant: what is handed out was proven, and each gap that may have held entries is named with the keys it
//! may have held. Left to others: repairing pages first, and what becomes of the losses.

mod data_block;
mod rebuild;
mod walker;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Bound, Range};

use bytes::Bytes;
use page_ecc::Uid;

pub use data_block::SalvagedBlock;
use walker::{Piece, Walker};

use crate::block::{Block, BlockKind, BlockSpan, FileSalt, Unpacker};
use crate::crypto::FileKey;
use crate::dictionary::Dictionary;
use crate::entry::SeqNo;
use crate::filter::Filter;
use crate::order::KeyOrder;
use crate::properties::Properties;
use crate::ranges::RangeSet;
use crate::root::TableRoot;
use crate::table::{LostRange, ReadError, ReadOptions, unpacker_for};

/// What is needed to salvage a table.
///
/// ```
/// use bytes::Bytes;
/// use page_ecc::Uid;
/// use sst_format::{Entry, MemoryTable, ReadOptions, Salvage, SeqNo, TableOptions, TableWriter};
///
/// let uid = Uid::new([7; 16]);
/// let mut writer = TableWriter::new(uid, TableOptions::new())?;
/// for number in 0..1000u32 {
///     writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), b"value"))?;
/// }
/// let image = writer.finish()?.image;
///
/// // The second page is gone for good.
/// let body = Bytes::copy_from_slice(image.body());
/// let salvaged = Salvage::new(uid, ReadOptions::new()).walk(&body, &[4096..8192])?;
/// assert_eq!(salvaged.lost().len(), 1);
///
/// let view = salvaged.into_view()?; // with an index made anew
/// let table = MemoryTable::new(view, body);
/// assert!(table.get(&900u32.to_be_bytes(), SeqNo::MAX)?.is_some());
/// assert!(table.get(&400u32.to_be_bytes(), SeqNo::MAX).is_err()); // nobody knows
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Salvage {
    uid: Uid,
    root: Option<TableRoot>,
    order: KeyOrder,
    key: Option<Arc<FileKey>>,
}

/// What a walk found.
///
/// See [`Salvage`] for its use.
#[derive(Clone, Debug)]
pub struct Salvaged {
    uid: Uid,
    root: Option<TableRoot>,
    order: KeyOrder,
    unpacker: Unpacker,
    data: Vec<SalvagedBlock>,
    lost: Vec<LostRange>,
    gaps: Vec<Range<u64>>,
    properties: Option<Properties>,
    ranges: Option<RangeSet>,
    filter: Option<Arc<Filter<Bytes>>>,
}

impl Salvage {
    /// Salvages the table of this uid.
    #[must_use]
    pub fn new(uid: Uid, options: ReadOptions) -> Self {
        let (order, key) = options.into_order_and_key();
        Self { uid, root: None, order, key }
    }

    /// With the root from the descriptor, should the root block be among the losses.
    #[must_use]
    pub const fn root(mut self, root: TableRoot) -> Self {
        self.root = Some(root);
        self
    }

    /// Walks a body; `bad` are the ranges of it that could not be read, ascending.
    ///
    /// # Errors
    /// When the table is in another order, its key is missing or another, or its proven root is of a newer
    /// release or not sound. Damage is no error here.
    pub fn walk(mut self, body: &Bytes, bad: &[Range<u64>]) -> Result<Salvaged, ReadError> {
        let (mut blocks, mut gaps) = (Vec::new(), Vec::new());
        for piece in Walker::new(FileSalt::of(self.uid), body, bad) {
            match piece {
                Piece::Block(block) => blocks.push(block),
                Piece::Gap(gap) => gaps.push(gap),
            }
        }
        let root_block = blocks.iter().rfind(|block| block.kind() == BlockKind::Root);
        if let (None, Some(block)) = (self.root, root_block) {
            self.root = Some(TableRoot::decode(block.clone().unpack(&Unpacker::new())?.bytes())?);
        }
        let mut unpacker = match (&self.root, self.key) {
            (Some(root), key) => unpacker_for(root, key)?,
            (None, Some(key)) => Unpacker::new().with_key(key),
            (None, None) => Unpacker::new(),
        };
        if let Some(root) = &self.root {
            root.check_order(&self.order)?;
        }
        if let Some(dictionary) = blocks.iter().find_map(|block| read_dictionary(block, &unpacker)) {
            unpacker = unpacker.with_dictionary(Arc::new(dictionary));
        }
        let Self { uid, root, order, .. } = self;
        let mut salvaged = Salvaged {
            uid,
            root,
            order,
            unpacker,
            data: Vec::new(),
            lost: Vec::new(),
            gaps,
            properties: None,
            ranges: None,
            filter: None,
        };
        blocks.into_iter().for_each(|block| salvaged.take(block));
        salvaged.check_order()?;
        salvaged.name_losses();
        Ok(salvaged)
    }
}

impl Salvaged {
    /// The data blocks that proved themselves, in order.
    #[must_use]
    pub fn blocks(&self) -> &[SalvagedBlock] {
        &self.data
    }

    /// The gaps that may have held entries, and the keys they may have held.
    #[must_use]
    pub fn lost(&self) -> &[LostRange] {
        &self.lost
    }

    /// Every range of bytes in which nothing proved itself.
    #[must_use]
    pub fn gaps(&self) -> &[Range<u64>] {
        &self.gaps
    }

    /// What the table says of itself, if that was found.
    #[must_use]
    pub const fn properties(&self) -> Option<&Properties> {
        self.properties.as_ref()
    }

    /// Its range deletes and loss markers, if a copy was found or there never were any.
    #[must_use]
    pub const fn ranges(&self) -> Option<&RangeSet> {
        self.ranges.as_ref()
    }

    /// Takes a proven block; one that does not unpack is as good as a gap.
    fn take(&mut self, block: Block) {
        let span = block.addr().span;
        let payload = block.kind();
        let Ok(unpacked) = block.unpack(&self.unpacker) else {
            self.gaps.push(span.offset..span.end());
            return;
        };
        let bytes = unpacked.bytes();
        match payload {
            BlockKind::Data => match SalvagedBlock::read(span, &unpacked) {
                Ok(block) => self.data.push(block),
                Err(_) => self.gaps.push(span.offset..span.end()),
            },
            BlockKind::Properties => self.properties = Properties::decode(bytes).ok(),
            BlockKind::Ranges => self.ranges = RangeSet::decode(bytes).ok().or(self.ranges.take()),
            BlockKind::Filter => self.filter = Filter::parse(bytes.clone()).ok().map(Arc::new),
            _ => {}
        }
    }

    fn check_order(&mut self) -> Result<(), ReadError> {
        if self.root.is_some_and(|root| root.ranges.len == 0) {
            self.ranges.get_or_insert_default();
        }
        match &self.properties {
            Some(properties) if properties.comparator != self.order.name() => Err(ReadError::OtherOrder),
            _ => Ok(()),
        }
    }

    /// Names the keys of each gap that may have held entries.
    fn name_losses(&mut self) {
        self.gaps.sort_by_key(|gap| gap.start);
        let data_end = self.root.map_or(u64::MAX, |root| root.data_end);
        let dictionary = self.root.map_or(0..0, |root| root.dictionary.offset..root.dictionary.end());
        let holds_data = |gap: &&Range<u64>| {
            gap.start < data_end && !(dictionary.start <= gap.start && gap.end <= dictionary.end + 7)
        };
        self.lost = self.gaps.iter().filter(holds_data).map(|gap| self.lost_in(gap)).collect();
    }

    fn lost_in(&self, gap: &Range<u64>) -> LostRange {
        let behind = self.data.partition_point(|block| block.span.offset < gap.start);
        let before = behind.checked_sub(1).map(|before| &self.data[before].last.0);
        let after = self.data.get(behind).map(|block| &block.first.0);
        let known = self.properties.as_ref();
        let bound = |key: Option<&Bytes>| key.cloned().map_or(Bound::Unbounded, Bound::Included);
        let [seq_low, seq_high] =
            known.map_or([SeqNo::new(0), SeqNo::MAX], |properties| [properties.seq_low, properties.seq_high]);
        let len = u32::try_from(gap.end - gap.start).unwrap_or(u32::MAX);
        LostRange {
            at: BlockSpan { offset: gap.start, len },
            lower: bound(before.or(known.map(|properties| &properties.smallest))),
            upper: bound(after.or(known.map(|properties| &properties.largest))),
            seq_low,
            seq_high,
        }
    }
}

fn read_dictionary(block: &Block, unpacker: &Unpacker) -> Option<Dictionary> {
    let block = (block.kind() == BlockKind::Dictionary).then(|| block.clone())?;
    Dictionary::parse(block.unpack(unpacker).ok()?.bytes().to_vec()).ok()
}
