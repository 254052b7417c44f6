//! What a store asks of a file system: two object-safe traits, no optional operations.
//!
//! **Durability**: bytes last once [`File::sync`] returned success after they were written; a name (its
//! creation, change or removal) lasts once [`Fs::sync_dir`] of its directory did. Nothing else lasts, and a
//! caller that leans on less has a bug even where a real file system is kinder.
//!
//! Retrying, ordering and what to do after a failure are left to others.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{ByteLen, FileOffset, IoError, Op};

/// A file system.
///
/// ```
/// use std::path::Path;
/// use lsm_io::{FileOffset, Fs, MemFs};
/// let fs: &dyn Fs = &MemFs::new();
/// let file = fs.create(Path::new("/a"))?;
/// file.write_at(FileOffset::ZERO, b"bytes")?;
/// file.sync()?;
/// fs.sync_dir(Path::new("/"))?;
/// assert_eq!(fs.list(Path::new("/"))?.len(), 1);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
pub trait Fs: Send + Sync + fmt::Debug {
    /// Creates an empty file and opens it for reading and writing.
    ///
    /// # Errors
    /// If the name is taken or the disk refuses.
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError>;

    /// Opens an existing file.
    ///
    /// # Errors
    /// If there is none or the disk refuses.
    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError>;

    /// Changes a name; a file that had the new name loses it in the same instant.
    ///
    /// # Errors
    /// If `from` does not exist or the disk refuses.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError>;

    /// Gives the file a second name: both show the same bytes, damage included.
    ///
    /// # Errors
    /// If `to` is taken, lies on another device, or the disk refuses.
    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError>;

    /// Makes a twin that changes apart from the original, sharing blocks where the file system can.
    /// The twin is not synced.
    ///
    /// # Errors
    /// If `to` is taken or the disk refuses; a half-made twin is removed again.
    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError>;

    /// Removes a name of a file.
    ///
    /// # Errors
    /// If there is none or the disk refuses.
    fn remove(&self, path: &Path) -> Result<(), IoError>;

    /// Creates a directory; its parent must exist.
    ///
    /// # Errors
    /// If the name is taken or the disk refuses.
    fn create_dir(&self, path: &Path) -> Result<(), IoError>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// If it is not empty, does not exist, or the disk refuses.
    fn remove_dir(&self, path: &Path) -> Result<(), IoError>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// If it does not exist or the disk refuses.
    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// If the disk refuses; then no name that changed since the last success may be relied on.
    fn sync_dir(&self, dir: &Path) -> Result<(), IoError>;

    /// Takes the exclusive lock that `path` (created if need be) stands for, without waiting.
    ///
    /// # Errors
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) if another holds it, or if the disk refuses.
    fn lock(&self, path: &Path) -> Result<LockGuard, IoError>;

    /// The room left for files under `dir`.
    ///
    /// # Errors
    /// If the disk refuses.
    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError>;
}

/// An open file; clones of its `Arc` are the same open file.
///
/// ```
/// use std::path::Path;
/// use lsm_io::{ByteLen, FileOffset, Fs, MemFs};
/// let file = MemFs::new().create(Path::new("/a"))?;
/// assert_eq!(file.append(b"abc")?, FileOffset::ZERO);
/// assert_eq!(file.append(b"def")?, FileOffset::new(3));
/// assert_eq!(file.len()?, ByteLen::new(6));
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[expect(clippy::len_without_is_empty, reason = "a file is asked how long it is, never whether it is empty")]
pub trait File: Send + Sync + fmt::Debug {
    /// The path it was opened by; it may bear another name by now.
    fn path(&self) -> &Path;

    /// Reads into `buf` and says how much there was; less than asked for means the file ends there.
    ///
    /// # Errors
    /// If the disk refuses; `buf` may have changed.
    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError>;

    /// Like [`read_at`](File::read_at), but from the medium, and says how it got there.
    ///
    /// # Errors
    /// If the disk refuses; `buf` may have changed.
    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError>;

    /// Writes all of `bytes`, extending the file if need be.
    ///
    /// # Errors
    /// If the disk refuses; then any part of them may have been written.
    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError>;

    /// Writes all of `bytes` at the end and says where that was.
    ///
    /// # Errors
    /// If the disk refuses; then any part of them may have been written.
    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError>;

    /// Makes every byte whose write returned before this call durable, and the length that shows them.
    ///
    /// # Errors
    /// If the disk refuses. Then a later success means nothing: write the content anew elsewhere.
    fn sync(&self) -> Result<(), IoError>;

    /// How long the file is.
    ///
    /// # Errors
    /// If the disk refuses.
    fn len(&self) -> Result<ByteLen, IoError>;

    /// Cuts the file, or extends it with zeros that take no space.
    ///
    /// # Errors
    /// If the disk refuses.
    fn set_len(&self, len: ByteLen) -> Result<(), IoError>;

    /// Reserves room for `len` bytes from the start, so that writing them cannot run out of space. The file
    /// is at least so long afterwards. Where the file system cannot, it only extends.
    ///
    /// # Errors
    /// If there is no room or the disk refuses.
    fn allocate(&self, len: ByteLen) -> Result<(), IoError>;
}

