//! A keyspace: keys of a store that live and are sorted by themselves.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use lsm_core::{Batch, KeyRange, TreeId, Visible};

use crate::{
    Durability, Error, Items, LostKeys, Scan, Snapshot,
    engine::Engine,
    scan::{Direction, Values},
};

/// Keys of a store that live and are sorted by themselves; clones are the same one.
///
/// ```
/// use resilver::Db;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// let users = db.keyspace("users")?;
/// users.put(b"ann", b"1")?;
/// assert!(users.contains(b"ann")?);
/// assert!(!db.contains(b"ann")?); // the default keyspace is another
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Keyspace {
    engine: Arc<Engine>,
    tree: TreeId,
    name: Arc<str>,
}

impl Keyspace {
    pub(crate) fn new(engine: Arc<Engine>, tree: TreeId, name: Arc<str>) -> Self {
        Self { engine, tree, name }
    }

    pub(crate) fn tree_id(&self) -> TreeId {
        self.tree
    }

    pub(crate) fn store_number(&self) -> u64 {
        self.engine.number
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a key, if it has one.
    ///
    /// # Errors
    /// If the answer depends on lost bytes, the disk refuses, or the store is closed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.engine.check_open()?;
        let begun = self.engine.latency.begin();
        let found = self.engine.store.get(self.tree, key, None)?.map(|visible| visible.value);
        self.engine.latency.end(begun);
        Ok(found)
    }

    /// The values of many keys, in the order they are asked for, all as of one moment. Keys that are near one another
    /// are looked up together: a table is opened, a block read once for all of its keys.
    ///
    /// Each answer stands for itself: where the value of one key is lost, the others are there.
    ///
    /// ```
    /// use resilver::Db;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("store");
    /// let db = Db::open(&path)?;
    /// let users = db.keyspace("users")?;
    /// users.put(b"ann", b"1")?;
    /// users.put(b"bob", b"2")?;
    /// let found = users.multi_get(&["bob", "nobody", "ann"])?;
    /// let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(found, [Some("2".into()), None, Some("1".into())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the store is closed or the keyspace is gone. An answer is an error where that of a get would be.
    pub fn multi_get(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Result<Option<Bytes>, Error>>, Error> {
        self.multi_get_as_of(None, keys)
    }

    /// The values that many keys had when a snapshot was taken.
    ///
    /// # Errors
    /// As [`multi_get`](Self::multi_get), and if the snapshot is of another store.
    pub fn multi_get_at(
        &self,
        snapshot: &Snapshot,
        keys: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Result<Option<Bytes>, Error>>, Error> {
        self.engine.check_snapshot(snapshot)?;
        self.multi_get_as_of(Some(snapshot), keys)
    }

    fn multi_get_as_of(
        &self,
        snapshot: Option<&Snapshot>,
        keys: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Result<Option<Bytes>, Error>>, Error> {
        self.engine.check_open()?;
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        let answers =
            self.engine.store.multi_get(self.tree, &keys, snapshot.map(|snapshot| &snapshot.inner))?;
        let value =
            |answer: Result<Option<Visible>, lsm_core::Error>| Ok(answer?.map(|visible| visible.value));
        Ok(answers.into_iter().map(value).collect())
    }

    /// The value a key had when a snapshot was taken.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the snapshot is of another store.
    pub fn get_at(&self, snapshot: &Snapshot, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.engine.check_open()?;
        self.engine.check_snapshot(snapshot)?;
        Ok(self.engine.store.get(self.tree, key, Some(&snapshot.inner))?.map(|visible| visible.value))
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn contains(&self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.get(key)?.is_some())
    }

    /// Sets a key's value.
    ///
    /// # Errors
    /// If it is over a limit, the disk refuses, or the store is closed or only read.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.write(key.len() + value.len(), |batch| batch.put(self.tree, key, value))
    }

    /// Removes a key.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&self, key: &[u8]) -> Result<(), Error> {
        self.write(key.len(), |batch| batch.delete(self.tree, key))
    }

    /// Removes a key that was put at most once since it was last deleted: cheaper to forget than a delete, and
    /// wrong for a key that was put twice.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn single_delete(&self, key: &[u8]) -> Result<(), Error> {
        self.write(key.len(), |batch| batch.single_delete(self.tree, key))
    }

    /// Removes every key from `from` up to, not including, `to`.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete_range(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.write(from.len() + to.len(), |batch| batch.delete_range(self.tree, from, to))
    }

    /// Walks over keys and values. It sees the store as it is now, or as its snapshot does, whatever is written
    /// meanwhile.
    ///
    /// # Errors
    /// If the disk refuses, the store is closed, or the snapshot is of another store.
    pub fn scan(&self, scan: Scan) -> Result<Items, Error> {
        self.engine.check_open()?;
        let snapshot = scan.snapshot.as_ref();
        snapshot.map_or(Ok(()), |snapshot| self.engine.check_snapshot(snapshot))?;
        let mut range = KeyRange::all().between(scan.lower.bound(), scan.upper.bound());
        if scan.values == Values::LeftOut {
            range = range.keys_only();
        }
        let iter = self.engine.store.iter(self.tree, range, snapshot.map(|snapshot| &snapshot.inner))?;
        Ok(Items {
            engine: self.engine.clone(),
            iter,
            is_reverse: scan.direction == Direction::Reverse,
            ended: false,
        })
    }

    /// Gives up what is known to be lost between two keys, so that they can be read again: a key that may have been
    /// lost keeps its value only if that is newer than the loss, and otherwise has none from now on. Nothing older
    /// comes back in its place. Says what was given up; [`Db::losses`](crate::Db::losses) says what can be.
    ///
    /// Damaged files are kept in [quarantine](crate::Db::quarantined). A call that is cut short, by a crash for
    /// instance, is made again.
    ///
    /// ```
    /// use std::ops::Bound;
    /// # let dir = tempfile::tempdir()?;
    /// let db = resilver::Db::open(dir.path().join("store"))?;
    /// let users = db.keyspace("users")?;
    /// for loss in db.losses()?.into_iter().filter(|loss| &*loss.keyspace == "users") {
    ///     println!("giving up {:?} to {:?}", loss.lower, loss.upper);
    ///     users.accept_loss(loss.lower.as_ref().map(|key| &key[..]), loss.upper.as_ref().map(|key| &key[..]))?;
    /// }
    /// // Nothing is lost now, so nothing can be given up.
    /// let refused = users.accept_loss(Bound::Unbounded, Bound::Unbounded);
    /// assert!(matches!(refused, Err(resilver::Error::NotLost { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotLost`] if nothing is known to be lost there; if a snapshot is held that may see what would go; if
    /// the disk refuses, or the store is closed or only read.
    pub fn accept_loss(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> Result<Vec<LostKeys>, Error> {
        let [lower, upper] = [lower, upper].map(|bound| bound.map(Bytes::copy_from_slice));
        self.engine.accept_loss(self.tree, lower, upper)
    }

    fn write(&self, room: usize, fill: impl FnOnce(&mut Batch)) -> Result<(), Error> {
        let mut batch = Batch::with_capacity(room + 32);
        fill(&mut batch);
        self.engine.write(&batch, self.engine.options.durability)
    }

    /// As durable as asked, whatever the store's own default.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn put_with(&self, key: &[u8], value: &[u8], durability: Durability) -> Result<(), Error> {
        let mut batch = Batch::with_capacity(key.len() + value.len() + 32);
        batch.put(self.tree, key, value);
        self.engine.write(&batch, durability)
    }
}
