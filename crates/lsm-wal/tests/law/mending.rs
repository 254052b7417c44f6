//! Examining segments: clean ones have no flaw, and patches make a damaged one what it was.

use std::sync::Arc;

use lsm_io::{Access, FileOffset, Fs, MemFs};
use lsm_wal::{Durability, Flaw, SegmentRecord, Whereabouts, examine};

use crate::bench::{Bench, Manifest, STORE};

const PAGE: usize = 4096;

struct Closed {
    fs: MemFs,
    at: Whereabouts,
    durable: lsm_wal::SeqNo,
    files: Vec<(SegmentRecord, Vec<u8>)>,
}

impl Closed {
    fn new() -> Self {
        let fs = MemFs::new();
        let bench = Bench::on(Arc::new(fs.clone()), Manifest::default());
        let log = bench.open();
        for index in 0..80usize {
            let durability = if index % 3 == 0 { Durability::Synced } else { Durability::Buffered };
            log.append(vec![index as u8 + 1; index * 977 % 9000], 1, durability).unwrap();
        }
        log.close().unwrap();
        let durable = log.durable();
        drop(log);
        let read = |record: SegmentRecord| {
            let file = fs.open(&record.path("/".as_ref()), Access::ReadOnly).unwrap();
            (record, file.read_to_vec(FileOffset::ZERO, record.file_len() as usize).unwrap())
        };
        let files = bench.records().into_iter().map(read).collect();
        Self { at: Whereabouts::new(Arc::new(fs.clone()), "/", STORE), fs, durable, files }
    }

    fn flaws(&self, record: SegmentRecord) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        examine(&self.at, record, self.durable, |flaw| flaws.push(flaw)).unwrap().unwrap();
        flaws
    }

    fn write(&self, record: SegmentRecord, at: usize, bytes: &[u8]) {
        let file = self.fs.open(&record.path("/".as_ref()), Access::ReadWrite).unwrap();
        file.write_at(FileOffset::new(at as u64), bytes).unwrap();
    }

    fn read(&self, record: SegmentRecord) -> Vec<u8> {
        let file = self.fs.open(&record.path("/".as_ref()), Access::ReadOnly).unwrap();
        file.read_to_vec(FileOffset::ZERO, record.file_len() as usize).unwrap()
    }
}

#[test]
fn a_clean_segment_has_no_flaw() {
    let closed = Closed::new();
    for (record, _) in &closed.files {
        assert_eq!(closed.flaws(*record), []);
    }
}

#[test]
fn patches_make_every_damaged_page_of_a_closed_segment_what_it_was() {
    let closed = Closed::new();
    for (record, image) in &closed.files {
        let blank = |page: usize| image[page * PAGE..][..PAGE].iter().all(|&byte| byte == 0);
        for at in (0..image.len()).step_by(PAGE) {
            // What was never written is no page to be patched.
            if blank(at / PAGE) {
                closed.write(*record, at + 100, &[1]);
                let flaws = closed.flaws(*record);
                assert!(
                    matches!(flaws[..], [Flaw::Ahead { offset, .. }] if offset.get() == at as u64),
                    "{flaws:?}"
                );
                closed.write(*record, at + 100, &[0]);
                continue;
            }
            for (start, len) in [(at, PAGE), (at + 100, 1), (at + 512, 512), (at, 16 * PAGE)] {
                let len = len.min(image.len() - start);
                let flipped: Vec<u8> = image[start..start + len].iter().map(|byte| !byte).collect();
                for bytes in [vec![0; len], flipped] {
                    closed.write(*record, start, &bytes);
                    for flaw in closed.flaws(*record) {
                        match flaw {
                            Flaw::Mendable(patch) => {
                                closed.write(*record, patch.offset.get() as usize, &patch.bytes[..]);
                            }
                            Flaw::Ahead { offset, .. } if blank(offset.get() as usize / PAGE) => {}
                            flaw => panic!("{flaw:?} at {start} ({len})"),
                        }
                    }
                    let healed = closed.read(*record);
                    let wrong = healed.chunks(PAGE).zip(image.chunks(PAGE)).position(|(a, b)| a != b);
                    assert!(wrong.is_none_or(blank), "page {wrong:?} after damage at {start} ({len})");
                    closed.write(*record, 0, image);
                }
            }
        }
    }
}

#[test]
fn a_page_lost_from_both_extents_is_told_and_not_made_up() {
    let closed = Closed::new();
    for (record, image) in &closed.files {
        let half = image.len() / 2;
        for at in (PAGE..half).step_by(PAGE).filter(|&at| image[at] != 0) {
            closed.write(*record, at, &[0; PAGE]);
            closed.write(*record, half + at, &[0; PAGE]);
            let last = image[at + PAGE..half].iter().all(|&byte| byte == 0);
            let lost = closed.flaws(*record);
            assert_eq!(lost, if last { vec![] } else { vec![Flaw::Lost { page: (at / PAGE) as u64 }] });
            closed.write(*record, at, &image[at..at + PAGE]);
            closed.write(*record, half + at, &image[half + at..half + at + PAGE]);
        }
    }
}
