//! The real file system.
//!
//! Only this file and its children name `std::fs`. What differs between systems (direct reads, cache
//! advice, shared blocks, reserving space) is in `linux.rs`, with `portable.rs` as its plain twin.

#[cfg(target_os = "linux")]
#[path = "std_fs/linux.rs"]
mod system;

#[cfg(not(target_os = "linux"))]
#[path = "std_fs/portable.rs"]
mod system;

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::fs::FlockOperation;

use crate::{
    Access, ByteLen, Copied, DirEntry, EntryKind, File, FileOffset, Fs, IoError, LockGuard, MediumRead, Op,
    error::At,
};

/// The operating system's files.
///
/// ```
/// use lsm_io::{FileOffset, Fs, StdFs};
/// let dir = tempfile::tempdir()?;
/// let file = StdFs::new().create(&dir.path().join("a"))?;
/// file.write_at(FileOffset::ZERO, b"bytes")?;
/// file.sync()?;
/// assert_eq!(file.read_to_vec(FileOffset::ZERO, 5)?, b"bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StdFs(());

impl StdFs {
    /// The real file system.
    ///
    /// ```
    /// let fs: &dyn lsm_io::Fs = &lsm_io::StdFs::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Fs for StdFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        let file = fs::File::options().read(true).write(true).create_new(true).open(path);
        Ok(StdFile::share(path, file.at(Op::Create, path)?))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        let file = match access {
            Access::ReadOnly => fs::File::options().read(true).open(path),
            Access::ReadWrite => fs::File::options().read(true).write(true).open(path),
        };
        Ok(StdFile::share(path, file.at(Op::Open, path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        fs::rename(from, to).at(Op::Rename, from)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        fs::hard_link(from, to).at(Op::Link, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        let mut source = fs::File::open(from).at(Op::Copy, from)?;
        let mut target = fs::File::options().write(true).create_new(true).open(to).at(Op::Copy, to)?;
        if system::share_blocks(&source, &target) {
            return Ok(Copied::Blocks);
        }
        match io::copy(&mut source, &mut target) {
            Ok(_) => Ok(Copied::Bytes),
            Err(cause) => {
                // The copy's own failure is what the caller must hear; a leftover is swept at the next open.
                let _ = fs::remove_file(to);
                Err(IoError::new(Op::Copy, to, cause))
            }
        }
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        fs::remove_file(path).at(Op::Remove, path)
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        fs::create_dir(path).at(Op::CreateDir, path)
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        fs::remove_dir(path).at(Op::RemoveDir, path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir).at(Op::List, dir)? {
            let entry = entry.at(Op::List, dir)?;
            let kind = entry.file_type().at(Op::List, dir)?;
            entries.push(DirEntry { name: entry.file_name().into(), kind: EntryKind::of(kind) });
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        fs::File::open(dir).and_then(|dir| dir.sync_all()).at(Op::SyncDir, dir)
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        let file =
            fs::File::options().write(true).create(true).truncate(false).open(path).at(Op::Lock, path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).at(Op::Lock, path)?;
        // Closing the file lets the lock go.
        Ok(LockGuard::new(path, Box::new(file)))
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        let stat = rustix::fs::statvfs(dir).at(Op::FreeSpace, dir)?;
        Ok(ByteLen::new(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }
}

impl EntryKind {
    fn of(kind: fs::FileType) -> Self {
        match kind {
            _ if kind.is_file() => Self::File,
            _ if kind.is_dir() => Self::Dir,
            _ => Self::Other,
        }
    }
}

#[derive(Debug)]
struct StdFile {
    path: PathBuf,
    file: fs::File,
    /// The second, cache-bypassing way to the same file.
    medium: system::Medium,
    /// Makes "find the end, write there" one step among this open file's users.
    append: Mutex<()>,
}

impl StdFile {
    fn share(path: &Path, file: fs::File) -> Arc<dyn File> {
        Arc::new(Self { path: path.into(), file, medium: system::Medium::default(), append: Mutex::new(()) })
    }

    fn fail(&self, op: Op, offset: FileOffset, len: usize) -> impl FnOnce(io::Error) -> IoError {
        move |cause| IoError::at(op, &self.path, offset, ByteLen::new(len as u64), cause)
    }
}

impl File for StdFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        read_fully(&self.file, offset.get(), buf).map_err(self.fail(Op::Read, offset, buf.len()))
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        let read = self.medium.read_at(&self.file, offset.get(), buf);
        read.map_err(self.fail(Op::ReadMedium, offset, buf.len()))
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.file.write_all_at(bytes, offset.get()).map_err(self.fail(Op::Write, offset, bytes.len()))
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        let _one_at_a_time = self.append.lock();
        let end = FileOffset::new(self.file.metadata().at(Op::Append, &self.path)?.len());
        self.file.write_all_at(bytes, end.get()).map_err(self.fail(Op::Append, end, bytes.len()))?;
        Ok(end)
    }

    fn sync(&self) -> Result<(), IoError> {
        self.file.sync_data().at(Op::Sync, &self.path)
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        Ok(ByteLen::new(self.file.metadata().at(Op::Len, &self.path)?.len()))
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.file.set_len(len.get()).at(Op::SetLen, &self.path)
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        system::allocate(&self.file, len.get()).at(Op::Allocate, &self.path)
    }
}

/// Reads until `buf` is full or the file ends.
fn read_fully(file: &fs::File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(done)
}
