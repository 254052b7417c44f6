//! What was written and is not in order yet: what writers are held back by.

use super::Store;
use crate::Debt;

impl Store {
    /// The debt of the tree that has most of each.
    #[must_use]
    pub fn debt(&self) -> Debt {
        let mut debt = Debt::default();
        for tree in self.all_trees().values() {
            let version = tree.view().version.clone();
            debt.sealed_memtables = debt.sealed_memtables.max(tree.sealed_count() as u64);
            debt.flushed_runs = debt.flushed_runs.max(self.options.leveled.debt_runs(&version));
            debt.compaction_bytes += self.options.leveled.debt_bytes(&version);
        }
        debt
    }
}
