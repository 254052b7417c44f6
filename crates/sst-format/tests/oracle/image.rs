//! Tables to read, and what to fill them with.

use sst_format::{Codec, TableOptions, TableWriter, WrittenTable, ZstdLevel};

use crate::model::{Model, Setup, UID, entry};

/// Writes a table of the model's entries.
pub(crate) fn write(setup: &Setup, model: &Model) -> WrittenTable {
    let options = TableOptions::new()
        .block_bytes(setup.block_bytes)
        .index_block_bytes(setup.index_block_bytes)
        .restart_interval(setup.restart_interval)
        .hash_index(setup.hash_index)
        .codec(setup.codec)
        .dictionary_bytes(256)
        .filter(setup.filter)
        .order(setup.order.clone());
    let mut writer = TableWriter::with_key(UID, options, setup.key()).unwrap();
    for row in model.sorted(&setup.order) {
        writer.add(entry(row)).unwrap();
    }
    writer.finish().unwrap()
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// Every codec of this build.
pub(crate) fn codecs() -> Vec<Codec> {
    let mut codecs = vec![Codec::None, Codec::Lz4];
    if cfg!(feature = "zstd") {
        let level = ZstdLevel::MIN;
        codecs.extend([Codec::Zstd { level }, Codec::ZstdDictionary { level }]);
    }
    codecs
}
