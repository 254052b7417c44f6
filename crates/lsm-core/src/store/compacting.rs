//! Compactions: a strategy chooses, a claim keeps others away, a merge rewrites.

use std::sync::{Arc, atomic::Ordering};

use sst_format::{KeyOrder, RangeEntry, SeqNo};

use super::Store;
use crate::{
    Change, Claim, CompactionJob, CompactionStrategy, Edit, Error, FileId, JobInput, JobKind, Major,
    PlanContext, Reason, TableMeta, Tally, TreeId,
    block_cache::Fill,
    job::{JobOutput, MergePlan, run_merge},
    loss::{LossLog, TableLoss},
    merge_cursor::MergeCursor,
    output_cuts::OverlapLimit,
    retention::{Floor, Retention},
    run_cursor::{RunCursor, Tables},
    table_file::Opened,
    tree::Tree,
};

/// A compaction to be run; while it is held, no other takes its tables.
#[derive(Debug)]
pub struct Compaction {
    tree: Arc<Tree>,
    job: CompactionJob,
    claim: Claim,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Of which tree.
    pub tree: TreeId,
    /// Tables that went.
    pub inputs: usize,
    /// Tables made.
    pub outputs: usize,
    /// Bytes of the files it wrote; none for files that only changed their level.
    pub file_bytes: u64,
    /// What became of the entries.
    pub tally: Tally,
}

impl Compaction {
    /// What it does.
    #[must_use]
    pub fn job(&self) -> &CompactionJob {
        &self.job
    }
}

impl Store {
    /// The compaction that some tree needs most by its own rules.
    #[must_use]
    pub fn plan_compaction(&self) -> Option<Compaction> {
        let trees = self.all_trees();
        trees.keys().find_map(|tree| self.plan_with(*tree, &self.options.leveled))
    }

    /// The compaction of one tree that a strategy chooses.
    #[must_use]
    pub fn plan_with(&self, tree: TreeId, strategy: &dyn CompactionStrategy) -> Option<Compaction> {
        let tree = self.tree(tree).ok()?;
        let order = tree.order();
        loop {
            let version = tree.view().version.clone();
            let context = PlanContext { tree: tree.id, order: &order, busy: &self.busy };
            let job = strategy.choose(&version, &context)?;
            // Another thread may have claimed since; then the choice is made again.
            let Some(claim) = self.busy.claim(&order, &job) else { continue };
            // The version may be newer by now; claimed tables stay where they are.
            match job.prove(&tree.view().version, &order) {
                Ok(()) => return Some(Compaction { tree, job, claim }),
                Err(_) if !Arc::ptr_eq(&version, &tree.view().version) => drop(claim),
                Err(unsound) => {
                    log::error!("strategy {} chose a job that must not run: {unsound}", strategy.name());
                    return None;
                }
            }
        }
    }

