//! Rewriting a table whose pages are wrong on the medium, where it stands.
//!
//! Invariant: planning looks at hints and changes none. A hint is busy while its table is; it is gone only if
//! the version of its own tree, looked at after the hint, lacks the table: numbers are never used twice.

use std::sync::Arc;

use crate::{
    Change, CompactionJob, CompactionStrategy, FileId, HealHint, HealHints, HintCause, JobInput, JobKind,
    Place, PlanContext, Reason, TreeId, Version,
};

/// Rewrites hinted tables one by one, each into its own place with every version and every tombstone.
///
/// ```
/// use lsm_core::{
///     BusySet, CompactionStrategy, EccHealCompaction, FileId, HealHints, HintCause, PlanContext, TreeId,
///     Version,
/// };
/// use sst_format::KeyOrder;
/// use std::sync::Arc;
///
/// let (hints, busy, tree) = (HealHints::new(), BusySet::default(), TreeId::new(1));
/// let heal = EccHealCompaction::new(&hints, u64::MAX);
/// let context = PlanContext { tree, order: &KeyOrder::Bytes, busy: &busy };
/// hints.record(tree, FileId::new(7), 3..4, HintCause::Corrected);
/// // The version has no such table: there is nothing to heal.
/// assert!(heal.choose(&Version::default(), &context).is_none());
/// assert_eq!(heal.forget_gone(tree, Arc::default).len(), 1);
/// assert!(hints.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct EccHealCompaction {
    hints: HealHints,
    target_size: u64,
    failures_max: u32,
    which: Which,
    lost: Lost,
}

/// What becomes of tables with lost pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// They stay: the file is the best there is of them, and its filter still excludes keys.
    Left,
    /// They are written anew, with loss markers.
    Rewritten,
}

/// Which hints are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    One(FileId),
}

/// A file that was healed in place this often and is wrong again is stubborn.
const RELAPSES_MAX: u32 = 2;

impl EccHealCompaction {
    /// From these hints, into tables of this many bytes; `u64::MAX` keeps one table.
    #[must_use]
    pub fn new(hints: &HealHints, target_size: u64) -> Self {
        Self { hints: hints.clone(), target_size, failures_max: 3, which: Which::All, lost: Lost::Left }
    }

    /// Hints that failed this often are left alone, so that a drain ends though a table cannot be healed.
    #[must_use]
    pub fn failures_max(mut self, failures: u32) -> Self {
        self.failures_max = failures;
        self
    }

    /// Looks at the hint of this file alone.
    #[must_use]
    pub fn only(mut self, file: FileId) -> Self {
        self.which = Which::One(file);
        self
    }

    /// Writes tables with lost pages anew as well, with loss markers for what is lost.
    #[must_use]
    pub fn with_losses(mut self) -> Self {
        self.lost = Lost::Rewritten;
        self
    }

    /// Drops the hints of this tree whose tables are gone; what to make durable of it.
    ///
    /// The version is asked for after the hints are read: a table that was written and hinted in between would
    /// seem gone in an older one.
    #[must_use]
    pub fn forget_gone(&self, tree: TreeId, version: impl FnOnce() -> Arc<Version>) -> Vec<Change> {
        let hints: Vec<_> = self.waiting(tree).collect();
        if hints.is_empty() {
            return Vec::new();
        }
        let version = version();
        let gone = hints.into_iter().filter(|hint| version.find(hint.file).is_none());
        let forgotten = gone.filter(|hint| self.hints.forget(tree, hint.file));
        forgotten.map(|hint| Change::Healed { tree, file: hint.file }).collect()
    }

    fn waiting(&self, tree: TreeId) -> impl Iterator<Item = HealHint> {
        self.hints.waiting().into_iter().filter(move |hint| hint.tree == tree)
    }

    fn job(&self, hint: &HealHint, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob> {
        let (level, run, table) = version.find(hint.file)?;
        let place = Place { level, run };
        let input = JobInput::new(place, table);
        let job = CompactionJob::new(version, context, vec![input], place, Reason::Heal)
            .with_kind(JobKind::Rewrite)
            .with_outputs(self.target_size, u64::MAX);
        context.busy.admits(context.order, &job).then_some(job)
    }
}

impl CompactionStrategy for EccHealCompaction {
    fn name(&self) -> &'static str {
        "EccHealCompaction"
    }

    fn choose(&self, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob> {
        let mut hints = self.waiting(context.tree).filter(|hint| {
            let is_left = self.lost == Lost::Left && hint.causes.contains(&HintCause::Lost);
            let can_help = hint.failures < self.failures_max && !is_left;
            can_help && (self.which == Which::All || self.which == Which::One(hint.file))
        });
        hints.find_map(|hint| self.job(&hint, version, context))
    }
}

impl HealHint {
    /// Whether healing where it stands failed, or did not last.
    #[must_use]
    pub const fn is_stubborn(&self) -> bool {
        self.failures > 0 || self.relapses >= RELAPSES_MAX
    }
}

#[cfg(test)]
mod tests {
    use page_ecc::{SealOptions, Uid};
    use sst_format::{KeyOrder, SeqNo};

    use super::*;
    use crate::{BusySet, KeyBounds, Level, RunNo, TableChange, TableMeta};

    const TREE: TreeId = TreeId::new(1);

    fn add(level: u8, run: u64, id: u64) -> TableChange {
        let descriptor = SealOptions::new(Uid::new([1; 16])).seal(b"body").unwrap().descriptor().clone();
        let table = Arc::new(TableMeta {
            id: FileId::new(id),
            descriptor,
            bounds: KeyBounds::closed("a", "z"),
            seq_low: SeqNo::new(id),
            seq_high: SeqNo::new(id),
            entries: 1,
            deletes: 1,
            range_deletes: 0,
            losses: 0,
        });
        TableChange::Add { level: Level::new(level), run: RunNo::new(run), table }
    }

