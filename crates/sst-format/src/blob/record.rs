//! A record: bytes that may be anything, then proven ones, then what they hold.

use alloc::vec::Vec;

use super::RECORD_KIND;
use super::addr::RecordAddr;
use super::error::BlobError;
use super::head::{Head, HeadBytes};
use super::salt::Salter;
use crate::codec::{RawLen, decompress};
use crate::crypto::{BlockPlace, FileKey, KeyEpoch};
use crate::entry::SeqNo;
use crate::limits::VALUE_LEN_MAX;

/// Bytes as read from a file; they may be anything.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobRef, RawRecord};
/// let reference = BlobRef { file: 1, offset: 0, len: 3 };
/// assert!(RawRecord::new(b"abc").verify(reference.addr(Uid::new([1; 16]))).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a>(&'a [u8]);

/// A record whose checksum and place have been proven; its value may still be compressed or encrypted.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobOptions, BlobWriter, RawRecord, SeqNo};
/// let uid = Uid::new([7; 16]);
/// let mut writer = BlobWriter::new(1, uid, BlobOptions::new())?;
/// let reference = writer.append(b"key", SeqNo::new(42), b"value")?;
/// let image = writer.finish()?;
///
/// let record = RawRecord::new(image.body()).verify(reference.addr(uid))?;
/// assert_eq!((record.seq(), record.value_len()), (SeqNo::new(42), 5));
/// assert_eq!(record.open(None)?.value, b"value");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    addr: RecordAddr,
    head: Head,
    head_bytes: &'a HeadBytes,
    payload: &'a [u8],
}

/// What a record holds.
///
/// ```
/// use sst_format::{BlobEntry, SeqNo};
/// let entry = BlobEntry { key: b"key".to_vec(), seq: SeqNo::new(1), value: b"value".to_vec() };
/// assert_eq!(entry.key, b"key");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobEntry {
    /// The whole key.
    pub key: Vec<u8>,
    /// When it was written.
    pub seq: SeqNo,
    /// The value.
    pub value: Vec<u8>,
}

impl<'a> RawRecord<'a> {
    /// Bytes read from a record's span.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The only way to a [`Record`]: bounds, checksum, fields, leftovers, in this order.
    ///
    /// # Errors
    /// When these are not the bytes that were written at `expected`, or a newer release wrote them.
    pub fn verify(self, expected: RecordAddr) -> Result<Record<'a>, BlobError> {
        self.verify_with(expected, Salter::new(expected.uid))
    }

    pub(super) fn verify_with(self, expected: RecordAddr, salter: Salter) -> Result<Record<'a>, BlobError> {
        let RecordAddr { offset, len, .. } = expected;
        let parts = self.0.split_last_chunk().filter(|_| self.0.len() as u64 == len);
        let parts = parts.and_then(|(front, checksum)| Some((front, checksum, front.split_first_chunk()?)));
        let Some((front, checksum, (head_bytes, payload))) = parts else {
            return Err(BlobError::Span { offset, len, body_len: self.0.len() as u64 });
        };
        if salter.checksum(offset, front) != u64::from_le_bytes(*checksum) {
            return Err(BlobError::Checksum { offset, len });
        }
        let head = Head::decode(head_bytes, offset)?;
        if payload.len() != head.len as usize {
            let found = u64::from(head.len) + Head::FRAME_LEN as u64;
            return Err(BlobError::Len { offset, len, found });
        }
        Ok(Record { addr: expected, head, head_bytes, payload })
    }
}

impl Record<'_> {
    /// Where it stands.
    #[must_use]
    pub const fn addr(&self) -> RecordAddr {
        self.addr
    }

    /// When it was written.
    #[must_use]
    pub const fn seq(&self) -> SeqNo {
        self.head.seq
    }

    /// Which key it needs.
    #[must_use]
    pub const fn epoch(&self) -> KeyEpoch {
        self.head.epoch
    }

    /// Bytes of its value.
    #[must_use]
    pub const fn value_len(&self) -> u32 {
        self.head.raw_len
    }

    /// Decrypts and decompresses it.
    ///
    /// # Errors
    /// When the file's key is missing or wrong, or the build lacks the codec; damage does not come this far
    /// unless it was made on purpose.
    pub fn open(&self, key: Option<&FileKey>) -> Result<BlobEntry, BlobError> {
        if !self.head.epoch.is_encrypted() {
            return self.entry(self.payload);
        }
        let (offset, epoch) = (self.addr.offset, self.head.epoch);
        let key = key.filter(|key| key.epoch() == epoch).ok_or(BlobError::Key { offset, epoch })?;
        let mut payload = self.payload.to_vec();
        let place = BlockPlace { offset, kind: RECORD_KIND };
        let done = key.decrypt(place, self.head_bytes, &mut payload);
        done.map_err(|cause| BlobError::Crypto { offset, cause })?;
        self.entry(&payload)
    }

    fn entry(&self, payload: &[u8]) -> Result<BlobEntry, BlobError> {
        let Head { codec, seq, raw_len, key_len, .. } = self.head;
        let failed = |cause| BlobError::Codec { offset: self.addr.offset, cause };
        let (key, value) = payload.split_at(key_len.into());
        let raw_len = RawLen::within(raw_len, VALUE_LEN_MAX as u32).map_err(failed)?;
        let value = decompress(codec, value, raw_len, None).map_err(failed)?;
        Ok(BlobEntry { key: key.to_vec(), seq, value })
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::Uid;
    use proptest::prelude::*;

    use super::*;

    const UID: Uid = Uid::new([7; 16]);

    proptest! {
        /// Not damage but a liar who knows the uid: checksum and mark are right, the fields are anything.
        #[test]
        fn forged_records_are_an_error_or_open(
            fields in any::<[u8; 20]>(),
            codec in 0u8..5,
            epoch in 0u16..2,
            key_len in 0u16..30,
            raw_len in prop_oneof![0u32..50, any::<u32>()],
            payload in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = [&b"RSBR"[..], &[codec, 0], &epoch.to_le_bytes(), &fields].concat();
            bytes[16..20].copy_from_slice(&raw_len.to_le_bytes());
            bytes[20..24].copy_from_slice(&(payload.len() as u32).to_le_bytes());
            bytes[24..28].copy_from_slice(&u32::from(key_len).to_le_bytes());
            let salter = Salter::new(UID);
            let mark = salter.checksum(64, &bytes) as u32;
            bytes.extend_from_slice(&mark.to_le_bytes());
            bytes.extend_from_slice(&payload);
            let checksum = salter.checksum(64, &bytes);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            let addr = RecordAddr { uid: UID, offset: 64, len: bytes.len() as u64 };
            if let Ok(entry) = RawRecord::new(&bytes).verify(addr).and_then(|record| record.open(None)) {
                prop_assert_eq!(entry.key.len(), usize::from(key_len));
                prop_assert_eq!(entry.value.len(), raw_len as usize);
            }
        }
    }
}
