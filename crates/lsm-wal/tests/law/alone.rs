//! A log used alone, beside a vector of entries.

use std::sync::Arc;

use lsm_io::{Crash, Fs, MemFs, Rng};
use lsm_wal::{Durability, LogOptions, SegmentLog, SeqNo, Whereabouts};

use crate::bench::{STORE, worker};

fn open(fs: &MemFs) -> SegmentLog {
    let at = Whereabouts::new(Arc::new(fs.clone()), "/", STORE);
    SegmentLog::open(at, worker(), LogOptions::default().segment_bytes(256 << 10)).unwrap()
}

fn read(log: &SegmentLog, from: SeqNo) -> Vec<(SeqNo, Vec<u8>)> {
    let mut entries = Vec::new();
    log.read_from(from, |index, entry| entries.push((index, entry))).unwrap();
    entries
}

#[test]
fn it_does_what_a_vector_of_entries_does_through_truncations_purges_and_openings() {
    for seed in 0..12 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let fs = MemFs::new();
        let mut log = open(&fs);
        let mut twin: Vec<Vec<u8>> = Vec::new();
        let mut purged = 0;
        for step in 0..120u64 {
            let len = twin.len() as u64;
            match rng.below(12) {
                0 if len > purged => {
                    let keep = purged + rng.below(len - purged + 1);
                    log.truncate_after(SeqNo::new(keep)).unwrap();
                    twin.truncate(keep as usize);
                }
                1 if len > purged => {
                    purged += rng.below(len - purged + 1);
                    log.purge_up_to(SeqNo::new(purged)).unwrap();
                }
                2 => {
                    drop(log);
                    log = open(&fs);
                    assert!(log.losses().is_empty());
                }
                3 => {
                    let from = SeqNo::new(purged + 1 + rng.below(len - purged + 1));
                    let expected =
                        (from.get()..=len).map(|index| (SeqNo::new(index), twin[index as usize - 1].clone()));
                    assert_eq!(read(&log, from), expected.collect::<Vec<_>>());
                }
                _ => {
                    let entry = vec![step as u8; rng.below(9000) as usize];
                    let index = log.append(entry.clone(), Durability::Buffered).unwrap();
                    twin.push(entry);
                    assert_eq!(index.get(), twin.len() as u64);
                }
            }
        }
    }
}

#[test]
fn a_truncation_survives_a_power_cut_and_so_does_what_it_left() {
    let fs = MemFs::new();
    let log = open(&fs);
    for entry in 0..100u8 {
        log.append(vec![entry; 3000], Durability::Synced).unwrap();
    }
    for keep in [90, 70, 10] {
        log.truncate_after(SeqNo::new(keep)).unwrap();
        let left = open(&fs.crash(Crash::LoseUnsynced));
        let entries = read(&left, SeqNo::new(1));
        assert_eq!(entries.len() as u64, keep);
        assert_eq!(entries.last().unwrap().1, vec![keep as u8 - 1; 3000]);
        assert_eq!(left.append(&b"anew"[..], Durability::Synced).unwrap(), SeqNo::new(keep + 1));
    }
    assert!(fs.list("/".as_ref()).unwrap().len() < 8);
}
