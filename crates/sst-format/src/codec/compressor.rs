//! Compresses one piece after another with state that is made once.
//!
//! Invariant: what is handed out is either the raw bytes under [`CodecTag::None`], or at least a sixteenth
//! smaller than they are.

use alloc::vec::Vec;
use core::fmt;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::error::CodecError;
use super::{Codec, CodecTag, zstd};
use crate::dictionary::Dictionary;

/// A smaller saving than one part in this many is not worth decompressing for.
const SAVED_MIN: usize = 16;

/// Compresses many pieces, one at a time.
///
/// ```
/// use sst_format::{Codec, CodecTag, Compressor, RawLen, decompress};
/// let mut compressor = Compressor::new(Codec::Lz4, None)?;
/// let raw = b"ab".repeat(2000);
/// let compressed = compressor.compress(&raw)?;
/// assert_eq!(compressed.tag, CodecTag::Lz4);
/// assert!(compressed.bytes.len() < 100);
///
/// let raw_len = RawLen::within(4000, 1 << 20)?;
/// assert_eq!(decompress(compressed.tag, compressed.bytes, raw_len, None)?, raw);
/// # Ok::<(), sst_format::CodecError>(())
/// ```
pub struct Compressor {
    engine: Engine,
    output: Vec<u8>,
}

/// What became of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compressed<'a> {
    /// How the bytes are to be read; [`CodecTag::None`] when compression did not pay.
    pub tag: CodecTag,
    /// The bytes to store.
    pub bytes: &'a [u8],
}

enum Engine {
    Keep,
    Lz4(CompressTable),
    Zstd(zstd::Encoder),
}

impl Compressor {
    /// The dictionary serves [`Codec::ZstdDictionary`] alone; without one that codec is plain zstd.
    ///
    /// # Errors
    /// When the codec is not in this build, or its state cannot be made.
    pub fn new(codec: Codec, dictionary: Option<&Dictionary>) -> Result<Self, CodecError> {
        let engine = match codec {
            Codec::None => Engine::Keep,
            Codec::Lz4 => Engine::Lz4(CompressTable::small()),
            Codec::Zstd { level } => Engine::Zstd(zstd::Encoder::new(level, None)?),
            Codec::ZstdDictionary { level } => Engine::Zstd(zstd::Encoder::new(level, dictionary)?),
        };
        Ok(Self { engine, output: Vec::new() })
    }

    /// Compresses `raw`, or hands it back as it is when that does not pay.
    ///
    /// # Errors
    /// When the codec cannot get the memory it needs.
    pub fn compress<'a>(&'a mut self, raw: &'a [u8]) -> Result<Compressed<'a>, CodecError> {
        let Self { engine, output } = self;
        let (tag, len) = match engine {
            Engine::Keep => (CodecTag::None, raw.len()),
            Engine::Lz4(table) => (CodecTag::Lz4, compress_lz4(raw, output, table)?),
            Engine::Zstd(encoder) => (encoder.tag(), encoder.encode(raw, output)?),
        };
        if !pays(raw.len(), len) {
            return Ok(Compressed { tag: CodecTag::None, bytes: raw });
        }
        Ok(Compressed { tag, bytes: &output[..len] })
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = match &self.engine {
            Engine::Keep => CodecTag::None,
            Engine::Lz4(_) => CodecTag::Lz4,
            Engine::Zstd(encoder) => encoder.tag(),
        };
        f.debug_struct("Compressor").field("tag", &tag).finish_non_exhaustive()
    }
}

fn compress_lz4(raw: &[u8], output: &mut Vec<u8>, table: &mut CompressTable) -> Result<usize, CodecError> {
    make_room(output, get_maximum_output_size(raw.len()));
    compress_into_with_table(raw, output, table).map_err(|_| CodecError::Exhausted { tag: CodecTag::Lz4 })
}

/// Lets a buffer that is used again and again grow, and never clears what will be overwritten.
pub(super) fn make_room(output: &mut Vec<u8>, len: usize) {
    if output.len() < len {
        output.resize(len, 0);
    }
}

const fn pays(raw_len: usize, len: usize) -> bool {
    len < raw_len && raw_len - len >= raw_len / SAVED_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saving_pays_from_a_sixteenth_on() {
        for (raw_len, len, expected) in
            [(0, 0, false), (1, 1, false), (2, 1, true), (4096, 3841, false), (4096, 3840, true)]
        {
            assert_eq!(pays(raw_len, len), expected, "{raw_len} to {len}");
        }
    }

    #[test]
    fn bytes_without_a_pattern_stay_as_they_are() {
        let mut state = 1u64;
        let raw: Vec<u8> = core::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(100_000)
        .collect();
        let mut compressor = Compressor::new(Codec::Lz4, None).unwrap();
        for len in [0, 1, 15, 16, 4096, 100_000] {
            let expected = Compressed { tag: CodecTag::None, bytes: &raw[..len] };
            assert_eq!(compressor.compress(&raw[..len]), Ok(expected));
        }
    }
}