impl dyn File + '_ {
    /// The `len` bytes at `offset`, all of them.
    ///
    /// ```
    /// use lsm_io::{FileOffset, Fs, MemFs};
    /// let file = MemFs::new().create("/a".as_ref())?;
    /// file.append(b"abcdef")?;
    /// assert_eq!(file.read_to_vec(FileOffset::new(2), 3)?, b"cde");
    /// assert!(file.read_to_vec(FileOffset::new(5), 3).is_err());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    ///
    /// # Errors
    /// If the disk refuses, or [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the file ends before.
    pub fn read_to_vec(&self, offset: FileOffset, len: usize) -> Result<Vec<u8>, IoError> {
        let mut bytes = vec![0; len];
        let read = self.read_at(offset, &mut bytes)?;
        if read < len {
            let cause = std::io::ErrorKind::UnexpectedEof.into();
            let at = offset + ByteLen::new(read as u64);
            return Err(IoError::at(Op::Read, self.path(), at, ByteLen::new((len - read) as u64), cause));
        }
        Ok(bytes)
    }
}

/// What an open file may be used for.
///
/// ```
/// use lsm_io::{Access, FileOffset, Fs, MemFs};
/// let fs = MemFs::new();
/// fs.create("/a".as_ref())?;
/// let file = fs.open("/a".as_ref(), Access::ReadOnly)?;
/// assert!(file.write_at(FileOffset::ZERO, b"x").is_err());
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// How a twin of a file was made.
///
/// ```
/// use lsm_io::{Copied, Fs, MemFs};
/// let fs = MemFs::new();
/// fs.create("/a".as_ref())?;
/// assert_eq!(fs.copy("/a".as_ref(), "/b".as_ref())?, Copied::Bytes);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It shares the original's blocks until one of the two changes, and shares their damage.
    Blocks,
    /// Every byte was read and written again.
    Bytes,
}

/// A name in a directory.
///
/// ```
/// use lsm_io::{EntryKind, Fs, MemFs};
/// let fs = MemFs::new();
/// fs.create_dir("/d".as_ref())?;
/// let entry = &fs.list("/".as_ref())?[0];
/// assert_eq!((entry.name.to_str(), entry.kind), (Some("d"), EntryKind::Dir));
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last part of its path.
    pub name: PathBuf,
    /// What bears the name.
    pub kind: EntryKind,
}

/// What a name stands for.
///
/// ```
/// assert_ne!(lsm_io::EntryKind::File, lsm_io::EntryKind::Dir);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Dir,
    /// Anything else, such as a symbolic link.
    Other,
}

/// What a read of the medium brought, and the way it took.
///
/// ```
/// use lsm_io::{FileOffset, Fs, MemFs, Route};
/// let file = MemFs::new().create("/a".as_ref())?;
/// file.append(b"abc")?;
/// let read = file.read_medium_at(FileOffset::ZERO, &mut [0; 8])?;
/// assert_eq!((read.len, read.route), (3, Route::Direct));
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediumRead {
    /// How many bytes there were.
    pub len: usize,
    /// How they were fetched.
    pub route: Route,
}

/// How a read reached, or tried to reach, the medium.
///
/// ```
/// assert!(lsm_io::Route::Direct.bypasses_cache());
/// assert!(!lsm_io::Route::Cached.bypasses_cache());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Past the page cache.
    Direct,
    /// Through the page cache, after the file was synced and its pages were told to go. A page that another
    /// process holds mapped, or that the file system keeps for itself, may have stayed.
    Dropped,
    /// Through the page cache: this system knows no other way, and the bytes prove nothing of the medium.
    Cached,
}

impl Route {
    /// Whether the bytes speak for the medium.
    ///
    /// ```
    /// assert!(lsm_io::Route::Dropped.bypasses_cache());
    /// ```
    #[must_use]
    pub const fn bypasses_cache(self) -> bool {
        matches!(self, Self::Direct | Self::Dropped)
    }
}

/// An exclusive lock, held until it is dropped.
///
/// ```
/// use lsm_io::{Fs, MemFs};
/// let fs = MemFs::new();
/// let held = fs.lock("/LOCK".as_ref())?;
/// assert!(fs.lock("/LOCK".as_ref()).is_err());
/// drop(held);
/// assert!(fs.lock("/LOCK".as_ref()).is_ok());
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[must_use = "the lock is held only as long as the guard lives"]
pub struct LockGuard {
    path: PathBuf,
    _hold: Box<dyn Send + Sync>,
}

impl LockGuard {
    /// A guard for implementors of [`Fs`]: dropping `hold` must let the lock go.
    ///
    /// ```
    /// let guard = lsm_io::LockGuard::new("/LOCK".as_ref(), Box::new(()));
    /// assert_eq!(guard.path(), std::path::Path::new("/LOCK"));
    /// ```
    pub fn new(path: &Path, hold: Box<dyn Send + Sync>) -> Self {
        Self { path: path.into(), _hold: hold }
    }

    /// The file that stands for the lock.
    ///
    /// ```
    /// # let guard = lsm_io::LockGuard::new("/LOCK".as_ref(), Box::new(()));
    /// assert!(guard.path().ends_with("LOCK"));
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").field("path", &self.path).finish_non_exhaustive()
    }
}
