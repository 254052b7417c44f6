//! Tables from outside: whatever was written is read back by every way of reading, as a sorted map would.

#[cfg(test)]
#[path = "oracle/image.rs"]
mod image;
#[cfg(test)]
#[path = "oracle/model.rs"]
mod model;
#[cfg(test)]
#[path = "oracle/written.rs"]
mod written;

use std::sync::Arc;

use model::{Model, Setup};
use page_ecc::Uid;
use proptest::prelude::*;
use sst_format::{
    Codec, Comparator, Entry, EntryKind, FalsePositiveRate, FilterPolicy, KeyOrder, MemoryTable, RangeEntry,
    ReadError, ReadOptions, SeqNo, SpareMemory, TableOptions, TableWriter, WriteError,
};
use written::Written;

/// One key of a small world, so that keys repeat, share prefixes and are one another's prefix.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(prop::sample::select(vec![0, b'a', b'b', 0xFF]), 0..6),
        10 => any::<u16>().prop_map(|number| format!("user/{:05}/name", number % 500).into_bytes()),
        5 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..3usize, any::<u8>()).prop_map(|(less, byte)| [byte].repeat(65_535 - less)),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => prop::collection::vec(any::<u8>(), 0..40),
        10 => (any::<u8>(), 0..300usize).prop_map(|(byte, len)| [byte].repeat(len)),
        1 => (any::<u64>(), 0..200_000usize).prop_map(|(seed, len)| image::noise(seed, len)),
    ]
}

fn entries(max: usize) -> impl Strategy<Value = Model> {
    let kind = prop::sample::select(&EntryKind::ALL[..]);
    let flags = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    let seq = prop_oneof![9 => 0..50u64, 1 => any::<u64>()];
    prop::collection::vec((key(), seq, kind, flags, value()), 0..max).prop_map(Model::new)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn a_table_reads_like_a_sorted_map(entries in entries(200), setup in written::setup(), probes in prop::collection::vec((key(), 0..60u64), 20)) {
        let written = Written::new(&entries, setup);
        written.check_all(&entries);
        for (key, seq) in &probes {
            written.check_place(&entries, key, *seq);
        }
    }
}

#[test]
fn large_values_come_back_in_every_codec() {
    for codec in image::codecs() {
        let sizes = [8 << 20, 0, 1 << 20, 5_000_000];
        let rows = (0u32..).zip(sizes).flat_map(|(number, len)| {
            let key = number.to_be_bytes().to_vec();
            [
                (key.clone(), 2, EntryKind::Put, 0, image::noise(number.into(), len)),
                (key, 1, EntryKind::Merge, 0, [7].repeat(len)),
            ]
        });
        let entries = Model::new(rows.collect());
        Written::new(&entries, Setup { codec, ..Setup::default() }).check_all(&entries);
    }
}

#[test]
fn an_index_of_two_levels_is_walked_like_one() {
    let rows = (0..20_000u32).map(|number| {
        (
            number.to_be_bytes().to_vec(),
            u64::from(number % 7),
            EntryKind::Put,
            0,
            number.to_le_bytes().to_vec(),
        )
    });
    let entries = Model::new(rows.collect());
    for encrypted in [false, true] {
        let setup = Setup { block_bytes: 256, index_block_bytes: 256, encrypted, ..Setup::default() };
        let written = Written::new(&entries, setup);
        assert!(written.properties.index_blocks > 50);
        written.check_all(&entries);
        for number in (0..20_001u32).step_by(311) {
            written.check_place(&entries, &number.to_be_bytes(), 3);
        }
    }
}

#[test]
fn a_thousand_versions_of_one_key_span_blocks() {
    let versions =
        (0..1000).map(|seq: u64| (b"key".to_vec(), seq, EntryKind::Put, 0, seq.to_le_bytes().to_vec()));
    let other = (b"other".to_vec(), 7, EntryKind::Delete, 0, Vec::new());
    let entries = Model::new(versions.chain([other]).collect());
    let written = Written::new(&entries, Setup { block_bytes: 200, ..Setup::default() });
    written.check_all(&entries);
    for seq in 0..1001 {
        written.check_place(&entries, b"key", seq);
    }
}

fn writer() -> TableWriter {
    TableWriter::new(Uid::new([1; 16]), TableOptions::new()).expect("the options are valid")
}

