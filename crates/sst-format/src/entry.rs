//! Entry: one version of one key.
//!
//! The tag of a cell in a data block is the entry's kind; its flags byte is carried and never interpreted.
//!
//! | kind | value                                              |
//! |-----:|----------------------------------------------------|
//! |    1 | put: the value                                     |
//! |    2 | delete: nothing                                    |
//! |    3 | single delete: nothing                             |
//! |    4 | merge operand: the operand                         |
//! |    5 | blob reference, see below                          |
//!
//! A blob reference:
//!
//! | at | len | field  | meaning                      |
//! |---:|----:|--------|------------------------------|
//! |  0 |   8 | file   | which blob file              |
//! |  8 |   8 | offset | where in it                  |
//! | 16 |   8 | len    | how many bytes               |

use core::fmt;

/// A sequence number: the larger, the newer.
///
/// ```
/// use sst_format::SeqNo;
/// assert!(SeqNo::new(2) > SeqNo::new(1));
/// assert_eq!(SeqNo::MAX.get(), u64::MAX);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeqNo(u64);

impl SeqNo {
    /// The newest there can be: a read at it sees everything.
    pub const MAX: Self = Self(u64::MAX);

    /// The sequence number of this value.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an entry does to its key.
///
/// ```
/// use sst_format::EntryKind;
/// assert_eq!(EntryKind::ALL.len(), 5);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryKind {
    /// Sets its value.
    Put,
    /// Removes it.
    Delete,
    /// Removes it, and was put at most once since the last delete.
    SingleDelete,
    /// Changes its value by an operand.
    Merge,
    /// Sets its value to one that stands in a blob file.
    Blob,
}

impl EntryKind {
    /// Every kind, in the order of their tags.
    pub const ALL: [Self; 5] = [Self::Put, Self::Delete, Self::SingleDelete, Self::Merge, Self::Blob];

    pub(crate) const fn tag(self) -> u8 {
        self as u8 + 1
    }

    pub(crate) const fn parse(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Put),
            2 => Some(Self::Delete),
            3 => Some(Self::SingleDelete),
            4 => Some(Self::Merge),
            5 => Some(Self::Blob),
            _ => None,
        }
    }
}

/// One version of one key.
///
/// ```
/// use sst_format::{Entry, EntryKind, SeqNo};
/// let entry = Entry::put(b"key", SeqNo::new(7), b"value");
/// assert_eq!(entry.kind, EntryKind::Put);
/// assert_eq!(Entry::delete(b"key", SeqNo::new(8)).value, b"");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The user's key.
    pub key: &'a [u8],
    /// When it was written.
    pub seq: SeqNo,
    /// What it does.
    pub kind: EntryKind,
    /// Carried as it is; its meaning is the caller's.
    pub flags: u8,
    /// The value, the operand, an encoded [`BlobRef`], or nothing.
    pub value: &'a [u8],
}

impl<'a> Entry<'a> {
    /// An entry that sets a value.
    #[must_use]
    pub const fn put(key: &'a [u8], seq: SeqNo, value: &'a [u8]) -> Self {
        Self { key, seq, kind: EntryKind::Put, flags: 0, value }
    }

    /// An entry that removes a key.
    #[must_use]
    pub const fn delete(key: &'a [u8], seq: SeqNo) -> Self {
        Self { key, seq, kind: EntryKind::Delete, flags: 0, value: &[] }
    }

    /// Where the value stands, if it stands in a blob file.
    #[must_use]
    pub fn blob(&self) -> Option<BlobRef> {
        let bytes = self.value.try_into().ok().filter(|_| self.kind == EntryKind::Blob)?;
        Some(BlobRef::decode(bytes))
    }
}

/// Where a value stands that is kept apart from its key.
///
/// ```
/// use sst_format::{BlobRef, Entry, EntryKind, SeqNo};
/// let blob = BlobRef { file: 3, offset: 4096, len: 70_000 };
/// let value = blob.encode();
/// let entry = Entry { kind: EntryKind::Blob, ..Entry::put(b"key", SeqNo::new(1), &value) };
/// assert_eq!(entry.blob(), Some(blob));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlobRef {
    /// Which blob file.
    pub file: u64,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl BlobRef {
    /// Bytes of an encoded reference.
    pub const LEN: usize = 24;

    /// Its bytes.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.file, self.offset, self.len]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// The reference of these bytes; every one is some reference.
    #[must_use]
    pub fn decode(bytes: [u8; Self::LEN]) -> Self {
        let number =
            |at: usize| bytes[at..at + 8].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        Self { file: number(0), offset: number(8), len: number(16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_pinned_both_ways() {
        for (tag, kind) in (1..).zip(EntryKind::ALL) {
            assert_eq!((kind.tag(), EntryKind::parse(tag)), (tag, Some(kind)));
        }
        assert_eq!([0, 6, 127].map(EntryKind::parse), [None; 3]);
    }

    #[test]
    fn a_blob_reference_keeps_its_bytes() {
        let blob = BlobRef { file: 0x0807_0605_0403_0201, offset: 9, len: 10 };
        let bytes = blob.encode();
        assert_eq!(bytes[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(BlobRef::decode(bytes), blob);
    }
}
