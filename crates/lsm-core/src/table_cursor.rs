//! A place among the entries of one table, gaps passed over and written down.

use std::sync::Arc;

use bytes::Bytes;
use sst_format::{BlockSpan, Cursor, Entry, ReadError, SeqNo, Step, TableView};

use crate::{
    Error,
    block_cache::Fill,
    entry_cursor::EntryCursor,
    loss::LossLog,
    reader::TreeReader,
    table_file::{Missing, ReadAhead, TableFile},
};

/// A place among the entries of one table.
#[derive(Debug)]
pub(crate) struct TableCursor {
    reader: Arc<TreeReader>,
    table: Arc<TableFile>,
    view: Arc<TableView>,
    cursor: Cursor<Arc<TableView>>,
    fill: Fill,
    ahead: ReadAhead,
    log: LossLog,
    /// Where it was sent, should it have to go there by another view.
    sent: Sent,
    key: Vec<u8>,
    seq: SeqNo,
}

/// Where a cursor was sent, by the key and sequence number that it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    ToFirst,
    ToLast,
    /// To that place, or else the first entry behind it.
    To,
    /// To the last entry before it.
    Before,
}

impl TableCursor {
    /// A cursor on no entry; gaps that it passes over are noted in `log`.
    pub(crate) fn new(reader: Arc<TreeReader>, table: Arc<TableFile>, fill: Fill, log: LossLog) -> Self {
        let view = table.view().clone();
        let (cursor, ahead) = (Cursor::new(view.clone()), ReadAhead::default());
        let (sent, key, seq) = (Sent::ToFirst, Vec::new(), SeqNo::default());
        Self { reader, table, view, cursor, fill, ahead, log, sent, key, seq }
    }

    fn send(&mut self, sent: Sent, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.key.clear();
        self.key.extend_from_slice(key);
        (self.sent, self.seq) = (sent, seq);
        let moved = self.go();
        self.settle(moved)
    }

    fn go(&mut self) -> Result<(), ReadError> {
        match self.sent {
            Sent::ToFirst => self.cursor.seek_first(),
            Sent::ToLast => self.cursor.seek_last(),
            Sent::To => self.cursor.seek(&self.key, self.seq),
            Sent::Before => self.cursor.seek_before(&self.key, self.seq),
        }
    }

    /// Keeps the place that a step leads to from the entry it is on, if that may be in another block: within its
    /// block it waits for nothing.
    #[inline]
    fn keep(&mut self, sent: Sent) {
        if self.cursor.is_at_edge()
            && let Ok(Some(entry)) = self.cursor.entry()
        {
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            // Behind a version come those that are older by one or more; no entry has the number 0.
            let older = entry.seq.get().saturating_sub(u64::from(sent == Sent::To));
            (self.sent, self.seq) = (sent, SeqNo::new(older));
        }
    }

    #[inline]
    fn settle(&mut self, moved: Result<(), ReadError>) -> Result<(), Error> {
        match moved {
            Ok(()) if self.cursor.step() == Step::Ready => self.check(),
            moved => self.load(moved),
        }
    }

    /// Reads what the cursor waits for, until it waits for nothing.
    #[inline(never)]
    fn load(&mut self, moved: Result<(), ReadError>) -> Result<(), Error> {
        self.sound(moved)?;
        loop {
            let addr = match self.cursor.step() {
                Step::Ready => return self.check(),
                Step::Read(addr) => addr,
                Step::Lost(at) => {
                    self.go_without(at)?;
                    continue;
                }
            };
            match self.table.block_ahead(&self.reader.env, addr, self.fill, &mut self.ahead) {
                Ok(block) => {
                    let supplied = self.cursor.supply(&block);
                    self.sound(supplied)?;
                }
                Err(Missing::Lost) => self.go_without(addr.span)?,
                Err(Missing::Failed(cause)) => return Err(self.table.error(cause)),
            }
        }
    }

    /// Goes on without a block: by a view that does not need it, or behind it.
    #[cold]
    #[inline(never)]
    fn go_without(&mut self, at: BlockSpan) -> Result<(), Error> {
        self.table.do_without(&self.reader.env, at)?;
        if !Arc::ptr_eq(&self.view, self.table.view()) {
            self.view = self.table.view().clone();
            self.cursor = Cursor::new(self.view.clone());
            let moved = self.go();
            return self.sound(moved);
        }
        let lost = self.cursor.pass_over();
        if let Some(lost) = self.sound(lost)? {
            self.log.note(self.table.loss_of(lost));
        }
        Ok(())
    }

    /// That the entry is of a kind that is known.
    #[inline]
    fn check(&self) -> Result<(), Error> {
        self.sound(self.cursor.entry().map(|_| ()))
    }

    #[inline]
    fn sound<T>(&self, result: Result<T, ReadError>) -> Result<T, Error> {
        result.map_err(|cause| self.table.error(cause))
    }
}

impl EntryCursor for TableCursor {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.send(Sent::ToFirst, &[], SeqNo::MAX)
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.send(Sent::ToLast, &[], SeqNo::MAX)
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.send(Sent::To, key, seq)
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.send(Sent::Before, key, seq)
    }

    #[inline]
    fn move_next(&mut self) -> Result<(), Error> {
        self.keep(Sent::To);
        let moved = self.cursor.move_next();
        self.settle(moved)
    }

    #[inline]
    fn move_prev(&mut self) -> Result<(), Error> {
        self.keep(Sent::Before);
        let moved = self.cursor.move_prev();
        self.settle(moved)
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        self.cursor.entry().ok().flatten()
    }

    fn share_value(&self) -> Bytes {
        self.cursor.share_value().unwrap_or_default()
    }

    fn seq_high(&self) -> SeqNo {
        self.table.meta().seq_high
    }
}
