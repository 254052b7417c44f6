//! Checkpoints: the store as of one moment, as a store of its own at another place.
//!
//! Everything in memory is flushed first, so a checkpoint is tables and a manifest and needs no log. Tables are
//! immutable, so they are linked where that can be; a link shares its file's damage, and is healed with it. The
//! manifest comes last: what was cut short before is no store and says so.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::Access;
use parking_lot::MutexGuard;
use sst_format::SeqNo;

use super::{Store, sweeping::Obsolete};
use crate::{Catalog, Error, Manifest, PauseGuard, TableMeta, names::table_path};

/// How tables get to a checkpoint.
///
/// ```
/// assert_eq!(lsm_core::Copying::default(), lsm_core::Copying::Link);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copying {
    /// By a second name where the file system can, else by their bytes.
    #[default]
    Link,
    /// By their bytes: nothing is shared, damage neither.
    Bytes,
}

/// A checkpoint to be made; while it is held, no flush runs and no file is removed.
#[derive(Debug)]
pub struct Checkpoint<'a> {
    alone: MutexGuard<'a, ()>,
    pause: PauseGuard<Obsolete>,
    upto: SeqNo,
}

/// What a checkpoint holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// Everything up to this, and nothing newer.
    pub seq: SeqNo,
    /// Tables linked.
    pub linked: usize,
    /// Tables copied.
    pub copied: usize,
}

impl Checkpoint<'_> {
    /// What the log must hold durably before the checkpoint is [made](Store::make_checkpoint).
    #[must_use]
    pub fn upto(&self) -> SeqNo {
        self.upto
    }
}

impl Store {
    /// Fixes the moment of a checkpoint: now.
    #[must_use]
    pub fn begin_checkpoint(&self) -> Checkpoint<'_> {
        let pause = self.pause.pause();
        let alone = self.flushing.lock();
        let upto = self.seal_all();
        Checkpoint { alone, pause, upto }
    }

    /// Makes a checkpoint at `dest`, a directory that is not there yet.
    ///
    /// # Errors
    /// If `dest` is there, or the disk refuses; then nothing is left there, as far as the disk lets it go.
    pub fn make_checkpoint(
        &self,
        checkpoint: Checkpoint<'_>,
        dest: &Path,
        copying: Copying,
    ) -> Result<Checkpointed, Error> {
        let Checkpoint { alone, pause, upto } = checkpoint;
        self.flush_sealed(&alone)?;
        // Nothing was flushed but what was sealed then, so this is that moment.
        let catalog = self.keeper.catalog();
        drop(alone);
        self.options.fs.create_dir(dest)?;
        let mut made = Made { store: self, dest, files: Vec::new(), linked: 0, copied: 0 };
        let done = made.fill(&catalog, copying).and_then(|()| made.name(&catalog));
        if let Err(error) = done {
            made.discard();
            return Err(error);
        }
        drop(pause);
        Ok(Checkpointed { seq: upto, linked: made.linked, copied: made.copied })
    }
}

/// What stands at the place of a checkpoint so far.
struct Made<'a> {
    store: &'a Store,
    dest: &'a Path,
    files: Vec<PathBuf>,
    linked: usize,
    copied: usize,
}

impl Made<'_> {
    fn fill(&mut self, catalog: &Catalog, copying: Copying) -> Result<(), Error> {
        for tree in catalog.trees.values() {
            for (_, _, table) in tree.version.tables() {
                self.take(table, copying)?;
            }
        }
        Ok(self.store.options.fs.sync_dir(self.dest)?)
    }

    fn take(&mut self, table: &Arc<TableMeta>, copying: Copying) -> Result<(), Error> {
        let fs = &self.store.options.fs;
        let (from, to) = (table_path(&self.store.read.dir, table.id), table_path(self.dest, table.id));
        self.files.push(to.clone());
        if copying == Copying::Link {
            match fs.link(&from, &to) {
                Ok(()) => {
                    self.linked += 1;
                    return Ok(());
                }
                Err(error) if cannot_link(error.kind()) => {}
                Err(error) => return Err(error.into()),
            }
        }
        fs.copy(&from, &to)?;
        fs.open(&to, Access::ReadWrite)?.sync()?;
        self.copied += 1;
        Ok(())
    }

    /// Makes a store of it.
    fn name(&self, catalog: &Catalog) -> Result<(), Error> {
        let options = &self.store.options;
        let catalog = catalog.as_checkpoint();
        let nonce = (options.new_uid)();
        Manifest::create_from(&options.fs, self.dest, &self.store.worker, &options.orders, catalog, nonce)?;
        Ok(())
    }

    fn discard(self) {
        let fs = &self.store.options.fs;
        let listed = fs.list(self.dest).unwrap_or_default();
        let all = listed.iter().map(|entry| self.dest.join(&entry.name));
        let removed = all.into_iter().try_for_each(|file| fs.remove(&file));
        if let Err(error) = removed.and_then(|()| fs.remove_dir(self.dest)) {
            log::warn!("a failed checkpoint left files behind, which are no store: {error}");
        }
    }
}

/// Whether the file system refuses links there, but may well take bytes.
fn cannot_link(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
            | ErrorKind::PermissionDenied
            | ErrorKind::TooManyLinks
    )
}
