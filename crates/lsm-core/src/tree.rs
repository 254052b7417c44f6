//! One keyspace while it is open: what a read looks at, swapped as a whole.
//!
//! Invariant: of the view's memtables the first takes writes and the others are sealed, newest first, as many
//! as `sealed` names; everything older than them is in the version.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::RwLock;
use sst_format::{KeyOrder, SeqNo};

use crate::{Memtable, TreeId, Version, read_view::ReadView, reader::TreeReader};

/// One keyspace while it is open.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) id: TreeId,
    pub(crate) name: Arc<str>,
    /// What the next read or write looks at; who reads neither waits nor counts references.
    view: ArcSwap<ReadView<Memtable>>,
    /// Up to which sequence number each sealed memtable and those before it hold everything, newest first. A leaf,
    /// held alone to swap the view and shared by who must not see it swapped.
    sealed: RwLock<Vec<SeqNo>>,
}

/// Sealed memtables that a flush takes: the oldest ones of a tree.
#[derive(Clone, Debug)]
pub(crate) struct SealedPart {
    /// Newest first.
    pub(crate) memtables: Vec<Arc<Memtable>>,
    /// Everything of the tree up to this is in them or in its tables.
    pub(crate) upto: SeqNo,
}

impl Tree {
    pub(crate) fn new(reader: TreeReader, name: Arc<str>, version: Arc<Version>) -> Self {
        let id = reader.tree;
        let memtables = vec![Arc::new(Memtable::new(reader.order.clone()))];
        let view = Arc::new(ReadView { reader: Arc::new(reader), memtables, version });
        Self { id, name, view: ArcSwap::new(view), sealed: RwLock::default() }
    }

    /// What a read looks at, to be kept.
    #[inline]
    pub(crate) fn view(&self) -> Arc<ReadView<Memtable>> {
        self.view.load_full()
    }

    /// What a read looks at, for as long as that takes.
    #[inline]
    pub(crate) fn glance(&self) -> Guard<Arc<ReadView<Memtable>>> {
        self.view.load()
    }

    /// The order of its keys.
    pub(crate) fn order(&self) -> KeyOrder {
        self.view.load().reader.order.clone()
    }

    /// Bytes of the memtable that takes writes.
    #[inline]
    pub(crate) fn active_bytes(&self) -> u64 {
        self.view.load().memtables[0].bytes()
    }

    /// Bytes of the sealed memtables.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.view.load().memtables[1..].iter().map(|memtable| memtable.bytes()).sum()
    }

    /// How many memtables are sealed.
    pub(crate) fn sealed_count(&self) -> usize {
        self.view.load().memtables.len() - 1
    }

    /// The lowest sequence number that is not in a table yet.
    pub(crate) fn unflushed_low(&self) -> Option<SeqNo> {
        self.view.load().memtables.iter().filter_map(|memtable| memtable.seq_low()).min()
    }

    /// Starts a new memtable, unless the one that takes writes is empty. Everything up to `upto` is applied,
    /// and nobody writes meanwhile.
    pub(crate) fn seal(&self, upto: SeqNo) {
        let mut sealed = self.sealed.write();
        let view = self.view.load();
        if view.memtables[0].is_empty() {
            return;
        }
        let mut memtables = Vec::with_capacity(view.memtables.len() + 1);
        memtables.push(Arc::new(Memtable::new(view.reader.order.clone())));
        memtables.extend_from_slice(&view.memtables);
        let (reader, version) = (view.reader.clone(), view.version.clone());
        self.view.store(Arc::new(ReadView { reader, memtables, version }));
        sealed.insert(0, upto);
    }

    /// The oldest sealed memtables of about so many bytes together, one at least, if any was sealed up to `upto`;
    /// none that was sealed later.
    pub(crate) fn sealed_part(&self, bytes_max: u64, upto: SeqNo) -> Option<SealedPart> {
        let seals = self.sealed.read();
        let view = self.view.load();
        let sealed = &view.memtables[1..];
        let mut bytes = 0;
        let taken = sealed.iter().zip(&*seals).rev().take_while(|(memtable, seal)| {
            let fits = bytes == 0 || bytes + memtable.bytes() <= bytes_max;
            bytes += memtable.bytes().max(1);
            fits && **seal <= upto
        });
        let from = sealed.len().checked_sub(taken.count())?;
        let upto = *seals.get(from)?;
        Some(SealedPart { memtables: sealed[from..].to_vec(), upto })
    }

    /// Takes a newer version; what was flushed into it no longer stands in memory.
    pub(crate) fn install(&self, version: Arc<Version>, flushed: usize) {
        let mut sealed = self.sealed.write();
        let view = self.view.load();
        let kept = view.memtables.len() - flushed;
        let memtables = view.memtables[..kept].to_vec();
        self.view.store(Arc::new(ReadView { reader: view.reader.clone(), memtables, version }));
        sealed.truncate(kept - 1);
    }
}

#[cfg(test)]
mod tests {
    use lsm_io::MemFs;
    use sst_format::{Entry, EntryKind};

    use super::*;
    use crate::{NoWitness, block_cache::BlockCache, reader::ReadEnv, tables::Tables};

    fn tree() -> Tree {
        let env = ReadEnv {
            fs: Arc::new(MemFs::new()),
            dir: "/".into(),
            tables: Tables::new(1),
            blocks: BlockCache::new(0),
            pins: Arc::new(crate::pins::PinBudget::new(0)),
            witness: Arc::new(NoWitness),
            repair_source: None,
        };
        let reader = TreeReader { env: Arc::new(env), tree: TreeId::new(1), order: KeyOrder::Bytes };
        Tree::new(reader, "tree".into(), Arc::default())
    }

    #[test]
    fn a_part_holds_nothing_that_was_sealed_later() {
        let tree = tree();
        for seq in [1, 2, 5].map(SeqNo::new) {
            let entry = Entry { key: b"key", seq, kind: EntryKind::Put, flags: 0, value: b"value" };
            tree.view().memtables[0].insert(entry);
            tree.seal(seq);
        }
        let part = |bytes_max, upto| {
            let part = tree.sealed_part(bytes_max, SeqNo::new(upto))?;
            Some((part.memtables.len(), part.upto.get()))
        };
        let all = [0, 1, 4, 5].map(|upto| part(u64::MAX, upto));
        assert_eq!(all, [None, Some((1, 1)), Some((2, 2)), Some((3, 5))]);
        assert_eq!(part(0, 9), Some((1, 1)), "one at least");
    }
}
