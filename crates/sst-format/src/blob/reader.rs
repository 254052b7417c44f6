//! Reads a blob file's body by reference.

use core::ops::Range;

use page_ecc::Uid;

use super::addr::RecordAddr;
use super::error::BlobError;
use super::record::{BlobEntry, RawRecord};
use super::salt::Salter;
use super::walk::Walk;
use crate::crypto::FileKey;
use crate::entry::BlobRef;

/// What it takes to read one blob file: its number, its uid, its key if it has one.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobError, BlobReader, BlobRef};
/// let reader = BlobReader::new(1, Uid::new([7; 16]));
/// let elsewhere = BlobRef { file: 2, offset: 0, len: 100 };
/// assert_eq!(reader.read(&[0; 100], elsewhere), Err(BlobError::File { file: 1, wanted: 2 }));
/// ```
#[derive(Debug)]
pub struct BlobReader {
    file: u64,
    uid: Uid,
    salter: Salter,
    key: Option<FileKey>,
}

impl BlobReader {
    /// Kind of a sealed blob file.
    pub const FILE_KIND: u16 = 2;

    /// A reader of an unencrypted file.
    #[must_use]
    pub fn new(file: u64, uid: Uid) -> Self {
        Self { file, uid, salter: Salter::new(uid), key: None }
    }

    /// With the file's key.
    #[must_use]
    pub fn with_key(mut self, key: FileKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Reads what a reference names from the whole body.
    ///
    /// # Errors
    /// When the reference names another file or no record of this one, or the record is not as it was written.
    pub fn read(&self, body: &[u8], reference: BlobRef) -> Result<BlobEntry, BlobError> {
        let BlobRef { offset, len, .. } = reference;
        let span = reference.span();
        let (start, end) = (usize::try_from(span.start).ok(), usize::try_from(span.end).ok());
        let bytes = start.zip(end).and_then(|(start, end)| body.get(start..end));
        let bytes = bytes.ok_or(BlobError::Span { offset, len, body_len: body.len() as u64 })?;
        self.read_record(bytes, reference)
    }

    /// Reads what a reference names from the bytes of its [`BlobRef::span`].
    ///
    /// # Errors
    /// As [`BlobReader::read`].
    pub fn read_record(&self, bytes: &[u8], reference: BlobRef) -> Result<BlobEntry, BlobError> {
        if reference.file != self.file {
            return Err(BlobError::File { file: self.file, wanted: reference.file });
        }
        let addr = reference.addr(self.uid);
        RawRecord::new(bytes).verify_with(addr, self.salter)?.open(self.key.as_ref())
    }

    /// Every record of a body of which `bad` byte ranges are lost; see [`Walk`]. No key is needed.
    ///
    /// # Panics
    /// When the bad ranges are out of order or overlap.
    #[must_use]
    pub fn walk<'a>(&self, body: &'a [u8], bad: &'a [Range<u64>]) -> Walk<'a> {
        Walk::new(body, bad, self.uid, self.salter)
    }

    /// The file's key.
    #[must_use]
    pub const fn key(&self) -> Option<&FileKey> {
        self.key.as_ref()
    }

    /// The reference to a record that a walk found.
    #[must_use]
    pub const fn reference(&self, addr: RecordAddr) -> BlobRef {
        BlobRef { file: self.file, offset: addr.offset, len: addr.len }
    }
}
