//! Flushes: sealed memtables become tables, and the log may forget them.
//!
//! One flush runs at a time, so the older memtables of a tree are always in its tables before the newer ones.

use std::sync::Arc;

use parking_lot::MutexGuard;
use sst_format::SeqNo;

use super::Store;
use crate::{
    Error, FileId, Level, Place, RunNo, TreeId,
    acceptance::Acceptance,
    flush::{flush_edit, flush_retention},
    job::{JobEnv, JobOutput, MergePlan, run_merge},
    mem_source::MemSource as _,
    merge_cursor::MergeCursor,
    output_cuts::OverlapLimit,
    pedigree::{Birth, Census, Kin, MadeBy},
    table_sink::OutputShape,
    tree::{SealedPart, Tree},
};

/// Bytes of sealed memtables that one flush merges, unless a single one has more.
const FLUSH_BYTES_MAX: u64 = 256 << 20;

/// A flush to be run; while one is held, no other is planned.
#[derive(Debug)]
pub struct FlushJob<'a> {
    _alone: MutexGuard<'a, ()>,
    tree: Arc<Tree>,
    part: SealedPart,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Of which tree.
    pub tree: TreeId,
    /// Everything of the tree up to this is in its tables.
    pub upto: SeqNo,
    /// Tables made.
    pub tables: usize,
    /// Bytes of their files.
    pub file_bytes: u64,
}

impl FlushJob<'_> {
    /// What the log must hold durably before the flush is [run](Store::run_flush): a table must not outlive a
    /// power cut that what came before it does not.
    #[must_use]
    pub fn upto(&self) -> SeqNo {
        self.part.upto
    }

    /// Bytes of the memtables that it makes tables of.
    #[must_use]
    pub fn memtable_bytes(&self) -> u64 {
        self.part.memtables.iter().map(|memtable| memtable.bytes()).sum()
    }
}

impl Store {
    /// The flush of the oldest sealed memtables, once no other runs; none if nothing is sealed.
    #[must_use]
    pub fn plan_flush(&self) -> Option<FlushJob<'_>> {
        let alone = self.flushing.lock();
        let parts = self.all_trees();
        let parts =
            parts.values().filter_map(|tree| Some((tree, tree.sealed_part(FLUSH_BYTES_MAX, SeqNo::MAX)?)));
        let (tree, part) = parts.min_by_key(|(_, part)| part.upto)?;
        Some(FlushJob { _alone: alone, tree: tree.clone(), part })
    }

    /// Runs a flush: when it returns success, the tables are durable and named, and reads look there.
    ///
    /// # Errors
    /// If the disk refuses; everything is as before, and the flush can be planned again.
    pub fn run_flush(
        &self,
        job: FlushJob<'_>,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Flushed, Error> {
        self.flush(&job.tree, &job.part, should_stop)
    }

    /// Flushes everything that was sealed up to `upto`, one tree after the other, and nothing that writers sealed
    /// since. The caller holds `flushing`.
    pub(super) fn flush_sealed(&self, _alone: &MutexGuard<'_, ()>, upto: SeqNo) -> Result<(), Error> {
        for tree in self.all_trees().values() {
            while let Some(part) = tree.sealed_part(FLUSH_BYTES_MAX, upto) {
                self.flush(tree, &part, &|| false)?;
            }
        }
        Ok(())
    }

    fn flush(
        &self,
        tree: &Tree,
        part: &SealedPart,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Flushed, Error> {
        let _term = self.begin_term();
        let output = self.merge_memtables(tree, part, should_stop)?;
        let run = RunNo::new(part.upto.get());
        let edit = flush_edit(tree.id, run, &output, part.upto);
        self.record(&edit, &output.tables)?;
        self.install(tree, part.memtables.len());
        Ok(Flushed {
            tree: tree.id,
            upto: part.upto,
            tables: output.tables.len(),
            file_bytes: output.file_bytes,
        })
    }

    fn merge_memtables(
        &self,
        tree: &Tree,
        part: &SealedPart,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<JobOutput, Error> {
        let (order, view) = (tree.order(), tree.view());
        let live = self.snapshots.live(part.upto, || self.publication.visible());
        let retention = flush_retention(&order, &view.version, live);
        let overlap = OverlapLimit::NONE;
        let place = Place { level: Level::ZERO, run: RunNo::new(part.upto.get()) };
        let birth = self.birth(tree, MadeBy::Flush, place, part.upto, Vec::new());
        let shape = self.shape(&order, self.options.table_bytes, overlap, birth);
        let plan = MergePlan { retention, shape, accepted: Acceptance::default() };
        let ranges = part.memtables.iter().flat_map(|memtable| memtable.range_deletes(SeqNo::MAX)).collect();
        let cursors = part.memtables.iter().map(|memtable| memtable.cursor()).collect();
        run_merge(
            &mut MergeCursor::new(order, cursors),
            ranges,
            &plan,
            &self.job_env(&|| self.new_file(), should_stop),
        )
    }

    pub(super) fn shape(
        &self,
        order: &sst_format::KeyOrder,
        body_bytes: u64,
        overlap: OverlapLimit,
        birth: Birth,
    ) -> OutputShape {
        let expected = usize::try_from(body_bytes.min(self.options.table_bytes)).unwrap_or(0);
        let mut options = self.options.tables.clone().order(order.clone()).created_at((self.options.now)());
        if birth.place.level == Level::ZERO {
            // Each read of a key asks all runs of level 0, and they are soon gone.
            options = options.short_lived();
        }
        let (order, birth) = (order.clone(), Some(birth));
        OutputShape { options: options.expected_bytes(expected), order, body_bytes, overlap, birth }
    }

    /// What the outputs of a job say of themselves.
    pub(super) fn birth(
        &self,
        tree: &Tree,
        made_by: MadeBy,
        place: Place,
        flushed: SeqNo,
        inputs: Vec<FileId>,
    ) -> Birth {
        let living = self.living();
        let catalog = self.keeper.catalog();
        let (gone, census) = (self.gone(), Census::of(&catalog));
        let kin = Kin { keyspace: tree.name.clone(), inputs, gone, census, living };
        let (origin, store, tree) = (catalog.origin(), catalog.store, tree.id);
        Birth { origin, store, tree, place, flushed, made_by, kin }
    }

    pub(super) fn job_env<'a>(
        &'a self,
        new_file: &'a (dyn Fn() -> crate::table_sink::NewFile + Sync),
        should_stop: &'a (dyn Fn() -> bool + Sync),
    ) -> JobEnv<'a> {
        let (fs, dir) = (self.read.fs.clone(), &*self.read.dir);
        JobEnv { fs, dir, worker: &self.worker, spare: &self.spare, new_file, should_stop }
    }

    /// Shows reads the version that the manifest has by now.
    pub(super) fn install(&self, tree: &Tree, flushed: usize) {
        // A flush and a merge may end at once: whoever shows its version last must have read the newest.
        let _one_at_a_time = self.installing.lock();
        // A tree that was dropped meanwhile keeps its last version for those who still read it.
        if let Some(state) = self.keeper.catalog().trees.get(&tree.id) {
            tree.install(state.version.clone(), flushed);
        }
    }
}
