//! Why bytes are not the block that was asked for.

use super::addr::BlockSpan;
use super::kind::BlockKind;

/// Bytes that are not the block expected at a place.
///
/// ```
/// use bytes::Bytes;
/// use page_ecc::Uid;
/// use sst_format::{BlockError, BlockSpan, FileSalt, RawBlock};
///
/// let span = BlockSpan { offset: 0, len: 64 };
/// let error = RawBlock::new(Bytes::from(vec![0; 64])).verify(FileSalt::of(Uid::new([1; 16])).at(span));
/// assert_eq!(error.unwrap_err(), BlockError::Checksum { at: span });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// No block can stand there.
    #[error("no block can stand at {at}: too short, or not on a multiple of 8; rebuild the index by salvage")]
    Span {
        /// The place asked for.
        at: BlockSpan,
    },
    /// Another number of bytes than the address says.
    #[error("{given} bytes were given for the block at {at}; read the block's whole span")]
    Given {
        /// The place asked for.
        at: BlockSpan,
        /// Bytes given.
        given: usize,
    },
    /// The bytes are not those that were written there.
    #[error("the block at {at} does not match its checksum; climb the ladder over its pages")]
    Checksum {
        /// The place asked for.
        at: BlockSpan,
    },
    /// The trailer does not begin as trailers do.
    #[error(
        "a block trailer begins with {found:#010x}, not `RSBK`; the file was not written by a sound writer"
    )]
    Magic {
        /// The four bytes found, as a little-endian number.
        found: u32,
    },
    /// A kind this release does not know.
    #[error("block kind {found} is unknown to this release; use a newer release")]
    Kind {
        /// The tag found.
        found: u8,
    },
    /// A sound block of another kind than the place should hold.
    #[error("the block at {at} is {found}, not {wanted}; rebuild the index by salvage")]
    Unexpected {
        /// The place asked for.
        at: BlockSpan,
        /// The kind it has.
        found: BlockKind,
        /// The kind it should have.
        wanted: BlockKind,
    },
    /// Head, trailer and address disagree about the length.
    #[error("the block at {at} states {stated} payload bytes in its head or trailer; salvage the table")]
    Stated {
        /// The place asked for.
        at: BlockSpan,
        /// Payload bytes it states.
        stated: u32,
    },
    /// It would be larger once unpacked than any block may be, or than its packed bytes can hold.
    #[error("the block at {at} states {raw_len} bytes once unpacked, which cannot be; salvage the table")]
    RawLen {
        /// The place asked for.
        at: BlockSpan,
        /// Bytes it states.
        raw_len: u32,
    },
    /// It does not decompress.
    #[error("the block at {at} does not decompress; see the cause")]
    Codec {
        /// The place asked for.
        at: BlockSpan,
        /// Why.
        #[source]
        cause: crate::codec::CodecError,
    },
    /// It does not decrypt.
    #[error("the block at {at} does not decrypt; see the cause")]
    Crypto {
        /// The place asked for.
        at: BlockSpan,
        /// Why.
        #[source]
        cause: crate::crypto::CryptoError,
    },
    /// It is encrypted under an epoch of which no key was given.
    #[error("the block at {at} is encrypted under key epoch {epoch}; open the table with that key")]
    NoKey {
        /// The place asked for.
        at: BlockSpan,
        /// The epoch it states, 0 for none.
        epoch: u16,
    },
}
