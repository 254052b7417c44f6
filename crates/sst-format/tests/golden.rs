//! Golden bodies: what was once written is read for ever, and is written the same again.
//!
//! Compressed ones are only read: another release of a codec may find other bytes for the same content.
//! `BLESS=1 cargo test -p sst-format --test golden` writes them anew, which is a new format version.

#[cfg(test)]
#[path = "oracle/model.rs"]
mod model;

use std::fs;
use std::ops::Bound;
use std::path::PathBuf;

use bytes::Bytes;
use model::{Model, Setup, UID, entry};
use sst_format::{
    Codec, EntryKind, FalsePositiveRate, FilterPolicy, HashIndex, KeyOrder, MemoryTable, RangeEntry,
    RangeKind, SeqNo, TableOptions, TableWriter,
};

fn rows() -> Model {
    let key = |number: u32| format!("key/{number:03}").into_bytes();
    let text = |number: u32| format!("a value of the entry numbered {number}").repeat(3).into_bytes();
    let rows = (0..40).flat_map(|number| {
        let kind = EntryKind::ALL[number as usize % 5];
        [
            (key(number), 1000, kind, 0, text(number)),
            (key(number), 7, EntryKind::Put, number as u8, text(number)),
        ]
    });
    Model::new(rows.collect())
}

fn ranges() -> [RangeEntry; 2] {
    let loss = RangeEntry {
        kind: RangeKind::Loss,
        lower: Bound::Excluded(Bytes::from_static(b"key/020")),
        upper: Bound::Unbounded,
        seq_low: SeqNo::new(3),
        seq_high: SeqNo::MAX,
    };
    [RangeEntry::delete(&b"key/010"[..], &b"key/013"[..], SeqNo::new(500)), loss]
}

fn write(setup: &Setup) -> Vec<u8> {
    let options = TableOptions::new()
        .block_bytes(setup.block_bytes)
        .index_block_bytes(setup.index_block_bytes)
        .restart_interval(setup.restart_interval)
        .hash_index(setup.hash_index)
        .codec(setup.codec)
        .dictionary_bytes(256)
        .filter(setup.filter)
        .created_at(1_700_000_000);
    let mut writer = TableWriter::with_key(UID, options, setup.key()).expect("the options are valid");
    let rows = rows();
    for row in rows.sorted(&KeyOrder::Bytes) {
        writer.add(entry(row)).expect("rows are sorted");
    }
    for range in ranges() {
        writer.add_range(range).expect("the ranges are not empty");
    }
    writer.finish().expect("a small table can be sealed").image.body().to_vec()
}

/// Whether a writer of today must find the same bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pin {
    BothWays,
    Reading,
}

#[track_caller]
fn check(name: &str, pin: Pin, setup: &Setup) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/golden", name].iter().collect();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, write(setup)).expect("the golden folder can be written");
    }
    let golden = fs::read(&path).expect("the golden body is there");
    if pin == Pin::BothWays {
        assert!(write(setup) == golden, "{name}: other bytes than once; that is a new format version");
    }
    let table = MemoryTable::open_body(UID, golden.into(), setup.read_options()).expect("it opens");
    assert_eq!(
        table.view().ranges().expect("ranges are read").iter().collect::<Vec<_>>(),
        ranges().each_ref()
    );
    assert_eq!(table.view().properties().map(|properties| properties.created_at), Some(1_700_000_000));
    let rows = rows();
    let mut cursor = table.view().cursor();
    cursor.seek_first().expect("the index is sound");
    for row in rows.sorted(&KeyOrder::Bytes) {
        table.drive(&mut cursor).expect("nothing is damaged");
        assert_eq!(cursor.entry(), Ok(Some(entry(row))));
        cursor.move_next().expect("blocks are sound");
        assert!(table.get(&row.0, SeqNo::new(row.1)).is_ok_and(|found| found.is_some()));
    }
}

#[test]
fn a_plain_table_keeps_its_bytes() {
    check("plain.body", Pin::BothWays, &Setup::default());
}

#[test]
fn a_table_of_small_blocks_keeps_its_bytes() {
    let filter = Some(FilterPolicy::Bloom(FalsePositiveRate::default()));
    let (block_bytes, index_block_bytes, restart_interval) = (700, 120, 3);
    let hash_index = HashIndex::On;
    let setup =
        Setup { block_bytes, index_block_bytes, restart_interval, hash_index, filter, ..Setup::default() };
    check("small-blocks.body", Pin::BothWays, &setup);
}

#[test]
#[cfg(feature = "encryption")]
fn an_encrypted_table_keeps_its_bytes() {
    check("encrypted.body", Pin::BothWays, &Setup { encrypted: true, ..Setup::default() });
}

#[test]
fn an_lz4_table_is_read() {
    check("lz4.body", Pin::Reading, &Setup { codec: Codec::Lz4, ..Setup::default() });
}

#[test]
#[cfg(feature = "zstd")]
fn zstd_tables_are_read() {
    let level = sst_format::ZstdLevel::default();
    check("zstd.body", Pin::Reading, &Setup { codec: Codec::Zstd { level }, ..Setup::default() });
    let dictionary = Setup { codec: Codec::ZstdDictionary { level }, block_bytes: 300, ..Setup::default() };
    check("zstd-dictionary.body", Pin::Reading, &dictionary);
}
