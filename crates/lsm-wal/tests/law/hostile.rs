//! Hostile bytes where segments should be: an answer or a typed error, no panic, no absurd allocation.

use std::sync::Arc;

use lsm_io::{FileOffset, Fs, MemFs};
use lsm_wal::{
    Durability, Recovery, SegmentNo, SegmentRecord, Uid, Whereabouts, examine, inspect, inspect_page,
};
use proptest::prelude::*;

use crate::bench::{Bench, Manifest, STORE, groups};

/// Looks at a directory in every way; only what happens is of interest.
fn look(fs: &MemFs, records: &[SegmentRecord]) {
    let at = Whereabouts::new(Arc::new(fs.clone()), "/", STORE);
    for recovery in
        [Recovery::scan(at.clone(), records), Recovery::scan_dir(at.clone())].into_iter().flatten()
    {
        let (_, losses) = groups(&recovery);
        assert_eq!(losses.len(), recovery.losses().len());
        recovery.findings().iter().for_each(|finding| drop(finding.to_string()));
    }
    for record in records {
        let _ = examine(&at, *record, lsm_wal::SeqNo::new(u64::MAX), drop);
        let (fs, path) = (Arc::new(fs.clone()) as Arc<dyn Fs>, record.path("/".as_ref()));
        for known in [None, Some(*record)] {
            if let Ok(told) = inspect(&fs, &path, known) {
                for page in [0, 1, told.record.extent_pages, 2 * told.record.extent_pages] {
                    let _ = inspect_page(&fs, &path, known, page);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_in_place_of_a_segment_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..20_000),
        extent_pages in prop_oneof![Just(32u64), any::<u64>(), 0u64..100],
    ) {
        let fs = MemFs::new();
        let record = SegmentRecord { number: SegmentNo::new(1), uid: Uid::new([9; 16]), extent_pages };
        let file = fs.create(&record.path("/".as_ref())).unwrap();
        file.write_at(FileOffset::ZERO, &bytes).unwrap();
        look(&fs, &[record]);
    }

    #[test]
    fn segments_shuffled_page_by_page_are_answered(
        swaps in prop::collection::vec((0usize..3, 0u64..64, 0usize..3, 0u64..64), 1..40),
    ) {
        let fs = MemFs::new();
        let bench = Bench::on(Arc::new(fs.clone()), Manifest::default());
        let log = bench.open();
        for index in 0..60u8 {
            log.append(vec![index; 3000 + usize::from(index) * 50], 1, Durability::Buffered).unwrap();
        }
        log.close().unwrap();
        let records = bench.records();
        let path = |index: usize| records[index % records.len()].path("/".as_ref());
        let page = |number: u64| FileOffset::new(number * 4096);
        for (file_a, page_a, file_b, page_b) in swaps {
            let open = |index| fs.open(&path(index), lsm_io::Access::ReadWrite).unwrap();
            let (a, b) = (open(file_a), open(file_b));
            let (left, right) = (a.read_to_vec(page(page_a), 4096).unwrap(), b.read_to_vec(page(page_b), 4096).unwrap());
            a.write_at(page(page_a), &right).unwrap();
            b.write_at(page(page_b), &left).unwrap();
        }
        look(&fs, &records);
    }
}
