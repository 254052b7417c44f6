//! A cursor over entries in a list: the plainest source, for tests.

use bytes::Bytes;
use sst_format::{Entry, EntryKind, SeqNo};

use crate::{Error, entry_cursor::EntryCursor};

/// An entry that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedEntry {
    pub(crate) key: Bytes,
    pub(crate) seq: SeqNo,
    pub(crate) kind: EntryKind,
    pub(crate) value: Bytes,
}

/// A place in a sorted list.
#[derive(Clone, Debug)]
pub(crate) struct VecCursor {
    entries: Vec<OwnedEntry>,
    /// One more than the place; 0 is off the front.
    at: usize,
}

impl OwnedEntry {
    pub(crate) fn new(key: &str, seq: u64, kind: EntryKind, value: &str) -> Self {
        let copy = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        Self { key: copy(key), seq: SeqNo::new(seq), kind, value: copy(value) }
    }

    pub(crate) fn of(entry: Entry<'_>) -> Self {
        let copy = Bytes::copy_from_slice;
        Self { key: copy(entry.key), seq: entry.seq, kind: entry.kind, value: copy(entry.value) }
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { key: &self.key, seq: self.seq, kind: self.kind, flags: 0, value: &self.value }
    }
}

impl VecCursor {
    /// A cursor over these entries, which it sorts.
    pub(crate) fn new(mut entries: Vec<OwnedEntry>) -> Self {
        entries.sort_by(|a, b| a.key.cmp(&b.key).then(b.seq.cmp(&a.seq)));
        Self { entries, at: 0 }
    }

    fn place(&self, key: &[u8], seq: SeqNo) -> usize {
        self.entries.partition_point(|entry| (&entry.key[..], seq) < (key, entry.seq))
    }
}

impl EntryCursor for VecCursor {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.at = 1;
        Ok(())
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.at = self.entries.len();
        Ok(())
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.at = self.place(key, seq) + 1;
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.at = self.place(key, seq);
        Ok(())
    }

    fn move_next(&mut self) -> Result<(), Error> {
        self.at = (self.at + 1).min(self.entries.len() + 1);
        Ok(())
    }

    fn move_prev(&mut self) -> Result<(), Error> {
        self.at = self.at.saturating_sub(1);
        Ok(())
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.at.checked_sub(1).and_then(|at| self.entries.get(at)).map(OwnedEntry::entry)
    }

    fn share_value(&self) -> Bytes {
        let entry = self.at.checked_sub(1).and_then(|at| self.entries.get(at));
        entry.map_or_else(Bytes::new, |entry| entry.value.clone())
    }
}
