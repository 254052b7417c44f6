//! Running the merge of a job, whatever of its inputs is lost.
//!
//! A merge steps over gaps only that it knew of before it began, and writes a loss marker for each. One that meets
//! another gap is given up; then every gap is looked for and it starts anew. Invariant: what is durable in place of
//! the inputs holds every entry of theirs that is needed and readable, and a marker over everything that is not.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use sst_format::{KeyOrder, RangeEntry, RangeKind, SeqNo};

use super::{Store, sweeping::Trace};
use crate::{
    CompactionJob, Crew, Error, FileId, JobInput, JobKind, TableMeta,
    acceptance::Acceptance,
    block_cache::Fill,
    entry_cursor::EntryCursor as _,
    job::{JobOutput, MergePlan, run_pieces},
    key_span::Span,
    loss::{LossLog, TableLoss},
    loss_markers::LossMarkers,
    merge_cursor::MergeCursor,
    merge_ranges::RangePiece,
    output_cuts::OverlapLimit,
    pedigree::MadeBy,
    pieces::{Sample, cuts},
    retention::{Floor, Retention},
    run_cursor::{RunCursor, Tables},
    table_file::Opened,
    tree::Tree,
};

/// How often a job starts anew because it met a gap that was not there when gaps were looked for.
const LOOKS_MAX: usize = 8;

/// Entries between two questions whether to stop.
const STOP_CHECK_ENTRIES: u64 = 1024;

/// What came of a merge.
pub(super) struct Rewritten {
    pub(super) output: JobOutput,
    /// The inputs of which something is lost.
    pub(super) damaged: BTreeSet<FileId>,
    /// How many pieces it was merged in.
    pub(super) pieces: usize,
}

