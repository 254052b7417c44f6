//! An opened table: its root, its order and its top index, in memory; everything else by block.
//!
//! Invariant: a [`TableView`] reads nothing itself. What it hands out ([`Find`], [`Cursor`]) names the block
//! it needs and takes it as a [`TableBlock`], which only proven bytes become.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use page_ecc::Uid;

use super::cursor::Cursor;
use super::error::ReadError;
use super::find::Find;
use super::options::FilterPin;
use crate::block::{BlockAddr, BlockError, BlockKind, BlockSpan, FileSalt, Payload, RawBlock, Unpacker};
use crate::cells::{CellBlock, CellCursor};
use crate::entry::SeqNo;
use crate::filter::{Answer, Filter, KeyHash};
use crate::order::KeyOrder;
use crate::properties::Properties;
use crate::ranges::RangeSet;
use crate::root::TableRoot;

/// What a state machine waits for.
///
/// ```
/// use sst_format::Step;
/// assert!(matches!(Step::Ready, Step::Ready));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The block at this address.
    Read(BlockAddr),
    /// Bytes that are lost: the index was rebuilt around them.
    Lost(BlockSpan),
    /// Nothing.
    Ready,
}

/// A proven, unpacked and parsed block: what a cache keeps.
///
/// See [`TableView::admit`].
#[derive(Clone, Debug)]
pub struct TableBlock {
    pub(super) span: BlockSpan,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Cells(BlockKind, CellBlock),
    Filter(Arc<Filter<Bytes>>),
}

impl TableBlock {
    /// Where it stands.
    #[must_use]
    pub const fn span(&self) -> BlockSpan {
        self.span
    }

    /// Bytes it keeps in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Cells(_, cells) => cells.len(),
            Content::Filter(filter) => filter.bytes().len(),
        }
    }

    /// Whether it has no bytes, which no block is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of this block, such as a value that was found in it, as a slice that keeps the block alive.
    /// `None` if `part` is not from this block.
    #[must_use]
    pub fn share(&self, part: &[u8]) -> Option<Bytes> {
        let Content::Cells(_, cells) = &self.content else { return None };
        let all = cells.bytes();
        let at = (part.as_ptr() as usize).checked_sub(all.as_ptr() as usize)?;
        (at + part.len() <= all.len()).then(|| all.slice(at..at + part.len()))
    }

    pub(super) fn cells(&self, span: BlockSpan, wanted: BlockKind) -> Result<&CellBlock, ReadError> {
        match &self.content {
            Content::Cells(kind, cells) if self.span == span && *kind == wanted => Ok(cells),
            _ => Err(ReadError::NotAsked { given: self.span }),
        }
    }
}

/// The filter of an opened table.
#[derive(Clone, Debug)]
pub(super) enum FilterState {
    Absent,
    Pinned(Arc<Filter<Bytes>>),
    OnDemand(BlockSpan),
}

/// An opened table.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, Opening, RawBlock, ReadOptions, SeqNo, Step, TableOptions, TableRoot, TableWriter};
///
/// let uid = Uid::new([7; 16]);
/// let mut writer = TableWriter::new(uid, TableOptions::new())?;
/// writer.add(Entry::put(b"key", SeqNo::new(1), b"value"))?;
/// let image = writer.finish()?.image;
/// let read = |addr: sst_format::BlockAddr| {
///     let span = addr.span.offset as usize..addr.span.end() as usize;
///     RawBlock::new(image.body()[span].to_vec()) // from a file, a cache, a network
/// };
///
/// let root = TableRoot::in_descriptor(image.descriptor())?;
/// let mut opening = Opening::new(uid, root, ReadOptions::new())?;
/// while let Step::Read(addr) = opening.step() {
///     opening.supply(read(addr))?;
/// }
/// let view = opening.finish()?;
///
/// let mut find = view.find(b"key", SeqNo::MAX)?;
/// let mut found = None;
/// while let Step::Read(addr) = find.step() {
///     let block = view.admit(addr, read(addr))?;
///     found = find.supply(&block)?.map(|entry| entry.value.to_vec());
/// }
/// assert_eq!(found.as_deref(), Some(&b"value"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableView {
    pub(super) uid: Uid,
    pub(super) file: FileSalt,
    pub(super) root: TableRoot,
    pub(super) order: KeyOrder,
    pub(super) unpacker: Unpacker,
    pub(super) properties: Option<Properties>,
    pub(super) ranges: Option<RangeSet>,
    pub(super) top: Option<CellBlock>,
    pub(super) filter: FilterState,
}

impl TableView {
    /// The file's uid.
    #[must_use]
    pub const fn uid(&self) -> Uid {
        self.uid
    }

    /// Where its parts are.
    #[must_use]
    pub const fn root(&self) -> &TableRoot {
        &self.root
    }

    /// The order of its keys.
    #[must_use]
    pub const fn order(&self) -> &KeyOrder {
        &self.order
    }

    /// What it says of itself; `None` if that was given up as lost.
    #[must_use]
    pub const fn properties(&self) -> Option<&Properties> {
        self.properties.as_ref()
    }

    /// Its range deletes and loss markers; `None` if both copies were given up, and then nothing can be told
    /// of what they deleted.
    #[must_use]
    pub const fn ranges(&self) -> Option<&RangeSet> {
        self.ranges.as_ref()
    }

