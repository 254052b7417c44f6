//! What becomes of level 0.
//!
//! Full, it goes to the base level. Runs that are small beside what they would be merged with there are gathered first:
//! merged with each other until they are worth it, so that many small flushes do not rewrite a large base again and again.
//!
//! Invariant: a table leaves level 0 only together with every older one there that overlaps it.

use super::{Plan, runs_factor};
use crate::{CompactionJob, JobInput, KeyBounds, Level, Place, Reason, Run, compaction::job::hull};

/// Runs that would have more than so many times their bytes rewritten with them are merged with each other first.
/// It is as much as a base level has grown to, against a full level 0, before there is a new one.
const SUNK_MAX: u64 = super::targets::BASE_GROWTH;

/// A table of level 0 that may leave it, oldest first.
type Candidates = Vec<JobInput>;

impl Plan<'_> {
    pub(super) fn choose_flushed(&self) -> Option<CompactionJob> {
        self.choose_to_base()
            .or_else(|| self.choose_waiting(self.options.waiting_runs * runs_factor(self.version)))
    }

    /// Tables that hang together go to the base level, the oldest such group first.
    fn choose_to_base(&self) -> Option<CompactionJob> {
        let mut candidates = self.unblocked();
        while let Some(first) = candidates.first() {
            let (mut group, rest) = self.group(first.table.bounds.clone(), candidates);
            self.shorten(&mut group);
            if let Some(job) = self.merge_into_base(group) {
                return if sinks_too_little(&job) { self.choose_waiting(2).or(Some(job)) } else { Some(job) };
            }
            candidates = rest;
        }
        None
    }

    /// The tables of level 0, oldest first, without those that must wait for a busy one.
    fn unblocked(&self) -> Candidates {
        let (mut free, mut blocked) = (Candidates::new(), Vec::<KeyBounds>::new());
        for run in self.version.runs(Level::ZERO).iter().rev() {
            let place = Place { level: Level::ZERO, run: run.no() };
            for table in run.tables() {
                let waits = |bounds: &KeyBounds| bounds.overlap(self.context.order, &table.bounds);
                if !self.is_free(table) || blocked.iter().any(waits) {
                    blocked.push(table.bounds.clone());
                } else {
                    free.push(JobInput::new(place, table));
                }
            }
        }
        free
    }

    /// Those that overlap `bounds`, or what overlaps them, and so on; and the others.
    fn group(&self, mut bounds: KeyBounds, candidates: Candidates) -> (Candidates, Candidates) {
        let order = self.context.order;
        let (mut group, mut rest) = (Candidates::new(), candidates);
        // Each turn takes at least one table, or is the last.
        loop {
            let (taken, left): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|input| input.table.bounds.overlap(order, &bounds));
            rest = left;
            let Some(wider) = hull(order, taken.iter().map(|input| &input.table)) else { break };
            bounds = bounds.union(order, &wider);
            group.extend(taken);
        }
        group.sort_by_key(|input| std::cmp::Reverse(input.place));
        (group, rest)
    }

    /// Leaves the newest runs for another time if the job would be too large.
    fn shorten(&self, group: &mut Candidates) {
        let mut bytes = 0_u64;
        let mut last = None;
        let fits = |input: &JobInput| {
            bytes = bytes.saturating_add(input.table.body_bytes());
            let same_run = last == Some(input.place) || last.is_none();
            last = Some(input.place);
            bytes <= self.options.job_bytes_max || same_run
        };
        let count = group.iter().map(fits).take_while(|fits| *fits).count();
        group.truncate(count);
    }

    fn merge_into_base(&self, mut inputs: Candidates) -> Option<CompactionJob> {
        let base = self.targets.base();
        let bounds = hull(self.context.order, inputs.iter().map(|input| &input.table))?;
        if let Some(run) = self.version.runs(base).first() {
            let place = Place { level: base, run: run.no() };
            let sunk = run.overlapped(self.context.order, &bounds).iter();
            inputs.extend(sunk.map(|table| JobInput::new(place, table)));
        }
        self.admitted(inputs, base, Reason::FlushedRuns)
    }

    /// Neighbouring runs, from the newest that is free on, become one in the oldest one's place: readers need
    /// not wait for the base level.
    fn choose_waiting(&self, runs_min: usize) -> Option<CompactionJob> {
        let is_free = |run: &&Run| run.tables().iter().all(|table| self.is_free(table));
        let runs = self.version.runs(Level::ZERO).iter();
        let runs: Vec<_> = runs.skip_while(|run| !is_free(run)).take_while(is_free).collect();
        let runs = &runs[..self.worthwhile(&runs, runs_min)];
        let target = Place { level: Level::ZERO, run: runs.last()?.no() };
        let inputs = runs.iter().flat_map(|run| {
            let place = Place { level: Level::ZERO, run: run.no() };
            run.tables().iter().map(move |table| JobInput::new(place, table))
        });
        let inputs = inputs.collect();
        let job = CompactionJob::new(self.version, &self.context, inputs, target, Reason::RunsInWaiting)
            .with_outputs(self.options.output_bytes, u64::MAX);
        self.context.busy.admits(self.context.order, &job).then_some(job)
    }

    /// How many runs to merge: as long as one more makes a merged run cheaper, but not fewer than asked for.
    fn worthwhile(&self, runs: &[&Run], runs_min: usize) -> usize {
        let mut bytes = runs.first().map_or(0, |run| run.body_bytes());
        let mut count = runs.len().min(1);
        for run in runs.iter().skip(1) {
            let more = bytes.saturating_add(run.body_bytes());
            // bytes / (count - 1) runs saved, against more / count; the first neighbour has no rival.
            let dearer =
                count > 1 && u128::from(more) * (count as u128 - 1) > u128::from(bytes) * count as u128;
            if dearer || more > self.options.job_bytes_max {
                break;
            }
            (bytes, count) = (more, count + 1);
        }
        if count < runs_min { 0 } else { count }
    }
}

/// Whether a merge of level 0 would rewrite much for what it brings.
fn sinks_too_little(job: &CompactionJob) -> bool {
    let brought = job.inputs.iter().filter(|input| input.place.level == Level::ZERO);
    let brought: u64 = brought.map(|input| input.table.body_bytes()).sum();
    job.input_bytes() - brought > brought.saturating_mul(SUNK_MAX)
}
