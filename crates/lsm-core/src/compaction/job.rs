//! A job as a value: what goes in, where it comes out, what may be left out on the way.
//!
//! Invariant: `older` names every table that may hold an older version of something in the job, so what it
//! calls the bottom is one, as long as the job is claimed.

use std::{cmp::Reverse, sync::Arc};

use sst_format::KeyOrder;

use super::PlanContext;
use crate::{KeyBounds, Level, Run, RunNo, TableChange, TableMeta, TreeId, Version};

/// A run's place in a tree; newer places come first.
///
/// ```
/// use lsm_core::{Level, Place, RunNo};
/// let place = |level, run| Place { level: Level::new(level), run: RunNo::new(run) };
/// assert!(place(0, 9) < place(0, 8));
/// assert!(place(0, 1) < place(1, 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its level.
    pub level: Level,
    /// Its run.
    pub run: RunNo,
}

/// A table that a job replaces.
///
/// ```
/// use lsm_core::{JobInput, Place, Version};
/// fn inputs(version: &Version) -> Vec<JobInput> {
///     let places = version.tables().map(|(level, run, table)| (Place { level, run }, table));
///     places.map(|(place, table)| JobInput::new(place, table)).collect()
/// }
/// assert!(inputs(&Version::default()).is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct JobInput {
    /// Where it stands.
    pub place: Place,
    /// What is known of it.
    pub table: Arc<TableMeta>,
}

/// What happens to the inputs.
///
/// ```
/// assert_ne!(lsm_core::JobKind::Merge, lsm_core::JobKind::Move);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// They are merged; what no reader can see any more is left out.
    Merge,
    /// The files stay as they are and stand elsewhere from now on.
    Move,
    /// They are written anew with every version and every tombstone.
    Rewrite,
}

/// Why a job was chosen.
///
/// ```
/// assert_ne!(lsm_core::Reason::Asked, lsm_core::Reason::Heal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Level 0 holds too many runs, or too many bytes.
    FlushedRuns,
    /// Level 0 holds too many runs, and the level they belong in is busy, or too large for the little they bring.
    RunsInWaiting,
    /// A level holds more than its share.
    LevelFull,
    /// A level is used that a tree of this size has no need of.
    LevelUnneeded,
    /// A table is mostly tombstones.
    Tombstones,
    /// Somebody asked for it.
    Asked,
    /// A table has pages that are wrong on the medium.
    Heal,
    /// What was lost was given up, and goes for good.
    Accepted,
}

/// Tables to replace by others.
///
/// ```
/// use lsm_core::{BusySet, CompactionStrategy, JobKind, Leveled, PlanContext, TreeId, Version};
/// use sst_format::KeyOrder;
/// # let version = Version::default();
/// let busy = BusySet::default();
/// let context = PlanContext { tree: TreeId::new(1), order: &KeyOrder::Bytes, busy: &busy };
/// while let Some(job) = Leveled::new().choose(&version, &context) {
///     job.prove(&version, context.order).expect("a strategy plans soundly");
///     let claim = busy.claim(context.order, &job).expect("nothing else runs");
///     // Merge `job.inputs` into new tables, make `job.changes(&outputs)` durable as one edit.
///     drop(claim);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CompactionJob {
    /// The tree.
    pub tree: TreeId,
    /// What is replaced, newest place first, in key order within a run.
    pub inputs: Vec<JobInput>,
    /// Where the outputs stand.
    pub target: Place,
    /// The keys of all inputs; outputs stay within.
    pub bounds: KeyBounds,
    /// What happens to the inputs.
    pub kind: JobKind,
    /// Why.
    pub reason: Reason,
    /// An output is closed once its body has this many bytes; `u64::MAX` makes one table.
    pub output_bytes: u64,
    /// An output is closed before it overlaps more than this of [`tables_below`](Self::tables_below).
    pub overlap_bytes_max: u64,
    /// Tables older than the target that overlap the job, run by run, newest first.
    pub older: Vec<OlderRun>,
}

/// The part of a run that may hold older versions of what is in a job.
///
/// ```
/// use lsm_core::{CompactionJob, OlderRun};
/// fn older_bytes(job: &CompactionJob) -> u64 {
///     let bytes = |run: &OlderRun| run.tables.iter().map(|table| table.body_bytes()).sum::<u64>();
///     job.older.iter().map(bytes).sum()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OlderRun {
    /// Where it stands.
    pub place: Place,
    /// Its tables that overlap the job, in key order.
    pub tables: Vec<Arc<TableMeta>>,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.level, Reverse(self.run)).cmp(&(other.level, Reverse(other.run)))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl JobInput {
    /// A table and where it stands.
    #[must_use]
    pub fn new(place: Place, table: &Arc<TableMeta>) -> Self {
        Self { place, table: table.clone() }
    }
}

