//! Blocks that proved themselves, by where they stand.
//!
//! Invariant: only proven blocks enter, and a file's number is never used twice, so what is here is true for
//! ever, however the file fares. Bounded by bytes; one long scan does not sweep out what point reads use.

use std::hash::{BuildHasherDefault, Hasher};

use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use sst_format::TableBlock;

use crate::FileId;

/// What a block takes beside its bytes, about.
const BLOCK_OVERHEAD: u64 = 160;

/// What decides how many shards and buckets the cache begins with.
const BLOCK_BYTES_EXPECTED: u64 = 4096;

/// How much of the cache is for blocks that were asked for again. A shard has 32 expected blocks or more, so
/// the rest of it takes three, and newcomers push out one another.
const HOT_SHARE: f64 = 0.9;

/// Whether a read leaves what it read in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// It does: the block may be asked for again.
    Keep,
    /// It does not, and moves nothing in the cache either: whoever rewrites or patrols reads once.
    Pass,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    file: FileId,
    offset: u64,
}

/// The blocks of all trees that were read lately.
pub(crate) struct BlockCache {
    blocks: Cache<Place, TableBlock, Weight, BuildHasherDefault<PlaceHasher>>,
}

impl BlockCache {
    /// A cache of about this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / BLOCK_BYTES_EXPECTED).unwrap_or(usize::MAX).max(1);
        let mut options = OptionsBuilder::new();
        options.weight_capacity(bytes).estimated_items_capacity(items).hot_allocation(HOT_SHARE);
        let options = options.build().expect("both capacities are set");
        let (hasher, lifecycle) = (BuildHasherDefault::default(), DefaultLifecycle::default());
        Self { blocks: Cache::with_options(options, Weight, hasher, lifecycle) }
    }

    /// The block at this offset of a file's body.
    #[inline]
    pub(crate) fn get(&self, file: FileId, offset: u64, fill: Fill) -> Option<TableBlock> {
        let place = Place { file, offset };
        match fill {
            Fill::Keep => self.blocks.get(&place),
            Fill::Pass => self.blocks.peek(&place),
        }
    }

    /// Whether that block is there; asking moves nothing.
    #[inline]
    pub(crate) fn holds(&self, file: FileId, offset: u64) -> bool {
        self.blocks.contains_key(&Place { file, offset })
    }

    /// Takes a block of a file.
    pub(crate) fn insert(&self, file: FileId, block: TableBlock) {
        self.blocks.insert(Place { file, offset: block.span().offset }, block);
    }

    /// Bytes it keeps.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.weight()
    }
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockCache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
struct Weight;

impl Weighter<Place, TableBlock> for Weight {
    fn weight(&self, _: &Place, block: &TableBlock) -> u64 {
        block.len() as u64 + BLOCK_OVERHEAD
    }
}

/// Mixes the two numbers of a place: nobody chooses them, so nothing stronger is needed.
#[derive(Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ mixed >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::Uid;
    use sst_format::{Entry, MemoryTable, ReadOptions, SeqNo, Step, TableOptions, TableWriter};

    use super::*;

    /// The blocks of a table of a megabyte, each once.
    fn blocks() -> Vec<TableBlock> {
        let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new()).unwrap();
        for number in 0..1000u32 {
            writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), &[7; 1000])).unwrap();
        }
        let table = MemoryTable::open(&writer.finish().unwrap().image, ReadOptions::new()).unwrap();
        let mut blocks = Vec::new();
        for number in (0..1000u32).step_by(3) {
            let key = number.to_be_bytes();
            let mut find = table.view().find(&key, SeqNo::MAX).unwrap();
            while let Step::Read(addr) = find.step() {
                let block = table.block(addr).unwrap();
                find.supply(&block).unwrap();
                blocks.push(block);
            }
        }
        blocks.sort_by_key(TableBlock::span);
        blocks.dedup_by_key(|block| block.span());
        blocks
    }

    #[test]
    fn it_stays_within_its_bytes() {
        let cache = BlockCache::new(100 << 10);
        for (file, block) in (0..20).flat_map(|file| blocks().into_iter().map(move |block| (file, block))) {
            cache.insert(FileId::new(file), block);
            assert!(cache.bytes() <= 100 << 10);
        }
        assert!(cache.bytes() > 50 << 10);
    }

    #[test]
    fn a_long_scan_leaves_what_is_read_again_and_again() {
        let (cache, blocks) = (BlockCache::new(400 << 10), blocks());
        let often = &blocks[1];
        let is_there =
            |cache: &BlockCache| cache.get(FileId::new(1), often.span().offset, Fill::Keep).is_some();
        cache.insert(FileId::new(1), often.clone());
        assert!((0..5).all(|_| is_there(&cache)));
        for (file, block) in (2..12).flat_map(|file| blocks.iter().map(move |block| (file, block))) {
            cache.insert(FileId::new(file), block.clone());
        }
        assert!(is_there(&cache));
    }
}
