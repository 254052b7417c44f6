//! Tables of this project.

use std::fs::File;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::sst_format::{
    BlockAddr, Cursor, Entry, MemoryTable, RawBlock, ReadOptions, SeqNo, Step, TableBlock, TableOptions,
    TableView, TableWriter,
};
use page_ecc::Uid;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::Subject;
use crate::data::{
    BLOCK_BYTES, CACHE_BYTES, Clock, RESTARTS, Result, key, timed_adds, timed_gets, timed_scan, value,
};

pub struct SstFormat {
    path: PathBuf,
    table: Option<Opened>,
}

struct Opened {
    view: TableView,
    file: File,
    /// Where the body begins in it.
    body_at: u64,
    /// Where data blocks end and index blocks begin.
    data_end: u64,
    /// Index blocks under the top, by offset.
    index: FxHashMap<u64, TableBlock>,
    cache: Cache<(u64, u64), TableBlock, ByBytes, FxBuildHasher>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<(u64, u64), TableBlock> for ByBytes {
    fn weight(&self, _: &(u64, u64), block: &TableBlock) -> u64 {
        block.len() as u64
    }
}

impl SstFormat {
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("sst-format"), table: None }
    }

    fn opened(&self) -> &Opened {
        self.table.as_ref().expect("opened before it is read")
    }
}

impl Subject for SstFormat {
    fn name(&self) -> &'static str {
        "sst-format"
    }

    fn write(&mut self) -> Result<Duration> {
        self.table = None;
        let _ = std::fs::remove_file(&self.path);
        let start = Clock::start();
        let options = TableOptions::new()
            .block_bytes(BLOCK_BYTES.into())
            .restart_interval(RESTARTS.into())
            .expected_bytes(130 << 20);
        let mut writer = TableWriter::new(Uid::new([7; 16]), options)?;
        let begun = start.elapsed();
        let added = timed_adds(
            |number| (key(number), value(number), SeqNo::new(number + 1)),
            |(key, value, seq)| Ok(writer.add(Entry::put(&key, seq, &value))?),
        )?;
        let start = Clock::start();
        let written = writer.finish()?;
        let mut file = File::create_new(&self.path)?;
        file.write_all(written.image.as_bytes())?;
        file.sync_all()?;
        File::open(self.path.parent().expect("a file in a folder"))?.sync_all()?;
        let ended = start.elapsed();
        let image = &written.image;
        let body_at = (image.body().as_ptr() as usize - image.as_bytes().as_ptr() as usize) as u64;
        let view = MemoryTable::open(image, ReadOptions::new())?.view().clone();
        let options = quick_cache::OptionsBuilder::new()
            .weight_capacity(CACHE_BYTES)
            .hot_allocation(0.8)
            .estimated_items_capacity(10_000)
            .build()?;
        let cache = Cache::with_options(options, ByBytes, FxBuildHasher, DefaultLifecycle::default());
        let mut table = Opened {
            view,
            file: File::open(&self.path)?,
            body_at,
            data_end: written.properties.data_bytes,
            index: FxHashMap::default(),
            cache,
        };
        table.index = table.read_index()?;
        self.table = Some(table);
        Ok(begun + added + ended)
    }

    fn file(&self) -> &Path {
        &self.path
    }

    fn get_cached(&self) -> Result<Duration> {
        let table = self.opened();
        timed_gets(|key| {
            let mut find = table.view.find(key, SeqNo::MAX)?;
            while let Step::Read(addr) = find.step() {
                if let Some(block) = table.pinned(addr) {
                    find.supply(block)?;
                    continue;
                }
                let block = table.cached(addr)?;
                if let Some(entry) = find.supply(&block)? {
                    return Ok(block.share(entry.value).map(|value| value[0]));
                }
            }
            Ok(None)
        })
    }

    fn scan_cached(&self) -> Result<Duration> {
        self.opened().scan(|table, addr| table.cached(addr))
    }

    fn scan_file(&self) -> Result<Duration> {
        self.opened().scan(Opened::proven)
    }
}

impl Opened {
    fn proven(&self, addr: BlockAddr) -> Result<TableBlock> {
        let mut bytes = vec![0; addr.span.len as usize];
        self.file.read_exact_at(&mut bytes, self.body_at + addr.span.offset)?;
        Ok(self.view.admit(addr, RawBlock::new(bytes))?)
    }

    fn pinned(&self, addr: BlockAddr) -> Option<&TableBlock> {
        if addr.span.offset < self.data_end { None } else { self.index.get(&addr.span.offset) }
    }

    /// What lies between the top of the index and the data.
    fn read_index(&self) -> Result<FxHashMap<u64, TableBlock>> {
        let mut index = FxHashMap::default();
        let mut cursor = self.view.cursor();
        cursor.seek_first()?;
        while let Step::Read(addr) = cursor.step() {
            if addr.span.offset >= self.data_end {
                let block = self.proven(addr)?;
                cursor.supply(&block)?;
                index.insert(addr.span.offset, block);
            } else {
                cursor.pass_over()?;
            }
        }
        Ok(index)
    }

    fn cached(&self, addr: BlockAddr) -> Result<TableBlock> {
        let key = (0, addr.span.offset);
        if let Some(block) = self.cache.get(&key) {
            return Ok(block);
        }
        let block = self.proven(addr)?;
        self.cache.insert(key, block.clone());
        Ok(block)
    }

    fn scan(&self, block: impl Fn(&Self, BlockAddr) -> Result<TableBlock>) -> Result<Duration> {
        timed_scan(|seen| {
            let mut cursor = self.view.cursor();
            cursor.seek_first()?;
            self.drive(&mut cursor, &block)?;
            while let Some(entry) = cursor.entry()? {
                seen.entry(entry.key, entry.value);
                cursor.move_next()?;
                self.drive(&mut cursor, &block)?;
            }
            Ok(())
        })
    }

    fn drive<V: Deref<Target = TableView>>(
        &self,
        cursor: &mut Cursor<V>,
        block: impl Fn(&Self, BlockAddr) -> Result<TableBlock>,
    ) -> Result<()> {
        loop {
            match cursor.step() {
                Step::Read(addr) => match self.pinned(addr) {
                    Some(block) => cursor.supply(block)?,
                    None => cursor.supply(&block(self, addr)?)?,
                },
                Step::Lost(at) => return Err(format!("lost: {at:?}").into()),
                Step::Ready => return Ok(()),
            }
        }
    }
}
