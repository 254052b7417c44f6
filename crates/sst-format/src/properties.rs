//! Properties: what a table says of itself.
//!
//! | at  | len | field          | meaning                                                              |
//! |----:|----:|----------------|----------------------------------------------------------------------|
//! |   0 |   2 | version        | 1                                                                    |
//! |   2 |   1 | timestamp_len  | reserved: bytes of a user timestamp at each key's end; 0             |
//! |   3 |   1 | entry_checksum | reserved: kind of a checksum kept with each entry; 0                 |
//! |   4 |   4 | zero           | 0                                                                    |
//! |   8 |   8 | created_at     | when the caller says the table was written                           |
//! |  16 |   8 | entries        | in data blocks                                                       |
//! |  24 |   8 | deletes        | of them                                                              |
//! |  32 |   8 | single_deletes | of them                                                              |
//! |  40 |   8 | merges         | of them                                                              |
//! |  48 |   8 | blobs          | of them                                                              |
//! |  56 |   8 | range_deletes  | in the range block                                                   |
//! |  64 |   8 | losses         | loss markers in the range block                                      |
//! |  72 |   8 | key_bytes      | of all entries                                                       |
//! |  80 |   8 | value_bytes    | of all entries, a blob reference counting as itself                  |
//! |  88 |   8 | blob_bytes     | that blob references stand for                                       |
//! |  96 |   8 | data_blocks    | how many                                                             |
//! | 104 |   8 | data_bytes     | of the body that they take                                           |
//! | 112 |   8 | index_blocks   | how many                                                             |
//! | 120 |   8 | index_bytes    | of the body that they take                                           |
//! | 128 |   8 | filter_bytes   | of the body                                                          |
//! | 136 |   8 | seq_low        | lowest sequence number of entries and ranges                         |
//! | 144 |   8 | seq_high       | highest                                                              |
//! | 152 |   2 | comparator_len | bytes of the comparator's name                                       |
//! | 154 |   2 | smallest_len   | bytes of the smallest key                                            |
//! | 156 |   2 | largest_len    | bytes of the largest key                                             |
//! | 158 |   2 | zero           | 0                                                                    |
//! | 160 |  .. | comparator     | its name, UTF-8                                                      |
//! |  .. |  .. | smallest       | the smallest key, empty without entries                              |
//! |  .. |  .. | largest        | the largest key                                                      |
//! |  .. |  .. | fields         | each: tag u16, length u32, bytes; unknown tags below 0x8000 refuse   |
//!
//! Field 0x8001 is the note: the caller's, carried and never interpreted.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::cells::PayloadError;
use crate::entry::SeqNo;

const VERSION: u16 = 1;
const FIXED_LEN: usize = 160;
const NUMBERS: usize = 18;
/// Fields from this tag on may be skipped by a reader that does not know them.
const OPTIONAL_TAG: u16 = 0x8000;
/// The caller's note.
const NOTE_TAG: u16 = 0x8001;

/// What a table says of itself.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, SeqNo, TableOptions, TableWriter};
///
/// let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new().created_at(1_700_000_000))?;
/// writer.add(Entry::put(b"a", SeqNo::new(4), b"value"))?;
/// writer.add(Entry::delete(b"b", SeqNo::new(2)))?;
/// let properties = writer.finish()?.properties;
/// assert_eq!((properties.entries, properties.deletes), (2, 1));
/// assert_eq!(&properties.largest[..], b"b");
/// assert_eq!(properties.seq_low, SeqNo::new(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Properties {
    /// When the caller says the table was written.
    pub created_at: u64,
    /// Entries in data blocks.
    pub entries: u64,
    /// Deletes among them.
    pub deletes: u64,
    /// Single deletes among them.
    pub single_deletes: u64,
    /// Merge operands among them.
    pub merges: u64,
    /// Blob references among them.
    pub blobs: u64,
    /// Range deletes.
    pub range_deletes: u64,
    /// Loss markers.
    pub losses: u64,
    /// Bytes of all entries' keys.
    pub key_bytes: u64,
    /// Bytes of all entries' values, a blob reference counting as itself.
    pub value_bytes: u64,
    /// Bytes that blob references stand for.
    pub blob_bytes: u64,
    /// Data blocks.
    pub data_blocks: u64,
    /// Bytes of the body they take.
    pub data_bytes: u64,
    /// Index blocks.
    pub index_blocks: u64,
    /// Bytes of the body they take.
    pub index_bytes: u64,
    /// Bytes of the body that the filter takes.
    pub filter_bytes: u64,
    /// The lowest sequence number of entries and ranges.
    pub seq_low: SeqNo,
    /// The highest.
    pub seq_high: SeqNo,
    /// The comparator's name.
    pub comparator: String,
    /// The smallest key of an entry, empty without entries.
    pub smallest: Bytes,
    /// The largest key of an entry, empty without entries.
    pub largest: Bytes,
    /// What the caller had to say of the table; empty if nothing.
    pub note: Bytes,
}

impl Properties {
    fn numbers(&self) -> [u64; NUMBERS] {
        [
            self.created_at,
            self.entries,
            self.deletes,
            self.single_deletes,
            self.merges,
            self.blobs,
            self.range_deletes,
            self.losses,
            self.key_bytes,
            self.value_bytes,
            self.blob_bytes,
            self.data_blocks,
            self.data_bytes,
            self.index_blocks,
            self.index_bytes,
            self.filter_bytes,
            self.seq_low.get(),
            self.seq_high.get(),
        ]
    }

