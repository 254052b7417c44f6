//! A disk in memory that calls back before everything that changes it.

use std::{fmt, path::Path, sync::Arc};

use lsm_io::{
    Access, ByteLen, Copied, DirEntry, File, FileOffset, Fs, IoError, LockGuard, MediumRead, MemFs, Op,
};

/// Called before each change.
pub type Watch = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// Calls back before each change.
#[derive(Clone)]
pub struct WatchedFs {
    /// The disk.
    pub disk: MemFs,
    watch: Watch,
}

/// What is about to happen.
#[derive(Debug)]
pub struct Change<'a> {
    /// The disk as it is.
    pub disk: &'a MemFs,
    /// What.
    pub op: Op,
    /// To what.
    pub path: &'a Path,
    bytes: Option<(FileOffset, &'a [u8])>,
}

struct WatchedFile {
    fs: WatchedFs,
    file: Arc<dyn File>,
}

impl Change<'_> {
    /// A copy of the disk with a part of the bytes written, if it is about bytes.
    #[must_use]
    pub fn in_part(&self, disk: &MemFs, part: impl FnOnce(usize) -> usize) -> Option<MemFs> {
        let (offset, bytes) = self.bytes?;
        let disk = disk.fork();
        let file = disk.open(self.path, Access::ReadWrite).ok()?;
        file.write_at(offset, &bytes[..part(bytes.len()).min(bytes.len())]).ok()?;
        Some(disk)
    }
}

impl WatchedFs {
    /// Watches `disk`.
    #[must_use]
    pub fn new(disk: MemFs, watch: Watch) -> Self {
        Self { disk, watch }
    }

    fn call(&self, op: Op, path: &Path) {
        (self.watch)(&Change { disk: &self.disk, op, path, bytes: None });
    }

    fn call_with(&self, op: Op, path: &Path, offset: FileOffset, bytes: &[u8]) {
        (self.watch)(&Change { disk: &self.disk, op, path, bytes: Some((offset, bytes)) });
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(WatchedFile { fs: self.clone(), file })
    }
}

impl Fs for WatchedFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        self.call(Op::Create, path);
        Ok(self.wrap(self.disk.create(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        Ok(self.wrap(self.disk.open(path, access)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.call(Op::Rename, from);
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.call(Op::Link, to);
        self.disk.link(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.call(Op::Copy, to);
        self.disk.copy(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.call(Op::Remove, path);
        self.disk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.call(Op::CreateDir, path);
        self.disk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.call(Op::RemoveDir, path);
        self.disk.remove_dir(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        self.call(Op::SyncDir, dir);
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.disk.lock(path)
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        self.disk.free_space(dir)
    }
}

impl File for WatchedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        self.file.read_at(offset, buf)
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        self.file.read_medium_at(offset, buf)
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.fs.call_with(Op::Write, self.path(), offset, bytes);
        self.file.write_at(offset, bytes)
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        let end = FileOffset::new(self.file.len()?.get());
        self.fs.call_with(Op::Append, self.path(), end, bytes);
        self.file.append(bytes)
    }

    fn sync(&self) -> Result<(), IoError> {
        self.fs.call(Op::Sync, self.path());
        self.file.sync()
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        self.file.len()
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.call(Op::SetLen, self.path());
        self.file.set_len(len)
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.call(Op::Allocate, self.path());
        self.file.allocate(len)
    }
}

impl fmt::Debug for WatchedFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedFs")
    }
}

impl fmt::Debug for WatchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatchedFile({})", self.path().display())
    }
}
