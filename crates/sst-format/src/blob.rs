//! Blob files: large values, each in a record that finds and proves itself.
//!
//! A body is records one after another, each on a multiple of 8 behind at most 7 zeros; it is sealed like any
//! other file. Invariants: bytes from a file are a [`RawRecord`], and only [`RawRecord::verify`] makes a
//! [`Record`] of them; a [`Record`]'s bytes are those written at that place of that file. Left to others:
//! which values are large, which are still alive, and what to do about a gap.

mod addr;
mod error;
mod head;
mod options;
mod reader;
mod record;
mod salt;
mod walk;
mod writer;

pub use addr::RecordAddr;
pub use error::{BlobError, BlobWriteError};
pub use options::BlobOptions;
pub use reader::BlobReader;
pub use record::{BlobEntry, RawRecord, Record};
pub use walk::{Walk, Walked};
pub use writer::BlobWriter;

/// Records start on multiples of this, so that a walker behind a gap looks at one place in eight.
const RECORD_ALIGN: u64 = 8;

/// The kind under which records are encrypted.
const RECORD_KIND: u8 = 1;