    /// Appends the payload.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&VERSION.to_le_bytes());
        into.extend_from_slice(&[0; 6]);
        for number in self.numbers() {
            into.extend_from_slice(&number.to_le_bytes());
        }
        let texts = [self.comparator.as_bytes(), &self.smallest, &self.largest];
        for text in texts {
            let len = u16::try_from(text.len()).expect("writers refuse longer keys and names");
            into.extend_from_slice(&len.to_le_bytes());
        }
        into.extend_from_slice(&[0; 2]);
        assert!(into.len() - start == FIXED_LEN);
        texts.iter().for_each(|text| into.extend_from_slice(text));
        if !self.note.is_empty() {
            let len = u32::try_from(self.note.len()).expect("writers refuse longer notes");
            into.extend_from_slice(&NOTE_TAG.to_le_bytes());
            into.extend_from_slice(&len.to_le_bytes());
            into.extend_from_slice(&self.note);
        }
    }

    pub(crate) fn decode(payload: &Bytes) -> Result<Self, PayloadError> {
        let error = |at, what| PayloadError { at, what };
        let fixed: &[u8; FIXED_LEN] =
            payload.first_chunk().ok_or(error(payload.len(), "the properties are cut short"))?;
        let two = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        if two(0) != VERSION {
            return Err(error(0, "a version that this release does not know"));
        }
        if fixed[2..8].iter().chain(&fixed[158..]).any(|&byte| byte != 0) {
            return Err(error(2, "reserved bytes that this release does not know"));
        }
        let (words, _) = fixed[8..152].as_chunks::<8>();
        let mut numbers = [0; NUMBERS];
        numbers.iter_mut().zip(words).for_each(|(number, word)| *number = u64::from_le_bytes(*word));
        let mut at = FIXED_LEN;
        let mut text = |len: u16| {
            let end = at + usize::from(len);
            let text = (end <= payload.len()).then(|| payload.slice(at..end));
            at = end;
            text.ok_or(error(at, "a name or key is cut short"))
        };
        let (comparator, smallest, largest) = (text(two(152))?, text(two(154))?, text(two(156))?);
        let comparator =
            core::str::from_utf8(&comparator).map_err(|_| error(FIXED_LEN, "a name not in UTF-8"))?;
        let note = read_fields(payload, at)?;
        Ok(Self { comparator: comparator.into(), smallest, largest, note, ..Self::from_numbers(numbers) })
    }

    fn from_numbers(numbers: [u64; NUMBERS]) -> Self {
        let [created_at, entries, deletes, single_deletes, merges, blobs, range_deletes, losses, rest @ ..] =
            numbers;
        let [key_bytes, value_bytes, blob_bytes, data_blocks, data_bytes, rest @ ..] = rest;
        let [index_blocks, index_bytes, filter_bytes, seq_low, seq_high] = rest;
        let (seq_low, seq_high) = (SeqNo::new(seq_low), SeqNo::new(seq_high));
        Self {
            created_at,
            entries,
            deletes,
            single_deletes,
            merges,
            blobs,
            range_deletes,
            losses,
            key_bytes,
            value_bytes,
            blob_bytes,
            data_blocks,
            data_bytes,
            index_blocks,
            index_bytes,
            filter_bytes,
            seq_low,
            seq_high,
            ..Self::default()
        }
    }
}

/// Walks the fields from `at` on, of which this release knows the note.
fn read_fields(payload: &Bytes, mut at: usize) -> Result<Bytes, PayloadError> {
    let mut note = Bytes::new();
    while let Some(rest) = payload.get(at..).filter(|rest| !rest.is_empty()) {
        let cut = PayloadError { at, what: "a field is cut short" };
        let &[t0, t1, l0, l1, l2, l3] = rest.first_chunk().ok_or(cut)?;
        let tag = u16::from_le_bytes([t0, t1]);
        if tag < OPTIONAL_TAG {
            return Err(PayloadError { at, what: "a field that this release must know and does not" });
        }
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if len > rest.len() - 6 {
            return Err(cut);
        }
        if tag == NOTE_TAG {
            note = payload.slice(at + 6..at + 6 + len);
        }
        at += 6 + len;
    }
    Ok(note)
}

const _: () = assert!(FIXED_LEN == 8 + 8 * NUMBERS + 8);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Properties {
        let mut numbers = [0; NUMBERS];
        (1..).zip(&mut numbers).for_each(|(value, number)| *number = value);
        let (smallest, largest) = (Bytes::from_static(b"aa"), Bytes::from_static(b"zzz"));
        Properties { comparator: "bytes".into(), smallest, largest, ..Properties::from_numbers(numbers) }
    }

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        let mut bytes = Vec::new();
        sample().encode(&mut bytes);
        assert_eq!(bytes[..16], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[144..160], [18, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 0, 3, 0, 0, 0]);
        assert_eq!(bytes[160..], *b"bytesaazzz");
        assert_eq!(Properties::decode(&bytes.into()), Ok(sample()));
    }

    #[test]
    fn a_note_comes_back() {
        let noted = Properties { note: Bytes::from_static(b"note"), ..sample() };
        let mut bytes = Vec::new();
        noted.encode(&mut bytes);
        assert_eq!(bytes[170..], *b"\x01\x80\x04\0\0\0note");
        assert_eq!(Properties::decode(&bytes.into()), Ok(noted));
    }

    #[test]
    fn unknown_fields_are_skipped_only_if_they_may_be() {
        let with = |tag: u16, len: u32| {
            let mut bytes = Vec::new();
            sample().encode(&mut bytes);
            bytes.extend_from_slice(&tag.to_le_bytes());
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.push(7);
            Properties::decode(&bytes.into()).map_err(|error| error.what)
        };
        assert_eq!(with(0x8002, 1), Ok(sample()));
        assert_eq!(with(0x8002, 2), Err("a field is cut short"));
        assert_eq!(with(1, 1), Err("a field that this release must know and does not"));
    }
}
