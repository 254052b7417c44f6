//! What was written to a tree and is not in a table yet: entries in a skip list, range deletes beside it.
//!
//! Invariant: many write and many read at once. No reader of entries waits, whatever writers do, and none
//! makes a writer wait; who comes after an insert has returned sees its entry. Nothing is taken out or changed.
//!
//! Which snapshots may see what, and when it is full, is left to the tree.

mod arena;
mod chunks;
mod cursor;
mod fingers;
mod key_hint;
mod list;
mod node;
mod range_index;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    ops::Bound,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use sst_format::{Entry, Found, KeyOrder, RangeEntry, SeqNo};

use self::cursor::MemCursor;
use self::{list::List, range_index::Forest};
use crate::mem_source::MemSource;

/// Bytes that a range delete takes beside its bounds: itself, two cuts, its numbers at the nodes over it.
const RANGE_BYTES: usize = 400;

/// Entries and range deletes in memory.
///
/// ```
/// use lsm_core::Memtable;
/// use sst_format::{Entry, KeyOrder, SeqNo};
///
/// let memtable = Memtable::new(KeyOrder::Bytes);
/// assert!(memtable.is_empty());
/// memtable.insert(Entry::put(b"key", SeqNo::new(7), b"value"));
/// assert_eq!(memtable.seq_low(), Some(SeqNo::new(7)));
/// assert!(memtable.bytes() > 8);
/// ```
pub struct Memtable {
    order: KeyOrder,
    list: List,
    /// The lowest sequence number of all, or the highest there is.
    low: AtomicU64,
    /// Bytes of range deletes; 0 tells a read that there are none.
    range_bytes: AtomicU64,
    /// A leaf, held to look up or to swap.
    ranges: RwLock<Forest>,
    /// Held while a range is added.
    adding: Mutex<()>,
}

impl Memtable {
    /// Without entries.
    #[must_use]
    pub fn new(order: KeyOrder) -> Self {
        Self {
            list: List::new(order.clone()),
            order,
            low: AtomicU64::new(u64::MAX),
            range_bytes: AtomicU64::new(0),
            ranges: RwLock::default(),
            adding: Mutex::new(()),
        }
    }

    /// Adds an entry. No other may have its key and sequence number.
    pub fn insert(&self, entry: Entry<'_>) {
        self.lower_to(entry.seq);
        self.list.insert(&entry);
    }

    /// Adds a range delete.
    pub fn add_range(&self, range: RangeEntry) {
        self.lower_to(range.seq_high);
        let bounds = bound_len(&range.lower) + bound_len(&range.upper);
        let _alone = self.adding.lock();
        let forest = self.ranges.read().with(&self.order, range);
        *self.ranges.write() = forest;
        self.range_bytes.fetch_add((RANGE_BYTES + bounds) as u64, Release);
    }

    /// Bytes of memory that it takes, but for a few thousand that an empty one has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.list.bytes() + self.range_bytes.load(Relaxed)
    }

    /// Whether nothing was written to it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// The lowest sequence number in it.
    #[must_use]
    pub fn seq_low(&self) -> Option<SeqNo> {
        let low = self.low.load(Relaxed);
        (low < u64::MAX).then(|| SeqNo::new(low))
    }

    /// Numbers mostly ascend, so a look is mostly enough.
    #[inline]
    fn lower_to(&self, seq: SeqNo) {
        if self.low.load(Relaxed) > seq.get() {
            self.low.fetch_min(seq.get(), Relaxed);
        }
    }
}

fn bound_len(bound: &Bound<Bytes>) -> usize {
    match bound {
        Bound::Unbounded => 0,
        Bound::Included(key) | Bound::Excluded(key) => key.len(),
    }
}

impl fmt::Debug for Memtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, low) = (self.bytes(), self.seq_low());
        f.debug_struct("Memtable").field("bytes", &bytes).field("seq_low", &low).finish_non_exhaustive()
    }
}

impl MemSource for Memtable {
    type Cursor = MemCursor;

    #[inline]
    fn holds_nothing(&self) -> bool {
        self.is_empty()
    }

    #[inline]
    fn get(&self, key: &[u8], snapshot: SeqNo) -> Option<Found> {
        let node = self.list.find(key, snapshot)?;
        let meta = node.meta();
        let value = self.list.large(node).unwrap_or_else(|| {
            let mut value = Vec::new();
            node.read_value(&mut value);
            value.into()
        });
        Some(Found { seq: node.seq(), kind: meta.kind(), flags: meta.flags(), value })
    }

    #[inline]
    fn deleted_at(&self, key: &[u8], snapshot: SeqNo) -> Option<SeqNo> {
        if self.range_bytes.load(Acquire) == 0 {
            return None;
        }
        self.ranges.read().newest_over(&self.order, key, snapshot)
    }

    fn range_deletes(&self, snapshot: SeqNo) -> Vec<RangeEntry> {
        if self.range_bytes.load(Acquire) == 0 {
            return Vec::new();
        }
        self.ranges.read().iter().filter(|range| range.seq_high <= snapshot).cloned().collect()
    }

    fn cursor(self: &Arc<Self>) -> MemCursor {
        MemCursor::new(self.clone())
    }
}
