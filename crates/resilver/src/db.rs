//! A store, opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use lsm_core::{CompactionStrategy, Copying, StoreStats};
use parking_lot::Mutex;
use sst_format::KeyOrder;

use crate::{
    AutoHeal, Background, Durability, Error, HealHint, HealMode, HealReport, Health, Items, Keyspace, Ledger,
    LostKeys, Options, PatrolOptions, Scan, ScrubControl, ScrubReport, ScrubStatus, Snapshot, Verified,
    WriteBatch, background::Threads, batch::Of, engine::Engine, ledger::Take, opening,
    system::SYSTEM_KEYSPACE,
};

/// The keyspace that is always there.
pub(crate) const DEFAULT_KEYSPACE: &str = "default";

/// A store, opened for writing by this process alone, or for reading.
///
/// ```
/// use resilver::Db;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// db.put(b"key", b"value")?;
/// db.close()?;
///
/// let db = Db::open(&path)?;
/// assert_eq!(db.get(b"key")?.as_deref(), Some(&b"value"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Db {
    pub(crate) engine: Arc<Engine>,
    default: Keyspace,
    threads: Mutex<Threads>,
}

/// What a store holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Its tables and what is in memory.
    pub tables: StoreStats,
    /// Bytes of the log's files.
    pub log_bytes: u64,
    /// The log's files.
    pub log_segments: u64,
    /// The newest change that reads see.
    pub newest_seq: u64,
}