    /// Runs a compaction: when it returns success, its outputs are durable and named, and reads look there.
    ///
    /// # Errors
    /// If an input cannot be read or the disk refuses; everything is as before. Tables that cannot be read
    /// are left alone until the store is opened again. [`Error::NoTree`] if the tree was dropped meanwhile.
    pub fn run_compaction(
        &self,
        compaction: Compaction,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Compacted, Error> {
        let tree = compaction.tree.id;
        let done = self.compact(compaction, should_stop);
        done.map_err(|error| if self.lives(tree) { error } else { Error::NoTree { tree } })
    }

    fn compact(&self, compaction: Compaction, should_stop: &dyn Fn() -> bool) -> Result<Compacted, Error> {
        let Compaction { tree, job, claim } = compaction;
        let output = match job.kind {
            JobKind::Move => None,
            JobKind::Merge | JobKind::Rewrite => match self.rewrite(&tree, &job, should_stop) {
                Ok(output) if job.reason == Reason::Heal => {
                    // The old file goes only once the new one was seen on the medium.
                    if let Err(error) = self.check_made(tree.id, &output.tables) {
                        self.let_go(&tree, output.tables.into_iter());
                        return Err(error);
                    }
                    Some(output)
                }
                Ok(output) => Some(output),
                Err(error) => {
                    if error.is_damage() && self.lives(tree.id) {
                        // Planned again at once, it would only fail again.
                        std::mem::forget(claim);
                        self.stuck.fetch_add(1, Ordering::Relaxed);
                    }
                    return Err(error);
                }
            },
        };
        let (changes, tables, file_bytes, tally) = match &output {
            None => (job.moves(), Vec::new(), 0, Tally::default()),
            Some(output) => {
                (job.changes(&output.tables), output.tables.clone(), output.file_bytes, output.tally)
            }
        };
        let outputs = tables.len();
        let next = tables.iter().map(|table| Change::NextFile { file: table.id.next() });
        let moved = changes.into_iter().map(|change| Change::Table { tree: tree.id, change });
        let healed = if output.is_some() { self.healed_by(&tree, &job) } else { Vec::new() };
        self.record(&Edit { changes: next.chain(moved).chain(healed).collect() }, &tables)?;
        self.install(&tree, 0);
        if output.is_some() {
            job.inputs.iter().for_each(|input| _ = self.hints.forget(tree.id, input.table.id));
            self.let_go(&tree, job.inputs.iter().map(|input| input.table.clone()));
        }
        drop(claim);
        Ok(Compacted { tree: tree.id, inputs: job.inputs.len(), outputs, file_bytes, tally })
    }

    /// That the hints of what a job replaces are no more.
    fn healed_by(&self, tree: &Tree, job: &CompactionJob) -> Vec<Change> {
        let known = &self.keeper.catalog().hints;
        let hinted = job
            .inputs
            .iter()
            .map(|input| input.table.id)
            .filter(|&file| known.contains_key(&(tree.id, file)));
        hinted.map(|file| Change::Healed { tree: tree.id, file }).collect()
    }

    fn rewrite(
        &self,
        tree: &Tree,
        job: &CompactionJob,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<JobOutput, Error> {
        let order = tree.order();
        let newest = job.inputs.iter().map(|input| input.table.seq_high).max().unwrap_or_default();
        let retention = match job.kind {
            JobKind::Rewrite => Retention::Everything,
            JobKind::Merge | JobKind::Move => Retention::Needed {
                live: self.snapshots.live(newest, || self.publication.visible()),
                floor: Floor::beneath(&order, &tree.view().version, |table| {
                    job.inputs.iter().any(|input| input.table.id == table)
                }),
            },
        };
        let overlap = OverlapLimit::of_tables(job.tables_below(), job.overlap_bytes_max);
        let plan = MergePlan { retention, shape: self.shape(&order, job.output_bytes, overlap) };
        let ranges = self.input_ranges(tree, &job.inputs)?;
        let gaps = LossLog::default();
        let mut inputs = self.input_cursor(tree, &order, &job.inputs, &gaps);
        let stops = || should_stop() || gaps.len() > 0;
        let output = run_merge(&mut inputs, ranges, &plan, &self.job_env(&|| self.new_file(), &stops));
        let Some((_, gap)) = gaps.since(0).pop() else { return output };
        // What was made passed over a gap: nobody may see it in place of the inputs.
        if let Ok(output) = output {
            self.let_go(tree, output.tables.into_iter());
        }
        Err(gap.into())
    }

    /// The inputs' entries in one order.
    fn input_cursor(
        &self,
        tree: &Tree,
        order: &KeyOrder,
        inputs: &[JobInput],
        gaps: &LossLog,
    ) -> MergeCursor<RunCursor> {
        let reader = tree.view().reader.clone();
        let runs = inputs.chunk_by(|a, b| a.place == b.place).map(|run| {
            let tables: Arc<[Arc<TableMeta>]> = run.iter().map(|input| input.table.clone()).collect();
            RunCursor::new(reader.clone(), Tables::List(tables), Fill::Pass, gaps.clone())
        });
        MergeCursor::new(order.clone(), runs.collect())
    }

    /// The inputs' range deletes and loss markers.
    fn input_ranges(&self, tree: &Tree, inputs: &[JobInput]) -> Result<Vec<RangeEntry>, Error> {
        let reader = tree.view().reader.clone();
        let mut ranges = Vec::new();
        for table in
            inputs.iter().map(|input| &input.table).filter(|table| table.range_deletes + table.losses > 0)
        {
            match reader.open(table)? {
                Opened::Table(open) => {
                    let known = open.view().ranges().ok_or_else(|| TableLoss::whole(tree.id, table))?;
                    ranges.extend(
                        known
                            .iter()
                            .filter_map(|range| crate::clip_range(&reader.order, range, &table.bounds)),
                    );
                }
                Opened::Lost(loss) => return Err((*loss).into()),
            }
        }
        Ok(ranges)
    }

    /// The strategy that merges everything a store holds by now, and whether it is done with a tree.
    #[must_use]
    pub fn major(&self) -> Major {
        let upto = FileId::new(self.next_file.load(Ordering::Relaxed));
        Major::new(upto).output_bytes(self.options.table_bytes)
    }

    /// Whether a tree has nothing left that `major` is to merge.
    #[must_use]
    pub fn is_done(&self, tree: TreeId, major: &Major) -> bool {
        let is_done = |tree: Arc<Tree>| major.is_done(&tree.order(), &tree.view().version);
        self.tree(tree).ok().is_none_or(is_done)
    }

    /// How many jobs failed on tables that cannot be read, and keep others from these.
    #[must_use]
    pub fn stuck_jobs(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Whether every tree is as its own rules want it.
    #[must_use]
    pub fn is_compact(&self) -> bool {
        self.busy.is_empty() && self.plan_compaction().is_none()
    }

    /// The oldest snapshot that somebody holds.
    #[must_use]
    pub fn oldest_snapshot(&self) -> Option<SeqNo> {
        self.snapshots.oldest()
    }
}
