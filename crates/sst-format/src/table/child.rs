//! From an index cell to what it leads to, and the keys that are lost with it.

use core::ops::Bound;

use bytes::Bytes;

use super::error::ReadError;
use crate::block::{BlockKind, BlockSpan};
use crate::cells::{Cell, CellBlock, CellCursor};
use crate::entry::SeqNo;
use crate::index::{Child, ChildKind};

/// The keys whose answers cannot be trusted without some bytes of a table.
///
/// ```
/// use std::ops::Bound;
/// let lost = sst_format::LostRange::everything();
/// assert_eq!((lost.lower, lost.upper), (Bound::Unbounded, Bound::Unbounded));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostRange {
    /// The bytes of the body.
    pub at: BlockSpan,
    /// Where the keys start.
    pub lower: Bound<Bytes>,
    /// Where the keys end.
    pub upper: Bound<Bytes>,
    /// The lowest sequence number lost.
    pub seq_low: SeqNo,
    /// The highest.
    pub seq_high: SeqNo,
}

impl LostRange {
    /// Every key of a table, with every sequence number.
    #[must_use]
    pub fn everything() -> Self {
        let (lower, upper) = (Bound::Unbounded, Bound::Unbounded);
        Self { at: BlockSpan::default(), lower, upper, seq_low: SeqNo::new(0), seq_high: SeqNo::MAX }
    }
}

/// What a state machine waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    Nothing,
    Filter(BlockSpan),
    Index(BlockSpan),
    Data(BlockSpan),
    Gap(BlockSpan),
}

impl Want {
    /// The child of an index cell.
    pub(super) fn of(index: &CellBlock, cell: &Cell, level: Level, at: BlockSpan) -> Result<Self, ReadError> {
        let place = Child::place(index, *cell);
        let (kind, span) = place.map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))?;
        Ok(Self::at(kind, span, level))
    }

    /// What an index block of a level leads to.
    #[inline]
    pub(super) const fn at(kind: ChildKind, span: BlockSpan, level: Level) -> Self {
        match (kind, level) {
            (ChildKind::Gap, _) => Self::Gap(span),
            (ChildKind::Block, Level::OverIndex) => Self::Index(span),
            (ChildKind::Block, Level::OverData) => Self::Data(span),
        }
    }
}

/// Which blocks an index block leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    OverIndex,
    OverData,
}

impl Level {
    pub(super) const fn of_top(levels: u16) -> Self {
        if levels > 1 { Self::OverIndex } else { Self::OverData }
    }
}

fn child_of(cells: &CellBlock, cell: &Cell, at: BlockSpan) -> Result<Child, ReadError> {
    Child::decode(cells, cell).map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))
}

/// The keys under the index cell that the cursor is on; `before` bounds the first cell of its block.
pub(super) fn lost_under(
    index: &CellCursor,
    before: Bound<Bytes>,
    at: BlockSpan,
) -> Result<LostRange, ReadError> {
    let Some(cell) = index.cell() else { return Ok(LostRange::everything()) };
    let child = child_of(index.block(), &cell, at)?;
    let upper = Bound::Included(Bytes::copy_from_slice(index.key()));
    let lower = bound_before(index, before, at)?;
    let [low, high] = child.seqs.map(SeqNo::new);
    Ok(LostRange { at: child.span, lower, upper, seq_low: low, seq_high: high })
}

/// The fence before the index cell that the cursor is on.
pub(super) fn bound_before(
    index: &CellCursor,
    before: Bound<Bytes>,
    at: BlockSpan,
) -> Result<Bound<Bytes>, ReadError> {
    let mut index = index.clone();
    index.prev().map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))?;
    Ok(match index.cell() {
        None => before,
        Some(cell) if cell.seq == 0 => Bound::Excluded(Bytes::copy_from_slice(index.key())),
        Some(_) => Bound::Included(Bytes::copy_from_slice(index.key())),
    })
}
