//! Keyspaces come and go.

use std::{collections::BTreeMap, sync::Arc};

use sst_format::KeyOrder;

use super::{Store, sweeping::Trace};
use crate::{Change, Edit, Error, TreeId, reader::TreeReader, tree::Tree};

impl Store {
    /// The tree of a keyspace, and the order of its keys.
    #[must_use]
    pub fn tree_named(&self, name: &str) -> Option<(TreeId, KeyOrder)> {
        let trees = self.all_trees();
        trees.values().find(|tree| &*tree.name == name).map(|tree| (tree.id, tree.order()))
    }

    /// The names of all keyspaces, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.all_trees().values().map(|tree| tree.name.clone()).collect();
        names.sort();
        names
    }

    /// Begins a keyspace; durable when it returns.
    ///
    /// # Errors
    /// If the name is taken, or the disk refuses.
    pub fn create_tree(&self, name: &str, order: &KeyOrder) -> Result<TreeId, Error> {
        let _one_at_a_time = self.naming.lock();
        let tree = self.keeper.catalog().next_tree;
        let name: Arc<str> = name.into();
        let create = Change::CreateTree { tree, name: name.clone(), order: order.name().into() };
        self.keeper.record(&Edit::new().and(create))?;
        let version =
            self.keeper.catalog().trees.get(&tree).map(|state| state.version.clone()).unwrap_or_default();
        let reader = TreeReader { env: self.read.clone(), tree, order: order.clone() };
        let mut next = BTreeMap::clone(&self.all_trees());
        next.insert(tree, Arc::new(Tree::new(reader, name, version)));
        self.trees.store(Arc::new(next));
        Ok(tree)
    }

    /// Ends a keyspace with everything in it; durable when it returns. Who reads it still may go on.
    ///
    /// # Errors
    /// If there is none, or the disk refuses.
    pub fn drop_tree(&self, tree: TreeId) -> Result<(), Error> {
        let _one_at_a_time = self.naming.lock();
        let _no_flush = self.flushing.lock();
        let gone = self.tree(tree)?;
        self.keeper.record(&Edit::new().and(Change::DropTree { tree }))?;
        let mut next = BTreeMap::clone(&self.all_trees());
        next.remove(&tree);
        self.trees.store(Arc::new(next));
        let version = gone.view().version.clone();
        self.let_go(&gone, version.tables().map(|(_, _, table)| table.clone()), Trace::Left);
        Ok(())
    }
    /// Whether a tree is there; of one that is not, what jobs still do comes to nothing.
    pub(super) fn lives(&self, tree: TreeId) -> bool {
        self.keeper.catalog().trees.contains_key(&tree)
    }
}
