//! How a table is written, and how it is read.

use alloc::sync::Arc;

use page_ecc::{BodyBuffer, InnerCode, Scheme, SealOptions, Uid};

use super::write_error::WriteError;
use crate::block::FRAME_LEN;
use crate::cells::Buckets;
use crate::codec::Codec;
use crate::crypto::FileKey;
use crate::filter::FilterPolicy;
use crate::limits::BLOCK_TARGET_MAX;
use crate::order::KeyOrder;

/// Whether data blocks carry a hash index, which spares point reads the binary search for a byte and a third
/// per key: measured a fifth of a cached point read, for one per cent of the table.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum HashIndex {
    /// They do not.
    Off,
    /// They do.
    #[default]
    On,
}

/// How a table is written.
///
/// ```
/// use sst_format::{Codec, FilterPolicy, TableOptions};
/// let options = TableOptions::new().block_bytes(16 << 10).codec(Codec::Lz4).filter(None);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct TableOptions {
    pub(super) block_bytes: usize,
    pub(super) index_block_bytes: usize,
    pub(super) restart_interval: u32,
    pub(super) hash_index: HashIndex,
    pub(super) codec: Codec,
    pub(super) dictionary_bytes: usize,
    pub(super) filter: Option<FilterPolicy>,
    pub(super) order: KeyOrder,
    pub(super) created_at: u64,
    pub(super) expected_bytes: usize,
    scheme: Scheme,
    inner: InnerCode,
}

impl TableOptions {
    /// Blocks of 4 KiB, not compressed, a filter that fits its entries, keys by byte order, the standard protection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            block_bytes: 4096,
            index_block_bytes: 4096,
            restart_interval: 8,
            hash_index: HashIndex::default(),
            codec: Codec::None,
            dictionary_bytes: 16 << 10,
            filter: Some(FilterPolicy::default()),
            order: KeyOrder::default(),
            created_at: 0,
            expected_bytes: 0,
            scheme: Scheme::STANDARD,
            inner: InnerCode::None,
        }
    }

    /// Bytes of a data block before compression; one with a larger entry is longer.
    #[must_use]
    pub const fn block_bytes(mut self, bytes: usize) -> Self {
        self.block_bytes = bytes;
        self
    }

    /// Bytes of an index block before compression.
    #[must_use]
    pub const fn index_block_bytes(mut self, bytes: usize) -> Self {
        self.index_block_bytes = bytes;
        self
    }

    /// Every how many entries a data block keeps a whole key.
    #[must_use]
    pub const fn restart_interval(mut self, entries: u32) -> Self {
        self.restart_interval = entries;
        self
    }

    /// Whether data blocks carry a hash index.
    #[must_use]
    pub const fn hash_index(mut self, hash_index: HashIndex) -> Self {
        self.hash_index = hash_index;
        self
    }

    /// How blocks are compressed.
    #[must_use]
    pub const fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Bytes of the dictionary that a codec with one trains on the table's first blocks.
    #[must_use]
    pub const fn dictionary_bytes(mut self, bytes: usize) -> Self {
        self.dictionary_bytes = bytes;
        self
    }

    /// Says that the table will be merged away soon: see [`FilterPolicy::if_short_lived`].
    #[must_use]
    pub fn short_lived(mut self) -> Self {
        self.filter = self.filter.map(FilterPolicy::if_short_lived);
        self
    }

    /// The filter over keys, or none.
    #[must_use]
    pub const fn filter(mut self, policy: Option<FilterPolicy>) -> Self {
        self.filter = policy;
        self
    }

    /// The order of keys.
    #[must_use]
    pub fn order(mut self, order: KeyOrder) -> Self {
        self.order = order;
        self
    }

    /// When the table is written, in the caller's own unit.
    #[must_use]
    pub const fn created_at(mut self, time: u64) -> Self {
        self.created_at = time;
        self
    }

    /// About how long the body will be: memory for it and its parity is taken once.
    #[must_use]
    pub const fn expected_bytes(mut self, bytes: usize) -> Self {
        self.expected_bytes = bytes;
        self
    }

    /// The protection over pages.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The protection inside pages.
    #[must_use]
    pub const fn inner(mut self, inner: InnerCode) -> Self {
        self.inner = inner;
        self
    }

    pub(super) fn check(&self) -> Result<(), WriteError> {
        let within = |what, found: usize, least, most| match found {
            found if (least..=most).contains(&found) => Ok(()),
            found => Err(WriteError::Option { what, found, least, most }),
        };
        within("a data block's length", self.block_bytes, 2 * FRAME_LEN, BLOCK_TARGET_MAX)?;
        within("an index block's length", self.index_block_bytes, 2 * FRAME_LEN, BLOCK_TARGET_MAX)?;
        within("the restart interval", self.restart_interval as usize, 1, 1 << 16)?;
        within("a dictionary's length", self.dictionary_bytes, 256, 1 << 20)?;
        match self.order.name().len() {
            0..=255 => Ok(()),
            len => Err(WriteError::ComparatorName { len }),
        }
    }

    pub(super) fn buckets(&self) -> Buckets {
        match self.hash_index {
            HashIndex::Off => Buckets::Off,
            HashIndex::On => Buckets::On,
        }
    }

    pub(super) fn body(&self) -> BodyBuffer {
        BodyBuffer::with_capacity(self.expected_bytes)
    }

    pub(super) fn seal(&self, uid: Uid) -> SealOptions {
        SealOptions::new(uid).scheme(self.scheme).inner(self.inner)
    }
}

impl Default for TableOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether an opened table keeps its filter.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum FilterPin {
    /// It is loaded with the table and stays.
    #[default]
    Pinned,
    /// Point reads ask for its block, so that a cache may drop it.
    OnDemand,
}

/// How a table is read.
///
/// ```
/// use sst_format::{FilterPin, KeyOrder, ReadOptions};
/// let options = ReadOptions::new().order(KeyOrder::Bytes).filter(FilterPin::OnDemand);
/// # let _ = options;
/// ```
#[derive(Clone, Default, Debug)]
pub struct ReadOptions {
    pub(super) order: KeyOrder,
    pub(super) key: Option<Arc<FileKey>>,
    pub(super) filter: FilterPin,
}

impl ReadOptions {
    /// Keys by byte order, the filter pinned.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The order of keys, which must be the one the table was written in.
    #[must_use]
    pub fn order(mut self, order: KeyOrder) -> Self {
        self.order = order;
        self
    }

    /// The file's key, for a table that is encrypted.
    #[must_use]
    pub fn key(mut self, key: Arc<FileKey>) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the table keeps its filter.
    #[must_use]
    pub const fn filter(mut self, pin: FilterPin) -> Self {
        self.filter = pin;
        self
    }

    pub(crate) fn into_order_and_key(self) -> (KeyOrder, Option<Arc<FileKey>>) {
        (self.order, self.key)
    }
}
