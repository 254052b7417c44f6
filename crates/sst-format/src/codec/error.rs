//! Why bytes are not compressed or decompressed.

use super::CodecTag;

/// What kept a codec from its work: bytes that lie, a build that lacks a codec, or a wrong wish.
///
/// ```
/// use sst_format::{CodecError, RawLen};
/// let error = RawLen::within(5000, 4096).unwrap_err();
/// assert_eq!(error, CodecError::RawLen { raw_len: 5000, limit: 4096 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Damage, or a newer format.
    #[error("codec tag {found} is not known (0 to 3 are); check the bytes' checksum, or upgrade")]
    UnknownTag {
        /// The byte found.
        found: u8,
    },
    /// Misuse: no such level.
    #[error("zstd has no level {found}; choose one from 1 to 22")]
    Level {
        /// The level asked for.
        found: u8,
    },
    /// The build lacks the codec.
    #[error("codec {tag:?} needs the feature `zstd` of sst-format; build with it, or choose another codec")]
    WithoutZstd {
        /// What was to be read or written.
        tag: CodecTag,
    },
    /// Damage: more bytes are promised than such a piece may have.
    #[error("{raw_len} bytes once decompressed are over the limit of {limit}; check the piece's checksum")]
    RawLen {
        /// Bytes promised.
        raw_len: u32,
        /// Bytes allowed.
        limit: u32,
    },
    /// Damage: the codec refuses the bytes.
    #[error("{len} bytes are no {tag:?} form of {raw_len} bytes; check their checksum and repair the file")]
    Refused {
        /// The codec.
        tag: CodecTag,
        /// Compressed bytes.
        len: usize,
        /// Bytes promised.
        raw_len: u32,
    },
    /// Damage or misuse: a dictionary is needed and none was given.
    #[error("the bytes were compressed with the table's dictionary; load it first, or repair its block")]
    NoDictionary,
    /// Damage or misuse: the bytes are no dictionary.
    #[error("{len} bytes are no zstd dictionary; check their checksum, or repair its block")]
    Dictionary {
        /// Bytes given.
        len: usize,
    },
    /// Nothing can be learnt from these samples.
    #[error("{samples} samples of {bytes} bytes are too few or too alike to train on; compress without")]
    Untrained {
        /// Samples given.
        samples: usize,
        /// Bytes in all of them.
        bytes: usize,
    },
    /// The codec's own state could not be made, or took no more input.
    #[error("codec {tag:?} cannot work, mostly for want of memory; free some, or choose a lower level")]
    Exhausted {
        /// The codec.
        tag: CodecTag,
    },
}
