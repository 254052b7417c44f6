//! An open file the worker writes to, and how far it may be trusted.
//!
//! **Invariants**: a file whose sync failed is never synced again, so that no later success is mistaken
//! for durability. After a failed write no further epoch touches the file until its owner, having heard of
//! the failure, says so: what was ordered behind a hole is never acknowledged. Syncs of one target exclude
//! each other, because the kernel reports a failed write-back to only one of two that run at once.
//!
//! A file must have one target at a time, for the same reason, and a target be written through one lane:
//! nothing orders the writes of two.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{Access, File, FileOffset, Fs, IoError, TurnId};

/// An open file the worker writes to.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Fs, MemFs, Standing, Target};
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let target = Target::create(fs, "/table-1".as_ref())?;
/// assert_eq!(target.standing(), Standing::Trusted);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Debug)]
pub struct Target {
    id: TargetId,
    fs: Arc<dyn Fs>,
    file: Arc<dyn File>,
    /// Guards the two words in it; a leaf.
    state: Mutex<State>,
    /// Held over each sync; ranks before `state`.
    sync_gate: Mutex<()>,
    /// Writes that returned.
    written: AtomicU64,
    /// Writes known to be durable.
    synced: AtomicU64,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    name: Name,
}

/// Whether a target's name would survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Durable,
    Fresh,
}

/// Which target, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetId(u64);

/// How far a target may be trusted.
///
/// ```
/// assert_ne!(lsm_io::Standing::Trusted, lsm_io::Standing::Poisoned);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing failed.
    Trusted,
    /// Bytes meant for it were not written in this turn; it takes no more until [`Target::resume`].
    Suspended(TurnId),
    /// A sync failed: what it holds is unknown and stays so. Write its content anew elsewhere, then
    /// [`Target::retire`] it.
    Poisoned,
    /// Its owner no longer needs what it holds.
    Retired,
}

impl Target {
    /// Creates a file; the first sync makes its name durable too. If it is renamed, the new name is its
    /// owner's to sync.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Fs, MemFs, Target};
    /// # let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    /// let target = Target::create(fs.clone(), "/a".as_ref())?;
    /// assert!(Target::create(fs, "/a".as_ref()).is_err());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    ///
    /// # Errors
    /// If the name is taken or the disk refuses.
    pub fn create(fs: Arc<dyn Fs>, path: &Path) -> Result<Arc<Self>, IoError> {
        let file = fs.create(path)?;
        Ok(Self::new(fs, file, Name::Fresh))
    }

    /// Opens a file whose name is durable.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Fs, MemFs, Target};
    /// # let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    /// assert!(Target::open(fs, "/none".as_ref()).is_err());
    /// ```
    ///
    /// # Errors
    /// If there is none or the disk refuses.
    pub fn open(fs: Arc<dyn Fs>, path: &Path) -> Result<Arc<Self>, IoError> {
        let file = fs.open(path, Access::ReadWrite)?;
        Ok(Self::new(fs, file, Name::Durable))
    }

    fn new(fs: Arc<dyn Fs>, file: Arc<dyn File>, name: Name) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = TargetId(NEXT.fetch_add(1, Ordering::Relaxed));
        let state = Mutex::new(State { standing: Standing::Trusted, name });
        let (written, synced) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { id, fs, file, state, sync_gate: Mutex::new(()), written, synced })
    }

    /// The open file, for reading and for what its owner does before the worker writes: reserving space.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{ByteLen, MemFs, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// target.file().allocate(ByteLen::new(4096))?;
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// The path it was created or opened by.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{MemFs, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// assert_eq!(target.path(), std::path::Path::new("/a"));
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// How far it may be trusted.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{MemFs, Standing, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// target.retire();
    /// assert_eq!(target.standing(), Standing::Retired);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.state.lock().standing
    }

    /// Lets a suspended target take epochs again. Call it once the failure has been heard and what was given
    /// back will be written again first. A poisoned or retired one stays so; the answer is what it is now.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{MemFs, Standing, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// assert_eq!(target.resume(), Standing::Trusted);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    pub fn resume(&self) -> Standing {
        let mut state = self.state.lock();
        if let Standing::Suspended(_) = state.standing {
            state.standing = Standing::Trusted;
        }
        state.standing
    }

    /// Says that nobody needs what it holds any more: it takes no more epochs, is owed no more syncs, and if
    /// it was poisoned, stops holding up deletions.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{MemFs, Standing, Target};
    /// let target = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// target.retire();
    /// assert_eq!(target.resume(), Standing::Retired);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    pub fn retire(&self) {
        self.state.lock().standing = Standing::Retired;
    }

    pub(crate) fn id(&self) -> TargetId {
        self.id
    }

    pub(crate) fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    pub(crate) fn name(&self) -> Name {
        self.state.lock().name
    }

    pub(crate) fn name_is_durable(&self) {
        self.state.lock().name = Name::Durable;
    }

    /// Writes; counts only what returned, so that a sync already under way does not take credit for it.
    pub(crate) fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        let result = self.file.write_at(offset, bytes);
        // A failed write may have changed bytes too: they are owed a sync like any other.
        self.written.fetch_add(1, Ordering::Release);
        result
    }

    /// Syncs, unless an earlier sync failed; a failure poisons.
    pub(crate) fn sync(&self) -> Result<(), SyncError> {
        let _one_at_a_time = self.sync_gate.lock();
        match self.standing() {
            Standing::Trusted | Standing::Suspended(_) => {}
            standing => return Err(SyncError::Distrusted(standing)),
        }
        let written = self.written.load(Ordering::Acquire);
        match self.file.sync() {
            Ok(()) => {
                self.synced.fetch_max(written, Ordering::Release);
                Ok(())
            }
            Err(cause) => {
                self.poison();
                Err(SyncError::Io(cause))
            }
        }
    }

    pub(crate) fn suspend(&self, turn: TurnId) {
        let mut state = self.state.lock();
        if state.standing == Standing::Trusted {
            state.standing = Standing::Suspended(turn);
        }
    }

    pub(crate) fn poison(&self) {
        let mut state = self.state.lock();
        if state.standing != Standing::Retired {
            state.standing = Standing::Poisoned;
        }
    }

    /// Whether somebody still needs bytes that no sync has covered.
    pub(crate) fn has_debt(&self) -> bool {
        match self.standing() {
            Standing::Trusted | Standing::Suspended(_) => {
                self.written.load(Ordering::Acquire) > self.synced.load(Ordering::Acquire)
            }
            Standing::Poisoned => true,
            Standing::Retired => false,
        }
    }
}

/// Why a sync brought nothing.
#[derive(Debug)]
pub(crate) enum SyncError {
    Io(IoError),
    Distrusted(Standing),
}
