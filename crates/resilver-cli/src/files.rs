//! Files: the only place that names the file system.
//!
//! Opens regular files and nothing else, reads and writes at offsets, and makes new files whole or
//! not at all. **Invariant**: a new file stands under its name only complete and synced.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Advice, CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::stamp::Modified;

/// What tells whether a file was changed or exchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) len: u64,
    pub(crate) modified: Modified,
    identity: (u64, u64),
}

/// What an open file is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Whether a new file may take the place of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Replace {
    Yes,
    No,
}

/// An open regular file.
#[derive(Debug)]
pub(crate) struct Regular {
    file: File,
    /// The name it goes by; of a file in the making, the one it will have.
    path: PathBuf,
}

impl Regular {
    /// Opens a file.
    ///
    /// # Errors
    /// When there is none, it is none, or it may not be opened.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Failure> {
        let metadata = fs::metadata(path).map_err(failed("open", path))?;
        check_regular(&metadata, path)?;
        // The name may have become a pipe's meanwhile: opening must not wait for its writer.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write).custom_flags(nonblock);
        let file = options.open(path).map_err(failed("open", path))?;
        check_regular(&file.metadata().map_err(failed("look at", path))?, path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Opens a file if there is one.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for its being missing.
    pub(crate) fn open_if_there(path: &Path, access: Access) -> Result<Option<Self>, Failure> {
        match Self::open(path, access) {
            Ok(file) => Ok(Some(file)),
            Err(Failure::Missing(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The same open file once more.
    ///
    /// # Errors
    /// When the system has no handle left.
    pub(crate) fn duplicate(&self) -> Result<Self, Failure> {
        let file = self.file.try_clone().map_err(failed("open", &self.path))?;
        Ok(Self { file, path: self.path.clone() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// # Errors
    /// When the system does not say.
    pub(crate) fn state(&self) -> Result<State, Failure> {
        self.metadata().map(|metadata| State::of(&metadata))
    }

    /// Whether the file is still in the state that was seen, and still stands under its name.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn check_unchanged(&self, seen: State) -> Result<(), Failure> {
        let named = fs::metadata(&self.path).map(|metadata| State::of(&metadata));
        match named.is_ok_and(|named| named == seen) && self.state()? == seen {
            true => Ok(()),
            false => Err(Failure::ChangedMeanwhile(self.path.clone())),
        }
    }

    /// Whether both are one file.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn is_same(&self, other: &Self) -> Result<bool, Failure> {
        Ok(self.state()?.identity == other.state()?.identity)
    }

    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// Reads from the medium as far as the system lets us: the cached pages are dropped first.
    pub(crate) fn read_medium_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let len = std::num::NonZeroU64::new(bytes.len() as u64);
        // Advice that is not taken leaves an ordinary read.
        let _ = rustix::fs::fadvise(&self.file, offset, len, Advice::DontNeed);
        self.read_at(offset, bytes)
    }

    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all_at(bytes, offset).map_err(failed("write to", &self.path))
    }

    pub(crate) fn set_len(&self, len: u64) -> Result<(), Failure> {
        self.file.set_len(len).map_err(failed("set the length of", &self.path))
    }

    /// Sets the modification time, unless this system knows no such time.
    pub(crate) fn set_modified(&self, modified: Modified) -> Result<(), Failure> {
        let Some(time) = system_time(modified) else { return Ok(()) };
        let times = FileTimes::new().set_modified(time);
        self.file.set_times(times).map_err(failed("set the time of", &self.path))
    }

    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }

    fn metadata(&self) -> Result<Metadata, Failure> {
        self.file.metadata().map_err(failed("look at", &self.path))
    }
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
        Self {
            len: metadata.len(),
            modified: Modified { secs: metadata.mtime(), nanos },
            identity: (metadata.dev(), metadata.ino()),
        }
    }
}

/// Whether anything stands under this name.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The first free name of `path`, `path-2`, `path-3` and so on.
pub(crate) fn free_name(path: &Path) -> PathBuf {
    let numbered = (2u64..).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("-{number}"));
        PathBuf::from(name)
    });
    let mut names = std::iter::once(path.to_owned()).chain(numbered);
    names.find(|name| !is_there(name)).expect("there are more numbers than files")
}

/// Makes a new file of what `fill` writes: whole and synced, or not at all. Who may read `like` may
/// read it.
///
/// # Errors
/// What `fill` said, or what kept the file from its place.
pub(crate) fn make_new<T>(
    path: &Path,
    like: &Regular,
    replace: Replace,
    fill: impl FnOnce(&Regular) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if replace == Replace::No && is_there(path) {
        return Err(Failure::Occupied(path.to_owned()));
    }
    let (temporary, name) = Regular::create_beside(path)?;
    let made = fill(&temporary).and_then(|made| {
        let mode = like.metadata()?.permissions().mode() & 0o777;
        let allowed = temporary.file.set_permissions(Permissions::from_mode(mode));
        allowed.map_err(failed("set the permissions of", path))?;
        temporary.sync()?;
        put_in_place(&name, path, replace)?;
        Ok(made)
    });
    if made.is_err() {
        // The first failure is the one to tell of.
        let _ = fs::remove_file(&name);
        return made;
    }
    sync_dir(path)?;
    made
}

