//! What every remembered record has in common: what it is, its version, and a checksum.
//!
//! Invariant: fields are read only from bytes of the right length whose checksum is right.

use lsm_core::{FileId, TreeId};

use crate::{FileKind, FileRef};

/// Magic, version, and what a record says in two bytes.
const HEAD_LEN: usize = 8;
const SUM_LEN: usize = 4;
const VERSION: u16 = 1;

/// Why remembered bytes say nothing.
///
/// ```
/// use lsm_scrub::RecordError;
/// assert!(RecordError::Newer { version: 9 }.to_string().contains("version 9"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// There are more or fewer bytes than a record has, or they begin like none.
    #[error("{len} bytes of a patrol's memory are no record of one; they are left aside")]
    Foreign {
        /// How many bytes there are.
        len: usize,
    },
    /// Something newer wrote it.
    #[error("a record of a patrol's memory has version {version}, newer than this program; it is left aside")]
    Newer {
        /// Its version.
        version: u16,
    },
    /// The checksum is wrong.
    #[error("a record of a patrol's memory fails its checksum; what it said is examined anew")]
    Checksum,
    /// A field has a value that no writer gives it.
    #[error("a record of a patrol's memory has no valid {field}; what it said is examined anew")]
    Field {
        /// Which.
        field: &'static str,
    },
}

/// Bytes of a record as they are put together.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(magic: [u8; 4], pair: [u8; 2]) -> Self {
        Self([&magic[..], &VERSION.to_le_bytes(), &pair].concat())
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let sum = crc32c(&self.0);
        self.u32(sum).0
    }
}

/// The fields of a record whose checksum is right, in order.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    /// What the two bytes behind the version say.
    pub(crate) pair: [u8; 2],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Proves a record of `len` bytes in all.
    pub(crate) fn prove(magic: [u8; 4], len: usize, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let foreign = RecordError::Foreign { len: bytes.len() };
        let (checked, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or(foreign)?;
        let (head, rest) = checked.split_first_chunk::<HEAD_LEN>().ok_or(foreign)?;
        let [m0, m1, m2, m3, v0, v1, a, b] = *head;
        if [m0, m1, m2, m3] != magic {
            return Err(foreign);
        }
        if u32::from_le_bytes(*sum) != crc32c(checked) {
            return Err(RecordError::Checksum);
        }
        match u16::from_le_bytes([v0, v1]) {
            VERSION if bytes.len() == len => Ok(Self { pair: [a, b], rest }),
            VERSION => Err(foreign),
            version => Err(RecordError::Newer { version }),
        }
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, RecordError> {
        let (value, rest) = self.rest.split_first_chunk().ok_or(RecordError::Field { field })?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*value))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, RecordError> {
        let (value, rest) = self.rest.split_first_chunk().ok_or(RecordError::Field { field })?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*value))
    }

    /// The file that a kind's tag and the next two fields name.
    pub(crate) fn file(&mut self, tag: u8) -> Result<FileRef, RecordError> {
        let kind = FileKind::parse(tag).ok_or(RecordError::Field { field: "kind" })?;
        Ok(FileRef { kind, tree: TreeId::new(self.u32("tree")?), file: FileId::new(self.u64("file")?) })
    }
}

/// CRC-32C, bit by bit: a record has less than a hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let polynomial = 0x82F6_3B78;
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_everybody_knows() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = Writer::new(*b"ABCD", [0, 0]).u64(7).finish();
        bytes.truncate(16);
        bytes[4] = 2;
        bytes.extend(crc32c(&bytes).to_le_bytes());
        assert_eq!(Reader::prove(*b"ABCD", 20, &bytes).unwrap_err(), RecordError::Newer { version: 2 });
        bytes[9] ^= 1;
        assert_eq!(Reader::prove(*b"ABCD", 20, &bytes).unwrap_err(), RecordError::Checksum);
    }
}
