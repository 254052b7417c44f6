//! Replay: groups that the log gave back go into memtables, many at a time and in the order of their keys.
//!
//! In the order of the log each entry is a walk through memory that no cache holds; in the order of keys each walk
//! goes where the one before it went. Which order they come in does not matter to a memtable.
//!
//! **Invariant**: what was replayed shows only once everything before it does. Nobody else writes meanwhile.

use sst_format::SeqNo;

use super::Store;
use crate::{BatchError, BatchOp, BatchView};

/// Groups that the log gave back, on their way into memtables.
///
/// ```
/// use lsm_core::{Backlog, Batch, TreeId};
/// use sst_format::SeqNo;
/// let mut batch = Batch::new();
/// batch.put(TreeId::new(1), b"key", b"value");
/// let mut backlog = Backlog::default();
/// backlog.push(SeqNo::new(1), 1, batch.bytes().to_vec());
/// assert_eq!(backlog.bytes(), batch.bytes().len() as u64);
/// ```
#[derive(Debug, Default)]
pub struct Backlog {
    /// The first sequence number of each, how many it has, and its bytes.
    groups: Vec<(SeqNo, u64, Vec<u8>)>,
    bytes: u64,
}

/// An operation, and what tells its place among others at a glance.
struct Placed<'a> {
    word: u64,
    seq: SeqNo,
    op: BatchOp<'a>,
}

impl Backlog {
    /// Adds a group of `count` operations of which the first has the number `first`.
    pub fn push(&mut self, first: SeqNo, count: u64, payload: Vec<u8>) {
        self.bytes += payload.len() as u64;
        self.groups.push((first, count, payload));
    }

    /// The bytes of its groups.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its operations in the order of their keys' bytes, and the highest number among them.
    fn placed(&self) -> Result<(Vec<Placed<'_>>, SeqNo), BatchError> {
        let (mut placed, mut last) = (Vec::with_capacity(self.groups.len()), SeqNo::default());
        for (first, count, payload) in &self.groups {
            let view = BatchView::parse(payload)?;
            if view.len() as u64 != *count {
                return Err(BatchError::Count { found: view.len(), stated: *count });
            }
            for (at, op) in (first.get()..).zip(view.ops()) {
                last = last.max(SeqNo::new(at));
                placed.push(Placed { word: word(op.key), seq: SeqNo::new(at), op });
            }
        }
        let place = |placed: &Placed<'_>| (placed.op.tree, placed.word);
        placed.sort_unstable_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.op.key.cmp(b.op.key)));
        Ok((placed, last))
    }
}

/// The first bytes of a key: numbers sort as those do.
fn word(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

impl Store {
    /// As [`apply`](Self::apply), for groups that the log gave back: a tree skips what its tables hold. They show
    /// at once. For a store that nobody writes to yet.
    ///
    /// # Errors
    /// If a group is no batch; then none of them is applied.
    pub fn replay(&self, backlog: Backlog) -> Result<(), BatchError> {
        let (trees, catalog) = (self.all_trees(), self.keeper.catalog());
        let (placed, last) = backlog.placed()?;
        let trees_of = |id| Some((trees.get(&id)?, catalog.trees.get(&id)?.flushed));
        for part in placed.chunk_by(|a, b| a.op.tree == b.op.tree) {
            let Some((tree, flushed)) = part.first().and_then(|first| trees_of(first.op.tree)) else {
                continue;
            };
            part.iter()
                .filter(|placed| placed.seq > flushed)
                .for_each(|placed| tree.insert(placed.seq, &placed.op));
        }
        self.publication.reach(last);
        Ok(())
    }
}
