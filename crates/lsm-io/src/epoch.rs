//! An epoch: one group of writes made durable together, and the deletions that may follow.
//!
//! An epoch is a value: building one touches no disk. Its writes take effect in the order they were added.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{ByteLen, FileOffset, Fs, Lane, Target, Ticket, queue::Fate};

/// One group of writes made durable together, and the files that may go once it is.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{ByteLen, Epoch, FileOffset, Fs, MemFs, Target};
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let table = Target::create(fs.clone(), "/table-2".as_ref())?;
/// let epoch = Epoch::new().write(&table, FileOffset::ZERO, vec![7; 100]).delete(fs, "/table-1".as_ref());
/// assert_eq!(epoch.len(), ByteLen::new(100));
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Epoch {
    pub(crate) writes: Vec<Write>,
    pub(crate) syncs: Vec<Arc<Target>>,
    pub(crate) deletions: Vec<Deletion>,
    pub(crate) durability: Durability,
    pub(crate) after: Option<After>,
}

/// Bytes for a place in a file.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{FileOffset, MemFs, Target, Write};
/// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
/// let write = Write { target, offset: FileOffset::ZERO, image: b"abc".to_vec().into() };
/// assert_eq!(write.image.as_slice(), b"abc");
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Write {
    /// Where to.
    pub target: Arc<Target>,
    /// From which place on.
    pub offset: FileOffset,
    /// What.
    pub image: Image,
}

/// A file to remove once everything written before is durable.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Deletion, MemFs};
/// let deletion = Deletion { fs: Arc::new(MemFs::new()), path: "/old".into() };
/// ```
#[derive(Clone, Debug)]
pub struct Deletion {
    /// Where it lies.
    pub fs: Arc<dyn Fs>,
    /// Its name.
    pub path: PathBuf,
}

/// Bytes on their way to a disk; clones share them.
///
/// ```
/// use lsm_io::Image;
/// let image = Image::from(vec![1, 2, 3]);
/// assert_eq!(image.clone().as_slice(), &[1, 2, 3]);
/// ```
#[derive(Clone)]
pub struct Image(Arc<Lent>);

/// Takes back the memory of images that nobody holds any more; see [`Image::lent`].
///
/// ```
/// #[derive(Debug)]
/// struct Counted(std::sync::atomic::AtomicUsize);
/// impl lsm_io::Recycler for Counted {
///     fn recycle(&self, bytes: Vec<u8>) {
///         self.0.fetch_add(bytes.len(), std::sync::atomic::Ordering::Relaxed);
///     }
/// }
/// ```
pub trait Recycler: fmt::Debug + Send + Sync {
    /// Takes the memory; what is in it means nothing any more.
    fn recycle(&self, bytes: Vec<u8>);
}

/// Bytes, and whose they are once they are written.
struct Lent {
    bytes: Vec<u8>,
    owner: Option<Arc<dyn Recycler>>,
}

/// What an epoch waits for.
///
/// ```
/// assert_eq!(lsm_io::Durability::default(), lsm_io::Durability::Synced);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Its bytes would survive a power cut.
    #[default]
    Synced,
    /// Its bytes have left the process: they survive its end, not a power cut.
    Buffered,
}

/// The place of an epoch in its lane: the order in which epochs take effect.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
/// let worker = EpochWorker::start(Limits::default())?;
/// let first = worker.commit(Lane::Log, Epoch::new())?.seq;
/// let second = worker.commit(Lane::Log, Epoch::new())?.seq;
/// assert!(first < second);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochSeq {
    pub(crate) lane: Lane,
    pub(crate) number: u64,
}

/// Which turn of a worker, both lanes counted together.
///
/// ```
/// use lsm_io::{Epoch, EpochWorker, Lane, Limits};
/// let worker = EpochWorker::start(Limits::default())?;
/// assert_eq!(worker.commit(Lane::Log, Epoch::new())?.turn.to_string(), "1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(pub(crate) u64);

/// An earlier epoch that must be durable first.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) seq: EpochSeq,
    pub(crate) fate: Arc<Fate>,
}

