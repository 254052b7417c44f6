//! The names of the operations: what errors, traces, counters and fault plans speak of.

use std::fmt;

/// One kind of operation of [`Fs`](crate::Fs) or [`File`](crate::File).
///
/// ```
/// use lsm_io::Op;
/// assert_eq!(Op::SyncDir.to_string(), "sync directory");
/// assert!(Op::Write.changes_disk() && !Op::Read.changes_disk());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A file comes to be.
    Create,
    /// An existing file is opened.
    Open,
    /// Bytes are read through the page cache.
    Read,
    /// Bytes are read from the medium.
    ReadMedium,
    /// Bytes are written at a place.
    Write,
    /// Bytes are written at the end.
    Append,
    /// A file's bytes are made durable.
    Sync,
    /// A file's length is asked for.
    Len,
    /// A file is cut or extended.
    SetLen,
    /// Space is reserved.
    Allocate,
    /// A name changes.
    Rename,
    /// A file gets a second name.
    Link,
    /// A file gets a twin.
    Copy,
    /// A name of a file goes.
    Remove,
    /// A directory comes to be.
    CreateDir,
    /// An empty directory goes.
    RemoveDir,
    /// A directory's names are listed.
    List,
    /// A directory's names are made durable.
    SyncDir,
    /// A store's lock is taken.
    Lock,
    /// The room left is asked for.
    FreeSpace,
    /// A background thread is started.
    Spawn,
}

impl Op {
    /// Every kind, in declaration order.
    ///
    /// ```
    /// assert_eq!(lsm_io::Op::ALL.len(), 21);
    /// ```
    pub const ALL: [Self; 21] = [
        Self::Create,
        Self::Open,
        Self::Read,
        Self::ReadMedium,
        Self::Write,
        Self::Append,
        Self::Sync,
        Self::Len,
        Self::SetLen,
        Self::Allocate,
        Self::Rename,
        Self::Link,
        Self::Copy,
        Self::Remove,
        Self::CreateDir,
        Self::RemoveDir,
        Self::List,
        Self::SyncDir,
        Self::Lock,
        Self::FreeSpace,
        Self::Spawn,
    ];

    /// Whether the disk may look different afterwards.
    ///
    /// ```
    /// assert!(lsm_io::Op::Rename.changes_disk());
    /// ```
    #[must_use]
    pub const fn changes_disk(self) -> bool {
        !matches!(
            self,
            Self::Open
                | Self::Read
                | Self::ReadMedium
                | Self::Len
                | Self::List
                | Self::Lock
                | Self::FreeSpace
                | Self::Spawn
        )
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::ReadMedium => "read the medium of",
            Self::Write => "write",
            Self::Append => "append to",
            Self::Sync => "sync",
            Self::Len => "measure",
            Self::SetLen => "set the length of",
            Self::Allocate => "reserve space for",
            Self::Rename => "rename",
            Self::Link => "link",
            Self::Copy => "copy",
            Self::Remove => "remove",
            Self::CreateDir => "create directory",
            Self::RemoveDir => "remove directory",
            Self::List => "list",
            Self::SyncDir => "sync directory",
            Self::Lock => "lock",
            Self::FreeSpace => "ask for the free space of",
            Self::Spawn => "start the thread for",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
