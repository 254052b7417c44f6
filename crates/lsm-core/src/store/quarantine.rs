//! Quarantine: the files of tables of which something was lost, kept under a second name once they were rewritten.
//!
//! What nothing brought back today an older copy, or a better tool, may bring back tomorrow, from the very bytes. So
//! a damaged file gets a name in the directory `quarantine` before the edit that lets go of it, and keeps that name
//! until somebody releases it. Invariant: a file with lost pages loses its last name only by
//! [`release`](Store::release_quarantined). How many are kept is for others to bound. A crash in between leaves a second name of a table that is still in use,
//! which does no harm: both show the same bytes.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use lsm_io::{Access, DirEntry, EntryKind, Epoch, File, FileOffset, Fs, IoError, Lane};
use page_ecc::PAGE_LEN;

use super::{Store, checkpoint::cannot_link};
use crate::{
    Error, FileId,
    names::{parse_table, table_path},
};

/// The directory, within the store's.
pub(crate) const QUARANTINE: &str = "quarantine";
/// What is there by that name and is no directory is called so from then on.
const ASIDE: &str = "quarantine.aside";
/// Bytes copied at once where a link cannot be made.
const CHUNK: usize = 256 << 10;

impl Store {
    /// The damaged files that were replaced and are kept, by the numbers of their tables.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn quarantined(&self) -> Result<BTreeSet<FileId>, Error> {
        match self.read.fs.list(&self.quarantine_dir()) {
            Ok(listed) => Ok(listed.iter().filter_map(|entry| parse_table(&entry.name)).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The damaged files that are kept and how many bytes each has, if there may be more of them than when this was
    /// asked last; the table that was written first comes first.
    ///
    /// # Errors
    /// If the disk refuses; then it is as if nobody had asked.
    pub fn newly_quarantined(&self) -> Result<Option<Vec<(FileId, u64)>>, Error> {
        if !self.has_kept.swap(false, Ordering::Relaxed) {
            return Ok(None);
        }
        let sized = || -> Result<Vec<_>, Error> {
            let mut files = Vec::new();
            for table in self.quarantined()? {
                let file = self.read.fs.open(&self.quarantined_path(table), Access::ReadOnly)?;
                files.push((table, file.len()?.get()));
            }
            Ok(files)
        };
        sized().map(Some).inspect_err(|_| self.has_kept.store(true, Ordering::Relaxed))
    }

    /// Where the file of a quarantined table stands.
    #[must_use]
    pub fn quarantined_path(&self, table: FileId) -> PathBuf {
        table_path(&self.quarantine_dir(), table)
    }

    /// Removes a file from quarantine; false if it is not there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn release_quarantined(&self, table: FileId) -> Result<bool, Error> {
        if !self.quarantined()?.contains(&table) {
            return Ok(false);
        }
        let epoch = Epoch::new().delete(self.read.fs.clone(), &self.quarantined_path(table));
        self.worker.commit(Lane::Bulk, epoch).map_err(Error::NotDurable)?;
        Ok(true)
    }

    /// Gives the files of these tables names that last, as far as they are there.
    pub(super) fn quarantine(&self, tables: &BTreeSet<FileId>) -> Result<(), Error> {
        if tables.is_empty() {
            return Ok(());
        }
        let (fs, dir) = (&self.read.fs, self.quarantine_dir());
        self.make_quarantine()?;
        self.has_kept.store(true, Ordering::Relaxed);
        for &table in tables {
            self.keep(table)?;
        }
        Ok(fs.sync_dir(&dir)?)
    }

    /// Makes the directory. What is there by its name and is none is moved aside, so that it jams no job.
    fn make_quarantine(&self) -> Result<(), Error> {
        let (fs, dir) = (&self.read.fs, self.quarantine_dir());
        match fs.create_dir(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let listed = fs.list(&self.read.dir)?;
                let is_dir =
                    |entry: &DirEntry| entry.name.as_os_str() == QUARANTINE && entry.kind == EntryKind::Dir;
                if listed.iter().any(is_dir) {
                    return Ok(());
                }
                let aside = self.read.dir.join(ASIDE);
                log::warn!("{} is no directory, and is now {}", dir.display(), aside.display());
                fs.rename(&dir, &aside)?;
                fs.create_dir(&dir)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(fs.sync_dir(&self.read.dir)?)
    }

    fn keep(&self, table: FileId) -> Result<(), Error> {
        let fs = &self.read.fs;
        let (from, to) = (table_path(&self.read.dir, table), self.quarantined_path(table));
        match fs.link(&from, &to) {
            Ok(()) => {
                log::warn!("{} lost pages; it is kept as {}", from.display(), to.display());
                Ok(())
            }
            // An earlier try came as far as this; or there is no file that could be kept.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(()),
            Err(error) if cannot_link(error.kind()) => Ok(copy_readable(fs, &from, &to)?),
            Err(error) => Err(error.into()),
        }
    }

    fn quarantine_dir(&self) -> PathBuf {
        self.read.dir.join(QUARANTINE)
    }
}

/// Copies what can be read of a file; pages that cannot become zeros.
fn copy_readable(fs: &Arc<dyn Fs>, from: &std::path::Path, to: &std::path::Path) -> Result<(), IoError> {
    let (source, copy) = (fs.open(from, Access::ReadOnly)?, fs.create(to)?);
    let len = source.len()?.get();
    for at in (0..len).step_by(CHUNK) {
        let mut chunk = vec![0; CHUNK.min(usize::try_from(len - at).unwrap_or(CHUNK))];
        if source.read_at(FileOffset::new(at), &mut chunk).is_err() {
            read_pages(&*source, at, &mut chunk);
        }
        copy.write_at(FileOffset::new(at), &chunk)?;
    }
    copy.sync()
}

fn read_pages(source: &dyn File, start: u64, chunk: &mut [u8]) {
    for (page, bytes) in (0u64..).zip(chunk.chunks_mut(PAGE_LEN)) {
        if source.read_at(FileOffset::new(start + page * PAGE_LEN as u64), bytes).is_err() {
            bytes.fill(0);
        }
    }
}
