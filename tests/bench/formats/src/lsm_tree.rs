//! Tables of lsm-tree, by its own writer and reader of one table, without the tree around them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::lsm_tree::config::BloomConstructionPolicy;
use ::lsm_tree::table::Writer;
use ::lsm_tree::table::filter::standard_bloom::Builder;
use ::lsm_tree::{Cache, CompressionType, InternalValue, SeqNo, Table, ValueType};

use crate::Subject;
use crate::data::{
    BLOCK_BYTES, CACHE_BYTES, Clock, RESTARTS, Result, key, timed_adds, timed_gets, timed_scan, value,
};

pub struct LsmTree {
    path: PathBuf,
    table: Option<Table>,
}

impl LsmTree {
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("lsm-tree"), table: None }
    }

    fn opened(&self) -> &Table {
        self.table.as_ref().expect("opened before it is read")
    }
}

impl Subject for LsmTree {
    fn name(&self) -> &'static str {
        "lsm-tree"
    }

    fn write(&mut self) -> Result<Duration> {
        self.table = None;
        let _ = std::fs::remove_file(&self.path);
        let start = Clock::start();
        let mut writer = Writer::new(self.path.clone(), 0, 0)?
            .use_data_block_size(BLOCK_BYTES.into())
            .use_data_block_restart_interval(RESTARTS)
            .use_data_block_compression(CompressionType::None)
            .use_bloom_policy(BloomConstructionPolicy::FalsePositiveRate(0.01));
        let begun = start.elapsed();
        let added = timed_adds(
            |number| {
                let (key, value) = (key(number), value(number));
                Some(InternalValue::from_components(key, value, number + 1, ValueType::Value))
            },
            |item| item.take().map_or(Ok(()), |item| Ok(writer.write(item)?)),
        )?;
        let start = Clock::start();
        let (_, checksum) = writer.finish()?.ok_or("no table was written")?;
        let ended = start.elapsed();
        let cache = Arc::new(Cache::with_capacity_bytes(CACHE_BYTES));
        self.table = Some(Table::recover(self.path.clone(), checksum, 0, 0, cache, None, true, true)?);
        Ok(begun + added + ended)
    }

    fn file(&self) -> &Path {
        &self.path
    }

    fn get_cached(&self) -> Result<Duration> {
        let table = self.opened();
        timed_gets(|key| {
            let found = table.get(key, SeqNo::MAX, Builder::get_hash(key))?;
            Ok(found.map(|found| found.value[0]))
        })
    }

    fn scan_cached(&self) -> Result<Duration> {
        timed_scan(|seen| {
            for item in self.opened().iter() {
                let item = item?;
                seen.entry(&item.key.user_key, &item.value);
            }
            Ok(())
        })
    }

    fn scan_file(&self) -> Result<Duration> {
        timed_scan(|seen| {
            for item in self.opened().scan()? {
                let item = item?;
                seen.entry(&item.key.user_key, &item.value);
            }
            Ok(())
        })
    }
}