impl Db {
    /// Opens the store at `path` for writing, and makes it if there is none.
    ///
    /// # Errors
    /// If it is not a store, is open elsewhere, was written by a later release, or the disk refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Options::new().open(path)
    }

    /// Opens the store at `path` for reading: nothing on the disk is changed, and a process that writes to it
    /// may go on. What is written there meanwhile is not seen. What is in the log and in no table yet is held in
    /// memory, and every table is held open, so that the writer may let them go.
    ///
    /// # Errors
    /// If it is not a store, was written by a later release, or the disk refuses.
    pub fn open_read_only(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::of(opening::open_read_only(path.as_ref(), options)?)
    }

    pub(crate) fn open_with(path: &Path, options: Options) -> Result<Self, Error> {
        let background = options.background;
        let compactors = options.compaction_threads;
        let db = Self::of(opening::open(path, options)?)?;
        if background == Background::Threads {
            *db.threads.lock() = Threads::start(&db.engine, compactors)?;
        }
        Ok(db)
    }

    fn of(engine: Engine) -> Result<Self, Error> {
        let engine = Arc::new(engine);
        let (tree, _) = engine
            .store
            .tree_named(DEFAULT_KEYSPACE)
            .ok_or_else(|| Error::KeyspaceName { name: DEFAULT_KEYSPACE.into() })?;
        let default = Keyspace::new(engine.clone(), tree, DEFAULT_KEYSPACE.into());
        Ok(Self { engine, default, threads: Mutex::default() })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The keyspace that is always there, which the store's own `put`, `get` and others use.
    #[must_use]
    pub fn default_keyspace(&self) -> Keyspace {
        self.default.clone()
    }

    /// A keyspace, made if there is none of that name, its keys sorted by their bytes.
    ///
    /// # Errors
    /// If it is sorted otherwise, its name is empty or over 255 bytes, or the disk refuses.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        self.keyspace_ordered(name, &KeyOrder::Bytes)
    }

    /// A keyspace, made if there is none of that name, its keys sorted by `order`, which
    /// [`Options::comparator`] must have named.
    ///
    /// # Errors
    /// As [`keyspace`](Self::keyspace).
    pub fn keyspace_ordered(&self, name: &str, order: &KeyOrder) -> Result<Keyspace, Error> {
        self.engine.check_open()?;
        if name.is_empty() || name.len() > 255 || name == SYSTEM_KEYSPACE {
            return Err(Error::KeyspaceName { name: name.into() });
        }
        let tree = match self.engine.store.tree_named(name) {
            Some((tree, found)) if found.name() == order.name() => tree,
            Some((_, found)) => {
                let (found, asked) = (found.name().into(), order.name().into());
                return Err(Error::OtherOrder { name: name.into(), found, asked });
            }
            None => self.engine.store.create_tree(name, order)?,
        };
        Ok(Keyspace::new(self.engine.clone(), tree, name.into()))
    }

    /// A keyspace that is there.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn find_keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        self.engine.check_open()?;
        let found = self.engine.store.tree_named(name).filter(|_| name != SYSTEM_KEYSPACE);
        let found = found.ok_or_else(|| Error::NoKeyspace { name: name.into() })?;
        Ok(Keyspace::new(self.engine.clone(), found.0, name.into()))
    }

    /// What the store holds, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let segments = self.engine.segments();
        Stats {
            tables: self.engine.store.stats(),
            log_bytes: segments.iter().map(|segment| segment.file_len()).sum(),
            log_segments: segments.len() as u64,
            newest_seq: self.engine.store.visible().get(),
        }
    }

    /// The names of all keyspaces, sorted.
    #[must_use]
    pub fn keyspaces(&self) -> Vec<Arc<str>> {
        let names = self.engine.store.names();
        names.into_iter().filter(|name| **name != *SYSTEM_KEYSPACE).collect()
    }

    /// Ends a keyspace with everything in it. Whoever still holds it gets an error from then on.
    ///
    /// # Errors
    /// If the disk refuses, it is gone already, is of another store, or the one that is always there.
    pub fn drop_keyspace(&self, keyspace: &Keyspace) -> Result<(), Error> {
        self.engine.check_open()?;
        if keyspace.store_number() != self.engine.number {
            return Err(Error::ForeignKeyspace);
        }
        if keyspace.tree_id() == self.default.tree_id() {
            return Err(Error::DefaultKeyspace);
        }
        self.engine.store.drop_tree(keyspace.tree_id())?;
        self.engine.store.sweep()?;
        Ok(())
    }

    /// Writes a batch: all of it, or nothing.
    ///
    /// # Errors
    /// If it is over a limit or of another store, the disk refuses, or the store is closed or only read.
    pub fn write(&self, batch: &WriteBatch) -> Result<(), Error> {
        self.write_with(batch, self.engine.options.durability)
    }

    /// As [`write`](Self::write), as durable as asked, whatever the store's own default.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_with(&self, batch: &WriteBatch, durability: Durability) -> Result<(), Error> {
        match batch.of {
            Of::Nobody => self.engine.write(&batch.batch, durability),
            Of::Store(number) if number == self.engine.number => self.engine.write(&batch.batch, durability),
            Of::Store(_) | Of::Several => Err(Error::ForeignBatch),
        }
    }

    /// Makes everything acknowledged so far survive a power cut.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read.
    pub fn sync(&self) -> Result<(), Error> {
        self.engine.sync()
    }

    /// A moment of the store that stays readable.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.engine)
    }

    /// Makes tables of everything in memory.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read.
    pub fn flush(&self) -> Result<(), Error> {
        self.engine.flush()
    }

    /// Merges all tables of all keyspaces as far as they can be.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read.
    pub fn compact(&self) -> Result<(), Error> {
        self.engine.compact_fully()
    }

    /// Lets a strategy choose compactions of every keyspace until it has none to choose.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read.
    pub fn compact_with(&self, strategy: &dyn CompactionStrategy) -> Result<(), Error> {
        self.engine.compact_all(strategy)
    }

    /// Heals what is known to be wrong on the medium; [`hints`](Self::hints) says what that is. Reads and scrubs
    /// find it, and in the background it is healed without being asked for.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read. What hinders one file is in the report.
    pub fn heal(&self, mode: HealMode) -> Result<HealReport, Error> {
        self.engine.heal_all(mode)
    }

    /// Reads and checks every page of every file, whatever it meets, and notes what is to be healed. A pass that was
    /// cut short, by `control` or by the end of the process, goes on where it was, unless the options say otherwise.
    ///
    /// ```
    /// use resilver::{Db, PatrolOptions, ScrubControl};
    /// # let dir = tempfile::tempdir()?;
    /// let db = Db::open(dir.path().join("store"))?;
    /// let report = db.scrub(&PatrolOptions::new().bytes_per_sec(100 << 20), &ScrubControl::new())?;
    /// assert!(report.is_ok() && report.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If hints cannot be made durable, or the store is closed or only read.
    pub fn scrub(&self, options: &PatrolOptions, control: &ScrubControl) -> Result<ScrubReport, Error> {
        self.engine.scrub(options, control)
    }

    /// What is known to be lost, by keyspace and key range: what reads, compactions and scrubs have met so far. Tables
    /// that lost something are read for it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let db = resilver::Db::open(dir.path().join("store"))?;
    /// assert!(db.losses()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed.
    pub fn losses(&self) -> Result<Vec<LostKeys>, Error> {
        self.engine.losses()
    }

    /// Files with lost pages whose tables were written anew, without what is lost. They are kept, for a later try to
    /// bring their pages back, until they are [released](Self::release_quarantined) or too
    /// [many](Options::quarantine_bytes).
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed.
    pub fn quarantined(&self) -> Result<Vec<PathBuf>, Error> {
        self.engine.quarantined()
    }

    /// Removes the files in quarantine, and says how many those were. It changes no answer.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed or only read.
    pub fn release_quarantined(&self) -> Result<usize, Error> {
        self.engine.release_quarantined()
    }

    /// What scrubs have done so far.
    ///
    /// # Errors
    /// If the disk refuses, or the store is closed.
    pub fn scrub_status(&self) -> Result<ScrubStatus, Error> {
        self.engine.scrub_status()
    }

    /// The files with pages that are known to be wrong on the medium.
    #[must_use]
    pub fn hints(&self) -> Vec<HealHint> {
        self.engine.store.hints().snapshot()
    }

    /// What happened to the store's bytes: corrections, healing, losses, scrubs; the newest some thousand of them.
    /// What of it cannot be read is said, and is no error: nothing depends on it.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn ledger(&self) -> Result<Ledger, Error> {
        self.engine.ledger()
    }

    /// How the store is, by what is known of it: one verdict, the reasons, and what to do. No page is read for it
    /// but the ledger's, and those of tables that lost something, as by [`losses`](Self::losses);
    /// [`health_as_verified`](Self::health_as_verified) knows more.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn health(&self) -> Result<Health, Error> {
        self.engine.health()
    }

    /// As [`health`](Self::health), and no table is read for it.
    pub(crate) fn health_at_a_glance(&self) -> Result<Health, Error> {
        self.engine.health_at_a_glance()
    }

    /// How the store is, by a look at every page of it, which [`verify`](crate::verify) took before it was opened.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn health_as_verified(&self, verified: &Verified) -> Result<Health, Error> {
        self.engine.health_as_verified(verified)
    }

    /// From now on the store heals itself, or does not. What is known to be wrong stays known.
    pub fn set_auto_heal(&self, auto_heal: AutoHeal) {
        self.engine.set_auto_heal(auto_heal);
    }

    /// Makes a store of its own at `dest`, a directory that is not there yet, with everything that is written by
    /// now. Writes go on meanwhile. Tables are linked where the file system can, so a checkpoint shares their
    /// damage; see [`checkpoint_copied`](Self::checkpoint_copied).
    ///
    /// # Errors
    /// If `dest` is there, the disk refuses, or the store is closed or only read; then nothing is left there.
    pub fn checkpoint(&self, dest: impl AsRef<Path>) -> Result<(), Error> {
        self.engine.checkpoint(dest.as_ref(), Copying::Link)
    }

    /// As [`checkpoint`](Self::checkpoint), but every byte is copied, and nothing is shared.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_copied(&self, dest: impl AsRef<Path>) -> Result<(), Error> {
        self.engine.checkpoint(dest.as_ref(), Copying::Bytes)
    }

    /// Makes tables of what is in memory, so that the next open has hardly anything to replay; ends background
    /// work, makes everything durable and lets the store go. What is still held of it answers [`Error::Closed`]
    /// from then on. That a table could not be made is only logged: what it would hold stays in the log.
    ///
    /// # Errors
    /// If not everything could be made durable; the store is closed all the same.
    pub fn close(self) -> Result<(), Error> {
        self.shut()
    }

    fn shut(&self) -> Result<(), Error> {
        // Before the threads are told to end, for that ends flushes too.
        if !std::thread::panicking() {
            self.engine.trim_quarantine();
            self.engine.write_ledger(Take::All);
            self.engine.flush_last();
        }
        self.threads.lock().stop(&self.engine);
        self.engine.close()
    }

    /// See [`Keyspace::get`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.default.get(key)
    }

    /// See [`Keyspace::multi_get`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn multi_get(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Result<Option<Bytes>, Error>>, Error> {
        self.default.multi_get(keys)
    }

    /// See [`Keyspace::contains`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn contains(&self, key: &[u8]) -> Result<bool, Error> {
        self.default.contains(key)
    }

    /// See [`Keyspace::put`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.default.put(key, value)
    }

    /// See [`Keyspace::delete`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn delete(&self, key: &[u8]) -> Result<(), Error> {
        self.default.delete(key)
    }

    /// See [`Keyspace::delete_range`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn delete_range(&self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.default.delete_range(from, to)
    }

    /// See [`Keyspace::scan`], of the default keyspace.
    ///
    /// # Errors
    /// See there.
    pub fn scan(&self, scan: Scan) -> Result<Items, Error> {
        self.default.scan(scan)
    }
}

impl Drop for Db {
    /// Closes the store, unless that was done; an error is logged.
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            log::error!("closing the store failed: {}", error.to_told());
        }
    }
}
