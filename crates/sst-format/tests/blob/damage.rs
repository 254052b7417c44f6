//! What damage does: right values or typed errors, and every whole record found again.

use std::ops::Range;

use page_ecc::{Ladder, Scheme};
use proptest::prelude::*;
use proptest::sample::Index;
use sst_format::{BlobEntry, BlobError, BlobOptions, BlobReader, BlobRef, Codec, SeqNo};

use crate::sample::{COVERS, Cover, FILE, Sample, UID, values, walk, write};

#[test]
fn every_flipped_byte_gives_the_right_value_or_a_typed_error() {
    for &cover in COVERS {
        let Sample { image, entries } = write(cover, UID, Codec::Lz4, &values());
        let reader = cover.reader(UID);
        let mut body = image.body().to_vec();
        for at in 0..body.len() {
            for flip in [1, 0x80, 0xFF] {
                body[at] ^= flip;
                check_flipped(&reader, &body, at as u64, &entries);
                body[at] ^= flip;
            }
        }
    }
}

#[track_caller]
fn check_flipped(reader: &BlobReader, body: &[u8], at: u64, entries: &[(BlobRef, BlobEntry)]) {
    for (reference, entry) in entries {
        let BlobRef { offset, len, .. } = *reference;
        let expected = match reference.span().contains(&at) {
            true => Err(BlobError::Checksum { offset, len }),
            false => Ok(entry.clone()),
        };
        assert_eq!(reader.read(body, *reference), expected, "byte {at}");
    }
    let hit = |(reference, _): &&(BlobRef, BlobEntry)| reference.span().contains(&at);
    let whole: Vec<_> = entries.iter().filter(|entry| !hit(entry)).cloned().collect();
    let (found, gaps) = walk(reader, body, &[]);
    assert_eq!(found, whole, "byte {at}");
    assert!(gaps.iter().all(|gap| gap.contains(&at)) && gaps.len() == entries.iter().filter(hit).count());
}

#[test]
fn a_hole_of_64_kib_is_rebuilt_beneath_the_records() {
    let values: Vec<_> = (0..40u8).map(|at| (vec![at], vec![at; 9000])).collect();
    for scheme in [Scheme::STANDARD, Scheme::STRONG] {
        let mut writer = Cover::Plain.writer(UID, BlobOptions::new().codec(Codec::None).scheme(scheme));
        let append = |(key, value): &(Vec<u8>, Vec<u8>)| writer.append(key, SeqNo::new(1), value).unwrap();
        let references: Vec<BlobRef> = values.iter().map(append).collect();
        let image = writer.finish().unwrap();
        let mut file = image.clone().into_bytes();
        file[50_000..50_000 + (64 << 10)].fill(0xEE);
        let pages = image.descriptor().geometry().body_pages();
        let body = Ladder::new(image.descriptor().clone(), &file[..]).read_body(0..pages).unwrap();
        for (reference, (_, value)) in references.iter().zip(&values) {
            assert_eq!(&Cover::Plain.reader(UID).read(&body.bytes, *reference).unwrap().value, value);
        }
    }
}

/// Every place looks like a record at first sight; 32 MiB of them take a blink.
#[test]
fn a_walk_over_nothing_but_magics_takes_linear_time() {
    let magics = b"RSBR\0\0\0\0".repeat(4 << 20);
    let (found, gaps) = walk(&Cover::Plain.reader(UID), &magics, &[]);
    assert!(found.is_empty());
    assert_eq!(gaps.first(), Some(&(0..magics.len() as u64)));
}

fn any_values() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        (any::<u8>(), 0usize..3000).prop_map(|(byte, len)| vec![byte; len]),
    ];
    proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..20), value), 0..20)
}

proptest! {
    #[test]
    fn a_damaged_file_gives_what_was_put_in_or_errors(
        values in any_values(),
        cover in proptest::sample::select(COVERS),
        garbled in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..6),
        lost in proptest::collection::vec((any::<Index>(), 1usize..300), 0..3),
    ) {
        let Sample { image, entries } = write(cover, UID, Codec::Lz4, &values);
        let reader = cover.reader(UID);
        let mut body = image.body().to_vec();
        let mut hit = vec![false; body.len()];
        if !body.is_empty() {
            for (at, value) in garbled {
                let at = at.index(body.len());
                hit[at] |= body[at] != value;
                body[at] = value;
            }
        }
        let mut bad = vec![false; body.len()];
        for (at, len) in lost.into_iter().filter(|_| !body.is_empty()) {
            let at = at.index(body.len());
            let end = (at + len).min(body.len());
            bad[at..end].fill(true);
        }
        let is_hit = |reference: &BlobRef, hit: &[bool]| {
            reference.span().any(|at| hit[at as usize])
        };
        for (reference, entry) in &entries {
            let read = reader.read(&body, *reference);
            let BlobRef { offset, len, .. } = *reference;
            let expected = if is_hit(reference, &hit) { Err(BlobError::Checksum { offset, len }) } else { Ok(entry.clone()) };
            prop_assert_eq!(read, expected);
        }
        let ranges = ranges_of(&bad);
        let (found, gaps) = walk(&reader, &body, &ranges);
        let whole = entries.iter().filter(|(reference, _)| !is_hit(reference, &hit) && !is_hit(reference, &bad));
        prop_assert_eq!(&found, &whole.cloned().collect::<Vec<_>>());
        prop_assert_eq!(gaps.is_empty(), found.len() == entries.len());
    }

    #[test]
    fn any_bytes_are_gaps_or_errors(
        mut body in proptest::collection::vec(any::<u8>(), 0..600),
        magics in proptest::collection::vec(any::<Index>(), 0..20),
        offset in any::<u64>(),
        len in 0u64..700,
    ) {
        for at in magics {
            if let Some(place) = body.get_mut(at.index(76) * 8..).and_then(|tail| tail.first_chunk_mut()) {
                *place = *b"RSBR";
            }
        }
        let reader = BlobReader::new(FILE, UID);
        for offset in [offset, offset % 600, 0] {
            let reference = BlobRef { file: FILE, offset, len };
            prop_assert!(reader.read(&body, reference).is_err());
        }
        let (found, gaps) = walk(&reader, &body, &[]);
        prop_assert!(found.is_empty());
        prop_assert_eq!(gaps.len(), usize::from(!body.is_empty()));
    }
}

/// The ranges of set places.
fn ranges_of(set: &[bool]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for at in (0..set.len()).filter(|&at| set[at]).map(|at| at as u64) {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}
