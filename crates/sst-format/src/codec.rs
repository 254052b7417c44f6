//! How the bytes of a block are made smaller: which codec is asked for, and which one a block says it has.
//!
//! Invariant: a tag once given a meaning keeps it, and a tag this version does not know is an error, never a
//! guess. The codecs' own bytes are left to their modules; checksums and encryption come after compression
//! and are left to blocks.

mod compressor;
mod decompress;
mod error;
mod zstd_level;

#[cfg(not(feature = "zstd"))]
#[path = "codec/without_zstd.rs"]
pub(crate) mod zstd;
#[cfg(feature = "zstd")]
pub(crate) mod zstd;

pub use compressor::{Compressed, Compressor};
pub use decompress::{RawLen, decompress};
pub use error::CodecError;
pub use zstd_level::ZstdLevel;

/// The compression asked for. A block that it does not pay for stays as it is.
///
/// ```
/// use sst_format::{Codec, CodecTag, Compressor, ZstdLevel};
/// # if cfg!(feature = "zstd") {
/// let codec = Codec::Zstd { level: ZstdLevel::new(6)? };
/// let mut compressor = Compressor::new(codec, None)?;
/// assert_eq!(compressor.compress(&[7; 4096])?.tag, CodecTag::Zstd);
/// assert_eq!(compressor.compress(b"short")?.tag, CodecTag::None);
/// # }
/// # Ok::<(), sst_format::CodecError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Codec {
    /// Bytes as they are.
    None,
    /// LZ4: cheap enough for every level of a tree.
    #[default]
    Lz4,
    /// Zstandard.
    Zstd {
        /// Effort.
        level: ZstdLevel,
    },
    /// Zstandard with a dictionary trained on the table; without one it is plain [`Codec::Zstd`].
    ZstdDictionary {
        /// Effort.
        level: ZstdLevel,
    },
}

/// How the bytes of one block are compressed, as the block says it.
///
/// | tag | bytes                                                                       |
/// |----:|-----------------------------------------------------------------------------|
/// |   0 | as they are                                                                 |
/// |   1 | an LZ4 block without a size prefix                                          |
/// |   2 | one Zstandard frame that states its content size                            |
/// |   3 | the same, made with the table's dictionary, whose id it states              |
///
/// ```
/// use sst_format::{CodecError, CodecTag};
/// assert_eq!(CodecTag::parse(1)?, CodecTag::Lz4);
/// assert_eq!(CodecTag::parse(9), Err(CodecError::UnknownTag { found: 9 }));
/// # Ok::<(), CodecError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum CodecTag {
    /// Not compressed.
    None,
    /// An LZ4 block.
    Lz4,
    /// A Zstandard frame.
    Zstd,
    /// A Zstandard frame that needs the table's dictionary.
    ZstdDictionary,
}

impl CodecTag {
    /// The byte on disk.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
            Self::ZstdDictionary => 3,
        }
    }

    /// The tag of a byte on disk.
    ///
    /// # Errors
    /// When the byte is no tag that this version knows.
    pub const fn parse(byte: u8) -> Result<Self, CodecError> {
        match byte {
            0 => Ok(Self::None),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::Zstd),
            3 => Ok(Self::ZstdDictionary),
            found => Err(CodecError::UnknownTag { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_tag_that_gives_it_back_or_an_error() {
        for byte in 0..=u8::MAX {
            match CodecTag::parse(byte) {
                Ok(tag) => assert_eq!(tag.to_byte(), byte),
                Err(error) => assert_eq!(error, CodecError::UnknownTag { found: byte }),
            }
        }
    }
}