impl Store {
    /// Merges the inputs of a job into new tables, which nothing names yet.
    pub(super) fn rewrite(
        &self,
        tree: &Tree,
        job: &CompactionJob,
        accepted: &Acceptance,
        crew: &dyn Crew,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Rewritten, Error> {
        let order = tree.order();
        let (ranges, unknown) = self.input_ranges(tree, &job.inputs)?;
        let mut gaps = LossMarkers::default();
        gaps.learn(&order, unknown)?;
        let cuts = self.cuts_of(tree, job, crew.hands())?;
        for _ in 0..LOOKS_MAX {
            let plan = self.merge_plan(tree, job, accepted);
            let markers = ranges.iter().cloned().chain(gaps.ranges());
            let ranges = left_of(&order, markers, accepted)?;
            let log = LossLog::default();
            let seen = AtomicUsize::new(0);
            let meets_news = || {
                let from = seen.swap(log.len(), Relaxed);
                log.len() > from && log.since(from).iter().any(|(_, gap)| !gaps.hold(&order, gap))
            };
            let stops = || should_stop() || meets_news();
            let new_file = || self.new_file();
            let env = self.job_env(&new_file, &stops);
            let inputs = || self.input_cursor(tree, &order, &job.inputs, &log);
            let output = run_pieces(&inputs, &ranges, &plan, &cuts, &env, crew);
            let met = log.since(0).into_iter().map(|(_, gap)| gap).filter(|gap| !gaps.hold(&order, gap));
            let met: Vec<_> = met.collect();
            if met.is_empty() {
                return output.map(|output| Rewritten {
                    output,
                    damaged: gaps.tables(),
                    pieces: cuts.len() + 1,
                });
            }
            // What was made passed over a gap: nobody may see it in place of the inputs.
            if let Ok(output) = output {
                self.let_go(tree, output.tables.into_iter(), Trace::Left);
            }
            gaps.learn(&order, met)?;
            gaps.learn(&order, self.gaps_of(tree, &job.inputs, should_stop)?)?;
        }
        let restless = job.inputs.first().ok_or(Error::Closed)?;
        Err(TableLoss::whole(tree.id, &restless.table).into())
    }

    fn merge_plan(&self, tree: &Tree, job: &CompactionJob, accepted: &Acceptance) -> MergePlan {
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
        let flushed =
            self.keeper.catalog().trees.get(&tree.id).map_or(SeqNo::default(), |state| state.flushed);
        let inputs = job.inputs.iter().map(|input| input.table.id).collect();
        let birth = self.birth(tree, MadeBy::Merge, job.target, flushed, inputs);
        let shape = self.shape(&order, job.output_bytes, overlap, birth);
        MergePlan { retention, shape, accepted: accepted.clone() }
    }

    /// Where to divide a job for so many hands: at fences of its inputs' indexes.
    fn cuts_of(&self, tree: &Tree, job: &CompactionJob, hands: usize) -> Result<Vec<Bytes>, Error> {
        if hands < 2 || job.kind != JobKind::Merge || job.input_bytes() < job.output_bytes.saturating_mul(2) {
            return Ok(Vec::new());
        }
        let reader = tree.view().reader.clone();
        let mut samples = Vec::new();
        for input in &job.inputs {
            // What is lost needs nobody's time.
            let Opened::Table(open) = reader.open(&input.table)? else { continue };
            let fences = open.view().fences();
            let bytes = input.table.body_bytes() / (fences.len() as u64).max(1);
            samples.extend(fences.into_iter().map(|key| Sample { key, bytes }));
        }
        Ok(cuts(&reader.order, samples, job.output_bytes, hands))
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

    /// Every gap in the inputs' entries.
    fn gaps_of(
        &self,
        tree: &Tree,
        inputs: &[JobInput],
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<TableLoss>, Error> {
        let mut gaps = Vec::new();
        for input in inputs {
            gaps.extend(self.gaps_in(tree, &input.table, should_stop)?);
        }
        Ok(gaps)
    }

    /// Every gap in a table's entries.
    pub(super) fn gaps_in(
        &self,
        tree: &Tree,
        table: &Arc<TableMeta>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<TableLoss>, Error> {
        let (log, mut until_check) = (LossLog::default(), 0);
        let tables = Tables::List(Arc::new([table.clone()]));
        let mut cursor = RunCursor::new(tree.view().reader.clone(), tables, Fill::Pass, log.clone());
        cursor.seek_first()?;
        while cursor.entry().is_some() {
            if until_check == 0 {
                until_check = STOP_CHECK_ENTRIES;
                if should_stop() {
                    return Err(Error::Closed);
                }
            }
            until_check -= 1;
            cursor.move_next()?;
        }
        Ok(log.since(0).into_iter().map(|(_, gap)| gap).collect())
    }

    /// The inputs' range deletes and loss markers, and the tables of which nobody knows which they had.
    fn input_ranges(
        &self,
        tree: &Tree,
        inputs: &[JobInput],
    ) -> Result<(Vec<RangeEntry>, Vec<TableLoss>), Error> {
        let reader = tree.view().reader.clone();
        let (mut ranges, mut unknown) = (Vec::new(), Vec::new());
        for table in
            inputs.iter().map(|input| &input.table).filter(|table| table.range_deletes + table.losses > 0)
        {
            let open = match reader.open(table)? {
                Opened::Table(open) => open,
                Opened::Lost(loss) => {
                    unknown.push(*loss);
                    continue;
                }
            };
            match open.view().ranges() {
                Some(known) => {
                    let clip = |range| crate::clip_range(&reader.order, range, &table.bounds);
                    ranges.extend(known.iter().filter_map(clip));
                }
                None => unknown.push(TableLoss::whole(tree.id, table)),
            }
        }
        Ok((ranges, unknown))
    }
}

/// The ranges without the part of losses that was accepted.
fn left_of(
    order: &KeyOrder,
    ranges: impl Iterator<Item = RangeEntry>,
    accepted: &Acceptance,
) -> Result<Vec<RangeEntry>, Error> {
    let mut left = Vec::new();
    for range in ranges {
        if range.kind == RangeKind::Delete {
            left.push(range);
        } else if let Some(span) = Span::of_range(order, &range)? {
            let pieces = accepted.leave(order, RangePiece { span, range });
            left.extend(pieces.into_iter().map(|piece| piece.span.range_like(&piece.range)));
        }
    }
    Ok(left)
}
