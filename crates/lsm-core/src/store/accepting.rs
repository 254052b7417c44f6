//! Accepting losses: what may have been lost is declared gone, with everything older under it.
//!
//! A loss says that versions up to a sequence number may be missing over some keys. To accept it is to delete what
//! is not newer than that, in the table of the loss and in every place that is older, where such versions would come
//! back. Newer places are left alone: what they hold of a key is newer than what was lost of it. Tables are written
//! anew one by one, the oldest first, and the one with the loss last of all, only once nothing older is left to be
//! bared. **Invariant**: until that last edit is durable, reads of the range fail as before; afterwards they answer
//! what the newer places hold. So a crash at any moment leaves a loss that can be accepted again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use sst_format::{KeyOrder, SeqNo};

use super::{Compaction, KnownLoss, Store};
use crate::{
    Alone, CompactionJob, Error, FileId, JobInput, JobKind, Place, PlanContext, Reason, TableMeta, TreeId,
    Version,
    acceptance::Acceptance,
    block_cache::Fill,
    entry_cursor::EntryCursor as _,
    key_span::{Side, Span},
    loss::{LossLog, TableLoss},
    run_cursor::{RunCursor, Tables},
    tree::Tree,
};

/// The losses of a key range on their way to being gone.
///
/// ```
/// use std::ops::Bound::Unbounded;
/// use lsm_core::{AcceptStep, Error, KnownLoss, Store, TreeId};
///
/// /// Gives up what a tree lost, while nothing else works on it.
/// fn give_up(store: &Store, tree: TreeId) -> Result<Vec<KnownLoss>, Error> {
///     let mut accepting = store.accept(tree, Unbounded, Unbounded)?;
///     while accepting.step(&|| false)? == AcceptStep::Went {}
///     Ok(accepting.accepted())
/// }
/// ```
pub struct Accepting<'a> {
    store: &'a Store,
    tree: Arc<Tree>,
    order: KeyOrder,
    lower: Bound<Bytes>,
    upper: Bound<Bytes>,
    /// What tables lost that were looked at.
    known: BTreeMap<FileId, Vec<TableLoss>>,
    /// Tables with nothing in them that was given up.
    settled: BTreeSet<FileId>,
    accepted: Vec<KnownLoss>,
}

/// What a step came to.
///
/// ```
/// assert_ne!(lsm_core::AcceptStep::Went, lsm_core::AcceptStep::Done);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptStep {
    /// A table was written anew; there may be more.
    Went,
    /// A job has the next table; try again when it is done.
    Busy,
    /// Nothing in the range is known to be lost any more.
    Done,
}

/// A part of a loss that is to go, and where the table stands that lost it.
struct GivenUp {
    place: Place,
    table: FileId,
    span: Span,
    upto: SeqNo,
}

impl Store {
    /// Begins to accept what is known to be lost of a tree between two keys.
    ///
    /// # Errors
    /// If there is no such tree, or the disk refuses.
    pub fn accept(
        &self,
        tree: TreeId,
        lower: Bound<Bytes>,
        upper: Bound<Bytes>,
    ) -> Result<Accepting<'_>, Error> {
        let tree = self.tree(tree)?;
        let order = tree.order();
        let (known, settled, accepted) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Ok(Accepting { store: self, tree, order, lower, upper, known, settled, accepted })
    }
}

