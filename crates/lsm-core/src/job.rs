//! Runs a merge: entries and ranges in, durable tables out. The effects of a flush or a compaction.
//!
//! Invariants: when a job reports success, every output is complete and durable under its final name; when it
//! fails, what it made is removed, and what could not be is an orphan that nobody names. Space for the whole
//! of an output is reserved before its first byte is written. Besides the output that is being filled, at most
//! [`IN_FLIGHT_BYTES_MAX`] of others are in memory: a job takes about the memory of one table, and small ones
//! are written while the next is filled.
//!
//! A large job is merged in [pieces](crate::pieces), by whoever lends a hand: it succeeds as a whole or not at all, and
//! each piece takes the memory of a job.
//!
//! What is merged, and what the outputs mean to the tree, is decided before and after; so is what becomes of gaps in
//! the inputs, which the cursor steps over and which stand among the ranges as loss markers.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use lsm_io::{Cause, Epoch, EpochWorker, FileOffset, Fs, Image, Lane, Target, Ticket};
use parking_lot::Mutex;
use sst_format::{Entry, RangeEntry, SeqNo};

use crate::{
    Crew, Error, FileId, TableMeta, Tally,
    acceptance::Acceptance,
    entry_cursor::EntryCursor,
    merge_ranges::MergeRanges,
    names::table_path,
    pieces::Piece,
    retention::Retention,
    spare_memory::SpareMemories,
    survivors::Survivors,
    table_sink::{NewFile, OutputShape, OutputTable, TableSink},
};

/// Bytes of outputs that are being written while the next one is filled.
const IN_FLIGHT_BYTES_MAX: u64 = 4 << 20;

/// Every how many entries a job asks whether it is to stop.
const STOP_CHECK_ENTRIES: u64 = 1024;

/// What a merge is to do.
#[derive(Clone, Debug)]
pub(crate) struct MergePlan {
    /// What it keeps.
    pub(crate) retention: Retention,
    /// What its outputs are like.
    pub(crate) shape: OutputShape,
    /// What was given up, and is left out whatever else holds.
    pub(crate) accepted: Acceptance,
}

/// What a job works with.
pub(crate) struct JobEnv<'a> {
    /// Where tables are made.
    pub(crate) fs: Arc<dyn Fs>,
    /// The directory they stand in.
    pub(crate) dir: &'a Path,
    /// What makes them durable.
    pub(crate) worker: &'a EpochWorker,
    /// Where the memory of written tables goes.
    pub(crate) spare: &'a Arc<SpareMemories>,
    /// Gives a file that nobody has used.
    pub(crate) new_file: &'a (dyn Fn() -> NewFile + Sync),
    /// Whether the job is to end early.
    pub(crate) should_stop: &'a (dyn Fn() -> bool + Sync),
}

/// What a job made.
#[derive(Clone, Debug)]
pub(crate) struct JobOutput {
    /// Its tables in key order, durable, not yet named by anything.
    pub(crate) tables: Vec<Arc<TableMeta>>,
    /// What became of the entries.
    pub(crate) tally: Tally,
    /// Bytes of the files it wrote.
    pub(crate) file_bytes: u64,
}

/// Merges.
///
/// # Errors
/// If an input cannot be read, an output not be made durable (no space left is met before it is written), or
/// the job was told to stop; nothing that it made is named then.
pub(crate) fn run_merge(
    inputs: &mut impl EntryCursor,
    ranges: Vec<RangeEntry>,
    plan: &MergePlan,
    env: &JobEnv<'_>,
) -> Result<JobOutput, Error> {
    Ok(Merged::gather(vec![merge_piece(inputs, ranges, plan, (&Piece::ALL, None), env)?]))
}

/// Merges piece by piece, divided at cuts that ascend; `inputs` makes the cursor of each.
///
/// # Errors
/// As [`run_merge`], if any piece fails; the first to do so stops the others.
pub(crate) fn run_pieces<C: EntryCursor>(
    inputs: &(dyn Fn() -> C + Sync),
    ranges: &[RangeEntry],
    plan: &MergePlan,
    cuts: &[Bytes],
    env: &JobEnv<'_>,
    crew: &dyn Crew,
) -> Result<JobOutput, Error> {
    let failed = AtomicBool::new(false);
    let stops = || failed.load(Relaxed) || (env.should_stop)();
    let env = JobEnv { fs: env.fs.clone(), should_stop: &stops, ..*env };
    let pieces: Vec<_> = Piece::between(cuts).into_iter().map(|piece| (piece, Mutex::new(None))).collect();
    let first_error = Mutex::new(None);
    // What all pieces call the job: the first file of one is not the first of another.
    let job = (!cuts.is_empty()).then(|| (env.new_file)().id);
    crew.run(pieces.len(), &|at| {
        let Some((piece, merged)) = pieces.get(at) else { return };
        let ranges = piece.clip(&plan.shape.order, ranges);
        match ranges.and_then(|ranges| merge_piece(&mut inputs(), ranges, plan, (piece, job), &env)) {
            Ok(done) => *merged.lock() = Some(done),
            Err(error) => {
                // Those that stop for it fail after it.
                first_error.lock().get_or_insert(error);
                failed.store(true, Relaxed);
            }
        }
    });
    let count = pieces.len();
    let merged: Vec<_> = pieces.into_iter().filter_map(|(_, merged)| merged.into_inner()).collect();
    if merged.len() == count {
        return Ok(Merged::gather(merged));
    }
    merged.into_iter().for_each(|merged| merged.outputs.discard());
    Err(first_error.into_inner().unwrap_or(Error::Closed))
}

/// A piece whose outputs are durable; nobody knows of them yet.
struct Merged<'a> {
    outputs: Outputs<'a>,
    tally: Tally,
}

