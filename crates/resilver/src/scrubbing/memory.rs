//! What a patrol remembers, in a keyspace of the store's own.
//!
//! **Invariant**: hints last before the note of the file that they are about, for a pass that is resumed does not
//! look at what is noted again.

use std::ops::Bound::{Excluded, Included};

use lsm_core::{Batch, KeyRange};
use lsm_scrub::{IoFault, Memory, MemoryKey};

use crate::{Durability, Error, engine::Engine, system::SYSTEM_KEYSPACE};

/// What the keys of a patrol begin with.
const PREFIX: &[u8] = b"scrub/";
/// The first key behind all of them.
const PREFIX_END: &[u8] = b"scrub0";

/// Keeps what a patrol remembers.
pub(super) struct SystemMemory<'a> {
    engine: &'a Engine,
}

impl<'a> SystemMemory<'a> {
    pub(super) const fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    fn load_all(&self) -> Result<Vec<Vec<u8>>, Error> {
        let Some((tree, _)) = self.engine.store.tree_named(SYSTEM_KEYSPACE) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        let range = KeyRange::all().between(Included(PREFIX.into()), Excluded(PREFIX_END.into()));
        let mut items = self.engine.store.iter(tree, range, None)?;
        while let Some(item) = items.step()? {
            records.push(item.value.to_vec());
        }
        Ok(records)
    }

    fn write(&self, key: MemoryKey, record: Option<&[u8]>) -> Result<(), Error> {
        let tree = self.engine.system_tree()?;
        let key = [PREFIX, &key.to_bytes()].concat();
        let mut batch = Batch::new();
        match record {
            Some(record) => batch.put(tree, &key, record),
            None => batch.delete(tree, &key),
        }
        self.engine.write(&batch, Durability::Buffered)
    }
}

impl Memory for SystemMemory<'_> {
    fn load(&self) -> Result<Vec<Vec<u8>>, IoFault> {
        self.load_all().map_err(IoFault::new)
    }

    fn store(&self, key: MemoryKey, record: &[u8]) -> Result<(), IoFault> {
        self.engine.store.record_hints().map_err(IoFault::new)?;
        self.write(key, Some(record)).map_err(IoFault::new)
    }

    fn forget(&self, key: MemoryKey) -> Result<(), IoFault> {
        self.write(key, None).map_err(IoFault::new)
    }
}
