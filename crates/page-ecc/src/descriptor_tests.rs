//! Descriptors: both ways, hurt, hostile.

use super::*;

const COPIES: usize = PAGE_LEN / RECORD_LEN;

fn sample() -> Descriptor {
    let mut fields = Fields::new();
    fields.push(7, b"seven").unwrap();
    fields.push(9, b"").unwrap();
    Descriptor {
        geometry: Geometry::new(1_000_000, Scheme::STANDARD, InnerCode::None).unwrap(),
        uid: Uid::new([0x5A; 16]),
        kind: 3,
        detached: true,
        compatible: 0x8000_0000_0000_0001,
        root: 42,
        fields,
    }
}

/// A record with `bytes` at `at`, its checksum made true again.
fn forged(at: usize, bytes: &[u8]) -> Record {
    let mut record = sample().encode();
    record[at..at + bytes.len()].copy_from_slice(bytes);
    let checksum = XxHash3_128::oneshot(&record[..CHECKSUM_AT]);
    record[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    record
}

#[test]
fn a_record_reads_back_what_was_written() {
    let descriptor = sample();
    let back = Descriptor::decode(&descriptor.encode()).unwrap();
    assert_eq!(back, descriptor);
    assert_eq!(back.field(7), Some(&b"seven"[..]));
    assert_eq!(back.field(9), Some(&b""[..]));
    assert_eq!(back.field(8), None);
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let record = sample().encode();
    for bit in 0..RECORD_LEN * 8 {
        let mut hurt = record;
        hurt[bit / 8] ^= 1 << (bit % 8);
        assert!(Descriptor::decode(&hurt).is_err(), "bit {bit}");
    }
}

#[test]
fn one_sector_of_either_page_tells_everything() {
    let descriptor = sample();
    let gone = [0xFF; PAGE_LEN];
    for copy in 0..COPIES {
        let mut page = gone;
        page.as_chunks_mut().0[copy] = descriptor.encode();
        assert_eq!(Descriptor::find(&[&gone, &page]).unwrap(), core::slice::from_ref(&descriptor));
    }
}

#[test]
fn copies_that_are_all_hurt_are_put_to_the_vote() {
    let descriptor = sample();
    let mut page = descriptor.encode_page();
    for copy in 0..COPIES {
        for at in 0..40 {
            page[copy * RECORD_LEN + at * 8 + copy] ^= 0xFF;
        }
    }
    assert_eq!(Descriptor::find(&[&page]).unwrap(), [descriptor]);
}

#[test]
fn two_descriptors_are_both_found() {
    let mut other = sample();
    other.uid = Uid::new([1; 16]);
    let pages = [&sample().encode_page(), &other.encode_page()];
    assert_eq!(Descriptor::find(&pages).unwrap(), [sample(), other]);
}

#[test]
fn what_cannot_be_read_says_why() {
    let find = |record: Record| {
        let mut page = [0; PAGE_LEN];
        page.as_chunks_mut().0.fill(record);
        Descriptor::find(&[&page]).unwrap_err()
    };
    assert_eq!(Descriptor::find(&[]), Err(DescriptorError::NotSealed));
    assert_eq!(find([0; RECORD_LEN]), DescriptorError::NotSealed);
    let mut hurt = sample().encode();
    hurt[100] ^= 1;
    assert_eq!(find(hurt), DescriptorError::Damaged);
    assert_eq!(find(forged(8, &[2, 0])), DescriptorError::NewerVersion { found: 2, known: 1 });
    assert_eq!(find(forged(24, &[3])), DescriptorError::UnknownFeatures { unknown: 2 });
    for (at, bytes, field) in [
        (12, &[9][..], "scheme"),
        (14, &[0, 0][..], "scheme"),
        (16, &[0, 0][..], "scheme"),
        (18, &[7][..], "inner code"),
        (21, &[0x20][..], "page length"),
        (72, &[0][..], "first digests"),
        (88, &[1][..], "parity"),
        (111, &[0xFF][..], "footer"),
        (FIELDS_AT + 2, &[0xFF, 0xFF][..], "fields"),
        (FIELDS_AT + 100, &[1][..], "fields"),
    ] {
        assert_eq!(find(forged(at, bytes)), DescriptorError::Contradiction { field });
    }
    assert!(matches!(find(forged(56, &[0xFF; 8])), DescriptorError::Shape(_)));
    assert!(matches!(find(forged(64, &[0; 8])), DescriptorError::Shape(_)));
}

#[test]
fn fields_that_do_not_fit_are_refused() {
    let mut fields = Fields::new();
    assert_eq!(fields.push(0, b"x"), Err(FieldError { tag: 0, len: 1 }));
    assert_eq!(fields.push(1, &[0; 365]), Err(FieldError { tag: 1, len: 365 }));
    fields.push(1, &[1; 364]).unwrap();
    assert_eq!(fields.push(2, b""), Err(FieldError { tag: 2, len: 0 }));
    assert!(fields.is_well_formed());
}
