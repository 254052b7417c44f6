//! A checkpoint to repair from: pages of the same files, whole files that are gone, and key ranges.
//!
//! Invariant: a checkpoint is of this store, or it is refused before anything is changed; what it offers for a page is
//! believed only where the digests of the store's own file agree.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use lsm_core::{Catalog, Fill, FillRange, KeyRange, Recovered, RepairSource, TreeId, table_name};
use lsm_io::{Access, FileOffset, Fs, IoError};
use page_ecc::{PAGE_LEN, Page, PageNo, Uid, Unreadable};

use crate::{Db, Error, LogLoss, LostKeys, Options};

/// A checkpoint of a store.
pub(super) struct CheckpointSource {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    catalog: Arc<Catalog>,
    /// Its tables by their uids.
    tables: BTreeMap<[u8; 16], PathBuf>,
    /// Who has even older pages.
    next: Option<Arc<dyn RepairSource>>,
}

impl CheckpointSource {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Arc<Self>, Error> {
        let recovered = Recovered::read(&options.fs, path, &options.orders).map_err(lsm_core::Error::from)?;
        let catalog = recovered.catalog().clone();
        let tables = catalog.trees.values().flat_map(|tree| tree.version.tables());
        let tables = tables
            .map(|(_, _, table)| (table.descriptor.uid().to_bytes(), path.join(table_name(table.id))))
            .collect();
        let (fs, next) = (options.fs.clone(), options.repair_source.clone());
        Ok(Arc::new(Self { fs, path: path.into(), catalog, tables, next }))
    }

    /// Refuses a checkpoint of another store.
    pub(super) fn check(&self, store: &Catalog) -> Result<(), Error> {
        if self.catalog.origin() == store.origin() {
            return Ok(());
        }
        Err(Error::ForeignCheckpoint { path: self.path.clone() })
    }

    /// The path of its copy of a table, if it has one.
    pub(super) fn table(&self, uid: Uid) -> Option<&PathBuf> {
        self.tables.get(&uid.to_bytes()).filter(|path| self.fs.open(path, Access::ReadOnly).is_ok())
    }

    /// What it has of lost keys, by tree, and the moment that it is of.
    pub(super) fn keys(
        &self,
        options: &Options,
        losses: &[LostKeys],
    ) -> Result<(BTreeMap<TreeId, Ranges>, u64), Error> {
        let options =
            Options { repair_source: self.next.clone(), ..options.clone() }.log_loss(LogLoss::Accept);
        let db = Db::open_read_only(&self.path, options)?;
        let as_of = db.stats().newest_seq;
        let mut trees = BTreeMap::<TreeId, Ranges>::new();
        for loss in losses {
            let Some((tree, _)) = self.catalog.tree_named(&loss.keyspace) else { continue };
            let ranges = trees.entry(tree).or_default();
            ranges.read(&db, tree, loss)?;
        }
        db.close()?;
        Ok((trees, as_of))
    }
}

/// Lost ranges of a tree, and what the checkpoint has of them.
#[derive(Default)]
pub(super) struct Ranges {
    pub(super) ranges: Vec<FillRange>,
    pub(super) fill: Fill,
    /// Keys of each range.
    pub(super) keys: Vec<u64>,
}

impl Ranges {
    fn read(&mut self, db: &Db, tree: TreeId, loss: &LostKeys) -> Result<(), Error> {
        let range = KeyRange::all().between(loss.lower.clone(), loss.upper.clone());
        let store = &db.engine().store;
        let mut keys = store.iter(tree, range.keys_only(), None)?;
        let mut count = 0;
        loop {
            match keys.step() {
                Ok(None) => break,
                Ok(Some(item)) => {
                    if let Some(found) = store.get(tree, item.key, None)? {
                        count += 1;
                        self.fill.insert(Bytes::copy_from_slice(item.key), (found.seq, found.value));
                    }
                }
                // What the checkpoint lost as well cannot come from there.
                Err(lsm_core::Error::Lost { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let upto = sst_format::SeqNo::new(loss.seq_high);
        self.ranges.push(FillRange { lower: loss.lower.clone(), upper: loss.upper.clone(), upto });
        self.keys.push(count);
        Ok(())
    }
}

impl RepairSource for CheckpointSource {
    fn read_page(&self, file: Uid, page: PageNo, into: &mut Page) -> Result<(), Unreadable> {
        let mut own = || -> Result<bool, IoError> {
            let Some(path) = self.tables.get(&file.to_bytes()) else { return Ok(false) };
            let copy = self.fs.open(path, Access::ReadOnly)?;
            Ok(copy.read_at(FileOffset::new(page.offset()), into)? == PAGE_LEN)
        };
        match (own(), &self.next) {
            (Ok(true), _) => Ok(()),
            (_, Some(next)) => next.read_page(file, page, into),
            _ => Err(Unreadable),
        }
    }
}

impl fmt::Debug for CheckpointSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSource").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A bound as one of bytes.
pub(super) fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    bound.as_ref().map(|key| &key[..])
}
