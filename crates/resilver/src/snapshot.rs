//! A moment of a store that stays readable.

use std::sync::Arc;

use crate::engine::Engine;

/// A moment of a store, readable for as long as it is held; cheap to take and to clone.
///
/// ```
/// use resilver::Db;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// db.put(b"key", b"old")?;
/// let before = db.snapshot();
/// db.put(b"key", b"new")?;
/// assert_eq!(db.default_keyspace().get_at(&before, b"key")?.as_deref(), Some(&b"old"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) engine: Arc<Engine>,
    pub(crate) inner: lsm_core::Snapshot,
}

impl Snapshot {
    pub(crate) fn take(engine: &Arc<Engine>) -> Self {
        Self { engine: engine.clone(), inner: engine.store.snapshot() }
    }
}
