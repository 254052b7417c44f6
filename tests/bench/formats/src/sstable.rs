//! Tables of sstable.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::sstable::filter::BloomPolicy;
use ::sstable::{CompressionType, Options, SSIterator, Table, TableBuilder};

use crate::Subject;
use crate::data::{
    BLOCK_BYTES, CACHE_BYTES, Clock, RESTARTS, Result, key, timed_adds, timed_gets, timed_scan, value,
};

pub struct Sstable {
    path: PathBuf,
    /// With blocks kept, and without.
    tables: Option<(Table, Table)>,
}

impl Sstable {
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("sstable"), tables: None }
    }

    fn opened(&self) -> &(Table, Table) {
        self.tables.as_ref().expect("opened before it is read")
    }
}

/// With a cache of its own, in blocks.
fn options(cached: u64) -> Options {
    let options = Options {
        block_size: BLOCK_BYTES.into(),
        block_restart_interval: RESTARTS.into(),
        compression_type: CompressionType::CompressionNone,
        filter_policy: Arc::new(Box::new(BloomPolicy::new(10))),
        ..Options::default()
    };
    options.with_cache_capacity(cached as usize)
}

fn scan(table: &Table) -> Result<Duration> {
    timed_scan(|seen| {
        let mut entries = table.iter();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while entries.advance() {
            entries.current(&mut key, &mut value);
            seen.entry(&key, &value);
        }
        Ok(())
    })
}

impl Subject for Sstable {
    fn name(&self) -> &'static str {
        "sstable"
    }

    fn write(&mut self) -> Result<Duration> {
        self.tables = None;
        let _ = std::fs::remove_file(&self.path);
        let start = Clock::start();
        let file = File::create_new(&self.path)?;
        let mut buffered = BufWriter::with_capacity(u16::MAX.into(), &file);
        let mut writer = TableBuilder::new(options(1), &mut buffered);
        let begun = start.elapsed();
        let added = timed_adds(
            |number| (key(number), value(number)),
            |(key, value)| writer.add(key, value).map_err(Into::into),
        )?;
        let start = Clock::start();
        writer.finish()?;
        drop(buffered);
        file.sync_all()?;
        File::open(self.path.parent().expect("a file in a folder"))?.sync_all()?;
        let ended = start.elapsed();
        let cached = Table::new_from_file(options(CACHE_BYTES / u64::from(BLOCK_BYTES)), &self.path)?;
        self.tables = Some((cached, Table::new_from_file(options(1), &self.path)?));
        Ok(begun + added + ended)
    }

    fn file(&self) -> &Path {
        &self.path
    }

    fn get_cached(&self) -> Result<Duration> {
        timed_gets(|key| Ok(self.opened().0.get(key)?.map(|value| value[0])))
    }

    fn scan_cached(&self) -> Result<Duration> {
        scan(&self.opened().0)
    }

    fn scan_file(&self) -> Result<Duration> {
        scan(&self.opened().1)
    }
}
