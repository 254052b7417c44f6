//! Leveled compaction with level sizes that follow the data.
//!
//! The last level holds almost everything; each level above it a fixed fraction of the one below, up to the
//! *base*, where level 0 is merged into. Levels between 0 and the base are empty, or on their way there.
//!
//! Invariant: stateless; every job moves bytes to a deeper level or makes level 0 fewer runs, so an unchanged
//! store comes to rest.

mod flushed;
mod targets;

use std::{collections::BTreeSet, sync::Arc};

use self::targets::LevelTargets;
use super::{CompactionJob, CompactionStrategy, JobInput, JobKind, Place, PlanContext, Reason, job::hull};
use crate::{FileId, Level, Run, RunNo, TableMeta, Version};

/// Entries of so many bytes or more, on average, are rewritten less and pass more runs when they are read: a filter is
/// asked as fast as for small ones, and a byte costs as much to rewrite.
const LARGE_ENTRY_BYTES: u64 = 512;

/// How many times as many runs level 0 then has.
const RUNS_IF_LARGE: usize = 2;

/// Few runs for readers, each byte rewritten some times per level: the strategy for most stores.
///
/// ```
/// use lsm_core::{CompactionStrategy, Leveled};
/// let leveled = Leveled::new().base_bytes(64 << 20).output_bytes(16 << 20).multiplier(8);
/// assert_eq!(leveled.name(), "Leveled");
/// ```
#[derive(Clone, Debug)]
pub struct Leveled {
    multiplier: u64,
    flushed_runs: usize,
    waiting_runs: usize,
    base_bytes: u64,
    output_bytes: u64,
    overlap_bytes_max: u64,
    job_bytes_max: u64,
}

impl Default for Leveled {
    fn default() -> Self {
        Self {
            multiplier: 8,
            flushed_runs: 4,
            waiting_runs: 8,
            base_bytes: 256 << 20,
            output_bytes: 64 << 20,
            overlap_bytes_max: 640 << 20,
            job_bytes_max: 1600 << 20,
        }
    }
}

impl Leveled {
    /// With sizes for memtables of 64 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much a level holds for each byte of the level above it (8).
    ///
    /// # Panics
    /// Below 2.
    #[must_use]
    pub fn multiplier(mut self, multiplier: u32) -> Self {
        assert!(multiplier >= 2, "a level holds more than the one above it");
        self.multiplier = u64::from(multiplier);
        self
    }

    /// How many runs of level 0 are merged into the base level (4); twice as many of entries of 512 bytes or more.
    ///
    /// # Panics
    /// At 0.
    #[must_use]
    pub fn flushed_runs(mut self, runs: usize) -> Self {
        assert!(runs > 0, "an empty level is not merged");
        self.flushed_runs = runs;
        self
    }

    /// How many runs of level 0 are merged with each other when the base level is busy.
    ///
    /// # Panics
    /// Below 2.
    #[must_use]
    pub fn waiting_runs(mut self, runs: usize) -> Self {
        assert!(runs >= 2, "a run is not merged with itself");
        self.waiting_runs = runs;
        self
    }

    /// What one merge of level 0 brings along: the base level is at most a few times as large.
    ///
    /// # Panics
    /// At 0.
    #[must_use]
    pub fn base_bytes(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "a level has a size");
        self.base_bytes = bytes;
        self
    }

    /// Bytes of a table; the limits of overlap and of a job follow.
    ///
    /// # Panics
    /// At 0.
    #[must_use]
    pub fn output_bytes(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "a table has a size");
        self.output_bytes = bytes;
        self.overlap_bytes_max = bytes.saturating_mul(10);
        self.job_bytes_max = bytes.saturating_mul(25);
        self
    }

    /// The runs of level 0 that writers are held back for, in runs of small entries: of large ones it has twice as many.
    #[must_use]
    pub fn debt_runs(&self, version: &Version) -> u64 {
        (version.runs(Level::ZERO).len() / runs_factor(version)) as u64
    }

    /// The bytes that are to be rewritten before every level is within its share: what writers are held back
    /// for.
    #[must_use]
    pub fn debt_bytes(&self, version: &Version) -> u64 {
        let targets = LevelTargets::new(self, version);
        let flushed = version.level_bytes(Level::ZERO);
        let mut debt = 0_u64;
        let mut incoming = 0_u64;
        if version.runs(Level::ZERO).len() >= self.flushed_runs * runs_factor(version)
            || flushed >= self.base_bytes
        {
            debt = flushed.saturating_add(version.level_bytes(targets.base()));
            incoming = flushed;
        }
        for level in Level::all().skip(targets.base().index()) {
            let bytes = version.level_bytes(level).saturating_add(incoming);
            incoming = bytes.saturating_sub(targets.bytes(level));
            if level < Level::LAST {
                debt = debt.saturating_add(incoming.saturating_mul(self.multiplier + 1));
            }
        }
        debt
    }
}

