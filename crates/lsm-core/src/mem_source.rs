//! What a read asks of a memtable.

use std::sync::Arc;

use sst_format::{Found, RangeEntry, SeqNo};

use crate::entry_cursor::EntryCursor;

/// Entries in memory, which are never lost.
pub(crate) trait MemSource {
    /// Walks its entries, and keeps them alive.
    type Cursor: EntryCursor;

    /// Whether it holds nothing that a read which began by now may see.
    fn holds_nothing(&self) -> bool;

    /// The newest version of `key` not newer than `snapshot`; range deletes are left to the caller.
    fn get(&self, key: &[u8], snapshot: SeqNo) -> Option<Found>;

    /// When `key` was last deleted by a range, as known at `snapshot`.
    fn deleted_at(&self, key: &[u8], snapshot: SeqNo) -> Option<SeqNo>;

    /// Its range deletes not newer than `snapshot`.
    fn range_deletes(&self, snapshot: SeqNo) -> Vec<RangeEntry>;

    /// A cursor on no entry.
    fn cursor(self: &Arc<Self>) -> Self::Cursor;
}
