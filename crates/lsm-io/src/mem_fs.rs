//! A disk in memory that knows what a power cut would leave of it.
//!
//! **Invariant**: bytes are durable only through [`File::sync`], names only through [`Fs::sync_dir`], and
//! [`MemFs::crash`] never shows a state that some order of writing back could not have left.
//!
//! A name change within a directory is one step, as on journaling file systems; one across directories
//! lasts once either of them is synced. Keeping what the file system's laws allow and nothing more is the
//! duty of `tree` (names), `inode` (bytes, in `pages`) and `crash` (what is left).

mod crash;
mod inode;
mod pages;
mod tree;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

pub use self::crash::{Crash, Piece};
use self::{inode::Inode, tree::Tree};
use crate::{
    Access, ByteLen, Copied, DirEntry, File, FileOffset, Fs, IoError, LockGuard, MediumRead, Op, Route,
    error::At,
};

/// A file system in memory; clones are the same one.
///
/// ```
/// use lsm_io::{Access, Crash, Fs, MemFs};
/// let fs = MemFs::new();
/// fs.create("/kept".as_ref())?;
/// fs.sync_dir("/".as_ref())?;
/// fs.create("/lost".as_ref())?;
/// let left = fs.crash(Crash::LoseUnsynced);
/// assert!(left.open("/kept".as_ref(), Access::ReadOnly).is_ok());
/// assert!(left.open("/lost".as_ref(), Access::ReadOnly).is_err());
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemFs {
    state: Arc<Mutex<State>>,
}

/// Guarded by the one lock of a [`MemFs`], a leaf: nothing else is locked under it.
#[derive(Debug, Default)]
struct State {
    tree: Tree,
    inodes: Vec<Inode>,
    locks: BTreeSet<PathBuf>,
}

/// Which file; an index into [`State::inodes`], never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InodeNo(usize);

impl MemFs {
    /// An empty file system: the root directory and nothing in it.
    ///
    /// ```
    /// use lsm_io::Fs;
    /// assert!(lsm_io::MemFs::new().list("/".as_ref()).unwrap().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the disk would hold if the power failed now. This file system goes on unharmed, so that one run
    /// can be crashed at every step and in many ways.
    ///
    /// ```
    /// use lsm_io::{Access, Crash, FileOffset, Fs, MemFs, Piece};
    /// let fs = MemFs::new();
    /// let file = fs.create("/a".as_ref())?;
    /// fs.sync_dir("/".as_ref())?;
    /// file.write_at(FileOffset::ZERO, &[1; 8192])?;
    /// for seed in 0..16 {
    ///     let left = fs.crash(Crash::KeepSome { seed, piece: Piece::Page });
    ///     let len = left.open("/a".as_ref(), Access::ReadOnly)?.len()?.get();
    ///     assert!(len <= 8192);
    /// }
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn crash(&self, how: Crash) -> Self {
        Self { state: Arc::new(Mutex::new(self.state.lock().crash(how))) }
    }

    /// What the disk shows once the process has ended now: everything, locks aside. What was not synced can
    /// still be lost by a later [`crash`](Self::crash). This file system goes on unharmed.
    ///
    /// ```
    /// use lsm_io::{Access, Crash, Fs, MemFs};
    /// let fs = MemFs::new();
    /// fs.create("/a".as_ref())?;
    /// let left = fs.fork();
    /// fs.remove("/a".as_ref())?;
    /// assert!(left.open("/a".as_ref(), Access::ReadOnly).is_ok());
    /// assert!(left.crash(Crash::LoseUnsynced).open("/a".as_ref(), Access::ReadOnly).is_err());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state.lock().fork())) }
    }

    fn with<T>(
        &self,
        op: Op,
        path: &Path,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> Result<T, IoError> {
        act(&mut self.state.lock()).at(op, path)
    }

    fn file(&self, path: &Path, inode: InodeNo, access: Access) -> Arc<dyn File> {
        Arc::new(MemFile { fs: self.clone(), path: path.into(), inode, access })
    }
}

impl Fs for MemFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        let inode = self.with(Op::Create, path, |state| {
            let inode = InodeNo(state.inodes.len());
            state.tree.add_file(path, inode)?;
            state.inodes.push(Inode::default());
            Ok(inode)
        })?;
        Ok(self.file(path, inode, Access::ReadWrite))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        let inode = self.with(Op::Open, path, |state| state.tree.file(path))?;
        Ok(self.file(path, inode, access))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.with(Op::Rename, from, |state| state.tree.rename(from, to))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.with(Op::Link, to, |state| {
            let inode = state.tree.file(from)?;
            state.tree.add_file(to, inode)
        })
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.with(Op::Copy, to, |state| {
            let source = state.tree.file(from)?;
            let twin = state.inodes[source.0].twin();
            state.tree.add_file(to, InodeNo(state.inodes.len()))?;
            state.inodes.push(twin);
            Ok(Copied::Bytes)
        })
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.with(Op::Remove, path, |state| state.tree.remove_file(path))
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.with(Op::CreateDir, path, |state| state.tree.add_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.with(Op::RemoveDir, path, |state| state.tree.remove_dir(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        self.with(Op::List, dir, |state| state.tree.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        self.with(Op::SyncDir, dir, |state| state.tree.sync(dir))
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.with(Op::Lock, path, |state| {
            if !state.locks.insert(path.into()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(LockGuard::new(path, Box::new(Held { fs: self.clone(), path: path.into() })))
        })
    }

    fn free_space(&self, _dir: &Path) -> Result<ByteLen, IoError> {
        const ROOM: u64 = 1 << 40;
        let used: u64 = self.state.lock().inodes.iter().map(|inode| inode.len() as u64).sum();
        Ok(ByteLen::new(ROOM.saturating_sub(used)))
    }
}

/// A lock taken; dropping it lets go.
struct Held {
    fs: MemFs,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.fs.state.lock().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct MemFile {
    fs: MemFs,
    path: PathBuf,
    inode: InodeNo,
    access: Access,
}

impl MemFile {
    fn read<T>(&self, act: impl FnOnce(&Inode) -> T) -> T {
        act(&self.fs.state.lock().inodes[self.inode.0])
    }

    fn change<T>(&self, op: Op, act: impl FnOnce(&mut Inode) -> T) -> Result<T, IoError> {
        match self.access {
            Access::ReadWrite => Ok(act(&mut self.fs.state.lock().inodes[self.inode.0])),
            Access::ReadOnly => Err(IoError::new(op, &self.path, io::ErrorKind::PermissionDenied.into())),
        }
    }
}

impl File for MemFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        Ok(self.read(|inode| inode.read(offset.get(), buf)))
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        Ok(MediumRead { len: self.read_at(offset, buf)?, route: Route::Direct })
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.change(Op::Write, |inode| inode.write(offset.get(), bytes))
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        self.change(Op::Append, |inode| {
            let end = inode.len() as u64;
            inode.write(end, bytes);
            FileOffset::new(end)
        })
    }

    fn sync(&self) -> Result<(), IoError> {
        self.fs.state.lock().inodes[self.inode.0].sync();
        Ok(())
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        Ok(ByteLen::new(self.read(Inode::len) as u64))
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.change(Op::SetLen, |inode| inode.set_len(len.get()))
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.change(Op::Allocate, |inode| {
            if (inode.len() as u64) < len.get() {
                inode.set_len(len.get());
            }
        })
    }
}
