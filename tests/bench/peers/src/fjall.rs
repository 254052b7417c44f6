//! fjall 3.

use std::path::Path;

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    config::{BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry},
};

use crate::engine::{Done, Engine, Failure, Kind, Settings};

pub const KIND: Kind = Kind {
    name: "fjall",
    note: "no parity; a synced put is an insert and a persist of the journal",
    syncs: true,
    open,
};

struct Fjall {
    db: Database,
    keys: Keyspace,
}

fn open(path: &Path, settings: &Settings) -> Result<Box<dyn Engine>, Failure> {
    let db =
        Database::builder(path).cache_size(settings.cache_bytes).worker_threads(settings.workers).open()?;
    let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(settings.filter_bits));
    let keys = db.keyspace("default", || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(settings.memtable_bytes)
            .data_block_size_policy(BlockSizePolicy::all(settings.block_bytes))
            .data_block_compression_policy(CompressionPolicy::all(fjall::CompressionType::None))
            .filter_policy(FilterPolicy::all(bloom))
    })?;
    Ok(Box::new(Fjall { db, keys }))
}

impl Engine for Fjall {
    fn put(&self, key: &[u8], value: &[u8]) -> Done {
        Ok(self.keys.insert(key, value)?)
    }

    fn put_synced(&self, key: &[u8], value: &[u8]) -> Done {
        self.keys.insert(key, value)?;
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    fn delete(&self, key: &[u8]) -> Done {
        Ok(self.keys.remove(key)?)
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure> {
        let found = self.keys.get(key)?;
        Ok(found.is_some_and(|value| {
            look(&value);
            true
        }))
    }

    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done {
        for guard in self.keys.range(from..).take(count) {
            let (key, value) = guard.into_inner()?;
            look(&key, &value);
        }
        Ok(())
    }

    fn flush(&self) -> Done {
        Ok(self.keys.rotate_memtable_and_wait()?)
    }
}
