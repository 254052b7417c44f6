//! Which files have pages that are wrong on the medium: what healing should look at.
//!
//! One set for a store, in the order of trees and files, whatever many corrections there were. Touched by a
//! read only after it found a fault on the medium itself, and by whoever heals. Needs no std.
//!
//! Invariant: a hint leaves the set only when its file is healed or gone. Making hints durable, and knowing
//! which files are gone, is left to others.

use alloc::{collections::BTreeMap, collections::BTreeSet, sync::Arc, vec::Vec};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

use spin::Mutex;

use crate::{FileId, TreeId};

/// A hint names at most this many ranges of pages; one more, and it means the whole file.
const RANGES_MAX: usize = 256;

/// The files of a store that should be healed; clones share them.
///
/// ```
/// use lsm_core::{FileId, HealHints, HintCause, Recorded, TreeId};
/// let hints = HealHints::new();
/// let (tree, file) = (TreeId::new(1), FileId::new(7));
/// assert_eq!(hints.record(tree, file, 3..4, HintCause::Corrected), Recorded::New);
/// assert_eq!(hints.record(tree, file, 3..4, HintCause::Corrected), Recorded::Known);
///
/// let claim = hints.pop().expect("one waits");
/// assert!(hints.pop().is_none());
/// // It was written anew and verified.
/// claim.replaced();
/// assert!(hints.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct HealHints {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    enabled: AtomicBool,
    /// Guards the set.
    hints: Mutex<BTreeMap<(TreeId, FileId), Entry>>,
    /// How often files were healed where they stand. Ranks behind `hints`.
    healed: Mutex<BTreeMap<(TreeId, FileId), u32>>,
}

#[derive(Clone, Debug)]
struct Entry {
    hint: HealHint,
    state: EntryState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Waiting,
    Claimed,
    /// Claimed, and something was found since.
    Stirred,
}

/// A file that should be healed, as it is known at one moment.
///
/// ```
/// use lsm_core::{FileId, HealHints, HintCause, TreeId};
/// let hints = HealHints::new();
/// hints.record(TreeId::new(1), FileId::new(7), 3..5, HintCause::Rebuilt);
/// let hint = &hints.snapshot()[0];
/// assert_eq!((hint.file, &hint.pages[..]), (FileId::new(7), &[(3, 2)][..]));
/// assert!(hint.causes.contains(&HintCause::Rebuilt));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealHint {
    /// Whose file it is; [`TreeId::STORE`] for a file of the store itself.
    pub tree: TreeId,
    /// Which.
    pub file: FileId,
    /// Which pages, first and count, ascending and apart; none means the whole file.
    pub pages: Vec<(u64, u64)>,
    /// What was found.
    pub causes: BTreeSet<HintCause>,
    /// How many jobs failed to heal it.
    pub failures: u32,
    /// How often it was healed where it stands before, since the store was opened.
    pub relapses: u32,
}

/// What was found in a file that should be healed.
///
/// ```
/// assert!(lsm_core::HintCause::Corrected < lsm_core::HintCause::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HintCause {
    /// An earlier session left the hint.
    Remembered,
    /// Digests, parity or a descriptor are wrong; the body is not.
    Redundancy,
    /// Flipped bits of a page were put right.
    Corrected,
    /// A page was brought back from others.
    Rebuilt,
    /// A page is gone; what the file still holds can be saved.
    Lost,
}

/// What became of a recorded fault.
///
/// ```
/// use lsm_core::Recorded;
/// assert!(Recorded::New.is_news() && Recorded::Wider.is_news() && !Recorded::Known.is_news());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "news should be made durable"]
pub enum Recorded {
    /// The file had no hint.
    New,
    /// The file had one, but not of all these pages.
    Wider,
    /// All of it was known.
    Known,
    /// Hints are switched off.
    Disabled,
}

/// A hint that a job works on: nobody else gets it until the claim is dropped.
///
/// Dropping it gives the hint back; a job that failed says so with [`failed`](Self::failed).
///
/// ```
/// use lsm_core::{FileId, HealHints, HintCause, TreeId};
/// let hints = HealHints::new();
/// hints.record(TreeId::new(1), FileId::new(7), 0..1, HintCause::Rebuilt);
/// hints.claim(TreeId::new(1), FileId::new(7)).expect("nobody else works on it").failed();
/// assert_eq!(hints.snapshot()[0].failures, 1);
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the hint back"]
pub struct HintClaim {
    hints: HealHints,
    of: (TreeId, FileId),
}

