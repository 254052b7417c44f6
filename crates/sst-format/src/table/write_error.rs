//! Why a table cannot be written as asked.

use crate::codec::CodecError;
use crate::limits::{KEY_LEN_MAX, VALUE_LEN_MAX};

/// What a table writer refuses.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, SeqNo, TableOptions, TableWriter, WriteError};
///
/// let mut writer = TableWriter::new(Uid::new([1; 16]), TableOptions::new())?;
/// writer.add(Entry::put(b"b", SeqNo::new(1), b""))?;
/// let error = writer.add(Entry::put(b"a", SeqNo::new(2), b"")).unwrap_err();
/// assert_eq!(error, WriteError::Unsorted { entry: 1 });
/// # Ok::<(), WriteError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An entry is not behind the one before it.
    #[error(
        "entry {entry} is not behind the one before it; add keys ascending and, of one key, the newest first"
    )]
    Unsorted {
        /// How many entries were added before it.
        entry: u64,
    },
    /// A key is too long.
    #[error("a key of {len} bytes is over the limit of {KEY_LEN_MAX}; shorten it, or keep its hash")]
    KeyTooLong {
        /// Its length.
        len: usize,
    },
    /// A value is too long.
    #[error("a value of {len} bytes is over the limit of {VALUE_LEN_MAX}; split it over several keys")]
    ValueTooLong {
        /// Its length.
        len: usize,
    },
    /// What the caller wants a table to say of itself is too long.
    #[error(
        "a label of {label} bytes with a note of {note} is over the limit of 200 bytes with 16 MiB; say less"
    )]
    DescriptionTooLong {
        /// Bytes of the label.
        label: usize,
        /// Bytes of the note.
        note: usize,
    },
    /// A value where its kind allows none, or a blob reference of the wrong length.
    #[error("{len} value bytes do not fit the entry's kind: deletes have none, blob references 24")]
    ValueOfKind {
        /// Its length.
        len: usize,
    },
    /// A range whose end is not behind its start, or whose sequence bounds are the wrong way round.
    #[error("a range ends before it starts; leave it out, or swap its bounds")]
    EmptyRange,
    /// A comparator without a name a table can record.
    #[error("a comparator's name of {len} bytes is over the limit of 255; shorten it")]
    ComparatorName {
        /// Its length.
        len: usize,
    },
    /// A block length or restart interval outside its range.
    #[error("{what} cannot be {found}; use {least} to {most}")]
    Option {
        /// Which.
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// Compression failed.
    #[error("a block cannot be compressed; see the cause")]
    Codec(#[from] CodecError),
    /// The body cannot be sealed.
    #[error("the table cannot be sealed; see the cause")]
    Seal(#[from] page_ecc::GeometryError),
    /// The descriptor has no room for what the caller put into it.
    #[error("the descriptor has no room for the table's root; see the cause")]
    Field(#[from] page_ecc::FieldError),
}
