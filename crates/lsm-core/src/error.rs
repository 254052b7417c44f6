//! What can go wrong in a tree, told apart by whose doing it is: damage (bytes lie), the disk (it refused),
//! or misuse (the caller's mistake).

use lsm_io::{Failed, IoError};
use sst_format::{EntryKind, LostRange, ReadError, SeqNo, WriteError};

use crate::{FileId, TreeId, VersionError};

/// Why an operation of a tree failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// What had to become durable did not.
    #[error(transparent)]
    NotDurable(#[from] Box<Failed>),
    /// A table, or a part of it, cannot be read and was not brought back.
    #[error("table {table} of tree {tree} cannot be read; see the cause")]
    Table {
        /// Which tree.
        tree: TreeId,
        /// Which table.
        table: FileId,
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// The answer depends on bytes that nothing brings back.
    #[error(
        "table {table} of tree {tree} lost bytes {}; keys from {:?} to {:?} cannot be answered: restore them \
         from a checkpoint, or accept the loss of that range", .lost.at, .lost.lower, .lost.upper
    )]
    Lost {
        /// Which tree.
        tree: TreeId,
        /// Which table.
        table: FileId,
        /// Which bytes, and the keys that depend on them.
        lost: Box<LostRange>,
    },
    /// What is to be accepted as lost may still be seen by a snapshot.
    #[error(
        "a snapshot of {snapshot} is held and may see versions up to {newest} that would go with the loss; release \
         snapshots that old, then accept it"
    )]
    HeldBySnapshot {
        /// The oldest snapshot.
        snapshot: SeqNo,
        /// The newest version that may be lost.
        newest: SeqNo,
    },
    /// The newest entry of a key is of a kind that reads do not resolve.
    #[error(
        "a key of tree {tree} was last written as {kind:?}, which reads cannot resolve; use a newer release"
    )]
    Unresolved {
        /// Which tree.
        tree: TreeId,
        /// The entry's kind.
        kind: EntryKind,
    },
    /// The tree was dropped.
    #[error("tree {tree} is no more: its keyspace was dropped")]
    NoTree {
        /// Which tree.
        tree: TreeId,
    },
    /// A table could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Changes do not fit the version they were made for.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] crate::ManifestError),
    /// A range delete or loss marker has no end on a side.
    #[error("a range has no end on a side; give it a first and a last key")]
    UnboundedRange,
    /// The store is only read.
    #[error("the store was opened read-only; open it for writing to change it")]
    ReadOnly,
    /// Another thread stopped the store, or it was closed.
    #[error("the store is closed; open it again to go on")]
    Closed,
}

impl Error {
    /// Whether bytes lie, so that trying again changes nothing.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Table { .. } | Self::Lost { .. } | Self::Unresolved { .. } | Self::Version(_))
    }
}
