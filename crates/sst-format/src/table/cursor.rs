//! Walks a table in both directions, block by block.
//!
//! Invariant: a cursor is on an entry, waits for a block, stands before a gap, or has run off an end; after
//! an error it is on none. Blocks that cannot be had are passed over only when the caller says so.

use alloc::vec::Vec;
use core::ops::{Bound, Deref};

use bytes::Bytes;

use super::child::{Level, LostRange, Want, bound_before, lost_under};
use super::error::ReadError;
use super::view::{Step, TableBlock, TableView};
use crate::block::{BlockKind, BlockSpan};
use crate::cells::{CellCursor, PayloadError, Target};
use crate::entry::{Entry, EntryKind, SeqNo};
use crate::order::KeyOrder;

/// Where in the next block it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aim {
    First,
    Last,
    AtOrBehind,
    Before,
}

impl Aim {
    const fn is_forward(self) -> bool {
        matches!(self, Self::First | Self::AtOrBehind)
    }
}

/// A place in a table, over all versions of all keys.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, MemoryTable, ReadOptions, SeqNo, TableOptions, TableWriter};
///
/// let mut writer = TableWriter::new(Uid::new([7; 16]), TableOptions::new())?;
/// for key in ["a", "b", "c"] {
///     writer.add(Entry::put(key.as_bytes(), SeqNo::new(1), b""))?;
/// }
/// let table = MemoryTable::open(&writer.finish()?.image, ReadOptions::new())?;
///
/// let mut cursor = table.view().cursor();
/// cursor.seek(b"b", SeqNo::MAX)?;
/// table.drive(&mut cursor)?; // reads the blocks it asks for
/// assert_eq!(cursor.entry()?.map(|entry| entry.key), Some(&b"b"[..]));
/// cursor.move_prev()?;
/// table.drive(&mut cursor)?;
/// assert_eq!(cursor.entry()?.map(|entry| entry.key), Some(&b"a"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<V> {
    view: V,
    top: Option<CellCursor>,
    leaf: Option<CellCursor>,
    data: Option<CellCursor>,
    leaf_at: BlockSpan,
    data_at: BlockSpan,
    want: Want,
    aim: Aim,
    target_key: Vec<u8>,
    target_seq: u64,
}

impl<V: Deref<Target = TableView>> Cursor<V> {
    /// A cursor that is on no entry; `view` is a reference or an `Arc`.
    pub fn new(view: V) -> Self {
        let top = view.top.clone().map(CellCursor::new);
        let at = BlockSpan::default();
        Self {
            view,
            top,
            leaf: None,
            data: None,
            leaf_at: at,
            data_at: at,
            want: Want::Nothing,
            aim: Aim::First,
            target_key: Vec::new(),
            target_seq: 0,
        }
    }

    /// What it waits for.
    #[inline]
    #[must_use]
    pub fn step(&self) -> Step {
        match self.want {
            Want::Nothing => Step::Ready,
            Want::Gap(span) => Step::Lost(span),
            Want::Filter(span) | Want::Index(span) | Want::Data(span) => Step::Read(self.view.file.at(span)),
        }
    }