impl Default for HealHints {
    fn default() -> Self {
        Self::new()
    }
}

impl HealHints {
    /// No hints, and recording switched on.
    #[must_use]
    pub fn new() -> Self {
        let (enabled, hints) = (AtomicBool::new(true), Mutex::new(BTreeMap::new()));
        let shared = Shared { enabled, hints, healed: Mutex::new(BTreeMap::new()) };
        Self { shared: Arc::new(shared) }
    }

    /// Whether faults are recorded.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.shared.enabled.load(Ordering::Relaxed)
    }

    /// From now on faults are recorded.
    pub fn enable(&self) {
        self.shared.enabled.store(true, Ordering::Relaxed);
    }

    /// From now on faults are not recorded; hints that are there stay.
    pub fn disable(&self) {
        self.shared.enabled.store(false, Ordering::Relaxed);
    }

    /// Notes pages that a cache-bypassing read found wrong; an empty range means the whole file.
    pub fn record(&self, tree: TreeId, file: FileId, pages: Range<u64>, cause: HintCause) -> Recorded {
        if !self.is_enabled() {
            return Recorded::Disabled;
        }
        self.add(tree, file, &[(pages.start, pages.end.saturating_sub(pages.start))], cause)
    }

    /// Notes what a manifest remembers, switched on or not; no pages mean the whole file.
    pub fn remember(&self, tree: TreeId, file: FileId, pages: &[(u64, u64)]) {
        let whole: &[(u64, u64)] = &[(0, 0)];
        let pages = if pages.is_empty() { whole } else { pages };
        let _: Recorded = self.add(tree, file, pages, HintCause::Remembered);
    }

    /// Adds ranges, where one of no pages means the whole file.
    fn add(&self, tree: TreeId, file: FileId, pages: &[(u64, u64)], cause: HintCause) -> Recorded {
        let mut hints = self.shared.hints.lock();
        let known = hints.get(&(tree, file)).map(|entry| entry.hint.pages.clone());
        let relapses = self.shared.healed.lock().get(&(tree, file)).copied().unwrap_or(0);
        let hint = HealHint { tree, file, pages: Vec::new(), causes: BTreeSet::new(), failures: 0, relapses };
        let entry = hints.entry((tree, file)).or_insert(Entry { hint, state: EntryState::Waiting });
        entry.hint.causes.insert(cause);
        if entry.state == EntryState::Claimed {
            entry.state = EntryState::Stirred;
        }
        let is_whole = known.as_ref().is_some_and(Vec::is_empty);
        if !is_whole {
            entry.hint.widen(pages);
        }
        match known {
            None => Recorded::New,
            Some(known) if known == entry.hint.pages => Recorded::Known,
            Some(_) => Recorded::Wider,
        }
    }

    /// Whether there is nothing to heal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.hints.lock().is_empty()
    }

    /// Every hint, claimed or not, by tree and file.
    #[must_use]
    pub fn snapshot(&self) -> Vec<HealHint> {
        self.shared.hints.lock().values().map(|entry| entry.hint.clone()).collect()
    }

    /// The hints that nobody works on: those with fewer failures first, then by tree and file.
    #[must_use]
    pub fn waiting(&self) -> Vec<HealHint> {
        let hints = self.shared.hints.lock();
        let waiting = hints.values().filter(|entry| entry.state == EntryState::Waiting);
        let mut waiting: Vec<_> = waiting.map(|entry| entry.hint.clone()).collect();
        waiting.sort_by_key(|hint| hint.failures);
        waiting
    }

    /// Claims the lowest of the waiting hints that failed least.
    pub fn pop(&self) -> Option<HintClaim> {
        let mut hints = self.shared.hints.lock();
        let waiting = hints.iter_mut().filter(|(_, entry)| entry.state == EntryState::Waiting);
        let (of, entry) = waiting.min_by_key(|(of, entry)| (entry.hint.failures, **of))?;
        entry.state = EntryState::Claimed;
        Some(HintClaim { hints: self.clone(), of: *of })
    }

    /// Claims this hint, unless there is none or somebody works on it.
    pub fn claim(&self, tree: TreeId, file: FileId) -> Option<HintClaim> {
        let mut hints = self.shared.hints.lock();
        let entry = hints.get_mut(&(tree, file)).filter(|entry| entry.state == EntryState::Waiting)?;
        entry.state = EntryState::Claimed;
        Some(HintClaim { hints: self.clone(), of: (tree, file) })
    }

    /// Drops the hint of a file that is gone for ever; whether there was one.
    pub fn forget(&self, tree: TreeId, file: FileId) -> bool {
        let mut hints = self.shared.hints.lock();
        self.shared.healed.lock().remove(&(tree, file));
        hints.remove(&(tree, file)).is_some()
    }
}

