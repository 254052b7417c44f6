//! Who keeps the catalog: a manifest that takes edits, or nobody, in a store that is only read.

use std::sync::Arc;

use crate::{Catalog, Edit, Error, Generation, Manifest, ManifestFile};

/// Who keeps a store's catalog.
#[derive(Debug)]
pub enum Keeper {
    /// A manifest, to which edits go.
    Manifest(Box<Manifest>),
    /// Nobody: the store is only read.
    Nobody(Arc<Catalog>),
}

impl Keeper {
    /// The catalog as it is now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        match self {
            Self::Manifest(manifest) => manifest.catalog(),
            Self::Nobody(catalog) => catalog.clone(),
        }
    }

    /// Makes an edit durable.
    ///
    /// # Errors
    /// If the store is only read, the edit does not fit, or the disk refuses.
    pub fn record(&self, edit: &Edit) -> Result<(), Error> {
        match self {
            Self::Manifest(manifest) => manifest.record(edit),
            Self::Nobody(_) => Err(Error::ReadOnly),
        }
    }

    /// States that its last edit is durable, so that damage to it shows.
    ///
    /// # Errors
    /// If the disk refuses; nothing is lost by that.
    pub fn mark(&self) -> Result<(), Error> {
        match self {
            Self::Manifest(manifest) => manifest.mark(),
            Self::Nobody(_) => Ok(()),
        }
    }

    /// Writes everything it says anew, which heals whatever is wrong with its files.
    ///
    /// # Errors
    /// If the store is only read, or the disk refuses.
    pub fn roll(&self) -> Result<(), Error> {
        match self {
            Self::Manifest(manifest) => manifest.roll(),
            Self::Nobody(_) => Err(Error::ReadOnly),
        }
    }

    /// Looks at the files of the manifest on the medium.
    ///
    /// # Errors
    /// If the store is only read, or the files cannot be looked at.
    pub fn examine(&self) -> Result<Vec<ManifestFile>, Error> {
        match self {
            Self::Manifest(manifest) => manifest.examine(),
            Self::Nobody(_) => Err(Error::ReadOnly),
        }
    }

    /// The generation of the manifest that edits go to, if there is one.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        match self {
            Self::Manifest(manifest) => manifest.generation(),
            Self::Nobody(_) => None,
        }
    }

    /// Whether files that the catalog does not name may go.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Manifest(manifest) => manifest.is_settled(),
            Self::Nobody(_) => false,
        }
    }
}