impl CompactionStrategy for Leveled {
    fn name(&self) -> &'static str {
        "Leveled"
    }

    fn choose(&self, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob> {
        let plan = Plan {
            options: self,
            targets: LevelTargets::new(self, version),
            version,
            context: *context,
            busy: context.busy.files(),
        };
        plan.choose()
    }
}

/// How urgent a level is, in thousandths: at 1000 it has what it may have.
type Score = u64;

const FULL: Score = 1000;

/// A level that should be empty comes before all but a level 0 that is ten times full.
const UNNEEDED: Score = 10 * FULL;

/// One look at a version.
struct Plan<'a> {
    options: &'a Leveled,
    targets: LevelTargets,
    version: &'a Version,
    context: PlanContext<'a>,
    busy: BTreeSet<FileId>,
}

impl Plan<'_> {
    fn choose(&self) -> Option<CompactionJob> {
        let mut levels: Vec<_> = Level::all().rev().skip(1).map(|level| (self.score(level), level)).collect();
        levels.sort_by_key(|(score, level)| (std::cmp::Reverse(*score), *level));
        let full = levels.iter().filter(|(score, _)| *score >= FULL);
        let job = full.map(|(_, level)| *level).find_map(|level| match level {
            Level::ZERO => self.choose_flushed(),
            _ => self.choose_full(level),
        });
        job.or_else(|| self.choose_tombstones())
    }

    /// Tables that leave the level already do not count.
    fn score(&self, level: Level) -> Score {
        let free = |run: &Run| {
            let bytes =
                run.tables().iter().filter(|table| self.is_free(table)).map(|table| table.body_bytes());
            bytes.fold((0_usize, 0_u64), |(count, sum), bytes| (count + 1, sum + bytes))
        };
        let runs = self.version.runs(level).iter().map(free).filter(|(count, _)| *count > 0);
        let (runs, bytes) = runs.fold((0_u64, 0_u64), |(runs, sum), (_, bytes)| (runs + 1, sum + bytes));
        if level == Level::ZERO {
            let by_runs = runs * FULL / (self.options.flushed_runs * runs_factor(self.version)) as u64;
            return by_runs.max(per_mille(bytes, self.options.base_bytes));
        }
        match self.targets.bytes(level) {
            0 if runs == 0 => 0,
            0 => UNNEEDED,
            // A level that is exactly full has nothing to give.
            target => per_mille(bytes.saturating_sub(1), target),
        }
    }

    fn choose_full(&self, level: Level) -> Option<CompactionJob> {
        let reason = if self.targets.bytes(level) == 0 { Reason::LevelUnneeded } else { Reason::LevelFull };
        let run = self.version.runs(level).first()?;
        let mut tables: Vec<_> =
            run.tables().iter().enumerate().filter(|(_, table)| self.is_free(table)).collect();
        tables.sort_by_cached_key(|(_, table)| self.cost(level, table));
        tables.iter().find_map(|(at, _)| self.sink(level, run, *at, reason))
    }

    /// Tombstones hide bytes that nobody reads but every level still pays for.
    fn choose_tombstones(&self) -> Option<CompactionJob> {
        let levels = Level::all().rev().skip(1).filter(|level| *level > Level::ZERO);
        levels.flat_map(|level| self.version.runs(level).iter().map(move |run| (level, run))).find_map(
            |(level, run)| {
                let mut tables = run.tables().iter().enumerate();
                tables.find_map(|(at, table)| {
                    let mostly = table.deletes > table.entries / 2 && self.is_free(table);
                    mostly.then(|| self.sink(level, run, at, Reason::Tombstones)).flatten()
                })
            },
        )
    }

    /// Bytes rewritten for each 1024 that sink, tombstones counted as if they were gone already.
    fn cost(&self, level: Level, table: &TableMeta) -> u64 {
        let below: u64 = self.overlapped(level.below(), table).map(|table| table.body_bytes()).sum();
        let bytes = table.body_bytes().max(1);
        let bonus = u128::from(bytes) * u128::from(table.deletes) / u128::from(table.entries.max(1));
        let bonus = if table.range_deletes > 0 { u128::from(bytes).max(bonus) } else { bonus };
        u64::try_from((u128::from(below) << 10) / (u128::from(bytes) + bonus)).unwrap_or(u64::MAX)
    }

    /// The table at this place, with what it overlaps one level below, becomes part of that level.
    fn sink(&self, level: Level, run: &Run, at: usize, reason: Reason) -> Option<CompactionJob> {
        let table = &run.tables()[at];
        let below = self.version.runs(level.below()).first();
        let mut inputs = vec![JobInput::new(Place { level, run: run.no() }, table)];
        if let Some(below) = below {
            let sunk = below.overlapped(self.context.order, &table.bounds);
            let place = Place { level: level.below(), run: below.no() };
            inputs.extend(sunk.iter().map(|table| JobInput::new(place, table)));
            if !sunk.is_empty() {
                self.widen(&mut inputs, run, at, below);
            }
        }
        self.admitted(inputs, level.below(), reason)
    }

    /// Takes neighbours along that cost nothing more: they overlap no further table below.
    fn widen(&self, inputs: &mut Vec<JobInput>, run: &Run, at: usize, below: &Run) {
        let order = self.context.order;
        let Some(mut bounds) = hull(order, inputs.iter().map(|input| &input.table)) else { return };
        let mut bytes: u64 = inputs.iter().map(|input| input.table.body_bytes()).sum();
        let place = inputs[0].place;
        let sunk = inputs.len() - 1;
        let (left, right) = (run.tables()[..at].iter().rev(), run.tables()[at + 1..].iter());
        for side in
            [&mut left.into_iter() as &mut dyn Iterator<Item = &Arc<TableMeta>>, &mut right.into_iter()]
        {
            for table in side {
                let wider = bounds.union(order, &table.bounds);
                bytes = bytes.saturating_add(table.body_bytes());
                let fits = bytes <= self.options.job_bytes_max;
                if !(fits && self.is_free(table) && below.overlapped(order, &wider).len() == sunk) {
                    break;
                }
                inputs.push(JobInput::new(place, table));
                bounds = wider;
            }
        }
    }

    /// The job, unless a running one stands in its way; a plain move where nothing needs to be merged.
    fn admitted(&self, inputs: Vec<JobInput>, level: Level, reason: Reason) -> Option<CompactionJob> {
        let run = self.version.runs(level).first().map_or(RunNo::new(0), Run::no);
        let job = CompactionJob::new(self.version, &self.context, inputs, Place { level, run }, reason)
            .with_outputs(self.options.output_bytes, self.options.overlap_bytes_max);
        if !self.context.busy.admits(self.context.order, &job) {
            return None;
        }
        let kind = if self.is_move(&job) { JobKind::Move } else { JobKind::Merge };
        Some(job.with_kind(kind))
    }

    /// A single table that overlaps nothing, too little below to matter, and holds nothing that a merge would
    /// leave out.
    fn is_move(&self, job: &CompactionJob) -> bool {
        let [JobInput { table, .. }] = &job.inputs[..] else { return false };
        let below: u64 = job.tables_below().iter().map(|table| table.body_bytes()).sum();
        let tombstones = table.deletes + table.range_deletes > 0;
        below <= self.options.overlap_bytes_max && !(tombstones && job.older.is_empty())
    }

    fn overlapped(&self, level: Level, table: &TableMeta) -> impl Iterator<Item = &Arc<TableMeta>> {
        let run = self.version.runs(level).first();
        run.into_iter().flat_map(|run| run.overlapped(self.context.order, &table.bounds))
    }

    fn is_free(&self, table: &TableMeta) -> bool {
        !self.busy.contains(&table.id)
    }
}

/// How many times the usual number of runs level 0 may have.
fn runs_factor(version: &Version) -> usize {
    let tables = version.runs(Level::ZERO).iter().flat_map(Run::tables);
    let (bytes, entries) = tables.fold((0_u64, 0_u64), |(bytes, entries), table| {
        (bytes + table.body_bytes(), entries + table.entries)
    });
    if bytes >= entries.saturating_mul(LARGE_ENTRY_BYTES) { RUNS_IF_LARGE } else { 1 }
}

fn per_mille(part: u64, whole: u64) -> Score {
    Score::try_from(u128::from(part) * u128::from(FULL) / u128::from(whole.max(1))).unwrap_or(Score::MAX)
}
