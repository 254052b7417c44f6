//! Compactions: a strategy chooses, a claim keeps others away, a merge rewrites.

use std::sync::{Arc, atomic::Ordering};

use sst_format::SeqNo;

use super::{Store, rewriting::Rewritten, sweeping::Trace};
use crate::{
    Change, Claim, CompactionJob, CompactionStrategy, Crew, Edit, Error, FileId, JobKind, Major, PlanContext,
    Reason, Tally, TreeId, acceptance::Acceptance, tree::Tree,
};

/// A compaction to be run; while it is held, no other takes its tables.
#[derive(Debug)]
pub struct Compaction {
    pub(super) tree: Arc<Tree>,
    pub(super) job: CompactionJob,
    pub(super) claim: Claim,
    /// What of the inputs was given up.
    pub(super) accepted: Acceptance,
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
    /// Tables among those that went of which something was lost: loss markers stand for it, and their files are in
    /// quarantine.
    pub damaged: usize,
    /// Pieces it was merged in, side by side if there were hands for them; none if nothing was merged.
    pub pieces: usize,
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
                Ok(()) => {
                    return Some(Compaction { tree, job, claim, accepted: Acceptance::default() });
                }
                Err(_) if !Arc::ptr_eq(&version, &tree.view().version) => drop(claim),
                Err(unsound) => {
                    log::error!("strategy {} chose a job that must not run: {unsound}", strategy.name());
                    return None;
                }
            }
        }
    }

    /// Runs a compaction: when it returns success, its outputs are durable and named, and reads look there. A large
    /// one is divided by key, and the crew runs its pieces; either all of it takes effect, in one edit, or nothing.
    ///
    /// # Errors
    /// If the disk refuses, or an input needs a newer release; everything is as before. What is lost of an input is
    /// no error. [`Error::NoTree`] if the tree was dropped meanwhile.
    pub fn run_compaction(
        &self,
        compaction: Compaction,
        crew: &dyn Crew,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Compacted, Error> {
        let tree = compaction.tree.id;
        let done = self.compact(compaction, crew, should_stop);
        done.map_err(|error| if self.lives(tree) { error } else { Error::NoTree { tree } })
    }

    fn compact(
        &self,
        compaction: Compaction,
        crew: &dyn Crew,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Compacted, Error> {
        let Compaction { tree, job, claim, accepted } = compaction;
        let _term = self.begin_term();
        let rewritten = match job.kind {
            JobKind::Move => None,
            JobKind::Merge | JobKind::Rewrite => {
                match self.rewrite(&tree, &job, &accepted, crew, should_stop) {
                    Ok(rewritten) => {
                        if let Err(error) = self.check_rewritten(&tree, &job, &rewritten) {
                            self.let_go(&tree, rewritten.output.tables.into_iter(), Trace::Left);
                            return Err(error);
                        }
                        Some(rewritten)
                    }
                    Err(error) => {
                        if error.is_damage() && self.lives(tree.id) {
                            // Planned again at once, it would only fail again.
                            std::mem::forget(claim);
                            self.stuck.fetch_add(1, Ordering::Relaxed);
                        }
                        return Err(error);
                    }
                }
            }
        };
        let damaged = rewritten.as_ref().map_or(0, |rewritten| rewritten.damaged.len());
        let pieces = rewritten.as_ref().map_or(0, |rewritten| rewritten.pieces);
        let output = rewritten.map(|rewritten| rewritten.output);
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
        if output.is_some() {
            job.inputs.iter().for_each(|input| _ = self.hints.forget(tree.id, input.table.id));
            // Before the next job may take the outputs, so that its own say which tables went before.
            let trace = if outputs > 0 { Trace::Left } else { Trace::None };
            let mut oldest_first = job.inputs.clone();
            oldest_first.sort_by_key(|input| std::cmp::Reverse(input.place));
            self.let_go(&tree, oldest_first.into_iter().map(|input| input.table), trace);
        }
        self.install(&tree, 0);
        drop(claim);
        Ok(Compacted { tree: tree.id, inputs: job.inputs.len(), outputs, damaged, pieces, file_bytes, tally })
    }

    /// The last things before outputs take the place of their inputs: a table that was healed is looked at on the
    /// medium, and what is damaged goes into quarantine.
    fn check_rewritten(
        &self,
        tree: &Tree,
        job: &CompactionJob,
        Rewritten { output, damaged, .. }: &Rewritten,
    ) -> Result<(), Error> {
        if matches!(job.reason, Reason::Heal | Reason::Accepted) {
            self.check_made(tree.id, &output.tables)?;
        }
        self.quarantine(damaged)
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
