//! What lasts of a store beside its tables and its log: the catalog, edit by edit, in two copies.
//!
//! A *generation* is three files: a snapshot of the catalog, sealed, and two files of the edits behind it, of
//! 1 MiB and the same content. A new one is begun whenever a store is opened for writing, when the edits fill
//! their files, and after a failure; the one before stays until then, so that the loss of a whole file, the
//! snapshot too, costs nothing.
//!
//! Invariants: an edit that was recorded is durable in two files. Once a generation is begun, no edit goes
//! into an older one. After a failed write or sync nothing of the files it concerned is trusted: the edit is
//! *indeterminate* until a new generation, which does not have it, is durable, and
//! [`is_settled`](Manifest::is_settled) says so; until then no file of the store may be deleted for what its
//! catalog says.
//!
//! Time and randomness are arguments; deletions and everything durable go through the worker's bulk lane.

mod birth;
mod edit_bytes;
mod edit_log;
mod edit_page;
mod error;
mod examining;
pub(crate) mod fields;
mod finding;
mod medium;
mod names;
mod recovery;
pub(crate) mod relics;
mod snapshot;
mod table_bytes;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{EpochWorker, Fs};
use page_ecc::Uid;
use parking_lot::{Mutex, RwLock};

use self::writer::{Place, Writer};
pub use self::{
    error::ManifestError,
    examining::{ManifestFile, examine_manifest, measure_manifest},
    fields::FieldError,
    finding::{ManifestFault, ManifestFinding},
    names::{Generation, is_manifest_file},
    recovery::Recovered,
};
use crate::{Catalog, Edit, Error, KeyOrders};

/// The manifest of a store that is open for writing.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_core::{Change, Edit, KeyOrders, Manifest, Recovered, TreeId};
/// use lsm_io::{EpochWorker, Fs, Limits, MemFs};
/// use page_ecc::Uid;
///
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let orders = KeyOrders::default();
/// let (store, nonce) = (Uid::new([1; 16]), Uid::new([2; 16])); // random bits
/// let manifest = Manifest::create(&fs, Path::new("/store"), &worker, &orders, store, nonce)?;
/// let name = "users".into();
/// let create = Change::CreateTree { tree: TreeId::new(1), name, order: "resilver.bytes".into() };
/// manifest.record(&Edit::new().and(create))?;
/// drop(manifest);
///
/// let recovered = Recovered::read(&fs, Path::new("/store"), &orders)?;
/// assert!(recovered.catalog().tree_named("users").is_some());
/// let manifest = Manifest::resume(recovered, &worker, Uid::new([3; 16]));
/// assert!(manifest.is_settled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Manifest {
    /// Held over each edit until it is durable; ranks before `catalog`.
    writer: Mutex<Writer>,
    /// A leaf, held for a moment.
    catalog: RwLock<Arc<Catalog>>,
    settled: AtomicBool,
}

impl Manifest {
    /// Creates a store's manifest in `dir`, and `dir` itself if need be; whatever an earlier attempt left there
    /// is replaced.
    ///
    /// `store` is the new store's identity; `nonce` is drawn anew for every call.
    ///
    /// # Errors
    /// If there is a manifest already, or the disk refuses.
    pub fn create(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        worker: &Arc<EpochWorker>,
        orders: &KeyOrders,
        store: Uid,
        nonce: Uid,
    ) -> Result<Self, Error> {
        Self::create_from(fs, dir, worker, orders, Catalog::new(store), nonce)
    }

    /// As [`create`](Self::create), of a store that begins with this catalog.
    ///
    /// # Errors
    /// If there is a manifest already, or the disk refuses.
    pub fn create_from(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        worker: &Arc<EpochWorker>,
        orders: &KeyOrders,
        catalog: Catalog,
        nonce: Uid,
    ) -> Result<Self, Error> {
        Self::create_at(Place::new(fs.clone(), dir, worker.clone(), nonce), orders, catalog)
    }

    fn create_at(place: Place, orders: &KeyOrders, catalog: Catalog) -> Result<Self, Error> {
        match Recovered::read(&place.fs, &place.dir, orders) {
            Ok(_) => return Err(ManifestError::AlreadyThere { dir: place.dir }.into()),
            Err(ManifestError::NotAStore { .. }) => place.make_dir()?,
            Err(ManifestError::Unfinished { .. }) => place.clear()?,
            Err(error) => return Err(error.into()),
        }
        // What no edit leads to is in the snapshots alone, and counts as one, so that none is empty without them.
        let number = u64::from(catalog.is_checkpoint);
        let manifest = Self::new(Writer::new(place, orders.clone(), number), Arc::new(catalog));
        // The second has one before it, which states that it was durable.
        manifest.roll()?;
        manifest.roll()?;
        Ok(manifest)
    }

