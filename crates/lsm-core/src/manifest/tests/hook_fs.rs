//! A disk in memory that calls back before everything that changes it.

use std::{fmt, path::Path, sync::Arc};

use lsm_io::{
    Access, ByteLen, Copied, DirEntry, File, FileOffset, Fs, IoError, LockGuard, MediumRead, MemFs,
};

pub(super) type Hook = Arc<dyn Fn(&MemFs, &str) + Send + Sync>;

/// Calls back before each change, with the disk as it is and what is about to happen.
#[derive(Clone)]
pub(super) struct HookFs {
    pub(super) disk: MemFs,
    pub(super) hook: Hook,
}

struct HookFile {
    fs: HookFs,
    file: Arc<dyn File>,
}

impl HookFs {
    fn call(&self, what: &str, path: &Path) {
        (self.hook)(&self.disk, &format!("{what} {}", path.display()));
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(HookFile { fs: self.clone(), file })
    }
}

impl Fs for HookFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        self.call("create", path);
        Ok(self.wrap(self.disk.create(path)?))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        Ok(self.wrap(self.disk.open(path, access)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.call("rename", from);
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.disk.link(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.disk.copy(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.call("remove", path);
        self.disk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.call("create dir", path);
        self.disk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.disk.remove_dir(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        self.call("sync dir", dir);
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.disk.lock(path)
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        self.disk.free_space(dir)
    }
}

impl File for HookFile {
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
        self.fs.call("write", self.path());
        self.file.write_at(offset, bytes)
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        self.fs.call("append", self.path());
        self.file.append(bytes)
    }

    fn sync(&self) -> Result<(), IoError> {
        self.fs.call("sync", self.path());
        self.file.sync()
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        self.file.len()
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.call("set len", self.path());
        self.file.set_len(len)
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.fs.call("allocate", self.path());
        self.file.allocate(len)
    }
}

impl fmt::Debug for HookFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookFs")
    }
}

impl fmt::Debug for HookFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookFile({})", self.path().display())
    }
}