#[test]
fn what_cannot_be_written_is_refused_and_changes_nothing() {
    let mut writer = writer();
    let one = SeqNo::new(1);
    let put = |key, seq, value| Entry::put(key, SeqNo::new(seq), value);
    writer.add(put(b"b", 5, b"")).unwrap();
    for unsorted in [put(b"a", 9, b""), put(b"b", 5, b""), put(b"b", 6, b""), put(b"", 1, b"")] {
        assert_eq!(writer.add(unsorted), Err(WriteError::Unsorted { entry: 1 }));
    }
    let long = [0xFF].repeat(65_536);
    assert_eq!(writer.add(put(&long, 1, b"")), Err(WriteError::KeyTooLong { len: 65_536 }));
    let huge = vec![0; (512 << 20) + 1];
    assert_eq!(writer.add(put(b"c", 1, &huge)), Err(WriteError::ValueTooLong { len: huge.len() }));
    let delete = Entry { value: b"x", ..Entry::delete(b"c", one) };
    assert_eq!(writer.add(delete), Err(WriteError::ValueOfKind { len: 1 }));
    let blob = Entry { kind: EntryKind::Blob, ..put(b"c", 1, b"short") };
    assert_eq!(writer.add(blob), Err(WriteError::ValueOfKind { len: 5 }));
    let backwards = RangeEntry::delete(&b"z"[..], &b"a"[..], one);
    assert_eq!(writer.add_range(backwards), Err(WriteError::EmptyRange));
    writer.add(put(b"b", 4, b"")).unwrap();
    assert_eq!(writer.finish().unwrap().properties.entries, 2);
    let options = TableOptions::new().block_bytes(1);
    assert!(matches!(TableWriter::new(Uid::new([1; 16]), options), Err(WriteError::Option { .. })));
}

struct Backwards;

impl Comparator for Backwards {
    fn name(&self) -> &str {
        "test.backwards"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
        b.cmp(a)
    }
}

#[test]
fn another_comparator_is_refused_before_anything_is_read() {
    let mut writer = writer();
    writer.add(Entry::put(b"a", SeqNo::new(1), b"")).unwrap();
    let image = writer.finish().unwrap().image;
    let other = ReadOptions::new().order(KeyOrder::Custom(Arc::new(Backwards)));
    assert_eq!(MemoryTable::open(&image, other).unwrap_err(), ReadError::OtherOrder);
}

#[cfg(feature = "encryption")]
#[test]
fn a_missing_or_wrong_key_is_told_apart_from_damage() {
    use sst_format::{CryptoError, EpochKey, FileKey, KeyEpoch};

    let (uid, epoch) = (Uid::new([1; 16]), KeyEpoch::new(3));
    let key = |byte| FileKey::derive(&EpochKey::new([byte; 32]), epoch, uid).unwrap();
    let mut writer = TableWriter::with_key(uid, TableOptions::new(), Some(key(1))).unwrap();
    writer.add(Entry::put(b"secret key", SeqNo::new(1), b"secret value")).unwrap();
    let image = writer.finish().unwrap().image;
    assert!(!image.as_bytes().windows(6).any(|bytes| bytes == b"secret"));
    let open = |options| MemoryTable::open(&image, options).map(|_| ());
    assert_eq!(open(ReadOptions::new()), Err(ReadError::Key(CryptoError::MissingKey { epoch })));
    let wrong = ReadOptions::new().key(Arc::new(key(2)));
    assert_eq!(open(wrong), Err(ReadError::Key(CryptoError::WrongKey { epoch })));
    assert_eq!(open(ReadOptions::new().key(Arc::new(key(1)))), Ok(()));
}

