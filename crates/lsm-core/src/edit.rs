//! What changes a catalog: one edit is durable as a whole or not at all.

use std::sync::Arc;

use bytes::Bytes;
use page_ecc::Uid;
use sst_format::SeqNo;

use crate::{FileId, TableChange, TreeId};

/// Changes that become durable together.
///
/// ```
/// use lsm_core::{Change, Edit, TreeId};
/// let edit = Edit::new().and(Change::DropTree { tree: TreeId::new(3) });
/// assert_eq!(edit.changes.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// In this order.
    pub changes: Vec<Change>,
}

/// One change of a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A keyspace begins.
    CreateTree {
        /// Its tree, never used before.
        tree: TreeId,
        /// Its name; no other living tree has it.
        name: Arc<str>,
        /// The name of its comparator.
        order: Arc<str>,
    },
    /// A keyspace ends, with all its tables.
    DropTree {
        /// Its tree.
        tree: TreeId,
    },
    /// A table comes or goes.
    Table {
        /// Of which tree.
        tree: TreeId,
        /// What happens.
        change: TableChange,
    },
    /// Everything of a tree up to a sequence number is in its tables: replay skips it.
    Flushed {
        /// Which tree.
        tree: TreeId,
        /// Up to and including.
        upto: SeqNo,
    },
    /// A segment of the log comes into use: its header is durable, and it may hold acknowledged groups from now on.
    AddSegment {
        /// Which.
        segment: SegmentRef,
    },
    /// Nothing in a segment is needed any more.
    DropSegment {
        /// Its number.
        number: u64,
    },
    /// No file number below this one is free.
    NextFile {
        /// The first that may be.
        file: FileId,
    },
    /// No tree number below this one is free.
    NextTree {
        /// The first that may be.
        tree: TreeId,
    },
    /// What is known to be wrong in a file on the medium, in place of what was known before; no pages mean that
    /// the whole file is to be looked at.
    Hint {
        /// Which tree; the store itself for its own files.
        tree: TreeId,
        /// Which file.
        file: FileId,
        /// Which pages, first and count.
        pages: Vec<(u64, u64)>,
    },
    /// A hinted file was healed and verified, or is gone.
    Healed {
        /// Which tree.
        tree: TreeId,
        /// Which file.
        file: FileId,
    },
    /// This is a copy of another store that nobody has written to.
    Checkpointed,
    /// This store was made from a checkpoint: it takes an identity of its own.
    Rebirth {
        /// The new identity.
        store: Uid,
    },
    /// A change of a later release that this one may pass over; kept as it is.
    Foreign {
        /// What it is; 0x80 or higher.
        tag: u8,
        /// What it says.
        bytes: Bytes,
    },
}

/// A segment of the log by name: number in the file's name, uid in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRef {
    /// Its number; ascending, never reused.
    pub number: u64,
    /// What its bytes are salted with.
    pub uid: Uid,
    /// Pages of one of its two extents.
    pub extent_pages: u64,
}

impl Edit {
    /// An edit that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more change behind the others.
    #[must_use]
    pub fn and(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }
}
