//! Why a table, or a part of it, cannot be read.

use crate::block::{BlockError, BlockKind, BlockSpan};
use crate::cells::PayloadError;
use crate::crypto::CryptoError;
use crate::filter::FilterError;

/// What kept a table from being read.
///
/// ```
/// use sst_format::{ReadError, TableRoot};
/// assert_eq!(TableRoot::decode(b"no root"), Err(ReadError::NotATable));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The body is none of a table's.
    #[error("this body is not a table's; check which file was opened, or salvage its blocks")]
    NotATable,
    /// A later release wrote it.
    #[error("the table is in format {found}, this release reads up to {known}; use a newer release")]
    NewerVersion {
        /// The version it states.
        found: u16,
        /// The newest known here.
        known: u16,
    },
    /// A later release wrote it, with features that change what the bytes mean.
    #[error("the table uses format features {unknown:#x} unknown to this release; use a newer release")]
    UnknownFeatures {
        /// The feature bits not known here.
        unknown: u64,
    },
    /// The root contradicts itself.
    #[error("the table root contradicts itself in its {field}; no sound writer wrote it, salvage its blocks")]
    Root {
        /// The field that does not fit the others.
        field: &'static str,
    },
    /// It is sorted by another comparator.
    #[error("the table is sorted by another comparator; open it with the one its properties name")]
    OtherOrder,
    /// A block is not what was written.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Its key is missing or another.
    #[error("the table cannot be decrypted; see the cause")]
    Key(#[from] CryptoError),
    /// A proven block holds what no writer writes.
    #[error("the {kind} block at {at} is proven, but its payload is not sound; see the cause")]
    Payload {
        /// Where it stands.
        at: BlockSpan,
        /// What it is.
        kind: BlockKind,
        /// Why.
        #[source]
        cause: PayloadError,
    },
    /// A proven filter block holds no filter.
    #[error("the filter block at {at} is proven, but holds no filter; read without it and rewrite the table")]
    Filter {
        /// Where it stands.
        at: BlockSpan,
        /// Why.
        #[source]
        cause: FilterError,
    },
    /// An entry of a kind that this release does not know.
    #[error("an entry in the block at {at} has kind {found}, unknown to this release; use a newer release")]
    EntryKind {
        /// Where its block stands.
        at: BlockSpan,
        /// The kind found.
        found: u8,
    },
    /// The bytes that would tell are lost; the index was rebuilt around them.
    #[error("the {at} bytes of the table are lost; restore the table, or accept the loss of its key range")]
    Lost {
        /// The bytes that are lost.
        at: BlockSpan,
    },
    /// Another block than the one that was asked for.
    #[error(
        "the block at {given} was supplied where none or another was asked for; supply what `step` names"
    )]
    NotAsked {
        /// Where it stands.
        given: BlockSpan,
    },
    /// The part is gone, and it can only be rebuilt.
    #[error("the top index at {at} is given up; rebuild it from the table's blocks by `Salvage`")]
    IndexLost {
        /// Where it stood.
        at: BlockSpan,
    },
}

impl ReadError {
    pub(crate) const fn payload(at: BlockSpan, kind: BlockKind, cause: PayloadError) -> Self {
        Self::Payload { at, kind, cause }
    }
}
