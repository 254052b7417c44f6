//! The strategies against a store made of lists: flushes come, jobs run side by side and end in any order.
//!
//! The law: versions are always valid, no newer entry of a key stands below an older one, what is read is
//! what was written, jobs never conflict, and an unchanged store comes to rest.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod store;

use lsm_core::{
    BusySet, CompactionStrategy, EccHealCompaction, HealHints, HintCause, JobKind, Level, Leveled, Major,
    PlanContext, Reason, Version,
};
use sst_format::KeyOrder;
use store::{Store, TREE};

/// Every mixture of flushes, starts and ends once.
const SEEDS: u64 = 32;

/// Small enough that a few hundred keys fill four levels.
fn small() -> Leveled {
    Leveled::new().base_bytes(64).output_bytes(16).multiplier(4).flushed_runs(3).waiting_runs(3)
}

/// Flushes keys drawn from `keys`, runs up to `parallel` jobs at once, each named by one of the strategies,
/// checks the law after every step.
#[track_caller]
fn run(strategies: &[Leveled], seed: u64, parallel: usize, keys: u32) -> Store {
    let mut store = Store::new(seed);
    // Some stores flush more than they compact, some start more jobs than they finish.
    let (flushes, starts, ends) = (1 + seed % 4, 1 + seed / 4 % 4, 1 + seed / 16 % 2);
    for _ in 0..200 {
        let step = store.random.below(flushes + starts + ends);
        if step < flushes {
            let batch = batch(&mut store, keys);
            store.flush(&batch);
        } else if step < flushes + starts && store.running() < parallel {
            let strategy = &strategies[store.random.below(strategies.len() as u64) as usize];
            store.start(strategy);
        } else if step >= flushes + starts {
            store.finish_any();
        }
        store.check();
    }
    store.finish_all();
    store.settle(&strategies[0]);
    assert_eq!(strategies[0].debt_bytes(&store.version), 0, "a store at rest owes nothing");
    store.check();
    store
}

/// Keys from anywhere, or near each other.
fn batch(store: &mut Store, keys: u32) -> Vec<u32> {
    let random = &mut store.random;
    let (from, width) = match random.below(2) {
        0 => (0, u64::from(keys)),
        _ => (random.below(u64::from(keys)), 1 + random.below(8)),
    };
    (0..16).map(|_| ((from + random.below(width)) % u64::from(keys)) as u32).collect()
}

#[test]
fn jobs_in_any_order_keep_newer_above_older() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let store = run(&[small()], seed, 1 + seed as usize % 4, 600);
        assert!(store.version.runs(Level::ZERO).len() < 3, "seed {seed}");
    }
}

#[test]
fn options_that_change_while_jobs_run_keep_newer_above_older() {
    let deep = small().base_bytes(8).waiting_runs(2);
    let shallow = small().base_bytes(4096).flushed_runs(1);
    for seed in 0..SEEDS {
        println!("seed {seed}");
        run(&[small(), deep.clone(), shallow.clone()], seed, 5, 100 << (seed % 5));
    }
}

#[test]
fn few_keys_written_again_and_again_take_little_room() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let store = run(&[small()], seed, 3, 40);
        assert!(store.entries() <= 40 + 3 * 16 + 64 * 5, "seed {seed}: {} entries", store.entries());
    }
}

#[test]
fn every_kind_of_job_is_seen() {
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for seed in 0..SEEDS {
        for (kind, count) in run(&[small()], seed, 4, 600).seen {
            *seen.entry(kind).or_default() += count;
        }
    }
    println!("{seen:?}");
    for reason in [Reason::FlushedRuns, Reason::RunsInWaiting, Reason::LevelFull, Reason::Tombstones] {
        assert!(seen.contains_key(&format!("{reason:?} Merge")), "{reason:?} in {seen:?}");
    }
    assert!(seen.contains_key("LevelFull Move"), "{seen:?}");
}

#[test]
fn ascending_keys_are_moved_and_never_rewritten() {
    let mut store = Store::without_deletes(1);
    for batch in 0..200_u32 {
        store.flush(&(batch * 16..batch * 16 + 16).collect::<Vec<_>>());
        store.settle(&small());
    }
    store.check();
    assert_eq!(store.written, 0, "{:?}", store.seen);
    assert!(store.version.runs(Level::ZERO).len() < 3);
}

#[test]
fn a_level_that_a_smaller_tree_has_no_need_of_is_emptied() {
    let mut store = Store::new(1);
    store.place(Level::LAST, &(20..60).collect::<Vec<_>>());
    store.place(Level::new(3), &(0..40).collect::<Vec<_>>());
    store.settle(&small());
    store.check();
    let used: Vec<_> = store.version.all_runs().map(|(level, _)| level.get()).collect();
    assert_eq!(used, [6]);
}

#[test]
fn a_major_compaction_leaves_one_run_of_what_can_be_read() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut store = run(&[small()], seed, 3, 300);
        let major = Major::new(store.next_file()).output_bytes(32);
        store.settle(&major);
        store.check();
        assert!(major.is_done(&KeyOrder::Bytes, &store.version), "seed {seed}");
        assert_eq!(store.entries(), store.readable(), "seed {seed}");
        assert_eq!(store.version.all_runs().count(), 1, "seed {seed}");
    }
}