    /// Tables 1 and 2 in level 0, 3 in level 4, 4 in the last.
    fn version() -> Arc<Version> {
        let changes = [add(0, 8, 1), add(0, 7, 2), add(4, 0, 3), add(6, 0, 4)];
        Arc::new(Version::default().with(&KeyOrder::Bytes, &changes).unwrap())
    }

    fn hinted(files: &[(u32, u64)]) -> HealHints {
        let hints = HealHints::new();
        for &(tree, file) in files {
            assert!(hints.record(TreeId::new(tree), FileId::new(file), 0..1, HintCause::Rebuilt).is_news());
        }
        hints
    }

    fn choose(hints: &HealHints, tree: TreeId, busy: &BusySet) -> Option<CompactionJob> {
        let context = PlanContext { tree, order: &KeyOrder::Bytes, busy };
        let job = EccHealCompaction::new(hints, u64::MAX).choose(&version(), &context);
        job.inspect(|job| assert_eq!(job.prove(&version(), context.order), Ok(())))
    }

    #[track_caller]
    fn check(hints: &[(u32, u64)], tree: u32, expected: Option<(u64, u8, u64)>) {
        let job = choose(&hinted(hints), TreeId::new(tree), &BusySet::default());
        let place = |job: &CompactionJob| (job.target.level.get(), job.target.run.get());
        let found = job.map(|job| (job.inputs[0].table.id.get(), place(&job).0, place(&job).1));
        assert_eq!(found, expected, "{hints:?}");
    }

    #[test]
    fn without_hints_there_is_no_job() {
        check(&[], 1, None);
    }

    #[test]
    fn a_table_is_written_into_its_own_place_whatever_the_level() {
        check(&[(1, 1)], 1, Some((1, 0, 8)));
        check(&[(1, 2)], 1, Some((2, 0, 7)));
        check(&[(1, 3)], 1, Some((3, 4, 0)));
        check(&[(1, 4)], 1, Some((4, 6, 0)));
    }

    #[test]
    fn a_job_takes_one_table_and_keeps_everything_in_it() {
        let job = choose(&hinted(&[(1, 2), (1, 4)]), TREE, &BusySet::default()).unwrap();
        assert_eq!((job.inputs.len(), job.kind, job.reason), (1, JobKind::Rewrite, Reason::Heal));
        assert_eq!((job.output_bytes, job.overlap_bytes_max), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_hint_of_a_table_that_is_gone_is_passed_over() {
        check(&[(1, 0), (1, 3)], 1, Some((3, 4, 0)));
        check(&[(1, 0), (1, 9)], 1, None);
    }

    #[test]
    fn a_hint_of_another_keyspace_is_not_looked_at() {
        check(&[(2, 1), (3, 3), (0, 4)], 1, None);
        check(&[(2, 1), (3, 3), (1, 4)], 3, Some((3, 4, 0)));
    }

    #[test]
    fn only_hints_of_the_own_keyspace_are_gone() {
        let hints = hinted(&[(1, 3), (1, 9), (2, 9), (2, 3)]);
        let changes = EccHealCompaction::new(&hints, u64::MAX).forget_gone(TREE, version);
        assert_eq!(changes, [Change::Healed { tree: TREE, file: FileId::new(9) }]);
        let left: Vec<_> = hints.snapshot().iter().map(|hint| (hint.tree.get(), hint.file.get())).collect();
        assert_eq!(left, [(1, 3), (2, 3), (2, 9)]);
    }

    #[test]
    fn a_table_hinted_after_the_hints_were_read_is_not_gone() {
        let hints = hinted(&[(1, 9)]);
        let late = || {
            assert!(hints.record(TREE, FileId::new(10), 0..1, HintCause::Rebuilt).is_news());
            version()
        };
        assert_eq!(EccHealCompaction::new(&hints, u64::MAX).forget_gone(TREE, late).len(), 1);
        assert_eq!(hints.snapshot()[0].file, FileId::new(10));
    }

    #[test]
    fn a_busy_table_keeps_its_hint_and_the_next_is_tried() {
        let (hints, busy) = (hinted(&[(1, 1), (1, 3)]), BusySet::default());
        let order = &KeyOrder::Bytes;
        let first = choose(&hints, TREE, &busy).unwrap();
        let _first = busy.claim(order, &first).unwrap();
        let second = choose(&hints, TREE, &busy).unwrap();
        assert_eq!(second.inputs[0].table.id, FileId::new(3));
        let _second = busy.claim(order, &second).unwrap();
        assert!(choose(&hints, TREE, &busy).is_none());
        assert_eq!(hints.snapshot().len(), 2);
    }

    #[test]
    fn planning_changes_no_hint() {
        let hints = hinted(&[(1, 1), (1, 9), (2, 1)]);
        let before = hints.snapshot();
        assert!(choose(&hints, TREE, &BusySet::default()).is_some());
        assert_eq!((hints.snapshot(), hints.waiting().len()), (before, 3));
    }

    #[test]
    fn a_failed_job_keeps_its_hint_but_does_not_keep_a_drain_going() {
        let (hints, busy) = (hinted(&[(1, 1), (1, 3)]), BusySet::default());
        let mut tried = Vec::new();
        while let Some(job) = choose(&hints, TREE, &busy) {
            let table = job.inputs[0].table.id;
            tried.push(table.get());
            hints.claim(TREE, table).unwrap().failed();
        }
        assert_eq!(tried, [1, 3, 1, 3, 1, 3]);
        assert_eq!(hints.snapshot().len(), 2);
    }
}
