//! An opened table: its file, and the view that says which of its blocks hold what.
//!
//! The straight path reads a block's own bytes, checks its one checksum, and is done. What does not prove
//! itself goes to the [`ladder`]; a table whose index is gone is opened by [`salvage`]. Invariant: what leaves
//! here was proven; what nothing brings back is a loss that names its keys.

mod ahead;
mod given_up;
mod ladder;
mod near;
mod opening;
mod salvage;

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use lsm_io::{File, FileOffset};
use page_ecc::PAGE_LEN;
use sst_format::{
    BlockAddr, BlockError, BlockSpan, CodecError, Found, KeyHash, LostRange, RangeEntry, RangeKind, RangeSet,
    RawBlock, ReadError, ReadOptions, SeqNo, Step, TableBlock, TableView,
};

use self::given_up::GivenUp;
pub(crate) use self::{ahead::ReadAhead, near::Near};
use crate::{
    Error, TableMeta, TreeId,
    block_cache::Fill,
    covers::{Cover, Covers},
    loss::{Rank, TableLoss},
    loss_index::LossIndex,
    pins::Pins,
    reader::{ReadEnv, TreeReader},
};

/// Values of no more bytes are copied out of their blocks.
const COPIED_MAX: usize = 512;

/// A table that can be read, as far as it is there.
#[derive(Debug)]
pub(crate) struct TableFile {
    tree: TreeId,
    meta: Arc<TableMeta>,
    file: Arc<dyn File>,
    options: ReadOptions,
    view: Arc<TableView>,
    /// The view made without the index when a part of that turned out to be lost; `None` if none could be.
    rebuilt: OnceLock<Option<Arc<TableView>>>,
    pins: Pins,
    covers: Covers,
    /// What its own loss markers say, and the whole table if its ranges are gone.
    losses: LossIndex,
    given_up: GivenUp,
}

/// What came of opening a table.
#[derive(Debug)]
pub(crate) enum Opened<T> {
    Table(T),
    /// Its file is gone.
    Lost(Box<TableLoss>),
}

/// What a point read looks for in a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) key: &'a [u8],
    /// Of the key.
    pub(crate) hash: KeyHash,
    pub(crate) snapshot: SeqNo,
}

/// Why a block is not there.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Nothing brings it back.
    Lost,
    /// It is there, and cannot be read by this release, or with these keys.
    Failed(ReadError),
}

/// What a table knows of one key.
#[derive(Debug)]
pub(crate) enum Got {
    Absent,
    Entry(Found),
    /// It may have held something.
    Lost(Box<TableLoss>),
}

