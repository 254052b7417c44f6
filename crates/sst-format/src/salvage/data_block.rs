//! A data block that was found by walking: what keys it holds.

use bytes::Bytes;

use crate::block::{BlockKind, BlockSpan, Payload};
use crate::cells::{CellBlock, CellCursor, PayloadError};
use crate::entry::SeqNo;
use crate::index::join;
use crate::table::ReadError;

/// A data block that proved itself.
///
/// See [`Salvage`](crate::Salvage) for where it comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SalvagedBlock {
    /// Where it stands.
    pub span: BlockSpan,
    /// Its first key, and the sequence number of its first entry.
    pub first: (Bytes, SeqNo),
    /// Its last key, and the sequence number of its last entry.
    pub last: (Bytes, SeqNo),
    /// The lowest sequence number in it.
    pub seq_low: SeqNo,
    /// The highest.
    pub seq_high: SeqNo,
    /// Its entries.
    pub entries: u64,
}

impl SalvagedBlock {
    /// Reads every entry of a data block.
    pub(super) fn read(span: BlockSpan, payload: &Payload) -> Result<Self, ReadError> {
        let block = CellBlock::parse(payload.bytes().clone()).and_then(|cells| Self::walk(span, cells));
        block.map_err(|cause| ReadError::payload(span, BlockKind::Data, cause))
    }

    fn walk(span: BlockSpan, cells: CellBlock) -> Result<Self, PayloadError> {
        let mut cursor = CellCursor::new(cells);
        let place = |cursor: &CellCursor, seq: u64| (Bytes::copy_from_slice(cursor.key()), SeqNo::new(seq));
        let (mut first, mut seqs, mut entries) = (None, [u64::MAX, 0], 0);
        cursor.seek_first()?;
        while let Some(cell) = cursor.cell() {
            first = first.or_else(|| Some(place(&cursor, cell.seq)));
            seqs = join(seqs, [cell.seq; 2]);
            entries += 1;
            cursor.next()?;
        }
        cursor.seek_last()?;
        let last = cursor.cell().map(|cell| place(&cursor, cell.seq));
        let (Some(first), Some(last)) = (first, last) else {
            return Err(PayloadError { at: 0, what: "a data block without entries" });
        };
        let [seq_low, seq_high] = seqs.map(SeqNo::new);
        Ok(Self { span, first, last, seq_low, seq_high, entries })
    }
}
