//! A store under judgement, spoken to in the words of histories.

use std::{path::Path, sync::Arc};

use lsm_io::Fs;
use resilver::{Creation, Db, Durability, Error, Keyspace, Scan, WriteBatch};

use crate::{
    history::{KEYSPACES, Write, WriteKind},
    model::{Keys, Model},
    setup::Setup,
};

/// What keyspaces are called.
pub const NAMES: [&str; KEYSPACES] = ["default", "other-1", "other-2"];

/// What a store holds, by keyspace; none that is not there.
pub type Dump = [Option<Keys>; KEYSPACES];

/// A store, open.
#[derive(Debug)]
pub struct Subject {
    /// The store.
    pub db: Db,
}

impl Subject {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// As the store.
    pub fn open(fs: Arc<dyn Fs>, setup: &Setup, path: &Path, creation: Creation) -> Result<Self, Error> {
        Ok(Self { db: setup.options(fs).creation(creation).open(path)? })
    }

    /// Whether a keyspace is there.
    #[must_use]
    pub fn has(&self, keyspace: usize) -> bool {
        self.db.keyspaces().iter().any(|name| &**name == NAMES[keyspace])
    }

    /// A keyspace, made if need be.
    ///
    /// # Errors
    /// As the store.
    pub fn keyspace(&self, keyspace: usize) -> Result<Keyspace, Error> {
        self.db.keyspace(NAMES[keyspace])
    }

    /// A batch of these writes; their keyspaces are there.
    ///
    /// # Errors
    /// As the store.
    pub fn batch(&self, writes: &[Write]) -> Result<WriteBatch, Error> {
        let mut batch = WriteBatch::new();
        for Write { keyspace, key, kind } in writes {
            let keyspace = self.keyspace(*keyspace)?;
            match kind {
                WriteKind::Put(value) => batch.put(&keyspace, key, &value.bytes()),
                WriteKind::Delete => batch.delete(&keyspace, key),
                WriteKind::SingleDelete => batch.single_delete(&keyspace, key),
                WriteKind::DeleteRange { to } => batch.delete_range(&keyspace, key, to),
            };
        }
        Ok(batch)
    }

    /// Writes them together.
    ///
    /// # Errors
    /// As the store.
    pub fn write(&self, writes: &[Write], synced: bool) -> Result<(), Error> {
        let durability = if synced { Durability::Synced } else { Durability::Buffered };
        self.db.write_with(&self.batch(writes)?, durability)
    }

    /// Everything it holds.
    ///
    /// # Errors
    /// As the store.
    pub fn dump(&self) -> Result<Dump, Error> {
        let mut dump = Dump::default();
        for (at, keys) in dump.iter_mut().enumerate() {
            if self.has(at) {
                let items = self.keyspace(at)?.scan(Scan::all())?;
                let items = items.map(|item| item.map(|(key, value)| (key.to_vec(), value)));
                *keys = Some(items.collect::<Result<_, _>>()?);
            }
        }
        Ok(dump)
    }
}

/// What a model's store holds.
#[must_use]
pub fn dump_of(model: &Model) -> Dump {
    std::array::from_fn(|at| model.spaces[at].map(|_| Keys::clone(&model.keys(at))))
}
