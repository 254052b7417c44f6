//! A dictionary: what the blocks of one table have in common, so that each need not say it again.
//!
//! It is trained on the table's own blocks, stored once in the table, and made ready once for all of its
//! frames. Where it is stored is left to the table; its bytes are Zstandard's own format.

use alloc::vec::Vec;

use crate::codec::{CodecError, zstd};

/// A trained dictionary, ready for use by any number of threads.
///
/// ```
/// # if cfg!(feature = "zstd") {
/// use sst_format::{Codec, CodecTag, Compressor, Dictionary, RawLen, ZstdLevel, decompress};
/// let record = |n: u32| format!("{{\"id\":{},\"name\":\"user-{n}\",\"active\":true}}", n * 7919 % 10_007);
/// let blocks: Vec<String> = (0..500).map(|block| (0..9).map(|n| record(block * 9 + n)).collect()).collect();
/// let dictionary = Dictionary::train(&blocks, 4096)?;
///
/// let codec = Codec::ZstdDictionary { level: ZstdLevel::default() };
/// let mut compressor = Compressor::new(codec, Some(&dictionary))?;
/// let compressed = compressor.compress(blocks[7].as_bytes())?;
/// assert_eq!(compressed.tag, CodecTag::ZstdDictionary);
///
/// let stored = Dictionary::parse(dictionary.as_bytes().to_vec())?;
/// let raw_len = RawLen::within(blocks[7].len() as u32, 1 << 20)?;
/// assert_eq!(decompress(compressed.tag, compressed.bytes, raw_len, Some(&stored))?, blocks[7].as_bytes());
/// # }
/// # Ok::<(), sst_format::CodecError>(())
/// ```
#[derive(Debug)]
pub struct Dictionary {
    bytes: Vec<u8>,
    digest: zstd::Digest,
}

impl Dictionary {
    /// Trains a dictionary of at most `len_max` bytes on samples, best on raw data blocks and a hundred
    /// times as many bytes as it may have. The same samples give the same dictionary.
    ///
    /// # Errors
    /// When the samples are too few or teach nothing, or when the build lacks zstd.
    pub fn train<S: AsRef<[u8]>>(samples: &[S], len_max: usize) -> Result<Self, CodecError> {
        let lens: Vec<usize> = samples.iter().map(|sample| sample.as_ref().len()).collect();
        let mut all = Vec::with_capacity(lens.iter().sum());
        samples.iter().for_each(|sample| all.extend_from_slice(sample.as_ref()));
        Self::parse(zstd::train(&all, &lens, len_max)?)
    }

    /// Takes a dictionary's bytes, as a table stores them.
    ///
    /// # Errors
    /// When they are no dictionary.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, CodecError> {
        match zstd::Digest::new(&bytes) {
            Some(digest) => Ok(Self { bytes, digest }),
            None => Err(CodecError::Dictionary { len: bytes.len() }),
        }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) const fn digest(&self) -> &zstd::Digest {
        &self.digest
    }
}
