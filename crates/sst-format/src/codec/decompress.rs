//! From compressed bytes back to exactly as many as were promised.
//!
//! Invariant: any bytes at all give either that many bytes or an error, and no more than that many bytes of
//! output are ever allocated (Zstandard keeps a context of about 160 KiB for each
//! thread that decompresses).

use alloc::vec;
use alloc::vec::Vec;

use super::error::CodecError;
use super::{CodecTag, zstd};
use crate::dictionary::Dictionary;

/// LZ4 makes at most this many bytes from one.
const LZ4_RATIO_MAX: usize = 255;

/// How many bytes a piece has once decompressed: a promise that is within its caller's limit.
///
/// ```
/// use sst_format::RawLen;
/// assert_eq!(RawLen::within(4096, 4096)?.get(), 4096);
/// assert!(RawLen::within(4097, 4096).is_err());
/// # Ok::<(), sst_format::CodecError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RawLen(u32);

impl RawLen {
    /// Takes a promise, if it is within the limit.
    ///
    /// # Errors
    /// When it is not.
    pub const fn within(raw_len: u32, limit: u32) -> Result<Self, CodecError> {
        if raw_len > limit {
            return Err(CodecError::RawLen { raw_len, limit });
        }
        Ok(Self(raw_len))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number of bytes, as memory counts.
    pub(crate) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// Brings compressed bytes back.
///
/// ```
/// use sst_format::{CodecError, CodecTag, RawLen, decompress};
/// let len = RawLen::within(5, 100)?;
/// assert_eq!(decompress(CodecTag::None, b"plain", len, None)?, b"plain");
/// assert!(matches!(decompress(CodecTag::Lz4, b"plain", len, None), Err(CodecError::Refused { .. })));
/// # Ok::<(), CodecError>(())
/// ```
///
/// # Errors
/// When the bytes are no compressed form of that many bytes, when a dictionary is missing, or when the build
/// lacks the codec.
pub fn decompress(
    tag: CodecTag,
    bytes: &[u8],
    raw_len: RawLen,
    dictionary: Option<&Dictionary>,
) -> Result<Vec<u8>, CodecError> {
    match tag {
        CodecTag::None => (bytes.len() == raw_len.as_usize()).then(|| bytes.to_vec()),
        CodecTag::Lz4 => decompress_lz4(bytes, raw_len),
        CodecTag::Zstd => zstd::decode(bytes, raw_len, None)?,
        CodecTag::ZstdDictionary => {
            let dictionary = dictionary.ok_or(CodecError::NoDictionary)?;
            zstd::decode(bytes, raw_len, Some(dictionary.digest()))?
        }
    }
    .ok_or(CodecError::Refused { tag, len: bytes.len(), raw_len: raw_len.0 })
}

fn decompress_lz4(bytes: &[u8], raw_len: RawLen) -> Option<Vec<u8>> {
    if raw_len.as_usize() > bytes.len().saturating_mul(LZ4_RATIO_MAX) {
        return None;
    }
    let mut raw = vec![0; raw_len.as_usize()];
    let len = lz4_flex::block::decompress_into(bytes, &mut raw).ok()?;
    (len == raw.len()).then_some(raw)
}