impl TableFile {
    /// Opens a table from what the version knows of it, so that a lost head or tail does not matter.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    pub(crate) fn open(reader: &TreeReader, meta: &Arc<TableMeta>) -> Result<Opened<Self>, Error> {
        opening::open(reader, meta)
    }

    pub(crate) fn meta(&self) -> &Arc<TableMeta> {
        &self.meta
    }

    pub(crate) fn view(&self) -> &Arc<TableView> {
        self.rebuilt.get().and_then(Option::as_ref).unwrap_or(&self.view)
    }

    /// Makes its [view](Self::view) do without a block that is lost, if that holds no entries. For one that does, the
    /// index tells best which keys are lost.
    ///
    /// # Errors
    /// When a newer release or another key is needed.
    #[cold]
    #[inline(never)]
    pub(crate) fn do_without(&self, env: &ReadEnv, at: BlockSpan) -> Result<(), Error> {
        let is_index = at.offset >= self.view.root().data_end();
        if !is_index || self.rebuilt.get().is_some() {
            return Ok(());
        }
        let view = match salvage::view(self.options.clone(), self.sealed(env), *self.view.root()) {
            Ok(view) => Some(Arc::new(view)),
            Err(ReadError::Lost { .. }) => None,
            Err(cause) => return Err(self.error(cause)),
        };
        // Of two threads that come here at once, both made the same.
        self.rebuilt.get_or_init(|| view);
        Ok(())
    }

    /// Its range deletes; none that anybody knows of if they are gone, which is one of its
    /// [losses](Self::losses).
    pub(crate) fn range_deletes(&self) -> impl Iterator<Item = &RangeEntry> {
        self.covers.iter().map(|cover| &cover.range)
    }

    /// Losses that are known before any block is read.
    pub(crate) fn losses(&self) -> &LossIndex {
        &self.losses
    }

    /// When `key` was last deleted by a range of this table, as known at `snapshot`.
    #[inline]
    pub(crate) fn deleted_at(&self, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        let newest = self.covers.newest_over(self.view.order(), key, SeqNo::new(0), snapshot)?;
        Some(newest.range.seq_high)
    }

    /// A block of it for a cursor that may go on to the next.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn block_ahead(
        &self,
        env: &ReadEnv,
        addr: BlockAddr,
        fill: Fill,
        ahead: &mut ReadAhead,
    ) -> Result<TableBlock, Missing> {
        if ahead.is_next(addr.span) && !env.blocks.holds(self.meta.id, addr.span.offset) {
            let raw = ahead.read(self, addr, fill);
            if let Some(Ok(block)) = raw.map(|raw| self.view.admit(addr, raw)) {
                self.keep(env, &block, fill);
                return Ok(block);
            }
        }
        self.block(env, addr, fill)
    }

    /// A block of it.
    ///
    /// # Errors
    /// When it is not there.
    #[inline]
    pub(crate) fn block(&self, env: &ReadEnv, addr: BlockAddr, fill: Fill) -> Result<TableBlock, Missing> {
        match env.blocks.get(self.meta.id, addr.span.offset, fill) {
            Some(block) if block.span() == addr.span => Ok(block),
            _ => self.read_block(env, addr, fill),
        }
    }

    #[inline(never)]
    fn read_block(&self, env: &ReadEnv, addr: BlockAddr, fill: Fill) -> Result<TableBlock, Missing> {
        let read = read_raw(&*self.file, &self.meta, addr);
        let block = match read.map(|raw| self.view.admit(addr, raw)) {
            Some(Ok(block)) => block,
            Some(Err(cause)) if !is_damage(&cause) => return Err(Missing::of_proven(cause)),
            _ => {
                let raw = self.recover(env, addr, fill).ok_or(Missing::Lost)?;
                self.view.admit(addr, raw).map_err(Missing::of_proven)?
            }
        };
        self.keep(env, &block, fill);
        Ok(block)
    }

    /// A block that its own bytes do not prove; for who only reads none while it is given up. Who rewrites always looks:
    /// what he does not find is lost for good.
    #[cold]
    #[inline(never)]
    fn recover(&self, env: &ReadEnv, addr: BlockAddr, fill: Fill) -> Option<RawBlock> {
        let (sealed, offset) = (self.sealed(env), addr.span.offset);
        if fill == Fill::Keep && self.given_up.has(offset, Instant::now()) {
            return ladder::reread(sealed, addr);
        }
        let found = ladder::climb(sealed, addr);
        self.given_up.looked(offset, found.is_some(), Instant::now());
        found
    }

    fn keep(&self, env: &ReadEnv, block: &TableBlock, fill: Fill) {
        if fill == Fill::Keep {
            env.blocks.insert(self.meta.id, block.clone());
        }
    }

    /// The newest version of a key not newer than a snapshot; range deletes are left to the caller. A block that is
    /// `near` is not asked for again.
    ///
    /// # Errors
    /// When a newer release or another key is needed.
    #[inline]
    pub(crate) fn get(&self, env: &ReadEnv, wanted: Wanted<'_>, near: &mut Near) -> Result<Got, Error> {
        let Wanted { key, hash, snapshot } = wanted;
        let view = self.view();
        if view.excludes(hash) {
            return Ok(Got::Absent);
        }
        let mut find = view.find_within(key, hash, snapshot).map_err(|cause| self.error(cause))?;
        loop {
            let addr = match find.step() {
                Step::Read(addr) => addr,
                Step::Lost(at) => return self.loss_at(env, at, key, snapshot),
                Step::Ready => return Ok(Got::Absent),
            };
            let leaf = find.leaf();
            let pinned = leaf.and_then(|leaf| self.pins.leaf(leaf)).filter(|block| block.span() == addr.span);
            let block = match pinned {
                Some(block) => Ok(block),
                None => near.block(self, env, addr, leaf),
            };
            let block = match block {
                Ok(block) => block,
                Err(Missing::Failed(cause)) => return Err(self.error(cause)),
                Err(Missing::Lost) => {
                    find.skip_filter().map_err(|cause| self.error(cause))?;
                    if find.step() == Step::Read(addr) {
                        self.do_without(env, addr.span)?;
                        if !Arc::ptr_eq(view, self.view()) {
                            return self.get(env, wanted, near);
                        }
                        return self.loss_at(env, addr.span, key, snapshot);
                    }
                    continue;
                }
            };
            if let Some(entry) = find.supply(block).map_err(|cause| self.error(cause))? {
                let (seq, kind, flags) = (entry.seq, entry.kind, entry.flags);
                let value = answer_of(block, entry.value);
                return Ok(Got::Entry(Found { seq, kind, flags, value }));
            }
        }
    }

    /// Names the keys of the gap that a search for `key` ends in.
    #[cold]
    #[inline(never)]
    fn loss_at(&self, env: &ReadEnv, at: BlockSpan, key: &[u8], snapshot: SeqNo) -> Result<Got, Error> {
        let sound = |cause| self.error(cause);
        let mut cursor = self.view().cursor();
        cursor.seek(key, snapshot).map_err(sound)?;
        while let Step::Read(addr) = cursor.step() {
            match self.block(env, addr, Fill::Keep) {
                Ok(block) => cursor.supply(&block).map_err(sound)?,
                Err(Missing::Lost) => break,
                Err(Missing::Failed(cause)) => return Err(sound(cause)),
            }
        }
        // Nothing to pass over: what was lost a moment ago is not now, and the next read will find it.
        let lost = cursor.pass_over().map_err(sound)?;
        let lost = lost.unwrap_or_else(|| LostRange { at, ..LostRange::everything() });
        Ok(Got::Lost(Box::new(self.loss_of(lost))))
    }

    /// The loss of a part of it.
    pub(crate) fn loss_of(&self, lost: LostRange) -> TableLoss {
        TableLoss::part(self.tree, &self.meta, self.view.order(), lost)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn error(&self, cause: ReadError) -> Error {
        Error::Table { tree: self.tree, table: self.meta.id, cause }
    }

    fn sealed<'a>(&'a self, env: &'a ReadEnv) -> ladder::Sealed<'a> {
        ladder::Sealed { tree: self.tree, meta: &self.meta, file: &*self.file, env }
    }
}

