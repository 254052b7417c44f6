//! Blob files from outside: right values or typed errors, whatever becomes of the bytes.

mod damage;
#[cfg(feature = "encryption")]
mod encrypted;
mod sample;

use page_ecc::Uid;
use sst_format::{BlobError, BlobOptions, BlobRef, BlobWriteError, Codec, KeyHash, SeqNo};

use sample::{COVERS, Cover, FILE, Sample, UID, values, walk, write};

#[test]
fn every_value_comes_back_by_reference_and_by_walk() {
    for &cover in COVERS {
        for codec in [Codec::None, Codec::Lz4] {
            let Sample { image, entries } = write(cover, UID, codec, &values());
            let reader = cover.reader(UID);
            for (reference, entry) in &entries {
                assert_eq!(reader.read(image.body(), *reference).as_ref(), Ok(entry));
                let span = reference.span();
                let bytes = &image.body()[span.start as usize..span.end as usize];
                assert_eq!(reader.read_record(bytes, *reference).as_ref(), Ok(entry));
            }
            assert_eq!(walk(&reader, image.body(), &[]), (entries, Vec::new()));
        }
    }
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_serves_blob_files_too() {
    let level = sst_format::ZstdLevel::default();
    let values = [(b"key".to_vec(), b"ab".repeat(50_000))];
    for codec in [Codec::Zstd { level }, Codec::ZstdDictionary { level }] {
        let Sample { image, entries } = write(Cover::Plain, UID, codec, &values);
        assert!(image.body().len() < 200);
        assert_eq!(walk(&Cover::Plain.reader(UID), image.body(), &[]).0, entries);
    }
}

#[test]
fn records_swapped_within_a_file_or_between_files_are_refused() {
    for &cover in COVERS {
        let values: Vec<_> = (0..4u8).map(|at| (vec![at; 8], vec![at ^ 0x5A; 200])).collect();
        let here = write(cover, UID, Codec::None, &values);
        let there = write(cover, Uid::new([8; 16]), Codec::None, &values);
        let reader = cover.reader(UID);
        let (a, b) = (here.entries[1].0, here.entries[2].0);
        assert_eq!(a.len, b.len);
        let mut body = here.image.body().to_vec();
        let (a_at, b_at, len) = (a.offset as usize, b.offset as usize, a.len as usize);
        body.copy_within(b_at..b_at + len, a_at);
        let refused = |at: BlobRef| Err(BlobError::Checksum { offset: at.offset, len: at.len });
        assert_eq!(reader.read(&body, a), refused(a));
        assert_eq!(reader.read(&body, b).as_ref(), Ok(&here.entries[2].1));
        assert_eq!(reader.read(there.image.body(), a), refused(a));
        assert_eq!(walk(&reader, there.image.body(), &[]).0, []);
    }
}

#[test]
fn references_to_nothing_are_refused() {
    let Sample { image, entries } = write(Cover::Plain, UID, Codec::Lz4, &values());
    let reader = Cover::Plain.reader(UID);
    let right = entries[3].0;
    for wrong in [
        BlobRef { len: right.len + 1, ..right },
        BlobRef { len: right.len - 1, ..right },
        BlobRef { offset: right.offset + 8, ..right },
        BlobRef { offset: u64::MAX, ..right },
        BlobRef { len: u64::MAX, ..right },
        BlobRef { len: 0, ..right },
        BlobRef { len: 39, ..right },
        BlobRef { file: FILE + 1, ..right },
    ] {
        assert!(reader.read(image.body(), wrong).is_err(), "{wrong:?}");
    }
    let elsewhere = BlobRef { file: FILE + 1, ..right };
    let error = reader.read(image.body(), elsewhere).unwrap_err();
    assert_eq!(error, BlobError::File { file: FILE, wanted: FILE + 1 });
}

#[test]
fn a_full_file_says_so_and_one_record_is_never_too_large_for_a_file_of_its_own() {
    let options = BlobOptions::new().codec(Codec::None).body_len_max(1000);
    let mut writer = Cover::Plain.writer(UID, options);
    let large = writer.append(b"large", SeqNo::new(1), &[1; 5000]).unwrap();
    let full = writer.append(b"next", SeqNo::new(2), b"").unwrap_err();
    assert_eq!(full, BlobWriteError::Full { len: large.len, max: 1000 });
    let mut writer = Cover::Plain.writer(UID, options);
    writer.append(b"a", SeqNo::new(1), &[1; 600]).unwrap();
    assert!(matches!(writer.append(b"b", SeqNo::new(2), &[1; 600]), Err(BlobWriteError::Full { .. })));
    writer.append(b"c", SeqNo::new(3), &[1; 200]).unwrap();
    assert_eq!(walk(&Cover::Plain.reader(UID), writer.finish().unwrap().body(), &[]).0.len(), 2);
}

#[test]
fn the_bytes_of_the_first_version_are_pinned() {
    let print = |cover| {
        let sample = write(cover, UID, Codec::None, &values());
        KeyHash::of_key(sample.image.as_bytes()).to_u64()
    };
    assert_eq!(print(Cover::Plain), 10_756_931_013_220_000_996);
    if cfg!(feature = "encryption") {
        assert_eq!(print(Cover::Encrypted), 14_348_496_381_236_691_016);
    }
}
