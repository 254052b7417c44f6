//! The store: trees over one manifest, with one sequence, one cache and one worker.
//!
//! It starts no thread and keeps no log. Whoever does both passes writes through here in this order: enter,
//! log, [`apply`](Store::apply), [`publish`](Store::publish); and runs the jobs that the plans name.
//!
//! **Locks**, outermost first: `naming` (keyspaces come and go one at a time) → `flushing` (one flush, or the part of a checkpoint that must not meet one) →
//! `gate` (shared by a write from the log to its publication; alone to seal) → `installing` (a
//! version goes from the manifest to its tree) → the manifest's own → a tree's sealed list. None but `naming`,
//! `flushing` and the manifest's is held over I/O.

mod accepting;
mod checkpoint;
mod compacting;
mod debt;
mod filling;
mod flushing;
mod healing;
mod keeper;
mod key_iter;
mod keyspaces;
mod losses;
mod options;
pub(crate) mod quarantine;
mod replaying;
mod rewriting;
mod stats;
mod sweeping;
mod terms;
mod writing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use lsm_io::EpochWorker;
use parking_lot::{Mutex, RwLock};
use sst_format::{SeqNo, SpareMemory};

use self::sweeping::Obsolete;
pub use self::{
    accepting::{AcceptStep, Accepting},
    checkpoint::{Checkpoint, Checkpointed, Copying},
    compacting::{Compacted, Compaction},
    filling::{Fill, FillRange},
    flushing::{FlushJob, Flushed},
    healing::{Healed, Healing, StoredTable},
    keeper::Keeper,
    key_iter::{KeyIter, KeyRange, KeyValue},
    losses::KnownLoss,
    options::StoreOptions,
    replaying::Backlog,
    stats::{LevelStats, StoreStats, TreeStats},
    writing::Pass,
};
use crate::{
    BusySet, DeletionPause, Error, FileId, HealHints, Publication, Snapshot, Snapshots, TreeId, Visible,
    block_cache::BlockCache,
    iter::Iter,
    pins::PinBudget,
    reader::{ReadEnv, TreeReader},
    spare_memory::SpareMemories,
    table_sink::NewFile,
    tables::Tables,
    tree::Tree,
    watch::Watch,
};

/// Trees over one manifest.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
    read: Arc<ReadEnv>,
    worker: Arc<EpochWorker>,
    spare: Arc<SpareMemories>,
    keeper: Keeper,
    trees: ArcSwap<BTreeMap<TreeId, Arc<Tree>>>,
    publication: Publication,
    snapshots: Snapshots,
    busy: BusySet,
    pause: DeletionPause<Obsolete>,
    obsolete: Mutex<Vec<Obsolete>>,
    /// Tables that were there when the store was opened, and that nothing names.
    unnamed: Mutex<BTreeSet<FileId>>,
    /// Tables that are being removed.
    leaving: Mutex<BTreeSet<FileId>>,
    next_file: AtomicU64,
    terms: terms::Terms,
    gate: RwLock<()>,
    flushing: Mutex<()>,
    installing: Mutex<()>,
    /// Jobs that failed on damage and keep their claims.
    stuck: AtomicUsize,
    /// Held by whoever begins or ends a keyspace.
    naming: Mutex<()>,
    hints: HealHints,
    /// Whether files may have gone into quarantine since somebody looked how many those are.
    has_kept: AtomicBool,
    watch: Arc<Watch>,
    /// The last sequence number that was handed out when the gate was last held alone.
    gated: AtomicU64,
}

impl Store {
    /// The store a catalog tells of: everything in its tables is published, nothing else is there yet.
    #[must_use]
    pub fn new(options: StoreOptions, worker: Arc<EpochWorker>, keeper: Keeper) -> Self {
        let hints = HealHints::new();
        let watch = Arc::new(Watch::new(hints.clone(), options.waker.clone(), options.witness.clone()));
        let read = Arc::new(ReadEnv {
            fs: options.fs.clone(),
            dir: options.dir.clone(),
            tables: Tables::new(options.open_files),
            blocks: BlockCache::new(options.cache_bytes),
            pins: Arc::new(PinBudget::new(options.pinned_bytes)),
            witness: watch.clone(),
            repair_source: options.repair_source.clone(),
        });
        let catalog = keeper.catalog();
        for (&(tree, file), pages) in &catalog.hints {
            hints.remember(tree, file, pages);
        }
        let visible = catalog.seq_high();
        let trees = catalog.trees.iter().map(|(&tree, state)| {
            let reader = TreeReader { env: read.clone(), tree, order: state.order.clone() };
            (tree, Arc::new(Tree::new(reader, state.name.clone(), state.version.clone())))
        });
        Self {
            trees: ArcSwap::from_pointee(trees.collect()),
            next_file: AtomicU64::new(catalog.next_file.get()),
            terms: terms::Terms::default(),
            read,
            worker,
            spare: Arc::default(),
            keeper,
            publication: Publication::new(visible),
            snapshots: Snapshots::default(),
            busy: BusySet::default(),
            pause: DeletionPause::new(options.waker.clone()),
            obsolete: Mutex::default(),
            unnamed: Mutex::default(),
            leaving: Mutex::default(),
            gate: RwLock::default(),
            flushing: Mutex::default(),
            installing: Mutex::default(),
            stuck: AtomicUsize::new(0),
            gated: AtomicU64::new(visible.get()),
            naming: Mutex::default(),
            hints,
            has_kept: AtomicBool::new(true),
            watch,
            options,
        }
    }

