//! Table root: where everything else is.
//!
//! It is the body's last block, so its place follows from the body's length. The same bytes stand in the
//! descriptor's field 1, so a lost root block costs nothing as long as a descriptor is left.
//!
//! | at  | len | field        | meaning                                                                |
//! |----:|----:|--------------|------------------------------------------------------------------------|
//! |   0 |   2 | version      | 1                                                                      |
//! |   2 |   2 | levels       | of the index: 0 without entries, else 1 or 2                           |
//! |   4 |   4 | zero         | 0                                                                      |
//! |   8 |   8 | incompatible | feature bits; one that a reader does not know refuses                  |
//! |  16 |   8 | compatible   | feature bits; a reader ignores those it does not know                  |
//! |  24 |   8 | comparator   | XXH3-64 of the comparator's name                                       |
//! |  32 |  12 | top_index    | span of the top index                                                  |
//! |  44 |  12 | filter       | span of the filter                                                     |
//! |  56 |  12 | ranges       | span of the range block                                                |
//! |  68 |  12 | ranges_copy  | span of its copy, far away                                             |
//! |  80 |  12 | properties   | span of the properties                                                 |
//! |  92 |  12 | dictionary   | span of the dictionary                                                 |
//! | 104 |   8 | data_end     | no data block ends behind this place of the body                       |
//! | 112 |   8 | entries      | in data blocks                                                         |
//! | 120 |  10 | key_stamp    | of the file's key; zeros if the table is not encrypted                 |
//! | 130 |   6 | zero         | 0                                                                      |

use page_ecc::{Descriptor, Uid};

use crate::block::{BLOCK_ALIGN, BlockAddr, BlockSpan, FRAME_LEN, FileSalt};
use crate::crypto::KeyStamp;
use crate::order::KeyOrder;
use crate::table::ReadError;

/// Where the parts of a table are.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, SeqNo, TableOptions, TableRoot, TableWriter};
///
/// let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new())?;
/// writer.add(Entry::put(b"key", SeqNo::new(1), b"value"))?;
/// let table = writer.finish()?;
/// let root = TableRoot::in_descriptor(table.image.descriptor())?;
/// assert_eq!(root.entries(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TableRoot {
    pub(crate) levels: u16,
    pub(crate) comparator: u64,
    pub(crate) top_index: BlockSpan,
    pub(crate) filter: BlockSpan,
    pub(crate) ranges: BlockSpan,
    pub(crate) ranges_copy: BlockSpan,
    pub(crate) properties: BlockSpan,
    pub(crate) dictionary: BlockSpan,
    pub(crate) data_end: u64,
    pub(crate) entries: u64,
    pub(crate) key_stamp: Option<KeyStamp>,
}

impl TableRoot {
    pub(crate) const LEN: usize = 136;
    const BLOCK_LEN: u64 = (Self::LEN + FRAME_LEN) as u64;
    const VERSION: u16 = 1;

    /// The kind that tables have in the descriptor of a sealed file.
    pub const FILE_KIND: u16 = 1;
    /// The descriptor's field that repeats the root.
    pub const FIELD_TAG: u16 = 1;
    /// The descriptor's field with the label that the caller gave the table.
    pub const LABEL_TAG: u16 = 2;
    /// Bytes of a label.
    pub const LABEL_LEN_MAX: usize = 200;

    /// Where the root block of a body of this length is.
    ///
    /// # Errors
    /// [`ReadError::NotATable`] if a table has no such body.
    pub fn addr_in(uid: Uid, body_len: u64) -> Result<BlockAddr, ReadError> {
        let offset =
            body_len.checked_sub(Self::BLOCK_LEN).filter(|offset| offset.is_multiple_of(BLOCK_ALIGN));
        let offset = offset.ok_or(ReadError::NotATable)?;
        Ok(FileSalt::of(uid).at(BlockSpan { offset, len: Self::BLOCK_LEN as u32 }))
    }

    /// How long its filter is; 0 without one.
    #[must_use]
    pub const fn filter_bytes(&self) -> u64 {
        self.filter.len as u64
    }

    /// The label that the caller gave a table, if any; see [`TableWriter::describe`](crate::TableWriter::describe).
    #[must_use]
    pub fn label_in(descriptor: &Descriptor) -> Option<&[u8]> {
        descriptor.field(Self::LABEL_TAG).filter(|_| descriptor.kind() == Self::FILE_KIND)
    }

    /// The root as a descriptor repeats it.
    ///
    /// # Errors
    /// When the file is no table, or a newer release wrote it.
    pub fn in_descriptor(descriptor: &Descriptor) -> Result<Self, ReadError> {
        if descriptor.kind() != Self::FILE_KIND {
            return Err(ReadError::NotATable);
        }
        Self::decode(descriptor.field(Self::FIELD_TAG).ok_or(ReadError::NotATable)?)
    }

