//! Opening a table: which blocks it takes, in which order, and what may be missing.
//!
//! Invariant: what can be answered without is optional. Without its filter a table is slower; without
//! properties it says less of itself; without the dictionary, blocks compressed against it fail one by one;
//! the ranges stand twice. Only the top index cannot be done without, and it can be rebuilt.

use alloc::sync::Arc;

use bytes::Bytes;
use page_ecc::Uid;

use super::error::ReadError;
use super::options::{FilterPin, ReadOptions};
use super::view::{Content, FilterState, Step, TableView, admit};
use crate::block::{BlockError, BlockKind, BlockSpan, FileSalt, RawBlock, Unpacker};
use crate::codec::CodecError;
use crate::crypto::{CryptoError, FileKey};
use crate::dictionary::Dictionary;
use crate::properties::Properties;
use crate::ranges::RangeSet;
use crate::root::TableRoot;

/// Parts, in the order they are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Dictionary,
    TopIndex,
    Ranges,
    RangesCopy,
    Properties,
    Filter,
    Done,
}

impl Part {
    const fn next(self) -> Self {
        match self {
            Self::Dictionary => Self::TopIndex,
            Self::TopIndex => Self::Ranges,
            Self::Ranges => Self::RangesCopy,
            Self::RangesCopy => Self::Properties,
            Self::Properties => Self::Filter,
            Self::Filter | Self::Done => Self::Done,
        }
    }
}

/// A table being opened. See [`TableView`] for how it is driven.
#[derive(Clone, Debug)]
pub struct Opening {
    view: TableView,
    part: Part,
}

impl Opening {
    /// Starts from the root, which the descriptor repeats.
    ///
    /// # Errors
    /// When the table is in another order, or its key is missing or another.
    pub fn new(uid: Uid, root: TableRoot, options: ReadOptions) -> Result<Self, ReadError> {
        root.check_order(&options.order)?;
        let unpacker = unpacker_for(&root, options.key)?;
        let view = TableView {
            uid,
            file: FileSalt::of(uid),
            order: options.order,
            unpacker,
            properties: None,
            ranges: (root.ranges.len == 0).then(RangeSet::default),
            top: None,
            filter: FilterState::Absent,
            root,
        };
        let mut opening = Self { view, part: Part::Dictionary };
        opening.view.set_filter(options.filter);
        if options.filter == FilterPin::OnDemand {
            opening.skip_parts(Part::Filter);
        } else {
            opening.skip_parts(Part::Done);
        }
        Ok(opening)
    }

    /// What it waits for.
    #[must_use]
    pub fn step(&self) -> Step {
        match self.span() {
            Some(span) => Step::Read(self.view.file.at(span)),
            None => Step::Ready,
        }
    }

    /// Takes the block it waits for. After an error it still waits for the same one: the caller may repair it
    /// and supply it again, or [give it up](Self::give_up).
    ///
    /// # Errors
    /// When the bytes are not that block, or the block is not sound.
    pub fn supply(&mut self, raw: RawBlock) -> Result<(), ReadError> {
        let Some(span) = self.span() else {
            return Err(ReadError::NotAsked { given: BlockSpan::default() });
        };
        match self.part {
            Part::TopIndex => self.take_index(span, raw)?,
            Part::Filter => match admit(self.view.file.at(span), raw, &self.view.unpacker)?.content {
                Content::Filter(filter) => self.view.filter = FilterState::Pinned(filter),
                Content::Cells(found, _) => return Err(unexpected(span, found, BlockKind::Filter)),
            },
            part => self.take_plain(part, span, raw)?,
        }
        self.advance();
        Ok(())
    }

    /// Goes on without the block it waits for.
    ///
    /// # Errors
    /// [`ReadError::IndexLost`] if that is the top index.
    pub fn give_up(&mut self) -> Result<(), ReadError> {
        match (self.part, self.span()) {
            (Part::TopIndex, Some(at)) => Err(ReadError::IndexLost { at }),
            _ => {
                self.advance();
                Ok(())
            }
        }
    }

    /// The opened table.
    ///
    /// # Errors
    /// [`ReadError::NotAsked`] while it still waits for a block.
    pub fn finish(self) -> Result<TableView, ReadError> {
        match self.span() {
            None => Ok(self.view),
            Some(given) => Err(ReadError::NotAsked { given }),
        }
    }