    /// The entry it is on; `None` at both ends and while it waits.
    ///
    /// # Errors
    /// When the entry is of a kind that this release does not know.
    #[inline]
    pub fn entry(&self) -> Result<Option<Entry<'_>>, ReadError> {
        let Some((data, cell)) = self.data.as_ref().and_then(|data| Some((data, data.cell()?))) else {
            return Ok(None);
        };
        let unknown = || ReadError::EntryKind { at: self.data_at, found: cell.tag };
        let kind = EntryKind::parse(cell.tag).ok_or_else(unknown)?;
        let value = cell.value(data.block().cells());
        Ok(Some(Entry { key: data.key(), seq: SeqNo::new(cell.seq), kind, flags: cell.flags, value }))
    }

    /// Whether the next entry, or the one before, is not in the block of the entry it is on.
    #[inline]
    #[must_use]
    pub fn is_at_edge(&self) -> bool {
        self.data.as_ref().is_none_or(CellCursor::is_at_edge)
    }

    /// The value of the entry it is on, as a slice that keeps its block alive.
    #[inline]
    #[must_use]
    pub fn share_value(&self) -> Option<Bytes> {
        let data = self.data.as_ref()?;
        let cell = data.cell()?;
        Some(data.block().bytes().slice(cell.value_at as usize..cell.end as usize))
    }

    /// To the first entry.
    ///
    /// # Errors
    /// When the index is not sound.
    pub fn seek_first(&mut self) -> Result<(), ReadError> {
        self.start(Aim::First)
    }

    /// To the last entry.
    ///
    /// # Errors
    /// When the index is not sound.
    pub fn seek_last(&mut self) -> Result<(), ReadError> {
        self.start(Aim::Last)
    }

    /// To the newest version of `key` not newer than `seq`, or else the first entry behind it.
    ///
    /// # Errors
    /// When the index is not sound.
    pub fn seek(&mut self, key: &[u8], seq: SeqNo) -> Result<(), ReadError> {
        self.set_target(key, seq);
        self.start(Aim::AtOrBehind)
    }

    /// To the last entry before every version of `key` that is not newer than `seq`.
    ///
    /// # Errors
    /// When the index is not sound.
    pub fn seek_before(&mut self, key: &[u8], seq: SeqNo) -> Result<(), ReadError> {
        self.set_target(key, seq);
        self.start(Aim::Before)
    }

    /// To the next entry: an older version, or the next key.
    ///
    /// # Errors
    /// When a block is not sound.
    #[inline]
    pub fn move_next(&mut self) -> Result<(), ReadError> {
        let Some(data) = self.data.as_mut().filter(|data| data.cell().is_some()) else { return Ok(()) };
        data.next().map_err(|cause| ReadError::payload(self.data_at, BlockKind::Data, cause))?;
        if data.cell().is_none() { self.turn(Aim::First) } else { Ok(()) }
    }

    /// To the entry before: a newer version, or the key before.
    ///
    /// # Errors
    /// When a block is not sound.
    pub fn move_prev(&mut self) -> Result<(), ReadError> {
        let Some(data) = self.data.as_mut().filter(|data| data.cell().is_some()) else { return Ok(()) };
        data.prev().map_err(|cause| ReadError::payload(self.data_at, BlockKind::Data, cause))?;
        if data.cell().is_none() { self.turn(Aim::Last) } else { Ok(()) }
    }

    /// Takes the block it waits for.
    ///
    /// # Errors
    /// When the block is another one, or is not sound.
    pub fn supply(&mut self, block: &TableBlock) -> Result<(), ReadError> {
        match self.want {
            Want::Index(span) => {
                let cells = block.cells(span, BlockKind::Index)?.clone();
                self.leaf_at = span;
                set(&mut self.leaf, cells);
                self.place_leaf()
            }
            Want::Data(span) => {
                let cells = block.cells(span, BlockKind::Data)?.clone();
                self.data_at = span;
                self.want = Want::Nothing;
                let data = set(&mut self.data, cells);
                let target = Target { key: &self.target_key, seq: self.target_seq };
                let placed = place(data, self.aim, &self.view.order, target);
                placed.map_err(|cause| ReadError::payload(span, BlockKind::Data, cause))?;
                if data.cell().is_some() {
                    return Ok(());
                }
                self.turn(if self.aim.is_forward() { Aim::First } else { Aim::Last })
            }
            Want::Nothing | Want::Filter(_) | Want::Gap(_) => Err(ReadError::NotAsked { given: block.span }),
        }
    }

    /// Gives up the block it waits for, or the gap it stands before, and goes on behind it in its direction.
    /// The keys that may be missing from what it finds are given back; `None` if it waits for nothing.
    ///
    /// # Errors
    /// When the index is not sound.
    pub fn pass_over(&mut self) -> Result<Option<LostRange>, ReadError> {
        if self.want == Want::Nothing {
            return Ok(None);
        }
        let lost = self.lost()?;
        if matches!(self.want, Want::Index(_)) {
            self.leaf = None;
        }
        self.turn(if self.aim.is_forward() { Aim::First } else { Aim::Last })?;
        Ok(Some(lost))
    }

    /// The keys in the block it waits for.
    fn lost(&self) -> Result<LostRange, ReadError> {
        let Some(top) = &self.top else { return Ok(LostRange::everything()) };
        let top_at = self.view.root.top_index;
        match &self.leaf {
            Some(leaf) if !matches!(self.want, Want::Index(_)) => {
                lost_under(leaf, bound_before(top, Bound::Unbounded, top_at)?, self.leaf_at)
            }
            _ => lost_under(top, Bound::Unbounded, top_at),
        }
    }

    fn set_target(&mut self, key: &[u8], seq: SeqNo) {
        self.target_key.clear();
        self.target_key.extend_from_slice(key);
        self.target_seq = seq.get();
    }

    /// Down from the top index.
    fn start(&mut self, aim: Aim) -> Result<(), ReadError> {
        self.data = None;
        self.leaf = None;
        self.aim = aim;
        self.want = Want::Nothing;
        let at = self.view.root.top_index;
        let Some(top) = &mut self.top else { return Ok(()) };
        let target = Target { key: &self.target_key, seq: self.target_seq };
        place_index(top, aim, &self.view.order, target)
            .map_err(|cause| ReadError::payload(at, BlockKind::TopIndex, cause))?;
        self.want_under_top()
    }

    fn want_under_top(&mut self) -> Result<(), ReadError> {
        let at = self.view.root.top_index;
        let top = self.top.as_ref().and_then(|top| Some((top, top.cell()?)));
        let Some((top, cell)) = top else {
            self.want = Want::Nothing;
            return Ok(());
        };
        self.want = Want::of(top.block(), &cell, Level::of_top(self.view.root.levels), at)?;
        Ok(())
    }

    /// Into a leaf that was just supplied.
    fn place_leaf(&mut self) -> Result<(), ReadError> {
        let at = self.leaf_at;
        let Some(leaf) = &mut self.leaf else { return Ok(()) };
        let target = Target { key: &self.target_key, seq: self.target_seq };
        place_index(leaf, self.aim, &self.view.order, target)
            .map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))?;
        self.want_under_leaf()
    }

    fn want_under_leaf(&mut self) -> Result<(), ReadError> {
        let leaf = self.leaf.as_ref().and_then(|leaf| Some((leaf, leaf.cell()?)));
        match leaf {
            Some((leaf, cell)) => {
                self.want = Want::of(leaf.block(), &cell, Level::OverData, self.leaf_at)?;
                Ok(())
            }
            None => self.turn_top(),
        }
    }

    /// To the neighbouring data block.
    fn turn(&mut self, aim: Aim) -> Result<(), ReadError> {
        self.aim = aim;
        self.want = Want::Nothing;
        let at = self.leaf_at;
        let Some(leaf) = &mut self.leaf else { return self.turn_top() };
        go(leaf, aim).map_err(|cause| ReadError::payload(at, BlockKind::Index, cause))?;
        self.want_under_leaf()
    }

    /// To the neighbouring child of the top index.
    fn turn_top(&mut self) -> Result<(), ReadError> {
        self.want = Want::Nothing;
        self.leaf = None;
        let at = self.view.root.top_index;
        let Some(top) = &mut self.top else { return Ok(()) };
        self.aim = if self.aim.is_forward() { Aim::First } else { Aim::Last };
        go(top, self.aim).map_err(|cause| ReadError::payload(at, BlockKind::TopIndex, cause))?;
        self.want_under_top()
    }
}

