//! A place among the entries of a memtable.
//!
//! Invariant: what it holds of an entry is a copy made when it came there, but for large values, which are
//! shared. It keeps the memtable alive.

use std::sync::Arc;

use bytes::Bytes;
use sst_format::{Entry, SeqNo};

use super::{Memtable, list::Place};
use crate::{Error, entry_cursor::EntryCursor};

/// Walks a memtable while others write to it.
#[derive(Debug)]
pub(crate) struct MemCursor {
    table: Arc<Memtable>,
    at: Option<Place>,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The value, if it stands by itself.
    large: Option<Bytes>,
}

impl MemCursor {
    pub(super) fn new(table: Arc<Memtable>) -> Self {
        Self { table, at: None, key: Vec::new(), value: Vec::new(), large: None }
    }

    #[inline]
    fn go(&mut self, to: Option<Place>) -> Result<(), Error> {
        self.at = to;
        if let Some(at) = to {
            let node = self.table.list.node(at);
            node.read_key(&mut self.key);
            self.large = self.table.list.large(node);
            if self.large.is_none() {
                node.read_value(&mut self.value);
            }
        }
        Ok(())
    }
}

impl EntryCursor for MemCursor {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.go(self.table.list.first())
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.go(self.table.list.last())
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.go(self.table.list.seek(key, seq))
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.go(self.table.list.seek_before(key, seq))
    }

    fn move_next(&mut self) -> Result<(), Error> {
        self.go(self.at.and_then(|at| self.table.list.next(at)))
    }

    fn move_prev(&mut self) -> Result<(), Error> {
        self.go(self.at.and_then(|at| self.table.list.seek_before(&self.key, self.table.list.node(at).seq())))
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let node = self.table.list.node(self.at?);
        let meta = node.meta();
        let value = self.large.as_ref().map_or(&self.value[..], |large| &large[..]);
        Some(Entry { key: &self.key, seq: node.seq(), kind: meta.kind(), flags: meta.flags(), value })
    }

    fn share_value(&self) -> Bytes {
        match (&self.large, self.at) {
            (_, None) => Bytes::new(),
            (Some(large), _) => large.clone(),
            (None, _) => Bytes::copy_from_slice(&self.value),
        }
    }
}
