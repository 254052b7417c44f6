//! What every source of entries can do: memtables, tables, runs, and merges of them.
//!
//! Invariant: entries ascend by key and, within a key, descend by sequence number; a cursor is on an entry,
//! or has run off an end. After an error it is on none until it seeks again.

use bytes::Bytes;
use sst_format::{Entry, SeqNo};

use crate::Error;

/// A place among the entries of a source.
pub(crate) trait EntryCursor {
    /// To the first entry.
    fn seek_first(&mut self) -> Result<(), Error>;

    /// To the last entry.
    fn seek_last(&mut self) -> Result<(), Error>;

    /// To the newest version of `key` not newer than `seq`, or else the first entry behind it.
    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error>;

    /// To the last entry before every version of `key` that is not newer than `seq`.
    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error>;

    /// To the next entry: an older version, or the next key.
    fn move_next(&mut self) -> Result<(), Error>;

    /// To the entry before: a newer version, or the key before.
    fn move_prev(&mut self) -> Result<(), Error>;

    /// The entry it is on; `None` off either end.
    fn entry(&self) -> Option<Entry<'_>>;

    /// The value of the entry it is on, sharing memory with the source where that costs no copy.
    fn share_value(&self) -> Bytes;

    /// A bound on what it may come upon: no entry is newer.
    fn seq_high(&self) -> SeqNo {
        SeqNo::MAX
    }
}
