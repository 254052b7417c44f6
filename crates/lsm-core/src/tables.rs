//! The tables that are open, of all trees.
//!
//! Bounded by how many; a table that is in use stays open for its users after it left. A hit takes a shared
//! lock of one shard. Which tables a version has is not known here. Tables that are held stay open beyond the
//! bound, for a store whose files somebody else may take away.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use quick_cache::sync::Cache;

use crate::{
    Error, FileId, TableMeta,
    reader::TreeReader,
    table_file::{Opened, TableFile},
};

/// The tables that are open.
#[derive(Debug)]
pub(crate) struct Tables {
    open: Cache<FileId, Arc<TableFile>>,
    /// A leaf, looked at where a table is not among the open ones.
    held: RwLock<HashMap<FileId, Arc<TableFile>>>,
}

impl Tables {
    /// At most about this many.
    pub(crate) fn new(open_files: usize) -> Self {
        Self { open: Cache::new(open_files.max(1)), held: RwLock::default() }
    }

    /// A table, opened unless it is open.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    #[inline]
    pub(crate) fn open(
        &self,
        reader: &TreeReader,
        meta: &Arc<TableMeta>,
    ) -> Result<Opened<Arc<TableFile>>, Error> {
        match self.open.get(&meta.id) {
            Some(table) => Ok(Opened::Table(table)),
            None => self.open_anew(reader, meta),
        }
    }

    /// Two threads may open the same table at once; then both work, and one stays.
    #[inline(never)]
    fn open_anew(&self, reader: &TreeReader, meta: &Arc<TableMeta>) -> Result<Opened<Arc<TableFile>>, Error> {
        if let Some(table) = self.held.read().get(&meta.id) {
            self.open.insert(meta.id, table.clone());
            return Ok(Opened::Table(table.clone()));
        }
        Ok(match TableFile::open(reader, meta)? {
            Opened::Table(table) => {
                let table = Arc::new(table);
                self.open.insert(meta.id, table.clone());
                Opened::Table(table)
            }
            Opened::Lost(loss) => Opened::Lost(loss),
        })
    }

    /// Opens a table for as long as the store is open; false if its file is gone.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    pub(crate) fn hold(&self, reader: &TreeReader, meta: &Arc<TableMeta>) -> Result<bool, Error> {
        Ok(match self.open(reader, meta)? {
            Opened::Table(table) => {
                self.held.write().insert(meta.id, table);
                true
            }
            Opened::Lost(_) => false,
        })
    }

    /// Lets a table go that no version has any more, or whose file is about to be replaced.
    pub(crate) fn evict(&self, table: FileId) {
        self.open.remove(&table);
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
