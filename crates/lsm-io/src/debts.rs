//! The files that hold bytes no sync has covered: what a deletion, or the end, must sync first.
//!
//! **Invariant**: every target written through a worker and not synced since is in here, until it is
//! retired. A poisoned one therefore stays, and holds up deletions, until its owner has replaced it.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::{Target, target::TargetId};

/// The targets of one worker that are owed a sync.
#[derive(Debug, Default)]
pub(crate) struct Debts(Mutex<BTreeMap<TargetId, Arc<Target>>>);

impl Debts {
    /// Notes that `target` was written.
    pub(crate) fn owe(&self, target: &Arc<Target>) {
        self.0.lock().entry(target.id()).or_insert_with(|| target.clone());
    }

    /// Notes that `target` was synced; it stays if it was written meanwhile.
    pub(crate) fn settle(&self, target: &Target) {
        let mut owed = self.0.lock();
        // Under the lock, so that a write counted after this look finds itself noted after it as well.
        if !target.has_debt() {
            owed.remove(&target.id());
        }
    }

    pub(crate) fn list(&self) -> Vec<Arc<Target>> {
        let mut owed = self.0.lock();
        owed.retain(|_, target| target.has_debt());
        owed.values().cloned().collect()
    }
}