impl HealHint {
    /// Adds ranges to those of a hint that does not mean the whole file yet.
    fn widen(&mut self, ranges: &[(u64, u64)]) {
        for &range in ranges {
            insert(&mut self.pages, range);
        }
        if self.pages.len() > RANGES_MAX || ranges.iter().any(|(_, count)| *count == 0) {
            self.pages.clear();
        }
    }
}

/// Adds a range to ranges that stand apart; it grows together with those it touches.
fn insert(ranges: &mut Vec<(u64, u64)>, (first, count): (u64, u64)) {
    let (mut from, mut to) = (first, first.saturating_add(count));
    ranges.retain(|&(first, count)| {
        let end = first.saturating_add(count);
        let touches = first <= to && from <= end;
        if touches {
            (from, to) = (from.min(first), to.max(end));
        }
        !touches
    });
    let at = ranges.partition_point(|(first, _)| *first < from);
    ranges.insert(at, (from, to - from));
}

impl Recorded {
    /// Whether a manifest should learn of it.
    #[must_use]
    pub const fn is_news(self) -> bool {
        matches!(self, Self::New | Self::Wider)
    }
}

impl HintClaim {
    /// Whose file it is.
    #[must_use]
    pub const fn tree(&self) -> TreeId {
        self.of.0
    }

    /// Which file it is.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.of.1
    }

    /// The file was replaced by a verified one, durably: the hint goes.
    pub fn replaced(self) {
        self.hints.forget(self.of.0, self.of.1);
    }

    /// The file was healed where it stands, verified and durable: the hint goes, unless something was found
    /// meanwhile.
    pub fn healed(self) {
        *self.hints.shared.healed.lock().entry(self.of).or_insert(0) += 1;
        self.settled();
    }

    /// Nothing was wrong with the file any more: the hint goes, unless something was found meanwhile.
    pub fn settled(self) {
        let shared = &self.hints.shared;
        let mut hints = shared.hints.lock();
        let relapses = shared.healed.lock().get(&self.of).copied().unwrap_or(0);
        match hints.get_mut(&self.of) {
            Some(entry) if entry.state == EntryState::Claimed => _ = hints.remove(&self.of),
            Some(entry) => entry.hint.relapses = relapses,
            None => {}
        }
    }

    /// The job failed: the hint stays, and comes after those that failed less.
    pub fn failed(self) {
        if let Some(entry) = self.hints.shared.hints.lock().get_mut(&self.of) {
            entry.hint.failures = entry.hint.failures.saturating_add(1);
        }
    }
}

