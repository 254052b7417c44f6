//! How the store of a history is opened.

use std::sync::Arc;

use lsm_io::Fs;
use proptest::prelude::*;
use resilver::{Background, Codec, Durability, FilterPolicy, Options, Scheme, ZstdLevel};

/// How the store of a history is opened.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Bytes of a memtable.
    pub memtable_bytes: u64,
    /// Bytes of a table.
    pub table_bytes: u64,
    /// Bytes of the first sorted level.
    pub level_base_bytes: u64,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Bytes of verified blocks in memory.
    pub cache_bytes: u64,
    /// How many tables are held open.
    pub open_files_max: usize,
    /// Which codec: none, lz4, zstd, zstd with a dictionary.
    pub codec: u8,
    /// Whether there are filters.
    pub filter: bool,
    /// Which protection: standard, light, checksums alone.
    pub protection: u8,
    /// Who flushes and compacts.
    pub background: Background,
    /// What an acknowledgement survives where a batch does not say.
    pub durability: Durability,
}

impl Setup {
    /// Small enough that every kind of work is done soon, and nothing random about it.
    #[must_use]
    pub fn small() -> Self {
        Self {
            memtable_bytes: 4 << 10,
            table_bytes: 16 << 10,
            level_base_bytes: 64 << 10,
            block_bytes: 512,
            cache_bytes: 64 << 10,
            open_files_max: 8,
            codec: 0,
            filter: true,
            protection: 0,
            background: Background::Inline,
            durability: Durability::Buffered,
        }
    }

    /// The same, in the words of the store.
    #[must_use]
    pub fn options(&self, fs: Arc<dyn Fs>) -> Options {
        let codec = match self.codec {
            0 => Codec::None,
            1 => Codec::Lz4,
            2 => Codec::Zstd { level: ZstdLevel::default() },
            _ => Codec::ZstdDictionary { level: ZstdLevel::default() },
        };
        let scheme = match self.protection {
            0 => Scheme::STANDARD,
            1 => Scheme::LIGHT,
            _ => Scheme::ChecksumOnly,
        };
        Options::new()
            .fs(fs)
            .background(self.background)
            .durability(self.durability)
            .memtable_bytes(self.memtable_bytes)
            .table_bytes(self.table_bytes)
            .level_base_bytes(self.level_base_bytes)
            .block_bytes(self.block_bytes)
            .cache_bytes(self.cache_bytes)
            .pinned_bytes(self.cache_bytes)
            .open_files_max(self.open_files_max)
            .segment_bytes(256 << 10)
            .codec(codec)
            .protection(scheme)
            .filter(self.filter.then(FilterPolicy::default))
    }
}

/// Any way to open a store, on the small side, with the background as named.
pub fn setup(background: Background) -> impl Strategy<Value = Setup> {
    let sizes = (4_u64..64, 16_u64..256, 64_u64..512, 9_u32..13, 0_u64..256);
    let durability = prop_oneof![Just(Durability::Buffered), Just(Durability::Synced)];
    (sizes, 0_u8..4, any::<bool>(), 0_u8..3, durability, 8_usize..40).prop_map(
        move |(sizes, codec, filter, protection, durability, open_files_max)| Setup {
            memtable_bytes: sizes.0 << 10,
            table_bytes: sizes.1 << 10,
            level_base_bytes: sizes.2 << 10,
            block_bytes: 1 << sizes.3,
            cache_bytes: sizes.4 << 10,
            open_files_max,
            codec,
            filter,
            protection,
            background,
            durability,
        },
    )
}
