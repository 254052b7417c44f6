//! Everything a manifest says: the trees with their versions, the log's segments, the hints, the identity.
//!
//! Invariant: a catalog is what its edits made of an empty one, in order; an edit that does not fit changes
//! nothing.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use page_ecc::Uid;
use sst_format::{KeyOrder, SeqNo};

use crate::{Change, Edit, FileId, SegmentRef, TableChange, TreeId, Version, VersionError};

/// Everything a manifest says.
///
/// ```
/// use lsm_core::{Catalog, Change, Edit, KeyOrders, TreeId};
/// use page_ecc::Uid;
/// let create = Change::CreateTree { tree: TreeId::new(1), name: "users".into(), order: "resilver.bytes".into() };
/// let catalog = Catalog::new(Uid::new([1; 16])).with(&KeyOrders::default(), &Edit::new().and(create))?;
/// assert!(catalog.tree_named("users").is_some());
/// # Ok::<(), lsm_core::CatalogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Who this store is.
    pub store: Uid,
    /// Who it was before it became a store of its own, newest last.
    pub lineage: Vec<Uid>,
    /// The first file number that may be free.
    pub next_file: FileId,
    /// The first tree number that may be free.
    pub next_tree: TreeId,
    /// The living trees.
    pub trees: BTreeMap<TreeId, TreeState>,
    /// The log's segments that have come into use, by number.
    pub segments: BTreeMap<u64, SegmentRef>,
    /// Files with pages that were confirmed wrong on the medium: first page and count, ascending.
    pub hints: BTreeMap<(TreeId, FileId), Vec<(u64, u64)>>,
    /// Whether this is a copy of another store that nobody has written to.
    pub is_checkpoint: bool,
    /// What a later release said and this one passes over: tag and bytes of changes, in their order.
    pub foreign: Vec<(u8, Bytes)>,
}

/// A living tree.
#[derive(Clone, Debug)]
pub struct TreeState {
    /// Its keyspace's name.
    pub name: Arc<str>,
    /// The order of its keys.
    pub order: KeyOrder,
    /// Its tables.
    pub version: Arc<Version>,
    /// Everything of it up to this is in its tables.
    pub flushed: SeqNo,
}

/// The comparators a store may be opened with, by name; bytes order is always there.
///
/// ```
/// use lsm_core::KeyOrders;
/// let orders = KeyOrders::default();
/// assert!(orders.find("resilver.bytes").is_some());
/// assert!(orders.find("backwards").is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyOrders {
    custom: Vec<KeyOrder>,
}

/// Why an edit does not fit a catalog.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// It names a tree that does not live.
    #[error("tree {tree} is named, but there is none; repair the store")]
    NoTree {
        /// Which.
        tree: TreeId,
    },
    /// It begins a tree whose number or name is taken.
    #[error("tree {tree} begins as {name:?}, but that number or name is taken; repair the store")]
    TreeTaken {
        /// Which.
        tree: TreeId,
        /// Its name.
        name: Arc<str>,
    },
    /// Its keys are sorted by a comparator that was not given.
    #[error("keyspace {name:?} is sorted by comparator {order:?}; open the store with that comparator")]
    UnknownOrder {
        /// The keyspace.
        name: Arc<str>,
        /// The comparator's name.
        order: Arc<str>,
    },
    /// It changes a version in a way that does not fit.
    #[error(transparent)]
    Version(#[from] VersionError),
}

impl KeyOrders {
    /// With one more comparator.
    #[must_use]
    pub fn with(mut self, order: KeyOrder) -> Self {
        self.custom.push(order);
        self
    }

    /// All of them, bytes order first.
    pub(crate) fn all(&self) -> impl Iterator<Item = KeyOrder> {
        std::iter::once(KeyOrder::Bytes).chain(self.custom.iter().cloned())
    }

    /// The comparator of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<KeyOrder> {
        let bytes = Some(KeyOrder::Bytes).filter(|order| order.name() == name);
        bytes.or_else(|| self.custom.iter().find(|order| order.name() == name).cloned())
    }
}

impl Catalog {
    /// The catalog of a store that was just made.
    #[must_use]
    pub fn new(store: Uid) -> Self {
        Self {
            store,
            lineage: Vec::new(),
            next_file: FileId::new(1),
            next_tree: TreeId::new(1),
            trees: BTreeMap::new(),
            segments: BTreeMap::new(),
            hints: BTreeMap::new(),
            is_checkpoint: false,
            foreign: Vec::new(),
        }
    }

    /// Who this store was at first.
    ///
    /// ```
    /// use lsm_core::Catalog;
    /// use page_ecc::Uid;
    /// assert_eq!(Catalog::new(Uid::new([1; 16])).origin(), Uid::new([1; 16]));
    /// ```
    #[must_use]
    pub fn origin(&self) -> Uid {
        self.lineage.first().copied().unwrap_or(self.store)
    }

    /// The highest sequence number that its tables, or what was flushed into them, had.
    #[must_use]
    pub fn seq_high(&self) -> SeqNo {
        let flushed = self.trees.values().map(|tree| tree.flushed);
        let tables =
            self.trees.values().flat_map(|tree| tree.version.tables().map(|(_, _, table)| table.seq_high));
        flushed.chain(tables).max().unwrap_or_default()
    }

    /// The catalog of a copy that has no log: what a checkpoint starts from.
    #[must_use]
    pub fn as_checkpoint(&self) -> Self {
        Self { segments: BTreeMap::new(), is_checkpoint: true, ..self.clone() }
    }