/// Pages are sealed after blocks are encrypted, so whoever looks after a disk needs no key.
#[cfg(feature = "encryption")]
#[test]
fn an_encrypted_table_is_checked_and_healed_without_its_key() {
    use page_ecc::Ladder;
    use sst_format::{EpochKey, FileKey, KeyEpoch};

    let uid = Uid::new([4; 16]);
    let key = FileKey::derive(&EpochKey::new([7; 32]), KeyEpoch::new(1), uid).unwrap();
    let mut writer = TableWriter::with_key(uid, TableOptions::new(), Some(key)).unwrap();
    for number in 0..20_000u32 {
        writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), &[number as u8; 20])).unwrap();
    }
    let image = writer.finish().unwrap().image;
    let pages = image.descriptor().geometry().all_pages();
    let mut file = image.as_bytes().to_vec();
    file[5000..5000 + (64 << 10)].fill(0);
    let found = Ladder::new(image.descriptor().clone(), &file[..]).examine(pages.clone());
    assert!(!found.is_clean() && found.lost().is_empty());
    for patch in &found.patches {
        file[patch.page.offset() as usize..][..page_ecc::PAGE_LEN].copy_from_slice(&patch.bytes[..]);
    }
    assert!(file == image.as_bytes());
    assert!(Ladder::new(image.descriptor().clone(), &file[..]).examine(pages).is_clean());
}

#[test]
fn an_empty_table_and_one_of_ranges_alone_open() {
    let read = |writer: TableWriter| MemoryTable::open(&writer.finish().unwrap().image, ReadOptions::new());
    let empty = read(writer()).unwrap();
    assert_eq!(empty.get(b"", SeqNo::MAX), Ok(None));
    let mut cursor = empty.view().cursor();
    cursor.seek_first().unwrap();
    empty.drive(&mut cursor).unwrap();
    assert_eq!(cursor.entry(), Ok(None));

    let mut writer = writer();
    let range = RangeEntry::delete(&b"a"[..], &b"b"[..], SeqNo::new(9));
    writer.add_range(range.clone()).unwrap();
    let table = read(writer).unwrap();
    assert_eq!(table.view().ranges().unwrap().iter().collect::<Vec<_>>(), [&range]);
    assert_eq!(table.view().properties().unwrap().seq_high, SeqNo::new(9));
}

#[test]
fn both_copies_of_the_ranges_are_far_apart() {
    let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new().filter(None)).unwrap();
    let value = image::noise(1, 4000);
    for number in 0..600u32 {
        writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), &value)).unwrap();
    }
    writer.add_range(RangeEntry::delete(&b"RANGE-LOWER"[..], &b"RANGE-UPPER"[..], SeqNo::new(9))).unwrap();
    let image = writer.finish().unwrap().image;
    let found = image.body().windows(11).enumerate().filter(|(_, bytes)| bytes == b"RANGE-LOWER");
    let found: Vec<usize> = found.map(|(at, _)| at).collect();
    assert!(found.len() == 2 && found[1] - found[0] >= 17 * 4096, "{found:?}");
}

#[test]
fn codecs_make_tables_smaller() {
    let len = |codec| {
        let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new().codec(codec)).unwrap();
        for number in 0..20_000u32 {
            let value =
                format!("{{\"id\":{number},\"name\":\"user-{}\",\"active\":true}}", number * 7919 % 10_007);
            writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(1), value.as_bytes())).unwrap();
        }
        writer.finish().unwrap().image.body().len()
    };
    let plain = len(Codec::None);
    for codec in image::codecs().into_iter().filter(|codec| *codec != Codec::None) {
        assert!(len(codec) * 2 < plain, "{codec:?}");
    }
}

#[test]
fn a_table_made_in_the_memory_of_another_has_the_same_bytes() {
    let write = |first: u64, entries: u64, policy: FilterPolicy, spare: SpareMemory| {
        let options = TableOptions::new().filter(Some(policy));
        let mut writer = TableWriter::new(Uid::new([9; 16]), options).unwrap().reusing(spare);
        for number in first..first + entries {
            writer.add(Entry::put(&number.to_be_bytes(), SeqNo::new(number), &[number as u8; 90])).unwrap();
        }
        let (table, spare) = writer.finish_sparing().unwrap();
        let bytes = table.image.into_bytes();
        (bytes.clone(), spare.image(bytes))
    };
    for policy in [FilterPolicy::default(), FilterPolicy::Bloom(FalsePositiveRate::default())] {
        for (before, after) in [(5000, 3000), (3000, 5000), (1, 700), (700, 1)] {
            let (_, spare) = write(7, before, policy, SpareMemory::default());
            let (fresh, _) = write(1 << 40, after, policy, SpareMemory::default());
            assert!(write(1 << 40, after, policy, spare).0 == fresh, "{after} entries after {before}");
        }
    }
}
