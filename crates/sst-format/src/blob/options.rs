//! How a blob file is to be written.

use page_ecc::Scheme;

use crate::codec::Codec;

/// Codec, protection and size of a blob file.
///
/// ```
/// use page_ecc::Scheme;
/// use sst_format::{BlobOptions, Codec};
/// let options = BlobOptions::new().codec(Codec::None).scheme(Scheme::STRONG).body_len_max(64 << 20);
/// assert_ne!(options, BlobOptions::new());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlobOptions {
    pub(super) codec: Codec,
    pub(super) scheme: Scheme,
    pub(super) body_len_max: u64,
}

impl BlobOptions {
    /// LZ4, [`Scheme::STANDARD`], 256 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self { codec: Codec::default(), scheme: Scheme::STANDARD, body_len_max: 256 << 20 }
    }

    /// How values are compressed; blob files have no dictionary.
    #[must_use]
    pub const fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// How the file is protected.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Bytes of the body at most. Only a single record too large for any file has a longer one to itself.
    #[must_use]
    pub const fn body_len_max(mut self, bytes: u64) -> Self {
        self.body_len_max = bytes;
        self
    }
}

impl Default for BlobOptions {
    fn default() -> Self {
        Self::new()
    }
}
