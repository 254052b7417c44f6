//! A table whose bytes are in memory: the plainest driver of the state machines, for tests and small tools.
//!
//! It proves a block each time it is read; keeping proven blocks is the business of a cache.

use bytes::Bytes;
use page_ecc::{SealedImage, Uid};

use crate::block::{BlockAddr, BlockError, RawBlock, Unpacker};
use crate::entry::{EntryKind, SeqNo};
use crate::root::TableRoot;
use crate::table::{Cursor, Opening, ReadError, ReadOptions, Step, TableBlock, TableView};

/// What a point read found.
///
/// ```
/// use sst_format::{EntryKind, Found, SeqNo};
/// let found = Found { seq: SeqNo::new(1), kind: EntryKind::Put, flags: 0, value: "value".into() };
/// assert_eq!(&found.value[..], b"value");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// When it was written.
    pub seq: SeqNo,
    /// What it does.
    pub kind: EntryKind,
    /// As it was given.
    pub flags: u8,
    /// Its value, a slice of its block.
    pub value: Bytes,
}

/// A table over a body in memory. See [`TableWriter`](crate::TableWriter) for a use.
#[derive(Clone, Debug)]
pub struct MemoryTable {
    view: TableView,
    body: Bytes,
}

impl MemoryTable {
    /// Opens a copy of a sealed image's body, from the root in its descriptor.
    ///
    /// # Errors
    /// When it is no table, or a part of it is damaged.
    pub fn open(image: &SealedImage, options: ReadOptions) -> Result<Self, ReadError> {
        let root = TableRoot::in_descriptor(image.descriptor())?;
        Self::open_at(image.descriptor().uid(), root, Bytes::copy_from_slice(image.body()), options)
    }

    /// Opens a bare body, from the root at its end.
    ///
    /// # Errors
    /// When it is no table, or a part of it is damaged.
    pub fn open_body(uid: Uid, body: Bytes, options: ReadOptions) -> Result<Self, ReadError> {
        let addr = TableRoot::addr_in(uid, body.len() as u64)?;
        let block = read(&body, addr)?.verify(addr)?.unpack(&Unpacker::new())?;
        let root = TableRoot::decode(block.bytes())?;
        Self::open_at(uid, root, body, options)
    }

    fn open_at(uid: Uid, root: TableRoot, body: Bytes, options: ReadOptions) -> Result<Self, ReadError> {
        let mut opening = Opening::new(uid, root, options)?;
        while let Step::Read(addr) = opening.step() {
            opening.supply(read(&body, addr)?)?;
        }
        Ok(Self { view: opening.finish()?, body })
    }

    /// A view over a body, however it was opened.
    #[must_use]
    pub const fn new(view: TableView, body: Bytes) -> Self {
        Self { view, body }
    }

    /// The table it drives.
    #[must_use]
    pub const fn view(&self) -> &TableView {
        &self.view
    }

    /// Reads and proves a block.
    ///
    /// # Errors
    /// When the block is not what was written.
    pub fn block(&self, addr: BlockAddr) -> Result<TableBlock, ReadError> {
        self.view.admit(addr, read(&self.body, addr)?)
    }

    /// The newest version of `key` not newer than `snapshot`. Range deletes are left to the caller.
    ///
    /// # Errors
    /// When a block on the way is damaged or lost.
    pub fn get(&self, key: &[u8], snapshot: SeqNo) -> Result<Option<Found>, ReadError> {
        let mut find = self.view.find(key, snapshot)?;
        loop {
            let addr = match find.step() {
                Step::Read(addr) => addr,
                Step::Lost(at) => return Err(ReadError::Lost { at }),
                Step::Ready => return Ok(None),
            };
            let block = self.block(addr)?;
            if let Some(entry) = find.supply(&block)? {
                let value = block.share(entry.value).unwrap_or_default();
                return Ok(Some(Found { seq: entry.seq, kind: entry.kind, flags: entry.flags, value }));
            }
        }
    }

    /// Reads what a cursor waits for, until it waits for nothing.
    ///
    /// # Errors
    /// When a block on the way is damaged or lost.
    pub fn drive<V: core::ops::Deref<Target = TableView>>(
        &self,
        cursor: &mut Cursor<V>,
    ) -> Result<(), ReadError> {
        loop {
            match cursor.step() {
                Step::Read(addr) => cursor.supply(&self.block(addr)?)?,
                Step::Lost(at) => return Err(ReadError::Lost { at }),
                Step::Ready => return Ok(()),
            }
        }
    }
}

/// The bytes of a span, if the body has them.
fn read(body: &Bytes, addr: BlockAddr) -> Result<RawBlock, ReadError> {
    let at = addr.span;
    let end = usize::try_from(at.end()).ok().filter(|&end| end <= body.len());
    let start = usize::try_from(at.offset).ok();
    match start.zip(end) {
        Some((start, end)) => Ok(RawBlock::new(body.slice(start..end))),
        None => Err(BlockError::Given { at, given: 0 }.into()),
    }
}