    /// The edit that makes this catalog of a new one of the same [origin](Self::origin); the same for two
    /// catalogs that say the same.
    ///
    /// ```
    /// use lsm_core::{Catalog, Edit, FileId, Change, KeyOrders};
    /// use page_ecc::Uid;
    /// let edit = Edit::new().and(Change::NextFile { file: FileId::new(9) });
    /// let catalog = Catalog::new(Uid::new([1; 16])).with(&KeyOrders::default(), &edit)?;
    /// assert_eq!(catalog.to_edit(), edit);
    /// # Ok::<(), lsm_core::CatalogError>(())
    /// ```
    #[must_use]
    pub fn to_edit(&self) -> Edit {
        let names = self.lineage.iter().chain(std::iter::once(&self.store)).skip(1);
        let mut changes: Vec<_> = names.map(|store| Change::Rebirth { store: *store }).collect();
        if self.next_file > FileId::new(1) {
            changes.push(Change::NextFile { file: self.next_file });
        }
        for (&tree, state) in &self.trees {
            let order = state.order.name().into();
            changes.push(Change::CreateTree { tree, name: state.name.clone(), order });
            if state.flushed > SeqNo::default() {
                changes.push(Change::Flushed { tree, upto: state.flushed });
            }
            changes.extend(state.version.tables().map(|(level, run, table)| {
                let change = TableChange::Add { level, run, table: table.clone() };
                Change::Table { tree, change }
            }));
        }
        if self.next_tree > TreeId::new(1) {
            changes.push(Change::NextTree { tree: self.next_tree });
        }
        if self.is_checkpoint {
            changes.push(Change::Checkpointed);
        }
        changes.extend(self.segments.values().map(|&segment| Change::AddSegment { segment }));
        let hint = |(&(tree, file), pages): (&_, &Vec<_>)| Change::Hint { tree, file, pages: pages.clone() };
        changes.extend(self.hints.iter().map(hint));
        let foreign = |(tag, bytes): &(u8, Bytes)| Change::Foreign { tag: *tag, bytes: bytes.clone() };
        changes.extend(self.foreign.iter().map(foreign));
        Edit { changes }
    }

    /// The tree of a keyspace.
    #[must_use]
    pub fn tree_named(&self, name: &str) -> Option<(TreeId, &TreeState)> {
        self.trees.iter().find(|(_, state)| &*state.name == name).map(|(id, state)| (*id, state))
    }

    /// The catalog after an edit.
    ///
    /// # Errors
    /// If a change does not fit.
    pub fn with(&self, orders: &KeyOrders, edit: &Edit) -> Result<Self, CatalogError> {
        let mut next = self.clone();
        let mut tables = BTreeMap::<TreeId, Vec<TableChange>>::new();
        for change in &edit.changes {
            if let Change::Table { tree, change } = change {
                tables.entry(*tree).or_default().push(change.clone());
            } else {
                next.change(orders, change)?;
            }
        }
        for (tree, changes) in tables {
            let state = next.trees.get_mut(&tree).ok_or(CatalogError::NoTree { tree })?;
            state.version = Arc::new(state.version.with(&state.order, &changes)?);
        }
        Ok(next)
    }

    fn change(&mut self, orders: &KeyOrders, change: &Change) -> Result<(), CatalogError> {
        match change {
            Change::CreateTree { tree, name, order } => self.create_tree(orders, *tree, name, order)?,
            Change::DropTree { tree } => {
                self.trees.remove(tree).ok_or(CatalogError::NoTree { tree: *tree })?;
                self.hints.retain(|(of, _), _| of != tree);
            }
            Change::Table { .. } => unreachable!("`with` takes the changes of tables"),
            Change::Flushed { tree, upto } => {
                let state = self.trees.get_mut(tree).ok_or(CatalogError::NoTree { tree: *tree })?;
                state.flushed = state.flushed.max(*upto);
            }
            Change::AddSegment { segment } => {
                self.segments.insert(segment.number, *segment);
            }
            Change::DropSegment { number } => {
                self.segments.remove(number);
            }
            Change::NextFile { file } => self.next_file = self.next_file.max(*file),
            Change::NextTree { tree } => self.next_tree = self.next_tree.max(*tree),
            Change::Hint { tree, file, pages } => {
                self.hints.insert((*tree, *file), pages.clone());
            }
            Change::Healed { tree, file } => {
                self.hints.remove(&(*tree, *file));
            }
            Change::Checkpointed => self.is_checkpoint = true,
            Change::Rebirth { store } => {
                self.is_checkpoint = false;
                self.lineage.push(std::mem::replace(&mut self.store, *store));
            }
            Change::Foreign { tag, bytes } => self.foreign.push((*tag, bytes.clone())),
        }
        Ok(())
    }

    fn create_tree(
        &mut self,
        orders: &KeyOrders,
        tree: TreeId,
        name: &Arc<str>,
        order: &Arc<str>,
    ) -> Result<(), CatalogError> {
        if tree < self.next_tree || self.tree_named(name).is_some() {
            return Err(CatalogError::TreeTaken { tree, name: name.clone() });
        }
        let unknown = || CatalogError::UnknownOrder { name: name.clone(), order: order.clone() };
        let order = orders.find(order).ok_or_else(unknown)?;
        let (version, flushed) = (Arc::default(), SeqNo::default());
        self.trees.insert(tree, TreeState { name: name.clone(), order, version, flushed });
        self.next_tree = TreeId::new(tree.get().saturating_add(1));
        Ok(())
    }
}