impl CompactionJob {
    /// A merge of these tables, without bounds on its outputs.
    ///
    /// # Panics
    /// If there are no inputs.
    #[must_use]
    pub fn new(
        version: &Version,
        context: &PlanContext<'_>,
        mut inputs: Vec<JobInput>,
        target: Place,
        reason: Reason,
    ) -> Self {
        let order = context.order;
        inputs.sort_by(|a, b| {
            let keys = || order.compare(&a.table.bounds.smallest, &b.table.bounds.smallest);
            a.place.cmp(&b.place).then_with(keys)
        });
        let bounds = hull(order, inputs.iter().map(|input| &input.table)).expect("a job has inputs");
        let older = version.all_runs().map(|(level, run)| (Place { level, run: run.no() }, run));
        let older = older
            .filter(|(place, _)| *place > target)
            .map(|(place, run)| OlderRun { place, tables: run.overlapped(order, &bounds).to_vec() });
        let older = older.filter(|run| !run.tables.is_empty()).collect();
        Self {
            tree: context.tree,
            inputs,
            target,
            bounds,
            kind: JobKind::Merge,
            reason,
            output_bytes: u64::MAX,
            overlap_bytes_max: u64::MAX,
            older,
        }
    }

    /// As another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: JobKind) -> Self {
        self.kind = kind;
        self
    }

    /// Outputs of about this many bytes, each over at most so many of the tables below.
    #[must_use]
    pub fn with_outputs(mut self, output_bytes: u64, overlap_bytes_max: u64) -> Self {
        self.output_bytes = output_bytes;
        self.overlap_bytes_max = overlap_bytes_max;
        self
    }

    /// Bytes of all inputs.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.table.body_bytes()).sum()
    }

    /// Whether a tombstone of `key` hides nothing that is not in the job.
    #[must_use]
    pub fn is_bottom_at(&self, order: &KeyOrder, key: &[u8]) -> bool {
        self.older.iter().all(|run| {
            let at = run.tables.partition_point(|table| table.bounds.is_before(order, key));
            run.tables.get(at).is_none_or(|table| !table.bounds.holds(order, key))
        })
    }

    /// Whether a range delete of these keys hides nothing that is not in the job.
    #[must_use]
    pub fn is_bottom_for(&self, order: &KeyOrder, bounds: &KeyBounds) -> bool {
        self.older.iter().all(|run| overlapped(&run.tables, order, bounds).is_empty())
    }

    /// The tables that outputs will be merged with next; none for outputs in level 0.
    #[must_use]
    pub fn tables_below(&self) -> &[Arc<TableMeta>] {
        let below = self.older.first().filter(|run| {
            self.target.level > Level::ZERO && run.place.level.index() == self.target.level.index() + 1
        });
        below.map_or(&[], |run| &run.tables)
    }

    /// What the job changes in the version, once these tables are durable.
    #[must_use]
    pub fn changes(&self, outputs: &[Arc<TableMeta>]) -> Vec<TableChange> {
        let gone = self.inputs.iter();
        let gone = gone.map(|input| TableChange::Remove { level: input.place.level, table: input.table.id });
        let Place { level, run } = self.target;
        gone.chain(outputs.iter().map(|table| TableChange::Add { level, run, table: table.clone() }))
            .collect()
    }

    /// What a [`JobKind::Move`] changes: the same files elsewhere.
    #[must_use]
    pub fn moves(&self) -> Vec<TableChange> {
        self.changes(&self.inputs.iter().map(|input| input.table.clone()).collect::<Vec<_>>())
    }
}

impl Run {
    /// Its tables that overlap `bounds`.
    pub(crate) fn overlapped(&self, order: &KeyOrder, bounds: &KeyBounds) -> &[Arc<TableMeta>] {
        overlapped(self.tables(), order, bounds)
    }
}

fn overlapped<'a>(
    tables: &'a [Arc<TableMeta>],
    order: &KeyOrder,
    bounds: &KeyBounds,
) -> &'a [Arc<TableMeta>] {
    let from = tables.partition_point(|table| table.bounds.is_before(order, &bounds.smallest));
    let count = tables[from..].partition_point(|table| !bounds.is_before(order, &table.bounds.smallest));
    &tables[from..from + count]
}

/// The smallest bounds around all of these tables.
pub(super) fn hull<'a>(
    order: &KeyOrder,
    tables: impl IntoIterator<Item = &'a Arc<TableMeta>>,
) -> Option<KeyBounds> {
    let bounds = tables.into_iter().map(|table| table.bounds.clone());
    bounds.reduce(|hull, bounds| hull.union(order, &bounds))
}
