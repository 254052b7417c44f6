//! Writes that take effect together, across keyspaces.

use lsm_core::Batch;

use crate::Keyspace;

/// Writes that take effect together or not at all, in the order they were added.
///
/// A write over a limit is remembered, and the batch is refused as a whole.
///
/// ```
/// use resilver::{Db, WriteBatch};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// let (users, log) = (db.keyspace("users")?, db.keyspace("log")?);
/// let mut batch = WriteBatch::new();
/// batch.put(&users, b"ann", b"1");
/// batch.put(&log, b"0001", b"ann came");
/// batch.delete(&users, b"bob");
/// db.write(&batch)?;
/// assert_eq!(users.get(b"ann")?.as_deref(), Some(&b"1"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    pub(crate) batch: Batch,
    /// Of which store its keyspaces are; none yet, or several, which no store takes.
    pub(crate) of: Of,
}

/// The store a batch is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Of {
    #[default]
    Nobody,
    Store(u64),
    Several,
}

impl WriteBatch {
    /// A batch without writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key's value.
    pub fn put(&mut self, keyspace: &Keyspace, key: &[u8], value: &[u8]) -> &mut Self {
        self.meet(keyspace).put(keyspace.tree_id(), key, value);
        self
    }

    /// Removes a key.
    pub fn delete(&mut self, keyspace: &Keyspace, key: &[u8]) -> &mut Self {
        self.meet(keyspace).delete(keyspace.tree_id(), key);
        self
    }

    /// Removes a key that was put at most once since it was last deleted: cheaper to forget than a delete,
    /// and wrong for a key that was put twice.
    pub fn single_delete(&mut self, keyspace: &Keyspace, key: &[u8]) -> &mut Self {
        self.meet(keyspace).single_delete(keyspace.tree_id(), key);
        self
    }

    /// Removes every key from `from` up to, not including, `to`.
    pub fn delete_range(&mut self, keyspace: &Keyspace, from: &[u8], to: &[u8]) -> &mut Self {
        self.meet(keyspace).delete_range(keyspace.tree_id(), from, to);
        self
    }

    /// How many writes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Bytes it takes in the log.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batch.bytes().len()
    }

    /// Forgets its writes and keeps its memory.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.of = Of::Nobody;
    }

    fn meet(&mut self, keyspace: &Keyspace) -> &mut Batch {
        let store = keyspace.store_number();
        self.of = match self.of {
            Of::Nobody => Of::Store(store),
            Of::Store(known) if known == store => Of::Store(known),
            Of::Store(_) | Of::Several => Of::Several,
        };
        &mut self.batch
    }
}
