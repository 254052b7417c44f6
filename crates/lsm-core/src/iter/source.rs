//! The sources of a scan, of two kinds, without a table of functions between.

use bytes::Bytes;
use sst_format::{Entry, SeqNo};

use crate::{Error, entry_cursor::EntryCursor, run_cursor::RunCursor};

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a scan has a few, and steps through them all the time")]
pub(super) enum Source<C> {
    Memtable(C),
    Run(RunCursor),
}

macro_rules! ask {
    ($source:expr, $cursor:ident => $answer:expr) => {
        match $source {
            Source::Memtable($cursor) => $answer,
            Source::Run($cursor) => $answer,
        }
    };
}

impl<C: EntryCursor> EntryCursor for Source<C> {
    fn seek_first(&mut self) -> Result<(), Error> {
        ask!(self, cursor => cursor.seek_first())
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        ask!(self, cursor => cursor.seek_last())
    }

    fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        ask!(self, cursor => cursor.seek(key, seq))
    }

    fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), Error> {
        ask!(self, cursor => cursor.seek_before(key, seq))
    }

    #[inline]
    fn move_next(&mut self) -> Result<(), Error> {
        ask!(self, cursor => cursor.move_next())
    }

    #[inline]
    fn move_prev(&mut self) -> Result<(), Error> {
        ask!(self, cursor => cursor.move_prev())
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        ask!(self, cursor => cursor.entry())
    }

    #[inline]
    fn share_value(&self) -> Bytes {
        ask!(self, cursor => cursor.share_value())
    }

    fn seq_high(&self) -> SeqNo {
        ask!(self, cursor => cursor.seq_high())
    }
}
