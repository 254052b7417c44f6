//! A tree on a disk in memory, laid out as a test wants it.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use lsm_io::{FaultFs, FaultPlan, Fs, MemFs};
use page_ecc::{Scheme, Uid};
use parking_lot::Mutex;
use sst_format::{Entry, KeyOrder, RangeEntry, RangeKind, SeqNo, TableOptions, TableWriter};

use super::{
    layout::{Layout, Part},
    memory::ListMemtable,
};
use crate::{
    FileId, KeyBounds, KeyEnd, Level, RunNo, Sighting, TableChange, TableMeta, TreeId, Version, Witness,
    block_cache::{BlockCache, Fill},
    loss::LossLog,
    names,
    pins::PinBudget,
    read_view::ReadView,
    reader::{ReadEnv, TreeReader},
    run_cursor::{RunCursor, Tables as Run},
    tables::Tables,
};

/// A tree that can be read and damaged.
pub(super) struct World {
    pub(super) fs: FaultFs,
    pub(super) seen: Arc<Seen>,
    pub(super) tables: Vec<Arc<TableMeta>>,
    reader: Arc<TreeReader>,
    memtables: Vec<Arc<ListMemtable>>,
    version: Arc<Version>,
}

/// What the witness heard.
#[derive(Default)]
pub(super) struct Seen(pub(super) Mutex<Vec<Sighting>>);

impl Witness for Seen {
    fn sighted(&self, sighting: &Sighting) {
        self.0.lock().push(sighting.clone());
    }
}

static NEXT_FILE: AtomicU64 = AtomicU64::new(1);

impl World {
    pub(super) fn new(layout: &Layout) -> Self {
        let options = TableOptions::new().block_bytes(256).index_block_bytes(256);
        Self::with_options(layout, &options)
    }

    pub(super) fn with_options(layout: &Layout, options: &TableOptions) -> Self {
        let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(7));
        let seen = Arc::new(Seen::default());
        let memtables = layout.parts[..layout.memtables].iter().map(|part| Arc::new(ListMemtable::new(part)));
        let mut changes = Vec::new();
        for (index, part) in layout.parts[layout.memtables..].iter().enumerate() {
            let (level, run) = match index.checked_sub(layout.flushed) {
                None => (Level::ZERO, RunNo::new((layout.flushed - index) as u64)),
                Some(level) => (Level::new(level as u8 + 1), RunNo::new(0)),
            };
            let mut part = part.clone();
            let mut starts = vec![Vec::new()];
            starts.extend(layout.cuts.iter().cloned());
            for (nth, start) in starts.iter().enumerate() {
                let piece = part.take(start, starts.get(nth + 1).map(|end| &end[..]));
                if !piece.is_empty() {
                    let table = write_table(&fs, &piece, options);
                    changes.push(TableChange::Add { level, run, table });
                }
            }
        }
        let version = Version::default().with(&KeyOrder::Bytes, &changes).unwrap();
        let env = ReadEnv {
            fs: Arc::new(fs.clone()),
            dir: "/".into(),
            tables: Tables::new(4),
            blocks: BlockCache::new(4096),
            pins: Arc::new(PinBudget::new(8 << 10)),
            witness: seen.clone(),
            repair_source: None,
        };
        let reader = TreeReader { env: Arc::new(env), tree: TreeId::new(1), order: KeyOrder::Bytes };
        Self {
            fs,
            seen,
            tables: version.tables().map(|(_, _, table)| table.clone()).collect(),
            reader: Arc::new(reader),
            memtables: memtables.collect(),
            version: Arc::new(version),
        }
    }

    /// With nothing of the tables in memory.
    pub(super) fn view(&self) -> Arc<ReadView<ListMemtable>> {
        let (reader, version) = (self.reader.clone(), self.version.clone());
        Arc::new(ReadView { reader, memtables: self.memtables.clone(), version })
    }

    /// Over every table of a tree with one level, as a job would take them.
    pub(super) fn run_cursor(&self) -> RunCursor {
        let tables = Run::List(self.tables.clone().into());
        RunCursor::new(self.reader.clone(), tables, Fill::Pass, LossLog::default())
    }

    pub(super) fn env(&self) -> &ReadEnv {
        &self.reader.env
    }

    pub(super) fn path_of(table: &TableMeta) -> std::path::PathBuf {
        names::table_path(Path::new("/"), table.id)
    }
}

/// Small tables without parity, so that what is damaged is lost.
pub(super) fn unprotected() -> TableOptions {
    TableOptions::new().block_bytes(512).index_block_bytes(512).scheme(Scheme::ChecksumOnly)
}

fn write_table(fs: &FaultFs, part: &Part, options: &TableOptions) -> Arc<TableMeta> {
    let id = FileId::new(NEXT_FILE.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let mut uid = [9; 16];
    uid[..8].copy_from_slice(&id.get().to_le_bytes());
    let mut writer = TableWriter::new(Uid::new(uid), options.clone()).unwrap();
    let mut bounds: Option<KeyBounds> = None;
    let mut widen = |more: KeyBounds| {
        bounds = Some(bounds.take().map_or(more.clone(), |bounds| bounds.union(&KeyOrder::Bytes, &more)));
    };
    for ((key, seq), (kind, value)) in &part.entries {
        let entry = Entry { key, seq: SeqNo::new(seq.0), kind: *kind, flags: 0, value };
        writer.add(entry).unwrap();
        widen(KeyBounds::closed(key.clone(), key.clone()));
    }
    for (start, end, seq) in &part.deletes {
        writer.add_range(RangeEntry::delete(start.clone(), end.clone(), SeqNo::new(*seq))).unwrap();
        let bounds = KeyBounds::closed(start.clone(), end.clone());
        widen(KeyBounds { end: KeyEnd::Excluded, ..bounds });
    }
    for (start, end, [low, high]) in &part.losses {
        let delete = RangeEntry::delete(start.clone(), end.clone(), SeqNo::new(*high));
        let marker = RangeEntry { kind: RangeKind::Loss, seq_low: SeqNo::new(*low), ..delete };
        writer.add_range(marker).unwrap();
        let bounds = KeyBounds::closed(start.clone(), end.clone());
        widen(KeyBounds { end: KeyEnd::Excluded, ..bounds });
    }
    let written = writer.finish().unwrap();
    let descriptor = written.image.descriptor().clone();
    let meta = TableMeta::new(id, descriptor, bounds.unwrap(), &written.properties);
    let file = fs.create(&World::path_of(&meta)).unwrap();
    file.append(written.image.as_bytes()).unwrap();
    Arc::new(meta)
}
