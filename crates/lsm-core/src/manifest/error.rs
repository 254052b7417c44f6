//! Why a manifest cannot be used, and what to do about it.

use std::path::PathBuf;

use lsm_io::IoError;

use super::{fields::FieldError, names::Generation};
use crate::CatalogError;

/// Why a manifest cannot be used.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_core::{KeyOrders, ManifestError, Recovered};
/// use lsm_io::{Fs, MemFs};
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let nothing = Recovered::read(&fs, Path::new("/"), &KeyOrders::default());
/// assert!(matches!(nothing, Err(ManifestError::NotAStore { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The directory has no manifest.
    #[error("{} holds no store: it has no manifest; name the directory of a store, or create one", dir.display())]
    NotAStore {
        /// Which directory.
        dir: PathBuf,
    },
    /// A store was about to be created, and nothing was ever recorded in it.
    #[error("creating the store in {} was cut short and nothing is in it; create it again", dir.display())]
    Unfinished {
        /// Which directory.
        dir: PathBuf,
    },
    /// A store is to be created where there is one.
    #[error("{} holds a store already; open it, or name another directory", dir.display())]
    AlreadyThere {
        /// Which directory.
        dir: PathBuf,
    },
    /// A later release wrote it.
    #[error("{} is written in format {found}, this release reads up to {known}; use a newer release", file.display())]
    NewerFormat {
        /// Which file.
        file: PathBuf,
        /// The version it states.
        found: u16,
        /// The newest version known here.
        known: u16,
    },
    /// A later release wrote it, with features that change what the bytes mean.
    #[error("{} uses features {unknown:#x} that this release does not know; use a newer release", file.display())]
    UnknownFeatures {
        /// Which file.
        file: PathBuf,
        /// The feature bits not known here.
        unknown: u64,
    },
    /// An edit that was durable cannot be read from either copy.
    #[error(
        "edit {number} is lost: neither copy of generation {generation} of the manifest in {} can be read \
         there; run `resilver repair`, which finds the tables by themselves", dir.display()
    )]
    EditLost {
        /// Which directory.
        dir: PathBuf,
        /// In which generation.
        generation: Generation,
        /// Which edit.
        number: u64,
    },
    /// A generation was durable, and too little of it and the one before is left.
    #[error(
        "generation {generation} of the manifest in {} is lost: its snapshot, or what leads to it, cannot be \
         read; run `resilver repair`, which finds the tables by themselves", dir.display()
    )]
    GenerationLost {
        /// Which directory.
        dir: PathBuf,
        /// Which generation.
        generation: Generation,
    },
    /// What it says, proven by its checksums, contradicts itself.
    #[error("{} contradicts itself in its {field}; run `resilver repair`", file.display())]
    Contradiction {
        /// Which file.
        file: PathBuf,
        /// What does not fit the rest.
        field: &'static str,
    },
    /// What it says, proven by its checksums, is not understood.
    #[error("{} is not understood: {cause}", file.display())]
    Bytes {
        /// Which file.
        file: PathBuf,
        /// Why.
        cause: FieldError,
    },
    /// An edit does not fit the catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
}