impl Drop for HintClaim {
    fn drop(&mut self) {
        if let Some(entry) = self.hints.shared.hints.lock().get_mut(&self.of) {
            entry.state = EntryState::Waiting;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: TreeId = TreeId::new(1);
    const FILE: FileId = FileId::new(7);

    fn record(hints: &HealHints, tree: u32, file: u64) -> Recorded {
        hints.record(TreeId::new(tree), FileId::new(file), 3..4, HintCause::Corrected)
    }

    #[track_caller]
    fn check_pages(ranges: &[Range<u64>], expected: &[(u64, u64)], last: Recorded) {
        let hints = HealHints::new();
        let record =
            |_, pages: &Range<u64>| Some(hints.record(TREE, FILE, pages.clone(), HintCause::Rebuilt));
        assert_eq!(ranges.iter().fold(None, record), Some(last), "{ranges:?}");
        assert_eq!(hints.snapshot()[0].pages, expected, "{ranges:?}");
    }

    #[test]
    fn a_duplicate_is_one_hint() {
        let hints = HealHints::new();
        assert_eq!(record(&hints, 1, 7), Recorded::New);
        assert_eq!(record(&hints, 1, 7), Recorded::Known);
        assert_eq!(record(&hints, 2, 7), Recorded::New);
        assert_eq!(hints.snapshot().len(), 2);
    }

    #[test]
    fn hints_are_claimed_in_order() {
        let hints = HealHints::new();
        for (tree, file) in [(2, 1), (1, 9), (1, 3), (0, 5)] {
            assert_eq!(record(&hints, tree, file), Recorded::New);
        }
        let claims: Vec<_> = core::iter::from_fn(|| hints.pop()).collect();
        let order: Vec<_> = claims.iter().map(|claim| (claim.tree().get(), claim.file().get())).collect();
        assert_eq!(order, [(0, 5), (1, 3), (1, 9), (2, 1)]);
        assert!(!hints.is_empty());
        claims.into_iter().for_each(HintClaim::healed);
        assert!(hints.is_empty());
    }

    #[test]
    fn what_is_switched_off_records_nothing_and_keeps_what_there_is() {
        let hints = HealHints::new();
        assert_eq!(record(&hints, 1, 7), Recorded::New);
        hints.disable();
        assert_eq!(record(&hints, 1, 8), Recorded::Disabled);
        hints.remember(TREE, FileId::new(9), &[]);
        let files: Vec<_> = hints.snapshot().iter().map(|hint| hint.file.get()).collect();
        assert_eq!(files, [7, 9]);
        hints.enable();
        assert_eq!(record(&hints, 1, 8), Recorded::New);
    }

    #[test]
    fn ranges_of_pages_grow_together() {
        check_pages(&[3..4, 5..6], &[(3, 1), (5, 1)], Recorded::Wider);
        check_pages(&[3..4, 5..6, 4..5], &[(3, 3)], Recorded::Wider);
        check_pages(&[3..9, 4..5], &[(3, 6)], Recorded::Known);
        check_pages(&[5..6, 0..1], &[(0, 1), (5, 1)], Recorded::Wider);
        check_pages(&[5..6, 0..0], &[], Recorded::Wider);
        check_pages(&[0..0, 5..6], &[], Recorded::Known);
        check_pages(&[u64::MAX - 1..u64::MAX, 0..1], &[(0, 1), (u64::MAX - 1, 1)], Recorded::Wider);
    }

    #[test]
    fn more_ranges_than_a_hint_names_mean_the_whole_file() {
        let ranges = |count: usize| (0..count as u64).map(|at| at * 2..at * 2 + 1).collect::<Vec<_>>();
        let named: Vec<_> = ranges(RANGES_MAX).iter().map(|pages| (pages.start, 1)).collect();
        check_pages(&ranges(RANGES_MAX), &named, Recorded::Wider);
        check_pages(&ranges(RANGES_MAX + 1), &[], Recorded::Wider);
        check_pages(&ranges(RANGES_MAX + 2), &[], Recorded::Known);
    }

    #[test]
    fn a_failed_job_keeps_its_hint_behind_the_others() {
        let hints = HealHints::new();
        for file in [1, 2] {
            assert_eq!(record(&hints, 1, file), Recorded::New);
        }
        hints.pop().unwrap().failed();
        let next = hints.pop().unwrap();
        assert_eq!(next.file(), FileId::new(2));
        assert_eq!(
            hints.waiting().iter().map(|hint| (hint.file.get(), hint.failures)).collect::<Vec<_>>(),
            [(1, 1)]
        );
        drop(next);
        assert_eq!(hints.waiting().iter().map(|hint| hint.file.get()).collect::<Vec<_>>(), [2, 1]);
        assert!(hints.claim(TREE, FileId::new(1)).is_some());
    }

    #[test]
    fn a_fault_found_while_its_file_is_replaced_goes_with_the_file() {
        let hints = HealHints::new();
        assert_eq!(record(&hints, 1, 7), Recorded::New);
        let claim = hints.pop().unwrap();
        assert_eq!(hints.record(TREE, FILE, 8..9, HintCause::Lost), Recorded::Wider);
        assert!(hints.pop().is_none());
        claim.replaced();
        assert!(hints.is_empty());
    }

    #[test]
    fn a_fault_found_while_its_file_is_healed_in_place_keeps_the_hint() {
        let hints = HealHints::new();
        assert_eq!(record(&hints, 1, 7), Recorded::New);
        let claim = hints.pop().unwrap();
        assert_eq!(record(&hints, 1, 7), Recorded::Known);
        claim.healed();
        hints.pop().unwrap().healed();
        assert!(hints.is_empty());
    }
}
