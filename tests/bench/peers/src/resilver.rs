//! Resilver, with protection and without.

use std::path::Path;

use resilver::{Db, Durability, Keyspace, Options, Scan, Scheme};

use crate::engine::{Creation, Done, Engine, Failure, Kind, Settings};

pub const ON: Kind = Kind {
    name: "resilver",
    note: "RS 64+4 over tables, the log twice; Bloom filters in level 0, else ribbon: 1 %, of 1 KiB 0.1 % in 10 bits",
    syncs: true,
    open: |path, settings| open(path, settings, Scheme::STANDARD),
};
pub const OFF: Kind = Kind {
    name: "resilver-off",
    note: "page digests alone",
    syncs: true,
    open: |path, settings| open(path, settings, Scheme::ChecksumOnly),
};

struct Resilver {
    keys: Keyspace,
    db: Option<Db>,
}

pub fn options(settings: &Settings, scheme: Scheme) -> Options {
    let creation = match settings.creation {
        Creation::Allowed => resilver::Creation::IfMissing,
        Creation::Never => resilver::Creation::Never,
    };
    Options::new()
        .creation(creation)
        .protection(scheme)
        .cache_bytes(settings.cache_bytes)
        .memtable_bytes(settings.memtable_bytes)
        .block_bytes(settings.block_bytes as usize)
        .compaction_threads(settings.workers)
}

fn open(path: &Path, settings: &Settings, scheme: Scheme) -> Result<Box<dyn Engine>, Failure> {
    let db = options(settings, scheme).open(path)?;
    Ok(Box::new(Resilver { keys: db.default_keyspace(), db: Some(db) }))
}

impl Engine for Resilver {
    fn put(&self, key: &[u8], value: &[u8]) -> Done {
        Ok(self.keys.put(key, value)?)
    }

    fn put_synced(&self, key: &[u8], value: &[u8]) -> Done {
        Ok(self.keys.put_with(key, value, Durability::Synced)?)
    }

    fn delete(&self, key: &[u8]) -> Done {
        Ok(self.keys.delete(key)?)
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure> {
        let found = self.keys.get(key)?;
        Ok(found.is_some_and(|value| {
            look(&value);
            true
        }))
    }

    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done {
        for item in self.keys.scan(Scan::all().from(from.to_vec()))?.take(count) {
            let (key, value) = item?;
            look(&key, &value);
        }
        Ok(())
    }

    fn flush(&self) -> Done {
        self.db.as_ref().map_or(Ok(()), |db| Ok(db.flush()?))
    }
}

impl Drop for Resilver {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.db.take().map(Db::close) {
            eprintln!("resilver did not close: {error}");
        }
    }
}
