//! What running jobs hold.
//!
//! Invariant: no two claimed jobs conflict. Planning looks, running claims: a claim checks again, under the
//! lock, that no other was quicker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use sst_format::KeyOrder;

use super::CompactionJob;
use crate::FileId;

/// The jobs that run at the moment, of all trees of a store; clones share them.
///
/// ```
/// let busy = lsm_core::BusySet::default();
/// assert!(busy.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct BusySet {
    claims: Arc<Mutex<Claims>>,
}

/// Guarded by the lock of the busy set, a leaf: nothing else is locked under it.
#[derive(Debug, Default)]
struct Claims {
    next: u64,
    jobs: BTreeMap<u64, CompactionJob>,
}

/// A job's right to its tables and to the keys of its outputs, until it is dropped.
///
/// Keep it until the version without the inputs is installed.
///
/// ```
/// use lsm_core::{BusySet, Claim, CompactionJob};
/// use sst_format::KeyOrder;
/// fn start(busy: &BusySet, job: &CompactionJob) -> Option<Claim> {
///     busy.claim(&KeyOrder::Bytes, job)
/// }
/// # assert!(BusySet::default().is_empty());
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives the tables back"]
pub struct Claim {
    claims: Arc<Mutex<Claims>>,
    no: u64,
}

impl BusySet {
    /// Whether no job runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.lock().jobs.is_empty()
    }

    /// How many jobs run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claims.lock().jobs.len()
    }

    /// The tables that running jobs replace.
    #[must_use]
    pub fn files(&self) -> BTreeSet<FileId> {
        let claims = self.claims.lock();
        claims.jobs.values().flat_map(|job| job.inputs.iter().map(|input| input.table.id)).collect()
    }

    /// Whether no running job stands in the way of this one.
    #[must_use]
    pub fn admits(&self, order: &KeyOrder, job: &CompactionJob) -> bool {
        self.claims.lock().admits(order, job)
    }

    /// Holds what the job needs; `None` if a running one stands in the way.
    ///
    /// A job that was planned from an older version is [proven](CompactionJob::prove) against the installed
    /// one after it is claimed: what stood in its way may have finished in between.
    #[must_use]
    pub fn claim(&self, order: &KeyOrder, job: &CompactionJob) -> Option<Claim> {
        let mut claims = self.claims.lock();
        if !claims.admits(order, job) {
            return None;
        }
        let no = claims.next;
        claims.next += 1;
        claims.jobs.insert(no, job.clone());
        Some(Claim { claims: self.claims.clone(), no })
    }
}

impl Claims {
    fn admits(&self, order: &KeyOrder, job: &CompactionJob) -> bool {
        !self.jobs.values().any(|running| running.conflicts(order, job))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().jobs.remove(&self.no);
    }
}
