//! A memtable that is a sorted list.

use std::{cmp::Reverse, sync::Arc};

use bytes::Bytes;
use sst_format::{Entry, EntryKind, Found, RangeEntry, SeqNo};

use super::layout::Part;
use crate::{Error, entry_cursor::EntryCursor, mem_source::MemSource};

type Row = ((Vec<u8>, Reverse<u64>), (EntryKind, Vec<u8>));

#[derive(Debug)]
pub(crate) struct ListMemtable {
    rows: Vec<Row>,
    deletes: Vec<(Vec<u8>, Vec<u8>, u64)>,
}

#[derive(Debug)]
pub(crate) struct ListCursor {
    table: Arc<ListMemtable>,
    at: Option<usize>,
}

impl ListMemtable {
    pub(crate) fn new(part: &Part) -> Self {
        Self { rows: part.entries.clone().into_iter().collect(), deletes: part.deletes.clone() }
    }

    fn lower_bound(&self, key: &[u8], seq: SeqNo) -> usize {
        self.rows
            .partition_point(|((row, Reverse(at)), _)| (&row[..], Reverse(*at)) < (key, Reverse(seq.get())))
    }
}

impl MemSource for ListMemtable {
    type Cursor = ListCursor;

    fn holds_nothing(&self) -> bool {
        self.rows.is_empty() && self.deletes.is_empty()
    }

    fn get(&self, key: &[u8], snapshot: SeqNo) -> Option<Found> {
        let ((row, Reverse(seq)), (kind, value)) = self.rows.get(self.lower_bound(key, snapshot))?;
        let value = Bytes::copy_from_slice(value);
        (row == key).then(|| Found { seq: SeqNo::new(*seq), kind: *kind, flags: 0, value })
    }

    fn deleted_at(&self, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        let over = self.deletes.iter().filter(|(start, end, _)| &start[..] <= key && key < &end[..]);
        over.map(|(_, _, seq)| SeqNo::new(*seq)).filter(|seq| *seq <= snapshot).max()
    }

    fn range_deletes(&self, snapshot: SeqNo) -> Vec<RangeEntry> {
        let known = self.deletes.iter().filter(|(_, _, seq)| SeqNo::new(*seq) <= snapshot);
        known
            .map(|(start, end, seq)| RangeEntry::delete(start.clone(), end.clone(), SeqNo::new(*seq)))
            .collect()
    }

    fn cursor(self: &Arc<Self>) -> ListCursor {
        ListCursor { table: self.clone(), at: None }
    }
}

impl ListCursor {
    fn go(&mut self, at: Option<usize>) -> Result<(), Error> {
        self.at = at.filter(|at| *at < self.table.rows.len());
        Ok(())
    }
}

impl EntryCursor for ListCursor {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.go(Some(0))
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.go(self.table.rows.len().checked_sub(1))
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.go(Some(self.table.lower_bound(key, seq)))
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.go(self.table.lower_bound(key, seq).checked_sub(1))
    }

    fn move_next(&mut self) -> Result<(), Error> {
        self.go(self.at.map(|at| at + 1))
    }

    fn move_prev(&mut self) -> Result<(), Error> {
        self.go(self.at.and_then(|at| at.checked_sub(1)))
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let ((key, Reverse(seq)), (kind, value)) = self.table.rows.get(self.at?)?;
        Some(Entry { key, seq: SeqNo::new(*seq), kind: *kind, flags: 0, value })
    }

    fn share_value(&self) -> Bytes {
        self.entry().map(|entry| Bytes::copy_from_slice(entry.value)).unwrap_or_default()
    }
}
