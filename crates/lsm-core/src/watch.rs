//! What the reads of a store met, made into hints and counts.
//!
//! Invariant: only what the medium itself proved becomes a hint. A clean read never comes here.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
};

use page_ecc::Evidence;
use parking_lot::Mutex;

use crate::{FileId, HealHints, HintCause, Proof, Sighting, TreeId, Witness};

/// Hears of every read that was not clean, and tells the store's own witness.
pub(crate) struct Watch {
    hints: HealHints,
    counts: Counts,
    /// Tables of which pages were lost, whether or not they are hinted. A leaf: nothing else is locked under it.
    lossy: Mutex<BTreeSet<(TreeId, FileId)>>,
    /// Wakes whoever heals.
    waker: Waker,
    then: Arc<dyn Witness>,
}

/// How many pages needed which rung since the store was opened.
#[derive(Debug, Default)]
struct Counts {
    transient: AtomicU64,
    corrected: AtomicU64,
    bits: AtomicU64,
    copied: AtomicU64,
    rebuilt: AtomicU64,
    supplied: AtomicU64,
    lost: AtomicU64,
}

impl Watch {
    pub(crate) fn new(hints: HealHints, waker: Waker, then: Arc<dyn Witness>) -> Self {
        Self { hints, counts: Counts::default(), lossy: Mutex::default(), waker, then }
    }

    /// How many pages needed which rung so far.
    pub(crate) fn evidence(&self) -> Evidence {
        let Counts { transient, corrected, bits, copied, rebuilt, supplied, lost } = &self.counts;
        Evidence {
            transient: transient.load(Relaxed),
            corrected: corrected.load(Relaxed),
            bits: bits.load(Relaxed),
            copied: copied.load(Relaxed),
            rebuilt: rebuilt.load(Relaxed),
            supplied: supplied.load(Relaxed),
            lost: lost.load(Relaxed),
        }
    }

    /// Tables of which reads lost pages since the store was opened.
    pub(crate) fn lossy(&self) -> Vec<(TreeId, FileId)> {
        self.lossy.lock().iter().copied().collect()
    }

    /// Counts a table among those of which reads lost pages.
    pub(crate) fn suspect(&self, tree: TreeId, table: FileId) {
        self.lossy.lock().insert((tree, table));
    }

    fn count(&self, evidence: &Evidence) {
        let Counts { transient, corrected, bits, copied, rebuilt, supplied, lost } = &self.counts;
        transient.fetch_add(evidence.transient, Relaxed);
        corrected.fetch_add(evidence.corrected, Relaxed);
        bits.fetch_add(evidence.bits, Relaxed);
        copied.fetch_add(evidence.copied, Relaxed);
        rebuilt.fetch_add(evidence.rebuilt, Relaxed);
        supplied.fetch_add(evidence.supplied, Relaxed);
        lost.fetch_add(evidence.lost, Relaxed);
    }
}

impl Witness for Watch {
    fn sighted(&self, sighting: &Sighting) {
        self.count(&sighting.evidence);
        if sighting.evidence.lost > 0 {
            self.lossy.lock().insert((sighting.tree, sighting.table));
        }
        if sighting.proof == Proof::Medium {
            let cause = HintCause::of(&sighting.evidence);
            let pages = sighting.pages.iter().map(|run| run.start.get()..run.end.get());
            let (tree, table) = (sighting.tree, sighting.table);
            let news = pages.filter(|run| self.hints.record(tree, table, run.clone(), cause).is_news());
            if news.count() > 0 {
                self.waker.wake_by_ref();
            }
        }
        self.then.sighted(sighting);
    }
}

impl HintCause {
    /// What weighs most in what was found.
    #[must_use]
    pub const fn of(evidence: &Evidence) -> Self {
        match evidence {
            Evidence { lost: 1.., .. } => Self::Lost,
            Evidence { rebuilt: 1.., .. } | Evidence { supplied: 1.., .. } => Self::Rebuilt,
            Evidence { corrected: 1.., .. } => Self::Corrected,
            _ => Self::Redundancy,
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("counts", &self.counts).finish_non_exhaustive()
    }
}