impl Regular {
    /// A file under a passing name, and that name.
    fn create_beside(path: &Path) -> Result<(Self, PathBuf), Failure> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        // Room for the suffix within the 255 bytes that a name may have.
        let mut name = OsString::from(name.to_string_lossy().chars().take(50).collect::<String>());
        let random = getrandom::u64().map_err(Failure::Random)?;
        name.push(format!(".{random:016x}.tmp"));
        let temporary = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&temporary).map_err(failed("create", path))?;
        Ok((Self { file, path: path.to_owned() }, temporary))
    }
}

fn put_in_place(from: &Path, to: &Path, replace: Replace) -> Result<(), Failure> {
    if replace == Replace::No {
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(Failure::Occupied(to.to_owned())),
            // Not every file system can: the check at the beginning has to do.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            Err(errno) => return Err(failed("create", to)(errno.into())),
        }
    }
    fs::rename(from, to).map_err(failed("create", to))
}

fn sync_dir(path: &Path) -> Result<(), Failure> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

fn check_regular(metadata: &Metadata, path: &Path) -> Result<(), Failure> {
    let kind = metadata.file_type();
    let kind = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Failure::NotRegular { path: path.to_owned(), kind })
}

fn system_time(modified: Modified) -> Option<SystemTime> {
    let secs = Duration::from_secs(modified.secs.unsigned_abs());
    let whole = match modified.secs {
        0.. => UNIX_EPOCH.checked_add(secs),
        _ => UNIX_EPOCH.checked_sub(secs),
    };
    whole?.checked_add(Duration::from_nanos(modified.nanos.into()))
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |cause| match cause.kind() {
        io::ErrorKind::NotFound if verb == "open" => Failure::Missing(path),
        _ => Failure::Io { verb, path, cause },
    }
}

/// The lines of a file.
pub(crate) fn open_lines(path: &Path) -> Result<io::BufReader<File>, Failure> {
    let opened = File::open(path).map(io::BufReader::new);
    opened.map_err(|cause| Failure::Io { verb: "open", path: path.into(), cause })
}

/// The lines of a file, and how many bytes they are.
pub(crate) fn open_lines_and_len(path: &Path) -> Result<(io::BufReader<File>, u64), Failure> {
    let lines = open_lines(path)?;
    let len = lines.get_ref().metadata().map_or(0, |metadata| metadata.len());
    Ok((lines, len))
}

/// The names of the files in a directory.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(failed("list", dir))?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Writes a text, whole and synced. What is there already is replaced only if its first line is that of the text:
/// then it is an older one of the kind. Who may read the store at `store` may read it.
///
/// # Errors
/// If something else is there, or the disk refuses.
pub(crate) fn put_text(path: &Path, text: &str, store: &Path) -> Result<(), Failure> {
    let head = text.lines().next().unwrap_or_default().as_bytes();
    let replace = match Regular::open_if_there(path, Access::Read)? {
        None => Replace::No,
        Some(old) => {
            let mut begins = vec![0; head.len()];
            let is_older = old.read_at(0, &mut begins).is_ok() && begins == head;
            if is_older { Replace::Yes } else { return Err(Failure::Occupied(path.to_owned())) }
        }
    };
    let files = names_in(store)?.into_iter().map(|name| store.join(name));
    let like = files.filter_map(|path| Regular::open(&path, Access::Read).ok()).next();
    let like = like.ok_or_else(|| Failure::Missing(store.to_owned()))?;
    make_new(path, &like, replace, |temporary| temporary.write_at(0, text.as_bytes()))
}

/// Makes a directory, with those above it that are not there.
pub(crate) fn make_all(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(failed("make", dir))
}

/// Has the system forget what it keeps in memory of the files in a directory, as far as it takes the advice.
pub(crate) fn forget_cached(dir: &Path) -> Result<(), Failure> {
    for name in names_in(dir)? {
        // A file that goes meanwhile is forgotten as well.
        if let Ok(file) = File::open(dir.join(name)) {
            let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
        }
    }
    Ok(())
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(failed("remove", path))
}

/// Removes a directory with everything in it, if it is there.
pub(crate) fn remove_all(dir: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(dir) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed("remove", dir)(cause)),
        _ => Ok(()),
    }
}

/// Keeps a store from being opened while one of its files is hurt; none if the file is of no store.
///
/// # Errors
/// If the store is open.
pub(crate) fn lock_store_of(file: &Path) -> Result<Option<File>, Failure> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(lock) = File::open(dir.join("LOCK")) else { return Ok(None) };
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Failure::Store(resilver::Error::InUse { path: dir.into() })),
        _ => Ok(Some(lock)),
    }
}
