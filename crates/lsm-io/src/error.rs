//! The one error of a file system: which operation the disk refused, where, and what to do about it.
//!
//! Damage is not an error here: this crate does not know what the bytes should have been.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{ByteLen, FileOffset, Op};

/// The disk refused an operation.
///
/// The message names what, where and what next; the refusal itself is the source.
///
/// ```
/// use std::path::Path;
/// use lsm_io::{Access, Fs, MemFs};
/// let error = MemFs::new().open(Path::new("/gone"), Access::ReadOnly).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "cannot open /gone; check that the path is right and nobody removed it");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("cannot {op} {}{}; {}", path.display(), Place(*span), advice(*op, cause))]
pub struct IoError {
    op: Op,
    path: PathBuf,
    span: Option<(FileOffset, ByteLen)>,
    #[source]
    cause: io::Error,
}

impl IoError {
    /// The refusal of `op` on a whole file or directory.
    ///
    /// ```
    /// use lsm_io::{IoError, Op};
    /// let error = IoError::new(Op::Sync, std::path::Path::new("/log"), std::io::Error::other("gone"));
    /// assert_eq!(error.op(), Op::Sync);
    /// ```
    pub fn new(op: Op, path: &Path, cause: io::Error) -> Self {
        Self { op, path: path.into(), span: None, cause }
    }

    /// The refusal of `op` on `len` bytes at `offset`.
    ///
    /// ```
    /// use lsm_io::{ByteLen, FileOffset, IoError, Op};
    /// let cause = std::io::Error::other("bad sector");
    /// let error = IoError::at(Op::Read, "/t".as_ref(), FileOffset::new(4096), ByteLen::new(512), cause);
    /// assert!(error.to_string().starts_with("cannot read /t at 4096 (512 bytes)"));
    /// ```
    pub fn at(op: Op, path: &Path, offset: FileOffset, len: ByteLen, cause: io::Error) -> Self {
        Self { op, path: path.into(), span: Some((offset, len)), cause }
    }

    /// What was refused.
    ///
    /// ```
    /// # use lsm_io::{IoError, Op};
    /// # let error = IoError::new(Op::Sync, "/log".as_ref(), std::io::Error::other("gone"));
    /// assert_eq!(error.op(), Op::Sync);
    /// ```
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// Which file or directory it concerns.
    ///
    /// ```
    /// # use lsm_io::{IoError, Op};
    /// # let error = IoError::new(Op::Sync, "/log".as_ref(), std::io::Error::other("gone"));
    /// assert_eq!(error.path(), std::path::Path::new("/log"));
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which bytes it concerns, if it was about some.
    ///
    /// ```
    /// # use lsm_io::{IoError, Op};
    /// # let error = IoError::new(Op::Sync, "/log".as_ref(), std::io::Error::other("gone"));
    /// assert_eq!(error.span(), None);
    /// ```
    #[must_use]
    pub fn span(&self) -> Option<(FileOffset, ByteLen)> {
        self.span
    }

    /// How the system classed it.
    ///
    /// ```
    /// # use lsm_io::{IoError, Op};
    /// # let error = IoError::new(Op::Sync, "/log".as_ref(), std::io::ErrorKind::StorageFull.into());
    /// assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    /// ```
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }
}

/// Attaches the place to what std or the kernel said.
pub(crate) trait At<T> {
    fn at(self, op: Op, path: &Path) -> Result<T, IoError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, op: Op, path: &Path) -> Result<T, IoError> {
        self.map_err(|cause| IoError::new(op, path, cause.into()))
    }
}

struct Place(Option<(FileOffset, ByteLen)>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some((offset, len)) => write!(f, " at {offset} ({len} bytes)"),
            None => Ok(()),
        }
    }
}

fn advice(op: Op, cause: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match (op, cause.kind()) {
        (Op::Sync | Op::SyncDir, _) => "do not trust what it holds: write its content anew elsewhere",
        (_, Kind::StorageFull | Kind::QuotaExceeded) => "free some space, then try again",
        (Op::Lock, Kind::WouldBlock) => "another process holds the store: close it first",
        (_, Kind::NotFound) => "check that the path is right and nobody removed it",
        (_, Kind::PermissionDenied | Kind::ReadOnlyFilesystem) => "check the permissions of the path",
        (_, Kind::AlreadyExists) => "choose a name that is not taken",
        (_, Kind::UnexpectedEof) => "the file is shorter than it was written: treat it as damaged",
        (Op::Read | Op::ReadMedium, _) => "treat these bytes as lost and rebuild them",
        (_, _) => "check the health of the device and its free space",
    }
}
