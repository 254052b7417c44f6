//! Point read: filter, index, data block, answer.

use super::child::{Level, Want};
use super::error::ReadError;
use super::view::{Content, FilterState, Step, TableBlock, TableView};
use crate::block::{BlockKind, BlockSpan};
use crate::cells::{CellBlock, Target};
use crate::entry::{Entry, EntryKind, SeqNo};
use crate::filter::{Answer, KeyHash};

/// Looks for one key. See [`TableView`] for how it is driven.
#[derive(Clone, Debug)]
pub struct Find<'a> {
    view: &'a TableView,
    key: &'a [u8],
    snapshot: SeqNo,
    hash: KeyHash,
    want: Want,
    leaf: Option<usize>,
}

impl<'a> Find<'a> {
    /// A search that is over.
    #[inline]
    pub(super) const fn nothing(view: &'a TableView, key: &'a [u8], hash: KeyHash, snapshot: SeqNo) -> Self {
        Self { view, key, snapshot, hash, want: Want::Nothing, leaf: None }
    }

    /// A search in a table that does not exclude the key, as far as that is known without reading.
    #[inline]
    pub(super) fn within(
        view: &'a TableView,
        key: &'a [u8],
        hash: KeyHash,
        snapshot: SeqNo,
    ) -> Result<Self, ReadError> {
        let mut find = Self::nothing(view, key, hash, snapshot);
        match &view.filter {
            FilterState::OnDemand(span) => find.want = Want::Filter(*span),
            FilterState::Pinned(_) | FilterState::Absent => find.descend()?,
        }
        Ok(find)
    }

    /// What it waits for; [`Step::Ready`] without an entry means that the table does not hold the key.
    #[inline]
    #[must_use]
    pub fn step(&self) -> Step {
        match self.want {
            Want::Nothing => Step::Ready,
            Want::Gap(span) => Step::Lost(span),
            Want::Filter(span) | Want::Index(span) | Want::Data(span) => Step::Read(self.view.file.at(span)),
        }
    }

    /// Which of the table's [leaves](TableView::leaves) it waits for, if it waits for one.
    #[inline]
    #[must_use]
    pub fn leaf(&self) -> Option<usize> {
        self.leaf.filter(|_| matches!(self.want, Want::Index(_)))
    }

    /// Takes the block it waits for; gives the entry if that block holds it.
    ///
    /// # Errors
    /// When the block is another one, or is not sound.
    #[inline]
    pub fn supply<'b>(&mut self, block: &'b TableBlock) -> Result<Option<Entry<'b>>, ReadError>
    where
        'a: 'b,
    {
        match self.want {
            Want::Data(span) => {
                let cells = block.cells(span, BlockKind::Data)?;
                self.want = Want::Nothing;
                self.look(cells, span)
            }
            Want::Index(span) => {
                self.choose(block.cells(span, BlockKind::Index)?, Level::OverData, span)?;
                Ok(None)
            }
            Want::Filter(span) => match &block.content {
                Content::Filter(filter) if block.span == span => {
                    self.want = Want::Nothing;
                    if filter.may_contain(self.hash) == Answer::Maybe {
                        self.descend()?;
                    }
                    Ok(None)
                }
                _ => Err(ReadError::NotAsked { given: block.span }),
            },
            Want::Nothing | Want::Gap(_) => Err(ReadError::NotAsked { given: block.span }),
        }
    }

    /// Goes on without the filter, if that is what it waits for and cannot be had.
    ///
    /// # Errors
    /// When the top index is not sound.
    pub fn skip_filter(&mut self) -> Result<(), ReadError> {
        if matches!(self.want, Want::Filter(_)) { self.descend() } else { Ok(()) }
    }

    #[inline]
    fn descend(&mut self) -> Result<(), ReadError> {
        self.want = Want::Nothing;
        let view = self.view;
        let Some(top) = &view.top else { return Ok(()) };
        self.choose(top, Level::of_top(view.root.levels), view.root.top_index)
    }

    /// Waits for the child that may hold the key; behind the last fence there is none.
    #[inline]
    fn choose(&mut self, index: &CellBlock, level: Level, at: BlockSpan) -> Result<(), ReadError> {
        let target = Target { key: self.key, seq: self.snapshot.get() };
        let hit = index.child_over(&self.view.order, target);
        let hit = hit.map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))?;
        (self.want, self.leaf) = match hit {
            Some(hit) => (Want::at(hit.kind, hit.span, level), hit.number),
            None => (Want::Nothing, None),
        };
        Ok(())
    }

    #[inline]
    fn look<'b>(&self, cells: &'b CellBlock, at: BlockSpan) -> Result<Option<Entry<'b>>, ReadError>
    where
        'a: 'b,
    {
        let target = Target { key: self.key, seq: self.snapshot.get() };
        let found = cells.find(&self.view.order, target, self.hash);
        let Some(cell) = found.map_err(|cause| ReadError::payload(at, BlockKind::Data, cause))? else {
            return Ok(None);
        };
        let kind = EntryKind::parse(cell.tag).ok_or(ReadError::EntryKind { at, found: cell.tag })?;
        let (seq, value) = (SeqNo::new(cell.seq), cell.value(cells.cells()));
        Ok(Some(Entry { key: self.key, seq, kind, flags: cell.flags, value }))
    }
}
