//! From payloads to blocks at the end of a growing body: compression, encryption, frame, alignment.
//!
//! Invariant: a block starts on a multiple of 8, behind nothing but zeros and other blocks.

use alloc::vec::Vec;

use page_ecc::{BodyBuffer, Uid};

use super::addr::{BLOCK_ALIGN, BlockSpan, FileSalt};
use super::head::Head;
use super::kind::BlockKind;
use super::trailer::Trailer;
use super::{FRAME_LEN, checksum};
use crate::codec::{Codec, CodecError, CodecTag, Compressor};
use crate::crypto::{BlockPlace, Encryptor, FileKey};
use crate::dictionary::Dictionary;
use crate::limits::PAYLOAD_LEN_MAX;

/// Lays blocks one after another into a body.
#[derive(Debug)]
pub(crate) struct Packer {
    body: BodyBuffer,
    file: FileSalt,
    codec: Codec,
    plain: Compressor,
    /// For data blocks, where there is a dictionary.
    trained: Option<Compressor>,
    encryptor: Option<Encryptor>,
    scratch: Vec<u8>,
}

impl Packer {
    pub(crate) fn new(
        uid: Uid,
        codec: Codec,
        key: Option<FileKey>,
        body: BodyBuffer,
    ) -> Result<Self, CodecError> {
        let plain = Compressor::new(codec, None)?;
        let file = FileSalt::of(uid);
        let encryptor = key.map(FileKey::into_encryptor);
        Ok(Self { body, file, codec, plain, trained: None, encryptor, scratch: Vec::new() })
    }

    /// Compresses data blocks against `dictionary` from here on.
    pub(crate) fn set_dictionary(&mut self, dictionary: &Dictionary) -> Result<(), CodecError> {
        self.trained = Some(Compressor::new(self.codec, Some(dictionary))?);
        Ok(())
    }

    /// Moves the body into memory used before.
    pub(crate) fn move_into(&mut self, memory: Vec<u8>) {
        self.body.move_into(memory);
    }

    /// Bytes of the body so far.
    pub(crate) fn len(&self) -> u64 {
        self.body.len() as u64
    }

    /// The body so far.
    pub(crate) fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    pub(crate) fn into_body(self) -> BodyBuffer {
        self.body
    }

    /// Adds a block. `framed` is the payload behind [`Head::LEN`] bytes of any content; it is used up.
    pub(crate) fn append(&mut self, kind: BlockKind, framed: &mut Vec<u8>) -> Result<BlockSpan, CodecError> {
        let raw_len = framed.len() - Head::LEN;
        assert!(raw_len <= PAYLOAD_LEN_MAX);
        let compressor = match (kind, &mut self.trained) {
            (BlockKind::Filter | BlockKind::Dictionary | BlockKind::Root | BlockKind::Padding, _) => None,
            (BlockKind::Data, Some(trained)) => Some(trained),
            _ => Some(&mut self.plain),
        };
        let mut codec = CodecTag::None;
        if let Some(compressor) = compressor {
            let compressed = compressor.compress(&framed[Head::LEN..])?;
            codec = compressed.tag;
            if codec != CodecTag::None {
                self.scratch.clear();
                self.scratch.extend_from_slice(&[0; Head::LEN]);
                self.scratch.extend_from_slice(compressed.bytes);
            }
        }
        let mut scratch = core::mem::take(&mut self.scratch);
        let stored = if codec == CodecTag::None { framed } else { &mut scratch };
        let mut trailer = Trailer { kind, codec: codec.to_byte(), epoch: 0, raw_len: raw_len as u32, len: 0 };
        self.encrypt(&mut trailer, stored);
        let span = self.append_frame(trailer, stored);
        self.scratch = scratch;
        Ok(span)
    }

    /// Encrypts what stands behind the room for the head; the root stays readable, as it names the key.
    fn encrypt(&mut self, trailer: &mut Trailer, stored: &mut Vec<u8>) {
        let offset = self.len();
        let Some(encryptor) = self.encryptor.as_mut().filter(|_| trailer.kind != BlockKind::Root) else {
            return;
        };
        trailer.epoch = encryptor.stamp().epoch().get();
        let place = BlockPlace { offset, kind: trailer.kind.tag() };
        let mut payload = stored.split_off(Head::LEN);
        encryptor.encrypt(place, &trailer.context(), &mut payload);
        stored.append(&mut payload);
    }

    fn append_frame(&mut self, mut trailer: Trailer, stored: &mut Vec<u8>) -> BlockSpan {
        let len = (stored.len() - Head::LEN) as u32;
        trailer.len = len;
        let span = BlockSpan { offset: self.len(), len: len + FRAME_LEN as u32 };
        stored[..Head::LEN].copy_from_slice(&Head { len }.encode(self.file, span.offset));
        stored.extend_from_slice(&trailer.encode());
        let checksum = checksum(stored, self.file.at(span));
        stored.extend_from_slice(&checksum.to_le_bytes());
        self.body.extend_from_slice(stored);
        let padding = self.len().next_multiple_of(BLOCK_ALIGN) - self.len();
        self.body.extend_from_slice(&[0; BLOCK_ALIGN as usize][..padding as usize]);
        span
    }
}
