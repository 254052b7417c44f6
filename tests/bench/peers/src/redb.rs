//! redb 4: a B-tree, compared for what it is.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};

use crate::engine::{Creation, Done, Engine, Failure, Kind, Settings};

pub const KIND: Kind = Kind {
    name: "redb",
    note: "a B-tree: no memtable, filters, block size or log; a put is a transaction of its own that only a later \
           synced one makes survive anything; one writer at a time",
    syncs: true,
    open,
};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("default");

struct Redb(Database);

fn open(path: &Path, settings: &Settings) -> Result<Box<dyn Engine>, Failure> {
    std::fs::create_dir_all(path)?;
    let cache = usize::try_from(settings.cache_bytes)?;
    let (mut builder, file) = (Database::builder(), path.join("redb"));
    builder.set_cache_size(cache);
    if settings.creation == Creation::Never {
        return Ok(Box::new(Redb(builder.open(file)?)));
    }
    let db = builder.create(file)?;
    let begun = db.begin_write()?;
    begun.open_table(TABLE)?;
    begun.commit()?;
    Ok(Box::new(Redb(db)))
}

impl Redb {
    fn put_as(&self, key: &[u8], value: &[u8], durability: Durability) -> Done {
        let mut begun = self.0.begin_write()?;
        begun.set_durability(durability)?;
        begun.open_table(TABLE)?.insert(key, value)?;
        Ok(begun.commit()?)
    }
}

impl Engine for Redb {
    fn put(&self, key: &[u8], value: &[u8]) -> Done {
        self.put_as(key, value, Durability::None)
    }

    fn put_synced(&self, key: &[u8], value: &[u8]) -> Done {
        self.put_as(key, value, Durability::Immediate)
    }

    fn delete(&self, key: &[u8]) -> Done {
        let mut begun = self.0.begin_write()?;
        begun.set_durability(Durability::None)?;
        begun.open_table(TABLE)?.remove(key)?;
        Ok(begun.commit()?)
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure> {
        let found = self.0.begin_read()?.open_table(TABLE)?.get(key)?;
        Ok(found.is_some_and(|value| {
            look(value.value());
            true
        }))
    }

    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        for item in table.range(from..)?.take(count) {
            let (key, value) = item?;
            look(key.value(), value.value());
        }
        Ok(())
    }

    fn flush(&self) -> Done {
        Ok(self.0.begin_write()?.commit()?)
    }
}
