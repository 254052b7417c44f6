//! What the cold path of a read saw, for whoever keeps hints, a ledger or counters.

use page_ecc::{Evidence, PageRanges};

use crate::{FileId, TreeId};

/// Hears of every read that needed the ladder; never of a clean one.
///
/// It is called on the thread that reads, with no lock held: note it and return.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use lsm_core::{Sighting, Witness};
///
/// #[derive(Default)]
/// struct Count(AtomicU64);
/// impl Witness for Count {
///     fn sighted(&self, sighting: &Sighting) {
///         self.0.fetch_add(sighting.evidence.rebuilt, Ordering::Relaxed);
///     }
/// }
/// let witness = Count::default();
/// # let _: &dyn Witness = &witness;
/// ```
pub trait Witness: Send + Sync {
    /// A read was not clean.
    fn sighted(&self, sighting: &Sighting);
}

/// What one read that was not clean met.
///
/// See [`Witness`] for who hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Of which tree.
    pub tree: TreeId,
    /// In which table's file.
    pub table: FileId,
    /// How many pages needed which rung of the ladder.
    pub evidence: Evidence,
    /// The pages of the file that are wrong; those that were right on a second read are not among them.
    pub pages: PageRanges,
    /// What says so.
    pub proof: Proof,
}

/// What says that pages are wrong.
///
/// ```
/// assert_ne!(lsm_core::Proof::Medium, lsm_core::Proof::Cache);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The medium itself: there is something to heal.
    Medium,
    /// Nothing but the page cache, which this system cannot bypass: look again before healing.
    Cache,
}

/// Hears and forgets.
///
/// ```
/// # let _: &dyn lsm_core::Witness =
/// &lsm_core::NoWitness;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWitness;

impl Witness for NoWitness {
    fn sighted(&self, _: &Sighting) {}
}
