//! A place among the entries of a run: one table after the other, each opened when it is come upon.

use std::sync::Arc;

use bytes::Bytes;
use sst_format::{Entry, SeqNo};

use crate::{
    Error, Level, TableMeta, Version, block_cache::Fill, entry_cursor::EntryCursor, loss::LossLog,
    reader::TreeReader, table_cursor::TableCursor, table_file::Opened,
};

/// Tables that ascend and do not overlap.
#[derive(Clone, Debug)]
pub(crate) enum Tables {
    /// A run of a version, by its level and its place there.
    Run(Arc<Version>, Level, usize),
    /// A part of one: what a job takes.
    List(Arc<[Arc<TableMeta>]>),
}

/// A place among the entries of a run.
#[derive(Debug)]
pub(crate) struct RunCursor {
    reader: Arc<TreeReader>,
    tables: Tables,
    /// The table it is in; their number if it ran off behind the last.
    at: usize,
    table: Option<TableCursor>,
    fill: Fill,
    log: LossLog,
}

/// Where in a table.
enum Aim<'a> {
    First,
    Last,
    AtOrBehind(&'a [u8], SeqNo),
    Before(&'a [u8], SeqNo),
}

impl Tables {
    fn as_slice(&self) -> &[Arc<TableMeta>] {
        match self {
            Self::Run(version, level, index) => version.runs(*level)[*index].tables(),
            Self::List(tables) => tables,
        }
    }
}

impl RunCursor {
    /// A cursor on no entry; gaps that it passes over are noted in `log`.
    pub(crate) fn new(reader: Arc<TreeReader>, tables: Tables, fill: Fill, log: LossLog) -> Self {
        Self { reader, tables, at: 0, table: None, fill, log }
    }

    /// The first table that does not end before `key`.
    fn table_at(&self, key: &[u8]) -> usize {
        let order = &self.reader.order;
        self.tables.as_slice().partition_point(|table| table.bounds.is_before(order, key))
    }

    /// Into the table at `at`, unless it has no entries.
    fn enter(&mut self, at: usize, aim: Aim<'_>) -> Result<(), Error> {
        if self.at != at || self.table.is_none() {
            self.table = None;
            self.at = at;
            let Some(meta) = self.tables.as_slice().get(at).filter(|meta| meta.entries > 0) else {
                return Ok(());
            };
            match self.reader.open(meta)? {
                Opened::Table(table) => {
                    let (reader, log) = (self.reader.clone(), self.log.clone());
                    self.table = Some(TableCursor::new(reader, table, self.fill, log));
                }
                Opened::Lost(loss) => self.log.note(*loss),
            }
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        match aim {
            Aim::First => table.seek_first(),
            Aim::Last => table.seek_last(),
            Aim::AtOrBehind(key, seq) => table.seek(key, seq),
            Aim::Before(key, seq) => table.seek_before(key, seq),
        }
    }

    /// On to the tables behind, until there is an entry.
    #[inline]
    fn go_forward(&mut self) -> Result<(), Error> {
        while self.entry().is_none() && self.at < self.tables.as_slice().len() {
            self.enter(self.at + 1, Aim::First)?;
        }
        Ok(())
    }

    /// Back to the tables before, until there is an entry.
    #[inline]
    fn go_back(&mut self) -> Result<(), Error> {
        while self.entry().is_none() && self.at > 0 {
            self.enter(self.at - 1, Aim::Last)?;
        }
        Ok(())
    }
}

impl EntryCursor for RunCursor {
    fn seek_first(&mut self) -> Result<(), Error> {
        self.enter(0, Aim::First)?;
        self.go_forward()
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        self.enter(self.tables.as_slice().len().saturating_sub(1), Aim::Last)?;
        self.go_back()
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.enter(self.table_at(key), Aim::AtOrBehind(key, seq))?;
        self.go_forward()
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        self.enter(self.table_at(key), Aim::Before(key, seq))?;
        self.go_back()
    }

    #[inline]
    fn move_next(&mut self) -> Result<(), Error> {
        match self.table.as_mut().filter(|table| table.entry().is_some()) {
            Some(table) => table.move_next()?,
            None => return Ok(()),
        }
        self.go_forward()
    }

    #[inline]
    fn move_prev(&mut self) -> Result<(), Error> {
        match self.table.as_mut().filter(|table| table.entry().is_some()) {
            Some(table) => table.move_prev()?,
            None => return Ok(()),
        }
        self.go_back()
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        self.table.as_ref()?.entry()
    }

    fn share_value(&self) -> Bytes {
        self.table.as_ref().map(EntryCursor::share_value).unwrap_or_default()
    }

    fn seq_high(&self) -> SeqNo {
        self.tables.as_slice().iter().map(|table| table.seq_high).max().unwrap_or_default()
    }
}