fn set(cursor: &mut Option<CellCursor>, cells: crate::cells::CellBlock) -> &mut CellCursor {
    match cursor {
        Some(cursor) => {
            cursor.set_block(cells);
            cursor
        }
        None => cursor.insert(CellCursor::new(cells)),
    }
}

fn go(cursor: &mut CellCursor, aim: Aim) -> Result<(), PayloadError> {
    if aim.is_forward() { cursor.next() } else { cursor.prev() }
}

/// In a data block: none if the place is in a neighbour.
fn place(cells: &mut CellCursor, aim: Aim, order: &KeyOrder, target: Target<'_>) -> Result<(), PayloadError> {
    match aim {
        Aim::First => cells.seek_first(),
        Aim::Last => cells.seek_last(),
        Aim::AtOrBehind => cells.seek(order, target),
        Aim::Before => {
            cells.seek(order, target)?;
            if cells.cell().is_some() { cells.prev() } else { cells.seek_last() }
        }
    }
}

/// In an index block: the child whose fence is the first at or behind the target; going back, else the last.
fn place_index(
    cells: &mut CellCursor,
    aim: Aim,
    order: &KeyOrder,
    target: Target<'_>,
) -> Result<(), PayloadError> {
    match aim {
        Aim::First => cells.seek_first(),
        Aim::Last => cells.seek_last(),
        Aim::AtOrBehind => cells.seek(order, target),
        Aim::Before => {
            cells.seek(order, target)?;
            if cells.cell().is_none() { cells.seek_last() } else { Ok(()) }
        }
    }
}