    /// Opens the manifest in `dir`, creating it if there is none or creating it was cut short. What was read
    /// comes back too, unless it was created.
    ///
    /// `nonce` is drawn anew for every call.
    ///
    /// ```
    /// # use std::{path::Path, sync::Arc};
    /// # use lsm_core::{KeyOrders, Manifest};
    /// # use lsm_io::{EpochWorker, Fs, Limits, MemFs};
    /// # use page_ecc::Uid;
    /// # let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    /// # let worker = Arc::new(EpochWorker::start(Limits::default())?);
    /// let open = |random| {
    ///     let (store, nonce) = (Uid::new([random; 16]), Uid::new([random + 1; 16]));
    ///     Manifest::open_or_create(&fs, Path::new("/store"), &worker, &KeyOrders::default(), store, nonce)
    /// };
    /// let (created, _) = open(1)?;
    /// let (opened, _) = open(3)?;
    /// assert_eq!(opened.catalog().store, created.catalog().store);
    /// # Ok::<(), lsm_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`Recovered::read`].
    pub fn open_or_create(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        worker: &Arc<EpochWorker>,
        orders: &KeyOrders,
        store: Uid,
        nonce: Uid,
    ) -> Result<(Self, Vec<ManifestFinding>), Error> {
        Self::open_or_create_at(Place::new(fs.clone(), dir, worker.clone(), nonce), orders, store)
    }

    fn open_or_create_at(
        place: Place,
        orders: &KeyOrders,
        store: Uid,
    ) -> Result<(Self, Vec<ManifestFinding>), Error> {
        match Recovered::read(&place.fs, &place.dir, orders) {
            Ok(recovered) => {
                let findings = recovered.findings().to_vec();
                Ok((Self::resume_at(recovered, place), findings))
            }
            Err(ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. }) => {
                Ok((Self::create_at(place, orders, Catalog::new(store))?, Vec::new()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on from what was read: begins a new generation, which heals whatever was found. If the disk refuses
    /// that, the manifest is there but not [settled](Self::is_settled), and every record tries again.
    ///
    /// `nonce` is drawn anew for every call.
    #[must_use]
    pub fn resume(recovered: Recovered, worker: &Arc<EpochWorker>, nonce: Uid) -> Self {
        let place = Place::new(recovered.fs.clone(), &recovered.dir, worker.clone(), nonce);
        Self::resume_at(recovered, place)
    }

    fn resume_at(recovered: Recovered, place: Place) -> Self {
        let catalog = recovered.catalog().clone();
        let is_damaged = recovered.findings().iter().any(|finding| finding.fault.is_damage());
        let manifest = Self::new(Writer::resume(recovered, place), catalog);
        // Where something was damaged, the generation to fall back on is made anew as well.
        let begun = if is_damaged { manifest.roll().and_then(|()| manifest.roll()) } else { manifest.roll() };
        if let Err(error) = begun {
            log::warn!(
                "no new generation of the manifest could be begun, the next edit tries again: {error}"
            );
        }
        manifest
    }

    fn new(writer: Writer, catalog: Arc<Catalog>) -> Self {
        Self { writer: Mutex::new(writer), catalog: RwLock::new(catalog), settled: AtomicBool::new(false) }
    }

    /// The catalog with every edit recorded so far.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().clone()
    }

    /// Makes an edit durable; the catalog has it from then on.
    ///
    /// # Errors
    /// If it does not fit the catalog; then nothing happened. If the disk refuses: then the catalog does not
    /// have it, and whether a store opened after a crash would, is open until the manifest is
    /// [settled](Self::is_settled) again.
    pub fn record(&self, edit: &Edit) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        let now = self.catalog();
        let next = now.with(writer.orders(), edit).map_err(ManifestError::from)?;
        let payload = edit_bytes::encode(edit);
        if !writer.has_room(&payload) {
            writer.begin_generation(&now, payload.len())?;
            self.settled.store(true, Ordering::Release);
        }
        let written = writer.write(&payload);
        // An edit that failed may be in the files all the same.
        self.settled.store(writer.has_files(), Ordering::Release);
        written?;
        *self.catalog.write() = Arc::new(next);
        Ok(())
    }

    /// States behind the last edit that it is durable, so that damage to it shows. For when nothing follows for a
    /// while, and before the store is closed.
    ///
    /// # Errors
    /// If the disk refuses. Every edit is as durable as before.
    pub fn mark(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        let marked = writer.mark();
        self.settled.store(writer.has_files(), Ordering::Release);
        marked
    }

    /// Begins a new generation with the catalog as it is.
    ///
    /// # Errors
    /// If the disk refuses; the generation before still says everything.
    pub fn roll(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        writer.begin_generation(&self.catalog(), 0)?;
        self.settled.store(true, Ordering::Release);
        Ok(())
    }

    /// Looks at its files on the medium, while no edit is written.
    ///
    /// # Errors
    /// If the directory cannot be listed, or a file is of a later release.
    pub fn examine(&self) -> Result<Vec<ManifestFile>, Error> {
        let writer = self.writer.lock();
        let (fs, dir) = writer.place();
        Ok(examine_manifest(fs, dir)?)
    }

    /// Whether what the catalog says is all that a store opened after a crash could find: false while an edit
    /// that failed, or the end of what was read at open, waits for a new generation. Files that the catalog does
    /// not name may be deleted only while it is true.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// The generation that edits go to; none while a new one is due.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        self.writer.lock().generation()
    }
}
