//! Checkpoints: the store as of one moment, as a store of its own at another place.
//!
//! Everything in memory is flushed first, so a checkpoint is tables and a manifest and needs no log. Tables are
//! immutable, so they are linked where that can be; a link shares its file's damage, and is healed with it. A copy
//! is read back from the medium and mended. The manifest comes last: what was cut short before is no store and says so.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lsm_io::{Access, DirEntry, FileOffset, Fs, IoError};
use page_ecc::PAGE_LEN;
use parking_lot::MutexGuard;
use sst_format::SeqNo;

use super::{Store, sweeping::Obsolete};
use crate::{
    Catalog, Error, Manifest, PauseGuard, TableMeta,
    names::{parse_table, table_path},
};

/// How much is read of a file that cannot be read in one go: 1 MiB.
const COPIED_AT_ONCE: usize = 1 << 20;

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
    /// By their bytes: nothing is shared, damage neither; what is wrong is put right in the copy.
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
    /// Tables whose files are gone, here and so there.
    pub missing: usize,
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
        self.flush_sealed(&alone, upto)?;
        // Nothing was flushed but what was sealed then, so this is that moment.
        let catalog = self.keeper.catalog();
        drop(alone);
        self.options.fs.create_dir(dest)?;
        let mut made = Made { store: self, dest, linked: 0, copied: 0, missing: 0 };
        let done = made.fill(&catalog, copying).and_then(|()| made.name(&catalog));
        if let Err(error) = done {
            made.discard();
            return Err(error);
        }
        drop(pause);
        Ok(Checkpointed { seq: upto, linked: made.linked, copied: made.copied, missing: made.missing })
    }
}

/// What stands at the place of a checkpoint so far.
struct Made<'a> {
    store: &'a Store,
    dest: &'a Path,
    linked: usize,
    copied: usize,
    missing: usize,
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
        if copying == Copying::Link {
            match fs.link(&from, &to) {
                Ok(()) => {
                    self.linked += 1;
                    return Ok(());
                }
                Err(error) if cannot_link(error.kind()) => {}
                Err(error) => return self.go_without(error),
            }
        }
        if let Err(refused) = fs.copy(&from, &to) {
            if refused.kind() == ErrorKind::NotFound {
                return self.go_without(refused);
            }
            log::warn!("{refused}: copied page by page instead");
            copy_what_reads(fs.as_ref(), &from, &to, table)?;
        }
        fs.open(&to, Access::ReadWrite)?.sync()?;
        self.store.heal_copy(&to, table)?;
        self.copied += 1;
        Ok(())
    }

    /// A table that is gone is as gone there: its keys are named to whoever asks for them, and the others are saved.
    fn go_without(&mut self, error: IoError) -> Result<(), Error> {
        if error.kind() != ErrorKind::NotFound {
            return Err(error.into());
        }
        log::error!("a checkpoint goes without a table that is lost: {error}");
        self.missing += 1;
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
        if let Err(error) = self.remove_all() {
            log::warn!("a failed checkpoint left files behind, which are no store or a whole one: {error}");
        }
    }

    /// The tables last, and none unless what names them is gone: what is left never misses one.
    fn remove_all(&self) -> Result<(), IoError> {
        let fs = &self.store.options.fs;
        let is_table = |entry: &&DirEntry| parse_table(entry.name.as_ref()).is_some();
        let listed = fs.list(self.dest)?;
        let (tables, naming): (Vec<_>, Vec<_>) = listed.iter().partition(is_table);
        naming.into_iter().try_for_each(|entry| fs.remove(&self.dest.join(&entry.name)))?;
        fs.sync_dir(self.dest)?;
        tables.into_iter().try_for_each(|entry| fs.remove(&self.dest.join(&entry.name)))?;
        fs.remove_dir(self.dest)
    }
}

/// Copies the pages of a table that can be read; the others are zeros, for the copy's digests to tell.
fn copy_what_reads(fs: &dyn Fs, from: &Path, to: &Path, table: &TableMeta) -> Result<(), Error> {
    let (source, copy) = (fs.open(from, Access::ReadOnly)?, fs.create(to)?);
    let mut piece = vec![0; COPIED_AT_ONCE];
    let mut at = 0;
    while at < table.file_bytes() {
        let len = (table.file_bytes() - at).min(COPIED_AT_ONCE as u64) as usize;
        let piece = &mut piece[..len];
        piece.fill(0);
        if source.read_at(FileOffset::new(at), piece).is_err() {
            for (number, page) in piece.chunks_mut(PAGE_LEN).enumerate() {
                let offset = FileOffset::new(at + (number * PAGE_LEN) as u64);
                if source.read_at(offset, page).is_err() {
                    page.fill(0);
                }
            }
        }
        copy.append(piece)?;
        at += len as u64;
    }
    Ok(())
}

/// Whether the file system refuses links there, but may well take bytes.
pub(super) fn cannot_link(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
            | ErrorKind::PermissionDenied
            | ErrorKind::TooManyLinks
    )
}
