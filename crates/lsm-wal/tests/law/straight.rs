//! The straight path: append, sync, close, recover, replay, go on.

use std::{collections::BTreeSet, sync::Arc};

use lsm_io::{FaultFs, FaultPlan, MemFs, Op};

use crate::{
    bench::Bench,
    history::{Run, random_acts},
};
use lsm_wal::{Durability, SeqNo};

#[test]
fn what_was_appended_is_replayed_in_order_however_it_was_cut() {
    let bench = Bench::new();
    let log = bench.open();
    for (index, len) in
        [0, 1, 100, 4079, 4080, 4081, 4082, 4083, 5000, 9000, 50_000, 90_000, 7].into_iter().enumerate()
    {
        let durability = if index % 3 == 0 { Durability::Synced } else { Durability::Buffered };
        let count = 1 + index as u32 % 4;
        let seqs = log.append(vec![index as u8; len], count, durability).unwrap();
        assert_eq!(seqs.count(), u64::from(count));
    }
    let next = log.next_seq();
    log.close().unwrap();
    let lens: Vec<usize> = bench.replay().into_iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(lens, [0, 1, 100, 4079, 4080, 4081, 4082, 4083, 5000, 9000, 50_000, 90_000, 7]);
    assert_eq!(bench.open().next_seq(), next);
}

#[test]
fn a_log_goes_on_where_it_ended_through_many_segments() {
    let bench = Bench::new();
    let mut expected = Vec::new();
    for round in 0..4u8 {
        let log = bench.open();
        for index in 0..60u8 {
            let payload = vec![round * 60 + index; 3000];
            log.append(payload.clone(), 1, Durability::Buffered).unwrap();
            expected.push(payload);
        }
        drop(log);
        let replayed: Vec<Vec<u8>> = bench.replay().into_iter().map(|(_, payload)| payload).collect();
        assert_eq!(replayed, expected);
    }
    assert!(bench.records().len() > 6);
}

#[test]
fn a_group_longer_than_a_segment_gets_a_segment_of_its_own() {
    let bench = Bench::new();
    let log = bench.open();
    log.append(&b"before"[..], 1, Durability::Buffered).unwrap();
    log.append(vec![9; 3 << 20], 1, Durability::Synced).unwrap();
    log.append(&b"behind"[..], 1, Durability::Synced).unwrap();
    log.close().unwrap();
    let lens: Vec<usize> = bench.replay().into_iter().map(|(_, payload)| payload.len()).collect();
    assert_eq!(lens, [6, 3 << 20, 6]);
}

#[test]
fn trimming_lets_go_of_what_is_durable_elsewhere_and_of_nothing_else() {
    let bench = Bench::new();
    let log = bench.open();
    for index in 0..200u8 {
        log.append(vec![index; 3000], 1, Durability::Buffered).unwrap();
    }
    let gone = log.trim(SeqNo::new(101));
    assert!(!gone.is_empty());
    bench.forget(&gone);
    log.close().unwrap();
    let replayed = bench.replay();
    assert!(replayed[0].0.first <= SeqNo::new(101));
    assert_eq!(replayed.last().unwrap().1, [199; 3000]);
    drop(log);
    let log = bench.open();
    let gone = log.trim(log.next_seq());
    bench.forget(&gone);
    drop(log);
    assert!(bench.replay().is_empty());
    assert_eq!(bench.open().next_seq(), SeqNo::new(201));
}

#[test]
fn a_segment_is_on_record_once_it_is_in_use_and_one_that_stands_ready_goes_with_a_close() {
    let bench = Bench::new();
    let log = bench.open();
    log.prepare_spare().unwrap();
    let spare = log.spare().unwrap();
    assert_eq!(bench.records(), log.segments());
    assert!(!bench.records().contains(&spare));
    for index in 0..60u8 {
        log.append(vec![index; 3000], 1, Durability::Buffered).unwrap();
    }
    assert!(bench.records().contains(&spare));
    assert_eq!(bench.records(), log.segments());
    log.prepare_spare().unwrap();
    log.close().unwrap();
    assert_eq!(bench.fs.list("/".as_ref()).unwrap().len(), bench.records().len());
}

/// What a torn rewrite could take with it must never be durable data.
#[test]
fn a_page_that_was_synced_is_never_written_again() {
    /// No other write has this length.
    const ZEROS: u64 = 64 << 10;
    for seed in 0..8 {
        let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
        let mut run = Run::new(&fs);
        run.play(&random_acts(seed, 60));
        run.kill();
        let (mut written, mut synced) = (BTreeSet::new(), BTreeSet::new());
        for traced in fs.trace() {
            let path = traced.path.clone();
            match (traced.op, traced.span) {
                (Op::Write, Some((offset, len))) if len.get() != ZEROS => {
                    for page in offset.get() / 4096..(offset.get() + len.get()).div_ceil(4096) {
                        let place = (path.clone(), page);
                        assert!(!synced.contains(&place), "seed {seed}: {place:?} is written again");
                        written.insert(place);
                    }
                }
                (Op::Sync, _) => {
                    synced.extend(written.iter().filter(|(of, _)| *of == path).cloned().collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        assert!(synced.len() > 10);
    }
}

#[test]
fn a_log_that_is_waited_for_goes_on_in_a_segment_zeroed_ahead() {
    let mut bench = Bench::new();
    bench.options = bench.options.durability(Durability::Buffered);
    let log = bench.open();
    log.append("nobody waits", 1, Durability::Buffered).unwrap();
    log.take_care().unwrap();
    let (first, spare) = (log.current().unwrap(), log.spare().unwrap());
    assert!(first.number < spare.number);
    log.append("somebody waits", 1, Durability::Synced).unwrap();
    assert!(log.wants_care());
    log.take_care().unwrap();
    let second = log.current().unwrap();
    assert!(second.number > spare.number, "{second:?}");
    log.append("and waits", 1, Durability::Synced).unwrap();
    log.take_care().unwrap();
    assert_eq!(log.current().unwrap(), second);
    log.close().unwrap();
    let payloads: Vec<_> = bench.replay().into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads, [&b"nobody waits"[..], b"somebody waits", b"and waits"]);
}

#[test]
fn care_syncs_what_is_much_and_leaves_little_alone() {
    let mut bench = Bench::new();
    bench.options = bench.options.segment_bytes(8 << 20).durability(Durability::Buffered);
    let log = bench.open();
    log.take_care().unwrap();
    for (len, is_synced) in [(1000, false), (600 << 10, false), (600 << 10, true), (1000, false)] {
        let seqs = log.append(vec![7; len], 1, Durability::Buffered).unwrap();
        log.take_care().unwrap();
        assert_eq!(log.durable() > seqs.first, is_synced, "{len} bytes");
    }
    assert_eq!(bench.replay().len(), 4);
}