impl Merged<'_> {
    /// All pieces of a job, in key order, as one.
    fn gather(pieces: Vec<Self>) -> JobOutput {
        let tally = pieces.iter().fold(Tally::default(), |sum, piece| sum + piece.tally);
        let made = pieces.into_iter().flat_map(|piece| piece.outputs.made);
        let tables: Vec<_> = made.filter_map(|made| made.meta).collect();
        let file_bytes = tables.iter().map(|table| table.file_bytes()).sum();
        JobOutput { tables, tally, file_bytes }
    }
}

fn merge_piece<'a>(
    inputs: &mut impl EntryCursor,
    ranges: Vec<RangeEntry>,
    plan: &MergePlan,
    piece: (&Piece, Option<FileId>),
    env: &'a JobEnv<'_>,
) -> Result<Merged<'a>, Error> {
    let mut outputs = Outputs::new(env);
    let merged = merge(inputs, ranges, plan, piece, &mut outputs).and_then(|tally| {
        outputs.settle(0)?;
        Ok(tally)
    });
    match merged {
        Ok(tally) => Ok(Merged { outputs, tally }),
        Err(error) => {
            outputs.discard();
            Err(error)
        }
    }
}

fn merge(
    inputs: &mut impl EntryCursor,
    ranges: Vec<RangeEntry>,
    plan: &MergePlan,
    (piece, job): (&Piece, Option<FileId>),
    outputs: &mut Outputs<'_>,
) -> Result<Tally, Error> {
    let (order, env) = (&plan.shape.order, outputs.env);
    let ranges = MergeRanges::new(order, ranges, &plan.retention)?;
    let mut survivors = Survivors::new(order, &plan.retention, &ranges);
    let new_file = || NewFile { memory: env.spare.take(), ..(env.new_file)() };
    let mut sink = TableSink::new(&plan.shape, ranges.survivors(), new_file, |table| outputs.submit(table))
        .for_share(job, piece.share);
    let mut keep = |entry: Entry<'_>| sink.add(entry);
    let (mut until_check, mut accepted_at) = (0, 0);
    match &piece.from {
        Some(from) => inputs.seek(from, SeqNo::MAX)?,
        None => inputs.seek_first()?,
    }
    while let Some(entry) = inputs.entry().filter(|entry| !piece.is_passed_by(order, entry.key)) {
        if until_check == 0 {
            until_check = STOP_CHECK_ENTRIES;
            if (env.should_stop)() {
                return Err(Error::Closed);
            }
        }
        until_check -= 1;
        if !plan.accepted.takes(order, &mut accepted_at, &entry) {
            survivors.take(entry, &mut keep)?;
        }
        inputs.move_next()?;
    }
    let tally = survivors.finish(&mut keep)?;
    sink.finish()?;
    Ok(tally)
}

/// The files a job makes.
struct Outputs<'a> {
    env: &'a JobEnv<'a>,
    made: Vec<Made>,
    in_flight: VecDeque<(Ticket, u64)>,
    in_flight_bytes: u64,
}

/// A file that exists.
struct Made {
    target: Arc<Target>,
    meta: Option<Arc<TableMeta>>,
}

impl<'a> Outputs<'a> {
    fn new(env: &'a JobEnv<'a>) -> Self {
        Self { env, made: Vec::new(), in_flight: VecDeque::new(), in_flight_bytes: 0 }
    }

    /// Hands a table to the worker, and waits until what is under way leaves memory for the next.
    fn submit(&mut self, table: OutputTable) -> Result<(), Error> {
        let target = Target::create(self.env.fs.clone(), &table_path(self.env.dir, table.meta.id))?;
        let meta = Some(Arc::new(table.meta));
        self.made.push(Made { target: target.clone(), meta });
        let bytes = table.image.into_bytes();
        let len = lsm_io::ByteLen::of(&bytes);
        target.file().allocate(len)?;
        self.env.spare.keep(table.left);
        let image = Image::lent(bytes, self.env.spare.clone());
        let epoch = Epoch::new().write(&target, FileOffset::ZERO, image);
        let ticket = self.env.worker.submit(Lane::Bulk, epoch).map_err(|_refused| Error::Closed)?;
        self.in_flight.push_back((ticket, len.get()));
        self.in_flight_bytes += len.get();
        self.settle(IN_FLIGHT_BYTES_MAX)
    }

    /// Waits until at most `left` bytes are under way.
    fn settle(&mut self, left: u64) -> Result<(), Error> {
        while self.in_flight_bytes > left {
            let Some((ticket, len)) = self.in_flight.pop_front() else { break };
            self.in_flight_bytes -= len;
            ticket.wait().map_err(|failed| not_durable(*failed))?;
        }
        Ok(())
    }

    /// Removes what was made, as far as the disk lets it; the rest is for the next sweep.
    fn discard(mut self) {
        for (ticket, _) in self.in_flight.drain(..) {
            // What became of it does not matter: it goes.
            let _ = ticket.wait();
        }
        let mut epoch = Epoch::new();
        for made in &self.made {
            // Nobody needs its bytes, so they must not hold up deletions.
            made.target.retire();
            epoch = epoch.delete(self.env.fs.clone(), made.target.path());
        }
        if let Err(failed) = self.env.worker.commit(Lane::Bulk, epoch) {
            log::warn!("outputs of a failed job stay behind until the next sweep: {}", failed.cause);
        }
    }
}

/// The error of an epoch without the image it gives back: it may be kept for long.
fn not_durable(failed: lsm_io::Failed) -> Error {
    match failed.cause {
        Cause::Io(error) => Error::Io(error),
        Cause::Closed => Error::Closed,
        _ => Error::NotDurable(Box::new(lsm_io::Failed { returned: Epoch::new(), ..failed })),
    }
}

#[cfg(test)]
mod tests;
