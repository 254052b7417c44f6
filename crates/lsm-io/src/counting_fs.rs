//! A file system that counts what passes through it, so that a test can say what something costs.
//!
//! Counts are kept for each path as it was when the file was opened; a query sums the paths it names.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{Access, ByteLen, Copied, DirEntry, File, FileOffset, Fs, IoError, LockGuard, MediumRead, Op};

/// Counts operations and bytes on their way to another file system.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{CountingFs, FileOffset, Fs, MemFs, Op};
/// let fs = CountingFs::new(Arc::new(MemFs::new()));
/// let log = fs.create("/log-1".as_ref())?;
/// log.write_at(FileOffset::ZERO, b"abc")?;
/// log.sync()?;
/// assert_eq!(fs.tally("log", Op::Write).bytes.get(), 3);
/// assert_eq!(fs.tally("", Op::Sync).calls, 1);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CountingFs {
    inner: Arc<dyn Fs>,
    counts: Arc<Counts>,
}

/// How often something was done and how many bytes it moved.
///
/// ```
/// assert_eq!(lsm_io::Tally::default().calls, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Bytes moved by the calls that succeeded.
    pub bytes: ByteLen,
}

type Counts = Mutex<BTreeMap<(PathBuf, Op), Tally>>;

impl CountingFs {
    /// Counts on the way to `inner`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let fs = lsm_io::CountingFs::new(Arc::new(lsm_io::StdFs::new()));
    /// ```
    #[must_use]
    pub fn new(inner: Arc<dyn Fs>) -> Self {
        Self { inner, counts: Arc::default() }
    }

    /// What `op` came to over all files whose path contains `name`; the empty name takes them all.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{CountingFs, Fs, MemFs, Op};
    /// let fs = CountingFs::new(Arc::new(MemFs::new()));
    /// fs.create("/a".as_ref())?;
    /// assert_eq!((fs.tally("a", Op::Create).calls, fs.tally("b", Op::Create).calls), (1, 0));
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn tally(&self, name: &str, op: Op) -> Tally {
        let counts = self.counts.lock();
        let named =
            counts.iter().filter(|((path, of), _)| *of == op && path.to_string_lossy().contains(name));
        named.fold(Tally::default(), |sum, (_, tally)| Tally {
            calls: sum.calls + tally.calls,
            bytes: sum.bytes + tally.bytes,
        })
    }

    /// Starts again from nothing.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{CountingFs, Fs, MemFs, Op};
    /// # let fs = CountingFs::new(Arc::new(MemFs::new()));
    /// fs.create("/a".as_ref())?;
    /// fs.reset();
    /// assert_eq!(fs.tally("", Op::Create).calls, 0);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    pub fn reset(&self) {
        self.counts.lock().clear();
    }

    fn count<T>(&self, op: Op, path: &Path, result: Result<T, IoError>) -> Result<T, IoError> {
        note(&self.counts, op, path, &result, |_| 0);
        result
    }

    fn file(&self, path: &Path, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(CountingFile { path: path.into(), inner, counts: self.counts.clone() })
    }
}

fn note<T>(counts: &Counts, op: Op, path: &Path, result: &Result<T, IoError>, moved: impl Fn(&T) -> usize) {
    let mut counts = counts.lock();
    let tally = counts.entry((path.into(), op)).or_default();
    tally.calls += 1;
    tally.bytes = tally.bytes + ByteLen::new(result.as_ref().map_or(0, moved) as u64);
}

impl Fs for CountingFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        Ok(self.file(path, self.count(Op::Create, path, self.inner.create(path))?))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        Ok(self.file(path, self.count(Op::Open, path, self.inner.open(path, access))?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.count(Op::Rename, from, self.inner.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.count(Op::Link, to, self.inner.link(from, to))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.count(Op::Copy, to, self.inner.copy(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.count(Op::Remove, path, self.inner.remove(path))
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.count(Op::CreateDir, path, self.inner.create_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.count(Op::RemoveDir, path, self.inner.remove_dir(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        self.count(Op::List, dir, self.inner.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        self.count(Op::SyncDir, dir, self.inner.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.count(Op::Lock, path, self.inner.lock(path))
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        self.count(Op::FreeSpace, dir, self.inner.free_space(dir))
    }
}

#[derive(Debug)]
struct CountingFile {
    path: PathBuf,
    inner: Arc<dyn File>,
    counts: Arc<Counts>,
}

impl CountingFile {
    fn count<T>(
        &self,
        op: Op,
        result: Result<T, IoError>,
        moved: impl Fn(&T) -> usize,
    ) -> Result<T, IoError> {
        note(&self.counts, op, &self.path, &result, moved);
        result
    }
}

impl File for CountingFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        self.count(Op::Read, self.inner.read_at(offset, buf), |len| *len)
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        self.count(Op::ReadMedium, self.inner.read_medium_at(offset, buf), |read| read.len)
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.count(Op::Write, self.inner.write_at(offset, bytes), |()| bytes.len())
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        self.count(Op::Append, self.inner.append(bytes), |_| bytes.len())
    }

    fn sync(&self) -> Result<(), IoError> {
        self.count(Op::Sync, self.inner.sync(), |()| 0)
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        self.count(Op::Len, self.inner.len(), |_| 0)
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.count(Op::SetLen, self.inner.set_len(len), |()| 0)
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.count(Op::Allocate, self.inner.allocate(len), |()| 0)
    }
}
