//! Why a record cannot be read, and why one cannot be written.

use page_ecc::{FieldError, GeometryError};

use crate::codec::CodecError;
use crate::crypto::{CryptoError, KeyEpoch};
use crate::limits::{KEY_LEN_MAX, VALUE_LEN_MAX};

/// Bytes that are not the record that a reference names, or that do not open.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobError, BlobRef, RawRecord};
/// let reference = BlobRef { file: 1, offset: 64, len: 100 };
/// let read = RawRecord::new(&[0; 100]).verify(reference.addr(Uid::new([1; 16])));
/// assert_eq!(read.unwrap_err(), BlobError::Checksum { offset: 64, len: 100 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// No record can stand there.
    #[error(
        "no record of {len} bytes can stand at offset {offset} of a body of {body_len}; the reference is \
         wrong, or the file is cut: salvage it"
    )]
    Span {
        /// Where it should begin.
        offset: u64,
        /// Bytes it should have.
        len: u64,
        /// Bytes there are, or were given.
        body_len: u64,
    },
    /// A reference to another file.
    #[error("the reference names blob file {wanted}, this is {file}; open the file it names")]
    File {
        /// The file at hand.
        file: u64,
        /// The file named.
        wanted: u64,
    },
    /// The bytes are not those that were written there.
    #[error(
        "the record of {len} bytes at offset {offset} fails its checksum; climb the ladder over its pages"
    )]
    Checksum {
        /// Where it begins.
        offset: u64,
        /// Bytes it has.
        len: u64,
    },
    /// A field that this release cannot mean.
    #[error("field `{field}` of the record at offset {offset} holds {found}; use the release that wrote it")]
    Field {
        /// Where the record begins.
        offset: u64,
        /// The field, as the byte table names it.
        field: &'static str,
        /// What it holds.
        found: u32,
    },
    /// The record and its reference disagree about the length.
    #[error(
        "the record at offset {offset} has {found} bytes, its reference says {len}; the reference is wrong"
    )]
    Len {
        /// Where the record begins.
        offset: u64,
        /// Bytes the reference names.
        len: u64,
        /// Bytes the record has.
        found: u64,
    },
    /// The record is encrypted and no key, or one of another epoch, was given.
    #[error("the record at offset {offset} needs the file's key of epoch {epoch}; open the file with it")]
    Key {
        /// Where the record begins.
        offset: u64,
        /// Its epoch.
        epoch: KeyEpoch,
    },
    /// It does not decrypt.
    #[error("the record at offset {offset} does not decrypt; see the cause")]
    Crypto {
        /// Where the record begins.
        offset: u64,
        /// Why.
        #[source]
        cause: CryptoError,
    },
    /// It does not decompress.
    #[error("the value of the record at offset {offset} does not decompress; see the cause")]
    Codec {
        /// Where the record begins.
        offset: u64,
        /// Why.
        #[source]
        cause: CodecError,
    },
}

/// A blob file that cannot be written so.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlobOptions, BlobWriteError, BlobWriter, SeqNo};
/// let mut writer = BlobWriter::new(1, Uid::new([1; 16]), BlobOptions::new())?;
/// let error = writer.append(&[0; 70_000], SeqNo::new(1), b"value").unwrap_err();
/// assert!(matches!(error, BlobWriteError::KeyLen { len: 70_000 }));
/// # Ok::<(), BlobWriteError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobWriteError {
    /// No such key.
    #[error("a key of {len} bytes is longer than {KEY_LEN_MAX}; shorten it")]
    KeyLen {
        /// Its bytes.
        len: usize,
    },
    /// No such value.
    #[error("a value of {len} bytes is longer than {VALUE_LEN_MAX}; cut it in pieces")]
    ValueLen {
        /// Its bytes.
        len: usize,
    },
    /// Another record would exceed the file's limit.
    #[error("the blob file has {len} bytes of at most {max}; finish it and begin another")]
    Full {
        /// Bytes it has.
        len: u64,
        /// Bytes it may have.
        max: u64,
    },
    /// The value cannot be compressed.
    #[error("a value cannot be compressed; see the cause")]
    Codec(#[from] CodecError),
    /// The file cannot be sealed in this shape.
    #[error("the blob file cannot be sealed; see the cause")]
    Geometry(#[from] GeometryError),
    /// The descriptor has no room.
    #[error("the key stamp has no room in the descriptor; see the cause")]
    Field(#[from] FieldError),
}
