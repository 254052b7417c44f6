//! What the newest visible entry of a key means for a reader.
//!
//! Invariant: an answer is given only if nothing newer that the reader would see may be lost.

use bytes::Bytes;
use sst_format::{EntryKind, Found, KeyOrder, SeqNo};

use crate::{Error, TreeId, loss::TableLoss, loss_index::LossIndex};

/// A key's value, and when it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    /// When.
    pub seq: SeqNo,
    /// The value.
    pub value: Bytes,
}

/// Whether an entry shows its key or hides it. Merge operands and values in blob files will be resolved
/// here; until then they are an error.
///
/// # Errors
/// [`Error::Unresolved`].
#[inline]
pub(crate) fn shows(tree: TreeId, kind: EntryKind) -> Result<Shows, Error> {
    match kind {
        EntryKind::Put => Ok(Shows::Value),
        EntryKind::Delete | EntryKind::SingleDelete => Ok(Shows::Nothing),
        EntryKind::Merge | EntryKind::Blob => Err(Error::Unresolved { tree, kind }),
    }
}

/// What a reader sees of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    Value,
    Nothing,
}

/// A point read on its way from the newest source to the oldest.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) tree: TreeId,
    pub(crate) order: &'a KeyOrder,
    pub(crate) key: &'a [u8],
    pub(crate) snapshot: SeqNo,
    deleted: Option<SeqNo>,
    doubt: Option<Box<TableLoss>>,
}

/// How a point read ends.
#[derive(Debug)]
pub(crate) enum End {
    /// At the newest entry.
    Found(Found),
    /// No source that counts has one.
    Absent,
}

impl<'a> Search<'a> {
    pub(crate) fn new(tree: TreeId, order: &'a KeyOrder, key: &'a [u8], snapshot: SeqNo) -> Self {
        Self { tree, order, key, snapshot, deleted: None, doubt: None }
    }

    /// Takes a range delete of a source.
    #[inline]
    pub(crate) fn delete(&mut self, at: Option<SeqNo>) {
        if at.is_some() {
            self.deleted = self.deleted.max(at);
        }
    }

    /// Takes a loss that was passed on the way; the one that reaches newest is what counts.
    #[cold]
    pub(crate) fn doubt(&mut self, loss: &TableLoss) {
        let reaches_newer = self.doubt.as_ref().is_none_or(|known| known.lost.seq_high < loss.lost.seq_high);
        if reaches_newer && loss.obscures(self.order, self.key, self.snapshot, None) {
            self.doubt = Some(Box::new(loss.clone()));
        }
    }

    /// Takes what a source has lost of the key.
    #[cold]
    #[inline(never)]
    pub(crate) fn doubt_all(&mut self, losses: &LossIndex) {
        losses.over(self.order, self.key).for_each(|loss| self.doubt(loss));
    }

    /// Whether older sources cannot change the answer.
    #[inline]
    pub(crate) fn is_decided(&self) -> bool {
        self.deleted.is_some()
    }

    /// The answer, once.
    #[inline]
    pub(crate) fn end(&mut self, end: End) -> Result<Option<Visible>, Error> {
        match end {
            End::Found(found) => self.found(found),
            End::Absent => self.absent(),
        }
    }

    /// The answer, if the newest entry is this one.
    #[inline]
    fn found(&mut self, found: Found) -> Result<Option<Visible>, Error> {
        let is_deleted = self.deleted.is_some_and(|deleted| deleted > found.seq);
        if let Some(loss) = self.doubt.take() {
            self.resolve(*loss, self.deleted.max(Some(found.seq)))?;
        }
        if is_deleted {
            return Ok(None);
        }
        Ok(match shows(self.tree, found.kind)? {
            Shows::Value => Some(Visible { seq: found.seq, value: found.value }),
            Shows::Nothing => None,
        })
    }

    /// The answer, if no source has an entry.
    #[inline]
    fn absent(&mut self) -> Result<Option<Visible>, Error> {
        if let Some(loss) = self.doubt.take() {
            self.resolve(*loss, self.deleted)?;
        }
        Ok(None)
    }

    /// Fails if a loss may hide something newer than what decides.
    #[cold]
    #[inline(never)]
    fn resolve(&self, loss: TableLoss, decisive: Option<SeqNo>) -> Result<(), Error> {
        if loss.is_visible(self.snapshot, decisive) { Err(loss.into()) } else { Ok(()) }
    }
}
