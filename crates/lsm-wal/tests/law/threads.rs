//! Many threads at one log: every acknowledged group is there, in the order of its numbers.

use std::{collections::BTreeSet, io::ErrorKind, sync::Arc, thread};

use crate::bench::{Bench, Manifest, groups};
use lsm_io::{Crash, FaultFs, FaultPlan, MemFs, Mishap, Op, Rng, Trigger};
use lsm_wal::{Durability, Log, SeqNo, Seqs};

const WRITERS: u64 = 8;

/// Each thread appends its share; what was acknowledged comes back with how.
fn write(log: &Log, seed: u64, rounds: u64) -> Vec<(Seqs, Vec<u8>, Durability)> {
    let writer = |writer: u64| {
        move || {
            let mut rng = Rng::new(seed * WRITERS + writer);
            let mut acknowledged = Vec::new();
            for round in 0..rounds {
                let mut payload = format!("{writer} {round} ").into_bytes();
                payload.resize(payload.len() + rng.below(3000) as usize, writer as u8);
                let durability = if rng.chance(1, 2) { Durability::Synced } else { Durability::Buffered };
                if let Ok(seqs) = log.append(payload.clone(), 1 + rng.below(3) as u32, durability) {
                    acknowledged.push((seqs, payload, durability));
                }
                if rng.chance(1, 20) {
                    let _ = log.sync();
                }
                if rng.chance(1, 20) {
                    let _ = log.prepare_spare();
                }
            }
            acknowledged
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS).map(|index| scope.spawn(writer(index))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[track_caller]
fn check(bench: &Bench, acknowledged: &[(Seqs, Vec<u8>, Durability)], least: Durability) {
    let (found, losses) = groups(&bench.scan());
    assert!(losses.is_empty(), "{losses:?}");
    assert!(found.windows(2).all(|pair| pair[0].0.next <= pair[1].0.first));
    let found: BTreeSet<(SeqNo, Vec<u8>)> =
        found.into_iter().map(|(seqs, payload)| (seqs.first, payload)).collect();
    let last = found.last().map(|group| group.0).unwrap_or_default();
    for (seqs, payload, durability) in acknowledged {
        let must = *durability == Durability::Synced || least == Durability::Buffered || seqs.first < last;
        assert!(!must || found.contains(&(seqs.first, payload.clone())), "group {seqs} is lost");
    }
}

#[test]
fn eight_threads_lose_nothing_and_share_syncs() {
    let mem = MemFs::new();
    let counting = lsm_io::CountingFs::new(Arc::new(mem.clone()));
    let bench = Bench::on(Arc::new(counting.clone()), Manifest::default());
    let log = bench.open();
    let acknowledged = write(&log, 1, 100);
    assert_eq!(acknowledged.len() as u64, WRITERS * 100);
    std::mem::forget(log);
    check(&bench, &acknowledged, Durability::Buffered);
    let cut = bench.moved_to(Arc::new(mem.crash(Crash::LoseUnsynced)));
    check(&cut, &acknowledged, Durability::Synced);
}

#[test]
fn eight_threads_lose_nothing_acknowledged_whatever_fails() {
    for seed in 0..30 {
        let mem = MemFs::new();
        let mut rng = Rng::new(seed);
        let mut plan = FaultPlan::new(seed);
        for _ in 0..3 {
            let what = match rng.below(3) {
                0 => (Op::Sync, Mishap::FailAndForget(ErrorKind::Other)),
                1 => (Op::Write, Mishap::PartWrite(ErrorKind::StorageFull)),
                _ => (Op::Write, Mishap::Fail(ErrorKind::Other)),
            };
            plan = plan.mishap(Trigger::nth(what.0, 10 + rng.below(200)), what.1);
        }
        let faults = FaultFs::new(Arc::new(mem.clone()), plan);
        let bench = Bench::on(Arc::new(faults), Manifest::default());
        let log = bench.open();
        let acknowledged = write(&log, seed, 20);
        std::mem::forget(log);
        println!("seed {seed}");
        check(&bench, &acknowledged, Durability::Buffered);
        let cut = bench.moved_to(Arc::new(mem.crash(Crash::LoseUnsynced)));
        check(&cut, &acknowledged, Durability::Synced);
    }
}