#[test]
fn healing_every_table_changes_nothing_that_can_be_seen() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut store = run(&[small()], seed, 3, 300);
        store.flush(&(0..30).collect::<Vec<_>>());
        let (hints, before) = (HealHints::new(), store.shape());
        for (_, _, table) in store.version.tables() {
            assert!(hints.record(TREE, table.id, 0..1, HintCause::Rebuilt).is_news());
        }
        let heal = EccHealCompaction::new(&hints, u64::MAX);
        store.settle(&heal);
        store.check();
        assert_eq!(store.shape(), before, "seed {seed}");
        let version = std::sync::Arc::new(store.version);
        assert!(hints.snapshot().iter().all(|hint| version.find(hint.file).is_none()), "seed {seed}");
        assert_eq!(heal.forget_gone(TREE, || version).len(), before.len());
        assert!(hints.is_empty());
    }
}

#[test]
fn a_million_random_keys_are_rewritten_few_times() {
    let strategy = Leveled::new().base_bytes(16 << 10).output_bytes(4 << 10);
    let mut store = Store::without_deletes(7);
    for _ in 0..1_000_000 / 4096 {
        let batch: Vec<_> = (0..4096).map(|_| store.random.next() as u32).collect();
        store.flush(&batch);
        store.settle(&strategy);
    }
    store.check();
    let levels: Vec<_> = Level::all().map(|level| store.version.level_bytes(level)).collect();
    let (written, flushed) = (store.written as f64, store.flushed as f64);
    let amplification = 1.0 + written / flushed;
    println!("levels {levels:?}, write amplification {amplification:.2}, {:?}", store.seen);
    assert!(amplification < 10.0, "{amplification}");
}

#[test]
fn small_flushes_are_gathered_before_they_are_merged_with_much() {
    // A base level of 256 flushes: each would be merged with all that there is.
    let strategy = Leveled::new().base_bytes(256 << 8).output_bytes(64 << 8);
    let mut store = Store::without_deletes(7);
    for _ in 0..128 {
        let batch: Vec<_> = (0..256).map(|_| store.random.next() as u32).collect();
        store.flush(&batch);
        store.settle(&strategy);
        assert!(store.version.runs(Level::ZERO).len() < 4, "{:?}", store.seen);
    }
    store.check();
    let amplification = 1.0 + store.written as f64 / store.flushed as f64;
    println!("write amplification {amplification:.2}, {:?}", store.seen);
    assert!(amplification < 7.0, "{amplification}");
}

#[test]
fn a_million_updates_take_little_more_room_than_their_keys() {
    let strategy = Leveled::new().base_bytes(4 << 10).output_bytes(1 << 10);
    let mut store = Store::without_deletes(8);
    let mut worst = 0.0_f64;
    for turn in 0..1000 {
        let batch: Vec<_> = (0..1024).map(|_| store.random.below(100_000) as u32).collect();
        store.flush(&batch);
        store.settle(&strategy);
        if turn > 500 && turn % 20 == 0 {
            worst = worst.max(store.entries() as f64 / store.readable() as f64);
        }
    }
    store.check();
    let amplification = 1.0 + store.written as f64 / store.flushed as f64;
    println!("space amplification {worst:.3}, write amplification {amplification:.2}");
    assert!(worst < 1.25, "{worst}");
}

#[test]
fn an_empty_version_has_no_job_and_no_debt() {
    let busy = BusySet::default();
    let context = PlanContext { tree: TREE, order: &KeyOrder::Bytes, busy: &busy };
    let version = Version::default();
    assert!(small().choose(&version, &context).is_none());
    assert!(Major::new(lsm_core::FileId::new(9)).choose(&version, &context).is_none());
    assert_eq!(small().debt_bytes(&version), 0);
}

#[test]
fn debt_begins_with_a_job_and_grows_with_what_is_flushed() {
    let (mut store, mut last) = (Store::new(5), 0);
    for runs in 1..12 {
        store.flush(&(0..16).collect::<Vec<_>>());
        let debt = small().debt_bytes(&store.version);
        assert_eq!(debt > 0, runs >= 3, "{debt} of {runs} runs");
        assert!(debt >= last, "{debt} after {last}");
        last = debt;
    }
}

#[test]
fn a_claim_is_refused_to_the_second_and_given_back_by_the_first() {
    let mut store = Store::new(3);
    for _ in 0..4 {
        store.flush(&(0..16).collect::<Vec<_>>());
    }
    let context = PlanContext { tree: TREE, order: &KeyOrder::Bytes, busy: &BusySet::default() };
    let job = small().choose(&store.version, &context).unwrap();
    assert_eq!(job.kind, JobKind::Merge);
    let claim = context.busy.claim(context.order, &job).unwrap();
    assert!(context.busy.claim(context.order, &job).is_none());
    assert_eq!(context.busy.len(), 1);
    assert_eq!(context.busy.files().len(), 4);
    drop(claim);
    assert!(context.busy.is_empty());
    assert!(context.busy.claim(context.order, &job).is_some());
}

/// They are rewritten less, and pass more runs.
#[test]
fn of_large_entries_level_0_has_twice_as_many_runs() {
    let life = |entry_bytes: u64| {
        let strategy = Leveled::new().base_bytes(256 * entry_bytes).output_bytes(64 * entry_bytes);
        let mut store = Store::with_entries_of(entry_bytes as usize);
        let mut runs_max = 0;
        for _ in 0..64 {
            let batch: Vec<u32> = (0..16).map(|_| store.random.next() as u32).collect();
            store.flush(&batch);
            store.settle(&strategy);
            runs_max = runs_max.max(store.version.runs(Level::ZERO).len());
        }
        store.check();
        (runs_max, store.written)
    };
    let (small, large) = (life(511), life(512));
    assert_eq!((small.0, large.0), (3, 7));
    assert!(large.1 * 5 < small.1 * 4, "{large:?} entries written again, and of small ones {small:?}");
}