    fn span(&self) -> Option<BlockSpan> {
        let root = &self.view.root;
        match self.part {
            Part::Dictionary => Some(root.dictionary),
            Part::TopIndex => Some(root.top_index),
            Part::Ranges => Some(root.ranges),
            Part::RangesCopy => Some(root.ranges_copy),
            Part::Properties => Some(root.properties),
            Part::Filter => Some(root.filter),
            Part::Done => None,
        }
    }

    fn advance(&mut self) {
        self.part = self.part.next();
        let last = match self.view.filter {
            FilterState::OnDemand(_) => Part::Filter,
            _ => Part::Done,
        };
        self.skip_parts(last);
    }

    /// Skips parts that the table does not have, or that are already there, up to `last`.
    fn skip_parts(&mut self, last: Part) {
        while let Some(span) = self.span() {
            let is_needed = match self.part {
                Part::RangesCopy => self.view.ranges.is_none(),
                _ => true,
            };
            if self.part == last {
                self.part = Part::Done;
            } else if span.len == 0 || !is_needed {
                self.part = self.part.next();
            } else {
                return;
            }
        }
    }

    fn take_index(&mut self, span: BlockSpan, raw: RawBlock) -> Result<(), ReadError> {
        match admit(self.view.file.at(span), raw, &self.view.unpacker)?.content {
            Content::Cells(BlockKind::TopIndex, cells) => self.view.top = Some(cells),
            Content::Cells(found, _) => return Err(unexpected(span, found, BlockKind::TopIndex)),
            Content::Filter(_) => return Err(unexpected(span, BlockKind::Filter, BlockKind::TopIndex)),
        }
        Ok(())
    }

    /// Takes a part whose payload is no cells that stay.
    fn take_plain(&mut self, part: Part, span: BlockSpan, raw: RawBlock) -> Result<(), ReadError> {
        let payload = raw.verify(self.view.file.at(span))?.unpack(&self.view.unpacker)?;
        let (kind, bytes) = (payload.kind(), payload.bytes());
        let sound = |cause| ReadError::payload(span, kind, cause);
        match (part, kind) {
            (Part::Dictionary, BlockKind::Dictionary) => {
                let dictionary = read_dictionary(span, bytes)?;
                self.view.unpacker = core::mem::take(&mut self.view.unpacker).with_dictionary(dictionary);
            }
            (Part::Ranges | Part::RangesCopy, BlockKind::Ranges) => {
                self.view.ranges = Some(RangeSet::decode(bytes).map_err(sound)?);
            }
            (Part::Properties, BlockKind::Properties) => {
                self.view.properties = Some(Properties::decode(bytes).map_err(sound)?);
            }
            (Part::Dictionary, found) => return Err(unexpected(span, found, BlockKind::Dictionary)),
            (Part::Properties, found) => return Err(unexpected(span, found, BlockKind::Properties)),
            (_, found) => return Err(unexpected(span, found, BlockKind::Ranges)),
        }
        Ok(())
    }
}

/// Tells a missing or wrong key apart from damage before anything is read.
pub(crate) fn unpacker_for(root: &TableRoot, key: Option<Arc<FileKey>>) -> Result<Unpacker, ReadError> {
    let Some(stamp) = root.key_stamp else { return Ok(Unpacker::new()) };
    let epoch = stamp.epoch();
    let key = key.ok_or(CryptoError::MissingKey { epoch })?;
    if key.stamp() != stamp {
        return Err(CryptoError::WrongKey { epoch }.into());
    }
    Ok(Unpacker::new().with_key(key))
}

fn read_dictionary(at: BlockSpan, bytes: &Bytes) -> Result<Arc<Dictionary>, ReadError> {
    let parsed = Dictionary::parse(bytes.to_vec());
    parsed.map(Arc::new).map_err(|cause: CodecError| BlockError::Codec { at, cause }.into())
}

fn unexpected(at: BlockSpan, found: BlockKind, wanted: BlockKind) -> ReadError {
    BlockError::Unexpected { at, found, wanted }.into()
}
