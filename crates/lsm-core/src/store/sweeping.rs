//! Files that nobody needs any more: when they may go, and how.
//!
//! Invariants: a file goes only once no version that anybody holds names it, no pause is on, the edit that
//! let it go is durable, and no edit is in doubt. Only the worker removes; what it cannot remove waits for
//! the next sweep.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use lsm_io::{Epoch, Fs, Lane};

use super::Store;
use crate::{Edit, Error, FileId, Soundness, TableMeta, names::table_path, sweep::plan_sweep, tree::Tree};

/// A file that is to go.
#[derive(Clone, Debug)]
pub(crate) struct Obsolete {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    file: Option<FileId>,
    /// Whoever still reads it holds this too.
    table: Option<Arc<TableMeta>>,
}

impl Obsolete {
    /// Whether somebody may still read it.
    fn is_read(&self) -> bool {
        self.table.as_ref().is_some_and(|table| Arc::strong_count(table) > 1)
    }
}

impl Store {
    /// Makes an edit durable. If it is not, neither its inputs nor its `made` tables go until a later one is.
    pub(super) fn record(&self, edit: &Edit, made: &[Arc<TableMeta>]) -> Result<(), Error> {
        let recorded = self.keeper.record(edit);
        if recorded.is_err() {
            // It may be durable after all: once a newer generation is, they are orphans for certain.
            let orphans = made.iter().map(|table| self.table_file(table.id, None));
            self.obsolete.lock().extend(orphans);
        }
        recorded
    }

    /// Says that no later version names these tables.
    pub(super) fn let_go(&self, _: &Tree, tables: impl Iterator<Item = Arc<TableMeta>>) {
        let gone: Vec<_> = tables.map(|table| self.table_file(table.id, Some(table))).collect();
        self.obsolete.lock().extend(gone);
    }

    /// A file of the store that nothing names any more, such as a segment of the log.
    pub fn let_file_go(&self, path: PathBuf) {
        let gone = Obsolete { fs: self.read.fs.clone(), path, file: None, table: None };
        self.obsolete.lock().push(gone);
    }

    /// Removes what may go, and says how many files that were. Cheap when there is nothing.
    ///
    /// # Errors
    /// If the disk refuses; what is left waits for the next sweep.
    pub fn sweep(&self) -> Result<usize, Error> {
        if !self.keeper.is_settled() {
            return Ok(0);
        }
        let mut going = Vec::new();
        self.obsolete.lock().retain(|obsolete| {
            if let Some(file) = obsolete.file {
                self.read.tables.evict(file);
            }
            let stays = obsolete.is_read();
            if !stays {
                going.push(obsolete.clone());
            }
            stays
        });
        let mut going: Vec<_> =
            going.into_iter().filter_map(|gone| self.pause.try_enqueue(gone).err()).collect();
        going.extend(self.pause.drain());
        self.remove(going)
    }

    /// Keeps new tables off the numbers that files in the directory bear, whether anything names them or not.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn keep_off_orphans(&self) -> Result<(), Error> {
        let listing = self.read.fs.list(&self.read.dir)?;
        let sweep = plan_sweep(&self.read.dir, &listing, |_| true, |_| true, Soundness::Sound);
        self.next_file.fetch_max(sweep.first_free.get(), Ordering::Relaxed);
        Ok(())
    }

    /// Says that tables in the directory that no tree names may go: what crashes left of jobs. Where something of
    /// the store is damaged they are set aside instead. For a store whose catalog was just read, that no job runs
    /// on yet.
    ///
    /// # Errors
    /// If the directory cannot be listed, or a name not be changed.
    pub fn let_orphans_go(&self, soundness: Soundness) -> Result<(), Error> {
        let fs = &self.read.fs;
        let listing = fs.list(&self.read.dir)?;
        let catalog = self.keeper.catalog();
        let tables =
            catalog.trees.values().flat_map(|tree| tree.version.tables().map(|(_, _, table)| table.id));
        let named: BTreeSet<_> = tables.collect();
        let sweep =
            plan_sweep(&self.read.dir, &listing, |_| false, |table| named.contains(&table), soundness);
        for (from, to) in &sweep.set_aside {
            log::warn!("{} is named by nothing in a damaged store and is set aside", from.display());
            fs.rename(from, to)?;
        }
        sweep.remove.into_iter().for_each(|orphan| self.let_file_go(orphan));
        Ok(())
    }

    fn remove(&self, going: Vec<Obsolete>) -> Result<usize, Error> {
        if going.is_empty() {
            return Ok(0);
        }
        let count = going.len();
        let epoch = going.iter().fold(Epoch::new(), |epoch, gone| epoch.delete(gone.fs.clone(), &gone.path));
        match self.worker.commit(Lane::Bulk, epoch) {
            Ok(_) => Ok(count),
            Err(failed) => {
                let left: Vec<_> = failed.returned.deletions().iter().map(|left| left.path.clone()).collect();
                let back = going.into_iter().filter(|gone| left.contains(&gone.path) && gone.exists());
                self.obsolete.lock().extend(back);
                Err(Error::NotDurable(failed))
            }
        }
    }

    fn table_file(&self, file: FileId, table: Option<Arc<TableMeta>>) -> Obsolete {
        let path = table_path(&self.read.dir, file);
        Obsolete { fs: self.read.fs.clone(), path, file: Some(file), table }
    }
}

impl Obsolete {
    fn exists(&self) -> bool {
        !matches!(self.fs.open(&self.path, lsm_io::Access::ReadOnly), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}
