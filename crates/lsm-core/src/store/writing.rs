//! The way of a write through the trees, and how memtables are sealed.

use std::sync::atomic::Ordering;

use parking_lot::RwLockReadGuard;
use sst_format::{Entry, RangeEntry, SeqNo};

use super::Store;
use crate::{BatchOp, Error, KeyBounds, OpKind, TreeId, tree::Tree};

/// A write between the log and its publication; while one is held, no memtable is sealed.
#[derive(Debug)]
pub struct Pass<'a>(#[expect(dead_code, reason = "held, not looked at")] RwLockReadGuard<'a, ()>);

impl Store {
    /// Begins a write. Enter before the log, leave after [`publish`](Self::publish).
    #[inline]
    pub fn enter(&self) -> Pass<'_> {
        Pass(self.gate.read())
    }

    /// That every tree a batch writes to is there.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check_trees(&self, trees: &[TreeId]) -> Result<(), Error> {
        let there = self.trees.load();
        match trees.iter().find(|tree| !there.contains_key(tree)) {
            Some(&tree) => Err(Error::NoTree { tree }),
            None => Ok(()),
        }
    }

    /// Puts a batch into the memtables, its first operation under `first`. It shows once it is published.
    ///
    /// An operation of a tree that was dropped is left out, and so is one that its tables hold already.
    pub fn apply<'b>(&self, _: &Pass<'_>, first: SeqNo, ops: impl Iterator<Item = BatchOp<'b>>) {
        let trees = self.trees.load();
        let mut last: Option<(TreeId, &Tree)> = None;
        for (at, op) in (first.get()..).zip(ops) {
            let tree = match last {
                Some((id, tree)) if id == op.tree => tree,
                _ => {
                    let Some(tree) = trees.get(&op.tree) else { continue };
                    last = Some((op.tree, tree));
                    tree
                }
            };
            tree.insert(SeqNo::new(at), &op);
        }
    }

    /// Says that every sequence number up to `seq` is replayed, or was given up.
    pub fn replayed(&self, seq: SeqNo) {
        self.publication.reach(seq);
    }

    /// Lets readers see `count` sequence numbers from `first` on, once they see all before.
    #[inline]
    pub fn publish(&self, _: &Pass<'_>, first: SeqNo, count: u64) {
        self.publication.publish(first, count);
    }

    /// Seals the largest memtables, if all that take writes have grown to `bytes` together.
    pub fn seal_full(&self, bytes: u64) {
        if let Some(large) = self.large(bytes) {
            self.seal(|tree| tree.active_bytes() >= large);
        }
    }

    /// As [`seal_full`](Self::seal_full), in the middle of a replay that has come to `upto`. More may show
    /// already, for another tree's tables may hold more; a tree that was sealed up to that would skip the rest.
    pub fn seal_replayed(&self, bytes: u64, upto: SeqNo) {
        if let Some(large) = self.large(bytes) {
            self.seal_at(|tree| tree.active_bytes() >= large, || upto);
        }
    }

    /// From how many bytes on a memtable is large, if all that take writes have grown to `bytes` together.
    fn large(&self, bytes: u64) -> Option<u64> {
        let trees = self.all_trees();
        let sizes = || trees.values().map(|tree| tree.active_bytes());
        (sizes().sum::<u64>() >= bytes).then(|| sizes().max().unwrap_or(0) / 2)
    }

    /// Seals every memtable that holds something; everything up to the answer is sealed or in tables.
    pub fn seal_all(&self) -> SeqNo {
        self.seal(|_| true)
    }

    /// Seals the memtables that hold on to the log: those with something up to `upto`.
    pub fn seal_older(&self, upto: SeqNo) {
        self.seal(|tree| tree.unflushed_low().is_some_and(|low| low <= upto));
    }

    fn seal(&self, which: impl Fn(&Tree) -> bool) -> SeqNo {
        // Nobody is between the log and publication then, so what shows is all that there is.
        self.seal_at(which, || self.publication.visible())
    }

    fn seal_at(&self, which: impl Fn(&Tree) -> bool, upto: impl FnOnce() -> SeqNo) -> SeqNo {
        let _alone = self.gate.write();
        let upto = upto();
        self.gated.store(upto.get(), Ordering::Release);
        self.all_trees().values().filter(|tree| which(tree)).for_each(|tree| tree.seal(upto));
        upto
    }

    /// Everything up to this is in tables: the log may forget it.
    #[must_use]
    pub fn flushed(&self) -> SeqNo {
        // The gate's number first: what was handed out later may not be in a memtable yet.
        let gated = self.gated.load(Ordering::Acquire);
        let low = self.all_trees().values().filter_map(|tree| tree.unflushed_low()).min();
        SeqNo::new(low.map_or(gated, |low| gated.min(low.get().saturating_sub(1))))
    }

    /// Bytes of memtables that take writes, and of those that are sealed.
    #[must_use]
    pub fn memtable_bytes(&self) -> (u64, u64) {
        let sealed = self.trees.load().values().map(|tree| tree.sealed_bytes()).sum();
        (self.active_bytes(), sealed)
    }

    /// Bytes of memtables that take writes.
    #[inline]
    #[must_use]
    pub fn active_bytes(&self) -> u64 {
        self.trees.load().values().map(|tree| tree.active_bytes()).sum()
    }

    /// How many sealed memtables wait for a flush, in the tree that has most.
    #[must_use]
    pub fn sealed_memtables(&self) -> usize {
        self.trees.load().values().map(|tree| tree.sealed_count()).max().unwrap_or(0)
    }
}

impl Tree {
    pub(super) fn insert(&self, seq: SeqNo, op: &BatchOp<'_>) {
        // No memtable is sealed while a write passes, so the one that takes writes stays that.
        let view = self.glance();
        let memtable = &view.memtables[0];
        let (key, value) = (op.key, op.value);
        match op.kind {
            OpKind::Entry(kind) => memtable.insert(Entry { key, seq, kind, flags: 0, value }),
            OpKind::DeleteRange => {
                let bounds = KeyBounds::closed(key.to_vec(), value.to_vec());
                if view.reader.order.compare(key, value).is_lt() {
                    memtable.add_range(RangeEntry::delete(bounds.smallest, bounds.largest, seq));
                }
            }
        }
    }
}
