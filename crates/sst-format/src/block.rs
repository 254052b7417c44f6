//! Blocks: checksummed pieces of a body that find and prove themselves.
//!
//! A block is a head, a payload and a trailer, and starts on a multiple of 8 with zeros before it. Bytes from
//! a file are a [`RawBlock`]; only [`RawBlock::verify`] makes a [`Block`] of them, and only a [`Block`] gives
//! its contents. Invariant: a [`Block`]'s bytes are those written at that place of that file. Left to others:
//! where blocks are, and what to do when one is not there.

mod addr;
mod error;
mod head;
mod kind;
mod packer;
mod trailer;
mod unpacker;

use bytes::Bytes;
use twox_hash::XxHash3_64;

use crate::codec::{CodecError, CodecTag};

pub use addr::{BlockAddr, BlockSpan, FileSalt};
pub use error::BlockError;
pub use kind::BlockKind;
pub use unpacker::{Payload, Unpacker};

pub(crate) use addr::BLOCK_ALIGN;
pub(crate) use head::Head;
pub(crate) use packer::Packer;
pub(crate) use trailer::Trailer;

/// Bytes that a block has beside its payload.
pub(crate) const FRAME_LEN: usize = Head::LEN + Trailer::LEN;

/// Bytes as read from a file; they may be anything.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlockError, BlockSpan, FileSalt, RawBlock};
///
/// let at = BlockSpan { offset: 0, len: 9 };
/// let addr = FileSalt::of(Uid::new([1; 16])).at(at);
/// assert_eq!(RawBlock::new(&b"123456789"[..]).verify(addr).unwrap_err(), BlockError::Span { at });
/// ```
#[derive(Clone, Debug)]
pub struct RawBlock(Bytes);

/// A block whose checksum and place have been proven. Its payload may still be compressed or encrypted.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlockKind, Entry, RawBlock, SeqNo, TableOptions, TableRoot, TableWriter, Unpacker};
///
/// let uid = Uid::new([1; 16]);
/// let mut writer = TableWriter::new(uid, TableOptions::new())?;
/// writer.add(Entry::put(b"key", SeqNo::new(1), b"value"))?;
/// let table = writer.finish()?;
///
/// let addr = TableRoot::addr_in(uid, table.image.body().len() as u64)?;
/// let span = addr.span.offset as usize..addr.span.end() as usize;
/// let block = RawBlock::new(table.image.body()[span].to_vec()).verify(addr)?;
/// assert_eq!(block.kind(), BlockKind::Root);
/// assert!(block.unpack(&Unpacker::new())?.bytes().len() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Block {
    addr: BlockAddr,
    trailer: Trailer,
    stored: Bytes,
}

impl RawBlock {
    /// Bytes read from a block's span.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The only way to a [`Block`]: length, checksum, fields, in this order.
    ///
    /// # Errors
    /// When these are not the bytes that were written at `expected`, or a newer release wrote them.
    #[inline]
    pub fn verify(self, expected: BlockAddr) -> Result<Block, BlockError> {
        let trailer = verify(&self.0, expected)?;
        let stored = self.0.slice(Head::LEN..self.0.len() - Trailer::LEN);
        Ok(Block { addr: expected, trailer, stored })
    }
}

fn verify(bytes: &[u8], expected: BlockAddr) -> Result<Trailer, BlockError> {
    let at = expected.span;
    if (at.len as usize) < FRAME_LEN || !at.offset.is_multiple_of(BLOCK_ALIGN) {
        return Err(BlockError::Span { at });
    }
    if bytes.len() != at.len as usize {
        return Err(BlockError::Given { at, given: bytes.len() });
    }
    let (covered, checksum) = bytes.split_last_chunk().ok_or(BlockError::Span { at })?;
    if self::checksum(covered, expected) != u64::from_le_bytes(*checksum) {
        return Err(BlockError::Checksum { at });
    }
    let (rest, fields) = covered.split_last_chunk().ok_or(BlockError::Span { at })?;
    let (head, payload) = rest.split_first_chunk().ok_or(BlockError::Span { at })?;
    let trailer = Trailer::decode(*fields)?;
    let head = Head::decode(*head, expected.file, at.offset).ok_or(BlockError::Stated { at, stated: 0 })?;
    for stated in [head.len, trailer.len] {
        if stated as usize != payload.len() {
            return Err(BlockError::Stated { at, stated });
        }
    }
    Ok(trailer)
}

/// Of everything in a block before its checksum, bound to its place.
fn checksum(covered: &[u8], addr: BlockAddr) -> u64 {
    XxHash3_64::oneshot(covered) ^ addr.file.salt(addr.span.offset)
}

impl Block {
    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> BlockKind {
        self.trailer.kind
    }

    /// How its payload is compressed.
    ///
    /// # Errors
    /// If this release does not know.
    pub const fn codec(&self) -> Result<CodecTag, CodecError> {
        CodecTag::parse(self.trailer.codec)
    }

    /// Where it stands.
    #[must_use]
    pub const fn addr(&self) -> BlockAddr {
        self.addr
    }

    /// Its payload, decrypted and decompressed; one that is neither is not copied.
    ///
    /// # Errors
    /// When a key or dictionary is missing, or the bytes do not unpack to what the trailer states.
    #[inline]
    pub fn unpack(self, with: &Unpacker) -> Result<Payload, BlockError> {
        with.unpack(self)
    }
}
