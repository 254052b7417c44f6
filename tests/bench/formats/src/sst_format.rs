//! Tables of this project.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::mem::take;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::sst_format::{
    BlockAddr, Cursor, Entry, FalsePositiveRate, FilterPolicy, MemoryTable, RawBlock, ReadOptions, SeqNo,
    SpareMemory, Step, TableBlock, TableOptions, TableView, TableWriter,
};
use page_ecc::{PAGE_LEN, Uid};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::Subject;
use crate::data::{
    BLOCK_BYTES, CACHE_BYTES, Clock, RESTARTS, Result, key, timed_adds, timed_gets, timed_scan, value,
};

/// Bytes written at a time: whole pages that the cache still has.
const WRITTEN_BYTES: usize = 128 << 10;

pub struct SstFormat {
    path: PathBuf,
    table: Option<Opened>,
    /// What the table before was made in, as one who writes many keeps it.
    spare: SpareMemory,
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
        Self { path: dir.join("sst-format"), table: None, spare: SpareMemory::default() }
    }

    fn opened(&self) -> &Opened {
        self.table.as_ref().expect("opened before it is read")
    }

    fn write_with(&mut self, filter: FilterPolicy) -> Result<Duration> {
        self.table = None;
        let _ = std::fs::remove_file(&self.path);
        let start = Clock::start();
        let options = TableOptions::new()
            .block_bytes(BLOCK_BYTES.into())
            .restart_interval(RESTARTS.into())
            .filter(Some(filter))
            .expected_bytes(130 << 20);
        let mut writer = TableWriter::new(Uid::new([7; 16]), options)?.reusing(take(&mut self.spare));
        let mut file = File::create_new(&self.path)?;
        // The first page is written last.
        let mut written_to = file.seek(SeekFrom::Start(PAGE_LEN as u64))? as usize;
        let begun = start.elapsed();
        let added = timed_adds(
            |number| (key(number), value(number), SeqNo::new(number + 1)),
            |(key, value, seq)| {
                writer.add(Entry::put(key, *seq, value))?;
                let unwritten = &writer.finished_blocks()[written_to - PAGE_LEN..];
                if let Some(piece) = unwritten.first_chunk::<WRITTEN_BYTES>() {
                    file.write_all(piece)?;
                    written_to += piece.len();
                }
                Ok(())
            },
        )?;
        let start = Clock::start();
        let (written, spare) = writer.finish_sparing()?;
        file.write_all(&written.image.as_bytes()[written_to..])?;
        file.write_all_at(&written.image.as_bytes()[..PAGE_LEN], 0)?;
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
        self.spare = spare.image(written.image.into_bytes());
        Ok(begun + added + ended)
    }
}

impl Subject for SstFormat {
    fn name(&self) -> &'static str {
        "sst-format"
    }

    fn write(&mut self) -> Result<Duration> {
        self.write_with(FilterPolicy::default())
    }

    fn write_with_bloom(&mut self) -> Result<Duration> {
        self.write_with(FilterPolicy::Bloom(FalsePositiveRate::default()))
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
