//! A user's place among the keys of a tree, as of a snapshot.
//!
//! Invariant: what it stands on is the newest visible version of its key, no delete, under no newer range
//! delete, and nothing newer that the snapshot sees may be lost. A loss on the way is told as an error where
//! it begins; the next step goes on behind it, over the keys in it that newer entries decide. After any other error
//! the next step tries again: no key that was not shown, and no loss that was not told, is behind it then.

mod backward;
mod doubts;
mod forward;
mod range;
mod source;

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use sst_format::{EntryKind, KeyOrder, RangeEntry, SeqNo};

pub(crate) use self::range::{ScanRange, Wants};
use self::{doubts::Doubts, source::Source};
use crate::{
    Error, Level, TableMeta,
    answer::{Shows, shows},
    covers::{Cover, Covers},
    entry_cursor::EntryCursor,
    loss::{LossLog, Rank},
    mem_source::MemSource,
    merge_cursor::MergeCursor,
    read_view::ReadView,
    reader::TreeReader,
    run_cursor::{RunCursor, Tables},
    table_file::Opened,
};

/// A user's place among the keys of a tree.
///
/// It is on an entry, between two, or at an end. Going on from an end stays there; turning round there gives
/// the entry nearest to it. A new one is between nothing: `move_next` gives the first entry, `move_prev` the
/// last.
pub(crate) struct Iter<M: MemSource> {
    /// Keeps what is read alive.
    view: Arc<ReadView<M>>,
    range: ScanRange,
    cursor: MergeCursor<Source<M::Cursor>>,
    covers: Covers,
    log: LossLog,
    doubts: Doubts,
    place: Place,
    /// The key it is on, or works on.
    key: Vec<u8>,
    value: Bytes,
}

/// Where it is, and where that leaves the cursor below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere yet.
    Nowhere,
    /// On `key`; going forward, the cursor is on the version that is seen.
    OnForward,
    /// On `key`; going back, the cursor is before all its versions.
    OnBack,
    /// At `key`, after an error: the cursor is anywhere.
    Adrift(Side),
    /// Before a loss that was told, going forward: the cursor is on what comes behind it, if anything does.
    BeforeLoss(Next),
    /// Behind a loss that was told, going back: `key` comes next, if any does, with the cursor before it.
    BehindLoss(Next),
    /// Behind the last.
    AtEnd,
    /// Before the first.
    AtStart,
}

/// On which side of a key it is: behind it, going back, and before it, going forward, that key comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    On,
    Behind,
}

/// What comes next behind a loss that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Key,
    End,
}

/// What an iterator stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Shares memory with what it was read from; empty if only keys are wanted.
    pub value: &'a Bytes,
}

/// The newest version of a key that the snapshot sees.
#[derive(Clone, Copy, Debug)]
struct Seen {
    seq: SeqNo,
    kind: EntryKind,
    rank: Rank,
}

/// What the newest visible version of a key, and what is around it, come to.
enum Verdict {
    Shown,
    Hidden,
    /// By a range delete of this sequence number, up to this key.
    Covered(SeqNo, Bound<Bytes>),
}

/// Steps from version to version before a seek is the shorter way.
const STEPS_BEFORE_SEEK: u32 = 8;

impl<M: MemSource> Iter<M> {
    /// A place over `view`.
    ///
    /// # Errors
    /// When a table with range deletes cannot be opened for another reason than damage.
    pub(crate) fn new(view: Arc<ReadView<M>>, range: ScanRange) -> Result<Self, Error> {
        let (order, log) = (view.reader.order.clone(), LossLog::default());
        let (mut sources, mut covers) = (Vec::new(), Vec::new());
        for memtable in &view.memtables {
            let rank = Rank::new(sources.len());
            covers.extend(
                memtable.range_deletes(range.snapshot).into_iter().map(|range| Cover { rank, range }),
            );
            sources.push(Source::Memtable(memtable.cursor()));
        }
        for level in Level::all() {
            for (index, run) in view.version.runs(level).iter().enumerate() {
                let (rank, mut concerned) =
                    (Rank::new(sources.len()), range.tables_in(&order, run).peekable());
                if concerned.peek().is_none() {
                    continue;
                }
                let log = log.of_source(rank);
                for meta in concerned.filter(|meta| meta.range_deletes + meta.losses > 0) {
                    let deletes = range_deletes(&view.reader, meta, range.snapshot, &log)?;
                    covers.extend(deletes.into_iter().map(|range| Cover { rank, range }));
                }
                let tables = Tables::Run(view.version.clone(), level, index);
                sources.push(Source::Run(RunCursor::new(view.reader.clone(), tables, range.fill, log)));
            }
        }
        let (covers, doubts) = (Covers::new(&order, covers), Doubts::default());
        let cursor = MergeCursor::new(order, sources);
        let (place, key, value) = (Place::Nowhere, Vec::new(), Bytes::new());
        Ok(Self { view, range, cursor, covers, log, doubts, place, key, value })
    }

    fn order(&self) -> &KeyOrder {
        &self.view.reader.order
    }

    /// The value of the entry it is on, which leaves none behind.
    #[inline]
    pub(crate) fn part_with_value(&mut self) -> Bytes {
        std::mem::take(&mut self.value)
    }

    fn item(&self) -> Item<'_> {
        Item { key: &self.key, value: &self.value }
    }

    /// What a version of `key` comes to, if it is the newest that the snapshot sees.
    fn judge(&mut self, seen: Seen) -> Result<Verdict, Error> {
        self.take_losses();
        let (order, snapshot) = (&self.view.reader.order, self.range.snapshot);
        let cover = self.covers.newest_over(order, &self.key, seen.seq, snapshot);
        let decisive =
            cover.map_or(seen, |cover| Seen { seq: cover.range.seq_high, rank: cover.rank, ..seen });
        if self.doubts.obscure(order, &self.key, snapshot, decisive) {
            return Ok(Verdict::Hidden);
        }
        if let Some(Cover { range, .. }) = cover {
            return Ok(Verdict::Covered(range.seq_high, range.upper.clone()));
        }
        Ok(match shows(self.view.reader.tree, seen.kind)? {
            Shows::Value => Verdict::Shown,
            Shows::Nothing => Verdict::Hidden,
        })
    }

    #[inline]
    fn take_losses(&mut self) {
        self.doubts.take(&self.log, &self.range, &self.view.reader.order, &self.covers);
    }

    /// Whether the cursor is on a version of `key`.
    #[inline]
    fn is_on_key(&self) -> bool {
        self.cursor.entry().is_some_and(|entry| entry.key == self.key)
    }
}

/// The range deletes of a table; the losses it knows of are noted.
fn range_deletes(
    reader: &TreeReader,
    meta: &Arc<TableMeta>,
    snapshot: SeqNo,
    log: &LossLog,
) -> Result<Vec<RangeEntry>, Error> {
    let table = match reader.open(meta)? {
        Opened::Table(table) => table,
        Opened::Lost(loss) => {
            log.note(*loss);
            return Ok(Vec::new());
        }
    };
    table.losses().all().iter().for_each(|loss| log.note(loss.clone()));
    let is_seen = |range: &&RangeEntry| range.seq_high <= snapshot;
    Ok(table.range_deletes().filter(is_seen).cloned().collect())
}
