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
use crate::{
    Edit, Error, FileId, Soundness, TableMeta,
    names::{parse_table, table_path},
    sweep::plan_sweep,
    tree::Tree,
};

/// A file that is to go.
#[derive(Clone, Debug)]
pub(crate) struct Obsolete {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    file: Option<FileId>,
    /// Whoever still reads it holds this too.
    table: Option<Arc<TableMeta>>,
    trace: Trace,
}

/// Whether a table that is let go of is named by one that took its place, should the manifest be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    Left,
    /// Nothing took its place: it goes by itself, after everything that was let go of before. So what is left of its
    /// job when the power fails are its newest tables, with the deletes, and nothing older comes back.
    None,
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
    pub(super) fn let_go(&self, _: &Tree, tables: impl Iterator<Item = Arc<TableMeta>>, trace: Trace) {
        let gone = tables.map(|table| Obsolete { trace, ..self.table_file(table.id, Some(table)) });
        let gone: Vec<_> = gone.collect();
        self.obsolete.lock().extend(gone);
    }

    /// A file of the store that nothing names any more, such as a segment of the log.
    pub fn let_file_go(&self, path: PathBuf) {
        let gone = Obsolete { fs: self.read.fs.clone(), path, file: None, table: None, trace: Trace::Left };
        self.obsolete.lock().push(gone);
    }

    /// The tables that were let go of, or that nothing names, and that may still have a file. A table that is written
    /// now says so of them, should the manifest be lost.
    pub(super) fn gone(&self) -> Vec<FileId> {
        let mut gone = self.unnamed.lock().clone();
        gone.extend(self.obsolete.lock().iter().filter_map(|obsolete| obsolete.file));
        gone.extend(self.pause.waiting(|obsolete| obsolete.file));
        gone.extend(self.leaving.lock().iter());
        gone.into_iter().collect()
    }

    /// Removes what may go, and says how many files that were. Cheap when there is nothing.
    ///
    /// # Errors
    /// If the disk refuses; what is left waits for the next sweep.
    pub fn sweep(&self) -> Result<usize, Error> {
        if !self.keeper.is_settled() {
            return Ok(0);
        }
        let mut going = self.pause.drain();
        let mut is_blocked = false;
        self.obsolete.lock().retain(|obsolete| {
            if let Some(file) = obsolete.file {
                self.read.tables.evict(file);
            }
            let stays = obsolete.is_read() || (is_blocked && obsolete.trace == Trace::None);
            is_blocked |= stays;
            if !stays {
                going.push(obsolete.clone());
                self.leaving.lock().extend(obsolete.file);
            }
            stays
        });
        let going = going.into_iter().filter_map(|gone| self.pause.try_enqueue(gone).err()).collect();
        let removed = self.remove(going);
        self.leaving.lock().clear();
        removed
    }

    /// Keeps new tables off the numbers that files in the directory bear, whether anything names them or not.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn keep_off_orphans(&self) -> Result<(), Error> {
        let listing = self.read.fs.list(&self.read.dir)?;
        let sweep = plan_sweep(&self.read.dir, &listing, |_| true, |_| true, Soundness::Sound);
        self.next_file.fetch_max(sweep.first_free.get(), Ordering::Relaxed);
        let named = self.named();
        let there = listing.iter().filter_map(|entry| parse_table(&entry.name));
        *self.unnamed.lock() = there.filter(|table| !named.contains(table)).collect();
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
        let named = self.named();
        let sweep =
            plan_sweep(&self.read.dir, &listing, |_| false, |table| named.contains(&table), soundness);
        for (from, to) in &sweep.set_aside {
            log::warn!("{} is named by nothing in a damaged store and is set aside", from.display());
            fs.rename(from, to)?;
        }
        for path in sweep.remove {
            let file = path.file_name().and_then(|name| parse_table(std::path::Path::new(name)));
            let gone = Obsolete { fs: self.read.fs.clone(), path, file, table: None, trace: Trace::Left };
            self.obsolete.lock().push(gone);
        }
        Ok(())
    }

    /// Every table that the catalog names.
    fn named(&self) -> BTreeSet<FileId> {
        let catalog = self.keeper.catalog();
        let tables =
            catalog.trees.values().flat_map(|tree| tree.version.tables().map(|(_, _, table)| table.id));
        tables.collect()
    }

    fn remove(&self, going: Vec<Obsolete>) -> Result<usize, Error> {
        let count = going.len();
        let mut rest = going.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut together = vec![first];
            while let Some(next) =
                rest.next_if(|next| next.trace == Trace::Left && together[0].trace == Trace::Left)
            {
                together.push(next);
            }
            let epoch = |gone: &[Obsolete]| {
                gone.iter().fold(Epoch::new(), |epoch, gone| epoch.delete(gone.fs.clone(), &gone.path))
            };
            if let Err(failed) = self.worker.commit(Lane::Bulk, epoch(&together)) {
                let left: Vec<_> = failed.returned.deletions().iter().map(|left| left.path.clone()).collect();
                let back = together.into_iter().filter(|gone| left.contains(&gone.path) && gone.exists());
                let mut obsolete = self.obsolete.lock();
                // What was let go of first still goes first.
                let later = std::mem::take(&mut *obsolete);
                obsolete.extend(back.chain(rest).chain(later));
                return Err(Error::NotDurable(failed));
            }
        }
        Ok(count)
    }

    fn table_file(&self, file: FileId, table: Option<Arc<TableMeta>>) -> Obsolete {
        let path = table_path(&self.read.dir, file);
        Obsolete { fs: self.read.fs.clone(), path, file: Some(file), table, trace: Trace::Left }
    }
}

impl Obsolete {
    fn exists(&self) -> bool {
        !matches!(self.fs.open(&self.path, lsm_io::Access::ReadOnly), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
    }
}
