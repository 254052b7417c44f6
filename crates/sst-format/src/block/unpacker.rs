//! From a proven block to what it holds: decryption, then decompression.
//!
//! Invariant: no more is allocated than the trailer states and the limits allow.

use alloc::sync::Arc;

use bytes::Bytes;

use super::Block;
use super::addr::BlockSpan;
use super::error::BlockError;
use super::kind::BlockKind;
use super::trailer::Trailer;
use crate::codec::{CodecTag, RawLen, decompress};
use crate::crypto::{BlockPlace, FileKey};
use crate::dictionary::Dictionary;
use crate::limits::PAYLOAD_LEN_MAX;

/// What a block holds, as its writer laid it out.
///
/// See [`Block`] for where it comes from.
#[derive(Clone, Debug)]
pub struct Payload {
    kind: BlockKind,
    bytes: Bytes,
}

impl Payload {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> BlockKind {
        self.kind
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// What it takes to unpack the blocks of one table: its dictionary and its keys.
///
/// ```
/// let unpacker = sst_format::Unpacker::new();
/// assert!(unpacker.dictionary().is_none());
/// ```
#[derive(Clone, Default, Debug)]
pub struct Unpacker {
    dictionary: Option<Arc<Dictionary>>,
    key: Option<Arc<FileKey>>,
}

impl Unpacker {
    /// For tables without dictionary and encryption.
    #[must_use]
    pub const fn new() -> Self {
        Self { dictionary: None, key: None }
    }

    /// With the table's dictionary.
    #[must_use]
    pub fn with_dictionary(mut self, dictionary: Arc<Dictionary>) -> Self {
        self.dictionary = Some(dictionary);
        self
    }

    /// With the file's key.
    #[must_use]
    pub fn with_key(mut self, key: Arc<FileKey>) -> Self {
        self.key = Some(key);
        self
    }

    /// The table's dictionary.
    #[must_use]
    pub fn dictionary(&self) -> Option<&Dictionary> {
        self.dictionary.as_deref()
    }

    pub(super) fn unpack(&self, block: Block) -> Result<Payload, BlockError> {
        let Block { addr, trailer, stored } = block;
        let at = addr.span;
        let kind = trailer.kind;
        if trailer.raw_len as usize > PAYLOAD_LEN_MAX {
            return Err(BlockError::RawLen { at, raw_len: trailer.raw_len });
        }
        let stored = if trailer.epoch == 0 { stored } else { self.decrypt(&trailer, at, &stored)? };
        let codec = |cause| BlockError::Codec { at, cause };
        let bytes = match CodecTag::parse(trailer.codec).map_err(codec)? {
            CodecTag::None if stored.len() == trailer.raw_len as usize => stored,
            CodecTag::None => return Err(BlockError::RawLen { at, raw_len: trailer.raw_len }),
            tag => {
                let raw_len = RawLen::within(trailer.raw_len, PAYLOAD_LEN_MAX as u32).map_err(codec)?;
                decompress(tag, &stored, raw_len, self.dictionary()).map_err(codec)?.into()
            }
        };
        Ok(Payload { kind, bytes })
    }

    fn decrypt(&self, trailer: &Trailer, at: BlockSpan, stored: &[u8]) -> Result<Bytes, BlockError> {
        let epoch = trailer.epoch;
        let key = self.key.as_ref().filter(|key| key.epoch().get() == epoch);
        let key = key.ok_or(BlockError::NoKey { at, epoch })?;
        let mut bytes = stored.to_vec();
        let place = BlockPlace { offset: at.offset, kind: trailer.kind.tag() };
        let opened = key.decrypt(place, &trailer.context(), &mut bytes);
        opened.map_err(|cause| BlockError::Crypto { at, cause })?;
        Ok(bytes.into())
    }
}