    /// What lasts of it.
    #[must_use]
    pub fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Opens every table and holds it open, so that reads go on whatever becomes of the names of the files:
    /// for a store that somebody else writes to. Says which tables are gone.
    ///
    /// # Errors
    /// If the disk refuses, or a newer release or another key is needed.
    pub fn hold_tables(&self) -> Result<Vec<FileId>, Error> {
        let mut gone = Vec::new();
        for tree in self.all_trees().values() {
            let view = tree.view();
            for (_, _, table) in view.version.tables() {
                if !self.read.tables.hold(&view.reader, table)? {
                    gone.push(table.id);
                }
            }
        }
        Ok(gone)
    }

    /// The newest sequence number that reads see.
    #[must_use]
    pub fn visible(&self) -> SeqNo {
        self.publication.visible()
    }

    /// A moment that stays readable for as long as it is held.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.take(|| self.publication.visible())
    }

    /// The value of a key, as of a snapshot or now.
    ///
    /// # Errors
    /// If there is no such tree, the answer depends on lost bytes, or the disk refuses.
    pub fn get(&self, tree: TreeId, key: &[u8], at: Option<&Snapshot>) -> Result<Option<Visible>, Error> {
        // The view first, the moment afterwards: what the view has let go of is not seen at that moment.
        let trees = self.trees.load();
        let view = trees.get(&tree).ok_or_else(|| Error::NoTree { tree })?.glance();
        let seq = at.map_or_else(|| self.publication.visible(), Snapshot::seq);
        view.get(key, seq)
    }

    /// The values of many keys, in the order they are asked for, all as of one moment: a snapshot, or now. Keys of
    /// one table and of one block are looked up together.
    ///
    /// # Errors
    /// If there is no such tree. Each answer may be an error of its own, as that of [`get`](Self::get).
    pub fn multi_get(
        &self,
        tree: TreeId,
        keys: &[&[u8]],
        at: Option<&Snapshot>,
    ) -> Result<Vec<Result<Option<Visible>, Error>>, Error> {
        let view = self.tree(tree)?.view();
        let seq = at.map_or_else(|| self.publication.visible(), Snapshot::seq);
        Ok(view.multi_get(keys, seq))
    }

    /// A place among the keys of a tree, as of a snapshot or now.
    ///
    /// # Errors
    /// If there is no such tree, or the disk refuses.
    pub fn iter(&self, tree: TreeId, range: KeyRange, at: Option<&Snapshot>) -> Result<KeyIter, Error> {
        let view = self.tree(tree)?.view();
        let seq = at.map_or_else(|| self.publication.visible(), Snapshot::seq);
        Ok(KeyIter::new(Iter::new(view, range.at(seq))?))
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        &self.options.dir
    }

    /// 128 random bits, new each time.
    #[must_use]
    pub fn new_uid(&self) -> page_ecc::Uid {
        (self.options.new_uid)()
    }

    fn tree(&self, tree: TreeId) -> Result<Arc<Tree>, Error> {
        self.trees.load().get(&tree).cloned().ok_or_else(|| Error::NoTree { tree })
    }

    fn all_trees(&self) -> Arc<BTreeMap<TreeId, Arc<Tree>>> {
        self.trees.load_full()
    }

    /// Lets go of memory that jobs would use again, if there was none for `rest`. Cheap when there is nothing.
    pub fn let_go_of_memory(&self, rest: Duration) {
        if let Some(before) = Instant::now().checked_sub(rest) {
            self.spare.let_go(before);
        }
    }

    fn new_file(&self) -> NewFile {
        let id = FileId::new(self.next_file.fetch_add(1, Ordering::Relaxed));
        NewFile { id, uid: (self.options.new_uid)(), key: None, memory: SpareMemory::default() }
    }
}