impl Accepting<'_> {
    /// What is known to be lost within the range, before anything of it is given up.
    ///
    /// # Errors
    /// As [`step`](Self::step); nothing is changed.
    pub fn known(&mut self, should_stop: &(dyn Fn() -> bool + Sync)) -> Result<Vec<KnownLoss>, Error> {
        let version = self.tree.view().version.clone();
        let losses = self.losses(&version, should_stop)?;
        self.check_snapshots(&losses)?;
        let metas: BTreeMap<FileId, _> = version.tables().map(|(_, _, table)| (table.id, table)).collect();
        Ok(losses.iter().filter_map(|loss| Some(loss.told(self.tree.id, metas.get(&loss.table)?))).collect())
    }

    /// Writes the next table anew.
    ///
    /// # Errors
    /// [`Error::HeldBySnapshot`] while somebody holds a snapshot that may still see what is to go; nothing is
    /// changed then. If the disk refuses, or it was stopped.
    pub fn step(&mut self, should_stop: &(dyn Fn() -> bool + Sync)) -> Result<AcceptStep, Error> {
        let version = self.tree.view().version.clone();
        let losses = self.losses(&version, should_stop)?;
        if losses.is_empty() {
            return Ok(AcceptStep::Done);
        }
        self.check_snapshots(&losses)?;
        let runs: Vec<_> =
            version.all_runs().map(|(level, run)| (Place { level, run: run.no() }, run)).collect();
        for (place, run) in runs.into_iter().rev() {
            for table in run.tables() {
                if self.is_to_go(table, place, &losses, should_stop)? {
                    return self.write_anew(&version, table, place, &losses, should_stop);
                }
            }
        }
        // The version changed under the losses; look again.
        Ok(AcceptStep::Went)
    }

    /// That nobody holds a snapshot which may see what is to go.
    fn check_snapshots(&self, losses: &[GivenUp]) -> Result<(), Error> {
        let Some(newest) = losses.iter().map(|loss| loss.upto).max() else { return Ok(()) };
        match self.store.oldest_snapshot().filter(|snapshot| *snapshot < newest) {
            Some(snapshot) => Err(Error::HeldBySnapshot { snapshot, newest }),
            None => Ok(()),
        }
    }

    /// What was accepted, as far as it was within the range.
    #[must_use]
    pub fn accepted(self) -> Vec<KnownLoss> {
        self.accepted
    }

    /// What is known to be lost within the range.
    fn losses(
        &mut self,
        version: &Version,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<GivenUp>, Error> {
        let suspects = self.store.suspects()?;
        let mut given_up = Vec::new();
        for (level, run, table) in version.tables() {
            let whole = Span::of_bounds(&table.bounds);
            if whole.within(&self.order, &self.lower, &self.upper).is_none() {
                continue;
            }
            if !suspects.suspects(self.tree.id, table) {
                continue;
            }
            if !self.known.contains_key(&table.id) {
                self.known.insert(table.id, self.store.losses_of(&self.tree, table, should_stop)?);
            }
            for loss in &self.known[&table.id] {
                let Some(span) = Span::of_range(&self.order, &loss.marker())? else { continue };
                if let Some(span) = span.within(&self.order, &self.lower, &self.upper) {
                    let place = Place { level, run };
                    given_up.push(GivenUp { place, table: table.id, span, upto: loss.lost.seq_high });
                }
            }
        }
        Ok(given_up)
    }

    /// Whether a table lost something of the range, or holds what would come back from below such a table.
    fn is_to_go(
        &mut self,
        table: &Arc<TableMeta>,
        place: Place,
        losses: &[GivenUp],
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Error> {
        if losses.iter().any(|loss| loss.table == table.id) {
            return Ok(true);
        }
        if self.settled.contains(&table.id) {
            return Ok(false);
        }
        let over = losses.iter().filter(|loss| loss.place <= place && table.seq_low <= loss.upto);
        for loss in over {
            if self.holds(table, loss, should_stop)? {
                return Ok(true);
            }
        }
        self.settled.insert(table.id);
        Ok(false)
    }

    /// Whether a table has an entry that would go with a loss, or a gap in its place.
    fn holds(
        &self,
        table: &Arc<TableMeta>,
        loss: &GivenUp,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<bool, Error> {
        let Some(within) = Span::of_bounds(&table.bounds).intersect(&self.order, &loss.span) else {
            return Ok(false);
        };
        let (log, tables) = (LossLog::default(), Tables::List(Arc::new([table.clone()])));
        let mut cursor = RunCursor::new(self.tree.view().reader.clone(), tables, Fill::Pass, log.clone());
        let newest = if within.start.side == Side::Before { SeqNo::MAX } else { SeqNo::new(0) };
        cursor.seek(&within.start.key, newest)?;
        while let Some(entry) = cursor.entry() {
            if within.end.is_passed_by(&self.order, entry.key) {
                break;
            }
            if entry.seq <= loss.upto && within.contains(&self.order, entry.key) {
                return Ok(true);
            }
            if should_stop() {
                return Err(Error::Closed);
            }
            cursor.move_next()?;
        }
        Ok(log.len() > 0)
    }

    fn write_anew(
        &mut self,
        version: &Arc<Version>,
        table: &Arc<TableMeta>,
        place: Place,
        losses: &[GivenUp],
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<AcceptStep, Error> {
        let context = PlanContext { tree: self.tree.id, order: &self.order, busy: &self.store.busy };
        let job =
            CompactionJob::new(version, &context, vec![JobInput::new(place, table)], place, Reason::Accepted)
                .with_kind(JobKind::Rewrite);
        let Some(claim) = self.store.busy.claim(&self.order, &job) else { return Ok(AcceptStep::Busy) };
        // What is older must not have changed since it was looked at: no job puts anything below a claimed table.
        let now = self.tree.view().version.clone();
        let older = |version: &Version| -> Vec<FileId> {
            let older = version.tables().filter(|(level, run, below)| {
                let is_older = Place { level: *level, run: *run } > place;
                is_older && below.bounds.overlap(&self.order, &table.bounds)
            });
            older.map(|(_, _, table)| table.id).collect()
        };
        if job.prove(&now, &self.order).is_err() || older(&now) != older(version) {
            return Ok(AcceptStep::Went);
        }
        let over = losses.iter().filter(|loss| loss.place <= place);
        let accepted =
            Acceptance::new(&self.order, over.map(|loss| (loss.span.clone(), loss.upto)).collect());
        let compaction = Compaction { tree: self.tree.clone(), job, claim, accepted };
        self.store.run_compaction(compaction, &Alone, should_stop)?;
        let of_it = losses.iter().filter(|loss| loss.table == table.id);
        self.accepted.extend(of_it.map(|loss| loss.told(self.tree.id, table)));
        Ok(AcceptStep::Went)
    }
}

impl GivenUp {
    fn told(&self, tree: TreeId, table: &Arc<TableMeta>) -> KnownLoss {
        let whole = TableLoss::whole(tree, table);
        let range = self.span.range_like(&whole.marker());
        let known = KnownLoss::of(&whole, table);
        KnownLoss { lower: range.lower, upper: range.upper, seq_high: self.upto, ..known }
    }
}

impl std::fmt::Debug for Accepting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepting").field("tree", &self.tree.id).finish_non_exhaustive()
    }
}