impl Epoch {
    /// An epoch with nothing in it.
    ///
    /// ```
    /// assert_eq!(lsm_io::Epoch::new().len(), lsm_io::ByteLen::ZERO);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes for a place in a file.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Epoch, FileOffset, MemFs, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// let epoch = Epoch::new().write(&target, FileOffset::ZERO, b"abc".to_vec());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn write(mut self, target: &Arc<Target>, offset: FileOffset, image: impl Into<Image>) -> Self {
        self.writes.push(Write { target: target.clone(), offset, image: image.into() });
        self
    }

    /// Asks that everything written to `target` so far become durable too.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Epoch, MemFs, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// let epoch = Epoch::new().sync(&target);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn sync(mut self, target: &Arc<Target>) -> Self {
        self.syncs.push(target.clone());
        self
    }

    /// Adds a file to remove once everything written before is durable.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Epoch, MemFs};
    /// let epoch = Epoch::new().delete(Arc::new(MemFs::new()), "/old".as_ref());
    /// ```
    #[must_use]
    pub fn delete(mut self, fs: Arc<dyn Fs>, path: &Path) -> Self {
        self.deletions.push(Deletion { fs, path: path.into() });
        self
    }

    /// Says what the epoch waits for; one that deletes always waits for the sync.
    ///
    /// ```
    /// let epoch = lsm_io::Epoch::new().durability(lsm_io::Durability::Buffered);
    /// ```
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Makes it depend on an earlier epoch of the same lane: not a byte of this one is written before that
    /// one is done (durable, unless it was a buffered one), and if that one fails, so does this.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Epoch, EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
    /// let (fs, worker) = (Arc::new(MemFs::new()), EpochWorker::start(Limits::default())?);
    /// let table = Target::create(fs.clone(), "/table".as_ref())?;
    /// let manifest = Target::create(fs, "/manifest".as_ref())?;
    /// let written = worker.submit(Lane::Bulk, Epoch::new().write(&table, FileOffset::ZERO, vec![1; 10]))?;
    /// let edit = Epoch::new().write(&manifest, FileOffset::ZERO, vec![2; 10]).after(&written);
    /// let named = worker.submit(Lane::Bulk, edit)?;
    /// assert!(written.wait()?.turn < named.wait()?.turn);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn after(mut self, earlier: &Ticket) -> Self {
        self.after = Some(earlier.as_dependency());
        self
    }

    /// How many bytes it writes.
    ///
    /// ```
    /// assert_eq!(lsm_io::Epoch::new().len().get(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> ByteLen {
        self.writes.iter().fold(ByteLen::ZERO, |sum, write| sum + ByteLen::of(write.image.as_slice()))
    }

    /// Whether there is nothing in it to write, sync or remove.
    ///
    /// ```
    /// assert!(lsm_io::Epoch::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.syncs.is_empty() && self.deletions.is_empty()
    }

    /// What it writes, in order: what a failed epoch gave back, for writing it elsewhere.
    ///
    /// ```
    /// assert!(lsm_io::Epoch::new().writes().is_empty());
    /// ```
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// What it removes, in order.
    ///
    /// ```
    /// assert!(lsm_io::Epoch::new().deletions().is_empty());
    /// ```
    #[must_use]
    pub fn deletions(&self) -> &[Deletion] {
        &self.deletions
    }

    /// Every target it touches; some may come up twice.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.writes.iter().map(|write| &write.target).chain(&self.syncs)
    }

    /// Whether its report waits for a sync.
    pub(crate) fn wants_sync(&self) -> bool {
        self.durability == Durability::Synced || !self.deletions.is_empty()
    }
}

impl Image {
    /// The bytes.
    ///
    /// ```
    /// assert_eq!(lsm_io::Image::from(vec![9]).as_slice(), &[9]);
    /// ```
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Bytes whose memory goes back to its owner with the last clone.
    ///
    /// ```
    /// # #[derive(Debug)]
    /// # struct Counted(std::sync::atomic::AtomicUsize);
    /// # impl lsm_io::Recycler for Counted {
    /// #     fn recycle(&self, bytes: Vec<u8>) {
    /// #         self.0.fetch_add(bytes.len(), std::sync::atomic::Ordering::Relaxed);
    /// #     }
    /// # }
    /// let owner = std::sync::Arc::new(Counted(0.into()));
    /// drop(lsm_io::Image::lent(vec![1, 2, 3], owner.clone()));
    /// assert_eq!(owner.0.load(std::sync::atomic::Ordering::Relaxed), 3);
    /// ```
    #[must_use]
    pub fn lent(bytes: Vec<u8>, owner: Arc<dyn Recycler>) -> Self {
        Self(Arc::new(Lent { bytes, owner: Some(owner) }))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            owner.recycle(std::mem::take(&mut self.bytes));
        }
    }
}

impl From<Vec<u8>> for Image {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Lent { bytes, owner: None }))
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.as_slice().len())
    }
}

impl fmt::Display for EpochSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the {} lane", self.number, self.lane)
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
