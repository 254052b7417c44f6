//! Hostile bytes: a typed error or a value, no panic, no allocation that the bytes ask for.

use std::cell::Cell;

use page_ecc::{
    Descriptor, InnerCode, Ladder, PAGE_LEN, Page, PageNo, PageSource, ReadFrom, Scheme, SealOptions, Uid,
    Unreadable,
};
use proptest::prelude::*;
use twox_hash::XxHash3_128;

use crate::damage::Random;

/// A record whose checksum is true, whatever stands in it.
fn signed(mut record: [u8; Descriptor::LEN]) -> [u8; Descriptor::LEN] {
    let checksum = XxHash3_128::oneshot(&record[..Descriptor::LEN - 16]);
    record[Descriptor::LEN - 16..].copy_from_slice(&checksum.to_le_bytes());
    record
}

fn record() -> [u8; Descriptor::LEN] {
    let options = SealOptions::new(Uid::new([8; 16])).inner(InnerCode::Hsiao).scheme(Scheme::LIGHT);
    options.field(1, b"field").unwrap().seal(&[1; 50_000]).unwrap().descriptor().encode()
}

/// What a reader does with a descriptor that it has no reason to believe.
fn use_it(descriptor: Descriptor, bytes: &[u8]) {
    let geometry = *descriptor.geometry();
    let mut ladder = Ladder::new(descriptor, bytes);
    assert!(!ladder.is_borne_out());
    for start in [0, 1, geometry.body_pages(), geometry.total_pages().saturating_sub(9)] {
        ladder.examine(PageNo::new(start)..PageNo::new(start.saturating_add(9)));
    }
}

proptest! {
    #[test]
    fn any_page_is_a_descriptor_or_an_error(seed in any::<u64>(), is_marked in any::<bool>()) {
        let mut page: Page = Random::new(seed).bytes(PAGE_LEN).try_into().unwrap();
        if is_marked {
            page[..8].copy_from_slice(&record()[..8]);
        }
        prop_assert!(Descriptor::find(&[&page]).is_err());
    }

    #[test]
    fn any_signed_record_is_a_usable_descriptor_or_an_error(
        edits in proptest::collection::vec((0usize..496, any::<u8>()), 1..6),
        seed in any::<u64>(),
    ) {
        let mut bytes = record();
        edits.iter().for_each(|&(at, byte)| bytes[at] = byte);
        if let Ok(descriptor) = Descriptor::decode(&signed(bytes)) {
            prop_assert_eq!(&Descriptor::decode(&descriptor.encode()).unwrap(), &descriptor);
            let file = Random::new(seed).bytes(20 * PAGE_LEN);
            use_it(descriptor, &file);
        }
    }
}

#[test]
fn an_absurd_length_costs_no_memory() {
    for (body_len, scheme) in
        [(1u64 << 56, Scheme::STANDARD), (1 << 56, Scheme::ReedSolomon { data: 4096, parity: 256 })]
    {
        let geometry = page_ecc::Geometry::new(body_len, scheme, InnerCode::Hsiao).unwrap();
        let mut bytes = record();
        let counts = [scheme.data(), scheme.parity()];
        counts
            .into_iter()
            .zip([14, 16])
            .for_each(|(count, at)| bytes[at..at + 2].copy_from_slice(&count.to_le_bytes()));
        let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(56, body_len);
        put(64, geometry.columns());
        use page_ecc::Region::{DigestsA, DigestsB, Footer, Parity, WordChecks};
        for (index, region) in [DigestsA, WordChecks, Parity, DigestsB, Footer].into_iter().enumerate() {
            put(72 + index * 8, geometry.region(region).start.get());
        }
        let descriptor = Descriptor::decode(&signed(bytes)).unwrap();
        assert_eq!(descriptor.geometry(), &geometry);
        use_it(descriptor, &[0; 30 * PAGE_LEN]);
    }
}

/// Counts the pages read from the medium.
struct Counted<'a>(&'a [u8], &'a Cell<u64>);

impl PageSource for Counted<'_> {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        if from == ReadFrom::Medium {
            self.1.set(self.1.get() + pages.len() as u64);
        }
        self.0.read(first, pages, from)
    }
}

#[test]
fn a_body_of_another_file_costs_few_reads_from_the_medium() {
    let image = SealOptions::new(Uid::new([8; 16])).seal(&Random::new(1).bytes(1000 * PAGE_LEN)).unwrap();
    let mut file = image.as_bytes().to_vec();
    file[PAGE_LEN..1001 * PAGE_LEN].copy_from_slice(&Random::new(2).bytes(1000 * PAGE_LEN));
    let reads = Cell::new(0);
    let mut ladder = Ladder::new(image.descriptor().clone(), Counted(&file, &reads));
    // As a caller does who bounds its memory: each of its looks meets the same columns again.
    for start in (1..1001).step_by(17) {
        let found = ladder.examine(PageNo::new(start)..PageNo::new((start + 17).min(1001)));
        assert_eq!(found.evidence().lost, found.findings.len() as u64);
    }
    // Its own, and of its column as many as tell that parity is not enough.
    assert!(reads.get() <= (1 + 5) * 1000, "{} reads", reads.get());
}
