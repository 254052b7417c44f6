//! The keyspace that a store keeps for itself: what patrols remember, and the ledger.
//!
//! It is not listed and nobody gets it. What is in it is ordinary data: logged, flushed, protected and healed like
//! any other, and nothing else depends on it.

use lsm_core::{Batch, TreeId};
use sst_format::KeyOrder;

use crate::{Durability, Error, engine::Engine};

/// Its name.
pub(crate) const SYSTEM_KEYSPACE: &str = "resilver.system";

/// Whether a key is like those in it.
pub(crate) fn is_own_key(key: &[u8]) -> bool {
    key.starts_with(b"ledger/") || key.starts_with(b"scrub/")
}

impl Engine {
    /// Writes something that nobody needs, so that what is flushed next has a later number than all before.
    pub(crate) fn take_a_number(&self) -> Result<(), Error> {
        let (tree, mut batch) = (self.system_tree()?, Batch::new());
        batch.delete(tree, b"ledger/n");
        self.write(&batch, Durability::Buffered)
    }

    /// The tree of the store's own keyspace, which is made when it is first needed.
    pub(crate) fn system_tree(&self) -> Result<TreeId, Error> {
        let named = || self.store.tree_named(SYSTEM_KEYSPACE).map(|(tree, _)| tree);
        if let Some(tree) = named() {
            return Ok(tree);
        }
        match self.store.create_tree(SYSTEM_KEYSPACE, &KeyOrder::Bytes) {
            Ok(tree) => Ok(tree),
            // Another thread needed it too, and was first.
            Err(error) => named().ok_or_else(|| error.into()),
        }
    }
}
