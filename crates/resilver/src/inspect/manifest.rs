//! The manifest of a store.

use std::path::Path;

use lsm_core::Recovered;

use crate::{Error, Options};

/// Reads the manifest of the store at `path`.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// let manifest = resilver::inspect::manifest(&path, &resilver::Options::new())?;
/// assert!(manifest.catalog().tree_named("default").is_some());
/// assert!(manifest.findings().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If it is not a store, is of a later release, has comparators that the options do not, or more of its
/// manifest is lost than the copies make up for.
pub fn manifest(path: impl AsRef<Path>, options: &Options) -> Result<Recovered, Error> {
    let recovered = Recovered::read(&options.fs, path.as_ref(), &options.orders);
    Ok(recovered.map_err(lsm_core::Error::from)?)
}
