//! Zstandard by its C library: frames, dictionaries, and their training.
//!
//! Invariant: a frame is decoded only if it is all of the bytes and states the length that was promised, so
//! that the library never meets a buffer of another size than the one it asks for.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use zstd_safe::{CCtx, CDict, DCtx, DDict};

use super::compressor::make_room;
use super::decompress::RawLen;
use super::error::CodecError;
use super::{CodecTag, ZstdLevel};
use crate::dictionary::Dictionary;

/// Compresses with a context that is made once.
pub(crate) struct Encoder {
    context: CCtx<'static>,
    level: ZstdLevel,
    digest: Option<CDict<'static>>,
}

impl Encoder {
    pub(super) fn new(level: ZstdLevel, dictionary: Option<&Dictionary>) -> Result<Self, CodecError> {
        let tag = dictionary.map_or(CodecTag::Zstd, |_| CodecTag::ZstdDictionary);
        let exhausted = CodecError::Exhausted { tag };
        let digest = |dictionary: &Dictionary| CDict::try_create(dictionary.as_bytes(), level.get().into());
        let digest = dictionary.map(|dictionary| digest(dictionary).ok_or(exhausted)).transpose()?;
        Ok(Self { context: CCtx::try_create().ok_or(exhausted)?, level, digest })
    }

    pub(super) const fn tag(&self) -> CodecTag {
        if self.digest.is_some() { CodecTag::ZstdDictionary } else { CodecTag::Zstd }
    }

    /// How many bytes of `output` are the compressed form of `raw`.
    pub(super) fn encode(&mut self, raw: &[u8], output: &mut Vec<u8>) -> Result<usize, CodecError> {
        make_room(output, zstd_safe::compress_bound(raw.len()));
        let output = output.as_mut_slice();
        let done = match &self.digest {
            Some(digest) => self.context.compress_using_cdict(output, raw, digest),
            None => self.context.compress(output, raw, self.level.get().into()),
        };
        done.map_err(|_| CodecError::Exhausted { tag: self.tag() })
    }
}

/// A dictionary made ready for decoding, once for all frames.
pub(crate) struct Digest(DDict<'static>);

impl Digest {
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        // Without an id it would be a bare prefix, which no frame could name.
        zstd_safe::get_dict_id_from_dict(bytes)?;
        DDict::try_create(bytes).map(Self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Digest").field(&self.0.get_dict_id()).finish()
    }
}

/// The content of a frame, or nothing if the bytes are not that frame.
pub(super) fn decode(
    bytes: &[u8],
    raw_len: RawLen,
    digest: Option<&Digest>,
) -> Result<Option<Vec<u8>>, CodecError> {
    let is_whole = zstd_safe::find_frame_compressed_size(bytes) == Ok(bytes.len());
    let content_len = zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let is_as_long = content_len == Some(raw_len.get().into());
    if !is_whole || !is_as_long {
        return Ok(None);
    }
    let tag = digest.map_or(CodecTag::Zstd, |_| CodecTag::ZstdDictionary);
    let mut raw = vec![0; raw_len.as_usize()];
    let done = with_context(|context| match digest {
        Some(Digest(digest)) => context.decompress_using_ddict(raw.as_mut_slice(), bytes, digest),
        None => context.decompress(raw.as_mut_slice(), bytes),
    });
    let done = done.ok_or(CodecError::Exhausted { tag })?;
    Ok((done == Ok(raw.len())).then_some(raw))
}

/// Lends this thread's context, or nothing if there is no memory for one. Making one for every block of
/// 4 KiB takes three times as long as decoding the block.
fn with_context<T>(decode: impl FnOnce(&mut DCtx<'static>) -> T) -> Option<T> {
    std::thread_local! {
        static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    }
    CONTEXT.with(|slot| {
        let mut slot = slot.borrow_mut();
        if slot.is_none() {
            *slot = DCtx::try_create();
        }
        slot.as_mut().map(decode)
    })
}

/// Trains a dictionary of at most `len_max` bytes on samples that stand one after another.
pub(crate) fn train(samples: &[u8], lens: &[usize], len_max: usize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![0; len_max];
    let done = zstd_safe::train_from_buffer(bytes.as_mut_slice(), samples, lens);
    let len = done.map_err(|_| CodecError::Untrained { samples: lens.len(), bytes: samples.len() })?;
    bytes.truncate(len);
    Ok(bytes)
}