    /// Reads the payload of a root block.
    ///
    /// # Errors
    /// When a newer release wrote it, or it cannot be.
    pub fn decode(payload: &[u8]) -> Result<Self, ReadError> {
        let bytes: &[u8; Self::LEN] = payload.try_into().map_err(|_| ReadError::NotATable)?;
        let mut fields = Fields { rest: bytes };
        let (version, levels) = (u16::from_le_bytes(fields.take()?), u16::from_le_bytes(fields.take()?));
        if version != Self::VERSION {
            return Err(ReadError::NewerVersion { found: version, known: Self::VERSION });
        }
        let zero = u32::from_le_bytes(fields.take()?);
        let incompatible = fields.u64()?;
        if incompatible != 0 {
            return Err(ReadError::UnknownFeatures { unknown: incompatible });
        }
        let (_compatible, comparator) = (fields.u64()?, fields.u64()?);
        let [top_index, filter, ranges, ranges_copy, properties, dictionary] = fields.spans()?;
        let (data_end, entries) = (fields.u64()?, fields.u64()?);
        let (stamp, zeros): ([u8; KeyStamp::LEN], [u8; 6]) = (fields.take()?, fields.take()?);
        let key_stamp = match stamp {
            [0, 0, ..] => None,
            stamp => Some(KeyStamp::decode(stamp).map_err(|_| ReadError::Root { field: "key stamp" })?),
        };
        if zero != 0 || zeros != [0; 6] {
            return Err(ReadError::Root { field: "reserved bytes" });
        }
        if levels > 2 || (levels > 0) != top_index.is_some() {
            return Err(ReadError::Root { field: "levels" });
        }
        Ok(Self {
            levels,
            comparator,
            top_index,
            filter,
            ranges,
            ranges_copy,
            properties,
            dictionary,
            data_end,
            entries,
            key_stamp,
        })
    }

    /// Entries in the table, range deletes not counted.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Where in the body the data blocks end: every one of them is before it, and the index behind it.
    #[must_use]
    pub const fn data_end(&self) -> u64 {
        self.data_end
    }

    /// What the table says of its key; `None` if it is not encrypted.
    #[must_use]
    pub const fn key_stamp(&self) -> Option<KeyStamp> {
        self.key_stamp
    }

    /// Refuses another order than the one it was written in.
    pub(crate) fn check_order(&self, order: &KeyOrder) -> Result<(), ReadError> {
        if self.comparator == order.fingerprint() { Ok(()) } else { Err(ReadError::OtherOrder) }
    }

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        assert!(self.levels <= 2);
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&Self::VERSION.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.levels.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.comparator.to_le_bytes());
        for (place, span) in bytes[32..104].chunks_exact_mut(BlockSpan::LEN).zip(self.spans()) {
            place.copy_from_slice(&span.encode());
        }
        bytes[104..112].copy_from_slice(&self.data_end.to_le_bytes());
        bytes[112..120].copy_from_slice(&self.entries.to_le_bytes());
        if let Some(stamp) = self.key_stamp {
            bytes[120..130].copy_from_slice(&stamp.encode());
        }
        bytes
    }

    const fn spans(&self) -> [BlockSpan; 6] {
        [self.top_index, self.filter, self.ranges, self.ranges_copy, self.properties, self.dictionary]
    }
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(ReadError::NotATable)?;
        self.rest = rest;
        Ok(*field)
    }

    fn u64(&mut self) -> Result<u64, ReadError> {
        self.take().map(u64::from_le_bytes)
    }

    fn spans(&mut self) -> Result<[BlockSpan; 6], ReadError> {
        let mut spans = [BlockSpan::default(); 6];
        for span in &mut spans {
            *span = BlockSpan::decode(self.take()?);
        }
        Ok(spans)
    }
}

const _: () = assert!(TableRoot::LEN == 2 + 2 + 4 + 8 + 8 + 8 + 6 * 12 + 8 + 8 + 10 + 6);

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(byte: u64) -> BlockSpan {
        BlockSpan { offset: byte, len: byte as u32 }
    }

    const SAMPLE: TableRoot = TableRoot {
        levels: 2,
        comparator: 0x0102_0304_0506_0708,
        top_index: span(1),
        filter: span(2),
        ranges: span(3),
        ranges_copy: span(4),
        properties: span(5),
        dictionary: span(6),
        data_end: 7,
        entries: 8,
        key_stamp: None,
    };

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        let bytes = SAMPLE.encode();
        assert_eq!(bytes[..8], [1, 0, 2, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[24..32], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[32..44], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(
            bytes[92..120],
            [
                [6, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0].as_slice(),
                &[7, 0, 0, 0, 0, 0, 0, 0],
                &[8, 0, 0, 0, 0, 0, 0, 0]
            ]
            .concat()
        );
        assert_eq!(TableRoot::decode(&bytes), Ok(SAMPLE));
    }

    #[test]
    fn what_this_release_does_not_know_is_named() {
        let with = |at: usize, byte| {
            let mut bytes = SAMPLE.encode();
            bytes[at] = byte;
            TableRoot::decode(&bytes).unwrap_err()
        };
        assert_eq!(with(0, 2), ReadError::NewerVersion { found: 2, known: 1 });
        assert_eq!(with(8, 4), ReadError::UnknownFeatures { unknown: 4 });
        assert_eq!(with(2, 3), ReadError::Root { field: "levels" });
        assert_eq!(TableRoot::decode(&[]), Err(ReadError::NotATable));
        assert!(
            TableRoot::decode(&{
                let mut bytes = SAMPLE.encode();
                bytes[16] = 1;
                bytes
            })
            .is_ok()
        );
    }
}
