//! Stands in for Zstandard where the feature `zstd` is left out: every use is an error that says so.

use alloc::vec::Vec;

use super::decompress::RawLen;
use super::error::CodecError;
use super::{CodecTag, ZstdLevel};
use crate::dictionary::Dictionary;

/// Never made.
pub(crate) enum Encoder {}

impl Encoder {
    pub(super) fn new(_: ZstdLevel, dictionary: Option<&Dictionary>) -> Result<Self, CodecError> {
        let tag = dictionary.map_or(CodecTag::Zstd, |_| CodecTag::ZstdDictionary);
        Err(CodecError::WithoutZstd { tag })
    }

    pub(super) const fn tag(&self) -> CodecTag {
        match *self {}
    }

    pub(super) fn encode(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<usize, CodecError> {
        match *self {}
    }
}

/// Nothing: a dictionary may be loaded and stored, not used.
#[derive(Debug)]
pub(crate) struct Digest;

impl Digest {
    pub(crate) fn new(_: &[u8]) -> Option<Self> {
        Some(Self)
    }
}

pub(super) fn decode(_: &[u8], _: RawLen, digest: Option<&Digest>) -> Result<Option<Vec<u8>>, CodecError> {
    let tag = digest.map_or(CodecTag::Zstd, |_| CodecTag::ZstdDictionary);
    Err(CodecError::WithoutZstd { tag })
}

pub(crate) fn train(_: &[u8], _: &[usize], _: usize) -> Result<Vec<u8>, CodecError> {
    Err(CodecError::WithoutZstd { tag: CodecTag::ZstdDictionary })
}
