//! coordinode-lsm-tree 7, without error correction and with each of its schemes.
//!
//! It is a tree alone: there is no log, and nobody flushes or compacts unless told to, so a thread does here.

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use lsm_tree::{
    AbstractTree as _, AnyTree, Cache, Config, Guard as _, SeqNo, SequenceNumberCounter,
    compaction::{CompactionStrategy, Leveled},
    config::{BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry},
    runtime_config::EccScheme,
};

use crate::engine::{Done, Engine, Failure, Kind, Settings};

const NOTE: &str = "a tree without a log, so its puts survive nothing and cost no log writes; flushed and compacted \
                    by one thread of this bench";

pub const PLAIN: Kind =
    Kind { name: "coordinode", note: NOTE, syncs: false, open: |path, settings| open(path, settings, None) };
pub const SECDED: Kind = Kind {
    name: "coordinode-ecc",
    note: "as coordinode, with SEC-DED of 12.5 % in each block",
    syncs: false,
    open: |path, settings| open(path, settings, Some(EccScheme::Secded)),
};

pub const XOR: Kind = Kind {
    name: "coordinode-xor",
    note: "as coordinode, with one XOR shard for 8, 12.5 %, in each block",
    syncs: false,
    open: |path, settings| open(path, settings, Some(EccScheme::Xor { data_shards: 8 })),
};
pub const RS_4_2: Kind = Kind {
    name: "coordinode-rs4+2",
    note: "as coordinode, with Reed-Solomon of 2 shards for 4, 50 %, in each block",
    syncs: false,
    open: |path, settings| {
        open(path, settings, Some(EccScheme::ReedSolomon { data_shards: 4, parity_shards: 2 }))
    },
};
pub const RS_16_2: Kind = Kind {
    name: "coordinode-rs16+2",
    note: "as coordinode, with Reed-Solomon of 2 shards for 16, 12.5 %, in each block",
    syncs: false,
    open: |path, settings| {
        open(path, settings, Some(EccScheme::ReedSolomon { data_shards: 16, parity_shards: 2 }))
    },
};

/// Memtables that wait to be flushed before writers wait too, as in RocksDB by default.
const SEALED_MAX: usize = 2;
/// The size of the memtable is looked at every so many puts.
const LOOK_EVERY: u64 = 64;

struct Coordinode {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
    memtable_bytes: u64,
    puts: AtomicU64,
}

struct Shared {
    tree: AnyTree,
    seq: SequenceNumberCounter,
    orders: Mutex<Orders>,
    bell: Condvar,
}

#[derive(Default)]
struct Orders {
    is_over: bool,
    has_work: bool,
}

fn open(path: &Path, settings: &Settings, ecc: Option<EccScheme>) -> Result<Box<dyn Engine>, Failure> {
    let seq = SequenceNumberCounter::default();
    let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(settings.filter_bits));
    let mut config = Config::new(path, seq.clone(), SequenceNumberCounter::default())
        .use_cache(Arc::new(Cache::with_capacity_bytes(settings.cache_bytes)))
        .data_block_size_policy(BlockSizePolicy::all(settings.block_bytes))
        .data_block_compression_policy(CompressionPolicy::all(lsm_tree::CompressionType::None))
        .filter_policy(FilterPolicy::all(bloom))
        .compaction_threads(settings.workers);
    if let Some(scheme) = ecc {
        config = config.page_ecc(true).ecc_scheme(scheme);
    }
    let tree = config.open()?;
    seq.set(tree.get_highest_seqno().map_or(1, |seq| seq + 1));
    let shared = Arc::new(Shared { tree, seq, orders: Mutex::default(), bell: Condvar::new() });
    let worker = thread::spawn({
        let shared = shared.clone();
        move || shared.work()
    });
    Ok(Box::new(Coordinode {
        shared,
        worker: Some(worker),
        memtable_bytes: settings.memtable_bytes,
        puts: AtomicU64::new(0),
    }))
}

impl Shared {
    fn work(&self) {
        let strategy: Arc<dyn CompactionStrategy> = Arc::new(Leveled::default());
        loop {
            let mut orders = self.orders.lock().unwrap();
            while !orders.has_work && !orders.is_over {
                orders = self.bell.wait(orders).unwrap();
            }
            if orders.is_over {
                return;
            }
            orders.has_work = false;
            drop(orders);
            let lock = self.tree.get_flush_lock();
            self.tree.flush(&lock, self.seq.get()).unwrap();
            drop(lock);
            self.bell.notify_all();
            self.tree.compact(strategy.clone(), self.seq.get()).unwrap();
        }
    }

    fn order(&self) {
        self.orders.lock().unwrap().has_work = true;
        self.bell.notify_all();
    }
}

impl Coordinode {
    /// Has a memtable that is full flushed; waits where too many are.
    fn rotate_full(&self) {
        let tree = &self.shared.tree;
        if self.puts.fetch_add(1, Relaxed) % LOOK_EVERY == 0
            && tree.active_memtable().size() > self.memtable_bytes
        {
            let mut orders = self.shared.orders.lock().unwrap();
            while tree.sealed_memtable_count() >= SEALED_MAX {
                orders = self.shared.bell.wait(orders).unwrap();
            }
            drop(orders);
            tree.rotate_memtable();
            self.shared.order();
        }
    }
}

impl Engine for Coordinode {
    fn put(&self, key: &[u8], value: &[u8]) -> Done {
        let Shared { tree, seq, .. } = &*self.shared;
        tree.insert(key, value, seq.next());
        self.rotate_full();
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Done {
        self.shared.tree.remove(key, self.shared.seq.next());
        self.rotate_full();
        Ok(())
    }

    fn put_synced(&self, _: &[u8], _: &[u8]) -> Done {
        Err("there is no log".into())
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure> {
        let found = self.shared.tree.get(key, SeqNo::MAX)?;
        Ok(found.is_some_and(|value| {
            look(&value);
            true
        }))
    }

    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done {
        for guard in self.shared.tree.range(from.., SeqNo::MAX, None).take(count) {
            let (key, value) = guard.into_inner()?;
            look(&key, &value);
        }
        Ok(())
    }

    fn flush(&self) -> Done {
        self.shared.tree.flush_active_memtable(self.shared.seq.get())?;
        self.shared.order();
        Ok(())
    }
}

impl Drop for Coordinode {
    fn drop(&mut self) {
        self.shared.orders.lock().unwrap().is_over = true;
        self.shared.bell.notify_all();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}