impl Missing {
    /// Of a block whose bytes are those that were written.
    fn of_proven(cause: ReadError) -> Self {
        match cause {
            ReadError::Block(BlockError::Codec { cause: CodecError::NoDictionary, .. }) => Self::Lost,
            cause if is_damage(&cause) => Self::Lost,
            cause => Self::Failed(cause),
        }
    }
}

/// A value as a reader gets it: a small one is copied, so that its block is neither kept alive nor counted by
/// threads that read side by side; a large one shares the block's memory.
#[inline]
fn answer_of(block: &TableBlock, value: &[u8]) -> Bytes {
    if value.len() <= COPIED_MAX {
        return Bytes::copy_from_slice(value);
    }
    block.share(value).unwrap_or_default()
}

/// What a table loses before any block is asked for.
fn known_losses(tree: TreeId, meta: &TableMeta, view: &TableView) -> Vec<TableLoss> {
    if meta.range_deletes + meta.losses == 0 {
        return Vec::new();
    }
    match view.ranges() {
        None => vec![TableLoss::whole(tree, meta)],
        Some(ranges) => {
            let markers = ranges.iter().filter(|range| range.kind == RangeKind::Loss);
            markers.map(|marker| TableLoss::marked(tree, meta, marker)).collect()
        }
    }
}

/// The range deletes of a table.
fn covers(view: &TableView) -> Covers {
    let ranges = view.ranges().into_iter().flat_map(RangeSet::iter);
    let deletes = ranges.filter(|range| range.kind == RangeKind::Delete).cloned();
    let covers = deletes.map(|range| Cover { rank: Rank::default(), range });
    Covers::new(view.order(), covers.collect())
}

/// The bytes of a block as the file shows them; `None` if it does not.
#[inline]
fn read_raw(file: &dyn File, meta: &TableMeta, addr: BlockAddr) -> Option<RawBlock> {
    if addr.span.end() > meta.body_bytes() {
        return None;
    }
    let bytes = file.read_to_vec(offset_of(addr.span.offset), addr.span.len as usize);
    bytes.ok().map(RawBlock::new)
}

/// The place in a file of a place in its body, which begins on the second page.
fn offset_of(in_body: u64) -> FileOffset {
    FileOffset::new(in_body + PAGE_LEN as u64)
}

/// Whether bytes are not those that were written; otherwise they are, and something else is wrong.
fn is_damage(error: &ReadError) -> bool {
    use BlockError as Block;
    matches!(
        error,
        ReadError::Block(
            Block::Checksum { .. }
                | Block::Given { .. }
                | Block::Magic { .. }
                | Block::Span { .. }
                | Block::Stated { .. }
        )
    )
}