    /// Proves, unpacks and parses the block that a state machine asked for.
    ///
    /// # Errors
    /// When the bytes are not that block, or it needs a key or dictionary that was not given.
    #[inline]
    pub fn admit(&self, addr: BlockAddr, raw: RawBlock) -> Result<TableBlock, ReadError> {
        admit(addr, raw, &self.unpacker)
    }

    /// Looks for the newest version of `key` that is not newer than `snapshot`.
    ///
    /// # Errors
    /// When the top index is not sound.
    #[inline]
    pub fn find<'a>(&'a self, key: &'a [u8], snapshot: SeqNo) -> Result<Find<'a>, ReadError> {
        let hash = KeyHash::of_key(key);
        if self.excludes(hash) {
            Ok(Find::nothing(self, key, hash, snapshot))
        } else {
            self.find_within(key, hash, snapshot)
        }
    }

    /// Whether a filter that is at hand says that no key of this hash is in the table: for who asks many tables, and
    /// makes a [`Find`] for few.
    #[inline]
    #[must_use]
    pub fn excludes(&self, hash: KeyHash) -> bool {
        match &self.filter {
            FilterState::Pinned(filter) => filter.may_contain(hash) == Answer::Absent,
            FilterState::OnDemand(_) | FilterState::Absent => false,
        }
    }

    /// As [`find`](Self::find), once a table is known not to [exclude](Self::excludes) the key.
    ///
    /// # Errors
    /// See there.
    #[inline]
    pub fn find_within<'a>(
        &'a self,
        key: &'a [u8],
        hash: KeyHash,
        snapshot: SeqNo,
    ) -> Result<Find<'a>, ReadError> {
        Find::within(self, key, hash, snapshot)
    }

    /// How many index blocks the top index leads to: those of which [`Find::leaf`] tells, and which somebody
    /// may keep at hand.
    #[must_use]
    pub fn leaves(&self) -> usize {
        let top = self.top.as_ref().filter(|_| self.root.levels > 1);
        top.and_then(|top| top.children()).unwrap_or(0)
    }

    /// Keys that divide the table into parts of about the same size: each part's last, or one that stands for it in
    /// the top index. As far as that is sound.
    ///
    /// ```
    /// # use sst_format::{Entry, MemoryTable, ReadOptions, SeqNo, TableOptions, TableWriter};
    /// let mut writer = TableWriter::new(page_ecc::Uid::new([7; 16]), TableOptions::new())?;
    /// for key in 0..1000_u32 {
    ///     writer.add(Entry::put(&key.to_be_bytes(), SeqNo::new(1), b"some value of twenty"))?;
    /// }
    /// let table = MemoryTable::open(&writer.finish()?.image, ReadOptions::new())?;
    /// assert!(table.view().fences().len() > 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fences(&self) -> Vec<Bytes> {
        let mut fences = Vec::new();
        let Some(mut top) = self.top.clone().map(CellCursor::new) else { return fences };
        let mut moved = top.seek_first();
        while moved.is_ok() && top.cell().is_some() {
            fences.push(Bytes::copy_from_slice(top.key()));
            moved = top.next();
        }
        fences
    }

    /// A cursor over all versions of all keys, on none yet.
    #[must_use]
    pub fn cursor(&self) -> Cursor<&Self> {
        Cursor::new(self)
    }

    /// A table without parts, to be given those that were found.
    pub(crate) fn rebuilt(uid: Uid, root: TableRoot, order: KeyOrder, unpacker: Unpacker) -> Self {
        let (file, filter) = (FileSalt::of(uid), FilterState::Absent);
        Self { uid, file, root, order, unpacker, properties: None, ranges: None, top: None, filter }
    }

    pub(crate) fn with_parts(
        mut self,
        properties: Option<Properties>,
        ranges: Option<RangeSet>,
        top: Option<CellBlock>,
        filter: Option<Arc<Filter<Bytes>>>,
    ) -> Self {
        (self.properties, self.ranges, self.top) = (properties, ranges, top);
        self.filter = filter.map_or(FilterState::Absent, FilterState::Pinned);
        self
    }

    pub(super) fn set_filter(&mut self, pin: FilterPin) {
        if pin == FilterPin::OnDemand && self.root.filter.len > 0 {
            self.filter = FilterState::OnDemand(self.root.filter);
        }
    }
}

pub(super) fn admit(addr: BlockAddr, raw: RawBlock, unpacker: &Unpacker) -> Result<TableBlock, ReadError> {
    parse(addr.span, raw.verify(addr)?.unpack(unpacker)?)
}

fn parse(span: BlockSpan, payload: Payload) -> Result<TableBlock, ReadError> {
    let kind = payload.kind();
    let bytes = payload.bytes().clone();
    let content = match kind {
        BlockKind::Data | BlockKind::Index | BlockKind::TopIndex => {
            let parse = if kind == BlockKind::Data { CellBlock::parse } else { CellBlock::parse_index };
            Content::Cells(kind, parse(bytes).map_err(|cause| ReadError::payload(span, kind, cause))?)
        }
        BlockKind::Filter => {
            let filter = Filter::parse(bytes).map_err(|cause| ReadError::Filter { at: span, cause })?;
            Content::Filter(Arc::new(filter))
        }
        found => return Err(BlockError::Unexpected { at: span, found, wanted: BlockKind::Data }.into()),
    };
    Ok(TableBlock { span, content })
}
