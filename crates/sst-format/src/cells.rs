//! Cell block: the payload of data, index and range blocks.
//!
//! | at | len | field    | meaning                                                                  |
//! |---:|----:|----------|--------------------------------------------------------------------------|
//! |  0 |  .. | cells    | ascending by key, within a key descending by sequence number             |
//! | .. | 4r  | restarts | where each cell stands whose key is whole; the first is 0                |
//! | .. |  b  | buckets  | the hash index, a byte each: a restart, 254 "several", 255 "none"        |
//! | .. |   8 | base_seq | sequence number of the first cell                                        |
//! | .. |   4 | restarts | r, at least 1                                                            |
//! | .. |   2 | buckets  | b, 0 for none                                                            |
//! | .. |   2 | zero     | 0                                                                        |
//!
//! Invariant: bytes of any content give a typed error or some cell; nothing here panics, allocates for a
//! lookup by byte order, or reads outside the payload. Left to others: what a cell's tag and value mean.

mod buckets;
mod builder;
mod cell;
mod cursor;
mod error;
mod heads;
mod search;

use alloc::sync::Arc;
use core::ops::Deref;

use bytes::Bytes;

use self::heads::Heads;

pub(crate) use builder::{Buckets, CellBuilder, NewCell};
pub(crate) use cell::{Cell, Extent};
pub(crate) use cursor::CellCursor;
pub use error::PayloadError;
pub(crate) use search::Target;

const TAIL_LEN: usize = 16;

/// The numbers at a cell block's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tail {
    base_seq: u64,
    restarts: u32,
    buckets: u16,
}

impl Tail {
    fn encode(self) -> [u8; TAIL_LEN] {
        let mut bytes = [0; TAIL_LEN];
        bytes[..8].copy_from_slice(&self.base_seq.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.restarts.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.buckets.to_le_bytes());
        bytes
    }

    fn decode(bytes: [u8; TAIL_LEN], at: usize) -> Result<Self, PayloadError> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, b0, b1, z0, z1] = bytes;
        if [z0, z1] != [0, 0] {
            return Err(PayloadError { at: at + 14, what: "a byte that is always 0 is not" });
        }
        let base_seq = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let restarts = u32::from_le_bytes([r0, r1, r2, r3]);
        Ok(Self { base_seq, restarts, buckets: u16::from_le_bytes([b0, b1]) })
    }
}

/// A parsed cell block; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct CellBlock(Arc<Parsed>);

#[derive(Debug)]
pub(crate) struct Parsed {
    bytes: Bytes,
    cells_len: u32,
    restarts: u32,
    buckets: u16,
    base_seq: u64,
    heads: Option<Heads>,
}

impl Deref for CellBlock {
    type Target = Parsed;

    #[inline]
    fn deref(&self) -> &Parsed {
        &self.0
    }
}

impl CellBlock {
    /// Checks the frame of a payload; its cells are checked as they are met.
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, PayloadError> {
        Ok(Self(Arc::new(Parsed::of(bytes)?)))
    }

    /// As [`parse`](Self::parse), for a block that is searched by key again and again.
    pub(crate) fn parse_index(bytes: Bytes) -> Result<Self, PayloadError> {
        let mut parsed = Parsed::of(bytes)?;
        parsed.heads = Heads::of(&parsed)?;
        Ok(Self(Arc::new(parsed)))
    }
}

impl Parsed {
    fn of(bytes: Bytes) -> Result<Self, PayloadError> {
        let cut = PayloadError { at: bytes.len(), what: "the block is shorter than its tail" };
        let (rest, tail) = bytes.split_last_chunk().ok_or(cut)?;
        let Tail { base_seq, restarts, buckets } = Tail::decode(*tail, rest.len())?;
        let lists_len = u64::from(restarts) * 4 + u64::from(buckets);
        let cells_len = (rest.len() as u64).checked_sub(lists_len).filter(|_| restarts > 0);
        let cells_len = cells_len
            .and_then(|len| u32::try_from(len).ok())
            .ok_or(PayloadError { at: rest.len(), what: "the number of restarts or buckets does not fit" })?;
        let block = Self { bytes, cells_len, restarts, buckets, base_seq, heads: None };
        let mut end = 0;
        for restart in 0..block.restarts() {
            let at = block.restart(restart);
            if (restart == 0) != (at == 0) || at < end || at >= cells_len as usize {
                let at = cells_len as usize + 4 * restart;
                return Err(PayloadError { at, what: "restarts do not ascend within the cells" });
            }
            end = at + 1;
        }
        Ok(block)
    }

    #[inline]
    pub(crate) fn cells(&self) -> &[u8] {
        &self.bytes[..self.cells_len as usize]
    }

    /// The whole payload, to share slices of.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many cells it has, if it is an index block of which that is known.
    pub(crate) fn children(&self) -> Option<usize> {
        self.heads.as_ref().map(|_| self.restarts())
    }

    /// Bytes it keeps in memory.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.heads.as_ref().map_or(0, Heads::len)
    }

    #[inline]
    pub(crate) fn cell_at(&self, at: usize) -> Result<Cell, PayloadError> {
        Cell::decode(self.cells(), at, self.base_seq)
    }

    const fn restarts(&self) -> usize {
        self.restarts as usize
    }

    /// Where a restart's cell stands.
    #[inline]
    fn restart(&self, restart: usize) -> usize {
        let at = self.cells_len as usize + 4 * restart;
        let bytes = self.bytes[at..].first_chunk().expect("parsing found room for every restart");
        u32::from_le_bytes(*bytes) as usize
    }

    /// The cell of a restart, and its whole key.
    fn restart_cell(&self, restart: usize) -> Result<(Cell, &[u8]), PayloadError> {
        let at = self.restart(restart);
        let extent = Extent::decode_restart(self.cells(), at)?;
        Ok((extent.into_cell(self.cells(), at, self.base_seq), extent.unshared(self.cells())))
    }

    #[inline]
    fn buckets(&self) -> &[u8] {
        let at = self.cells_len as usize + 4 * self.restarts();
        &self.bytes[at..at + usize::from(self.buckets)]
    }
}
