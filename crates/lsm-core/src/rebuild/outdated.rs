//! Whether a catalog is older than the tables beside it: its manifest lost the edits that came last.

use std::collections::BTreeSet;

use super::{
    RebuildGround,
    found::{self, Look},
};
use crate::{Catalog, Error, FileId, names::parse_table};

/// Which files of a catalog are gone.
///
/// ```
/// assert!(lsm_core::GoneFiles::default().is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoneFiles {
    /// Tables.
    pub tables: BTreeSet<FileId>,
    /// How many segments of the log.
    pub segments: usize,
}

impl GoneFiles {
    /// Whether all are there.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tables.is_empty() && self.segments == 0
    }
}

/// Whether a table that the catalog does not know yet tells that what is gone was replaced. What is gone and was not
/// is lost, and the catalog still says what it was.
///
/// # Errors
/// If the disk refuses, or a later release wrote a table.
pub fn is_outdated(ground: &RebuildGround, catalog: &Catalog, gone: &GoneFiles) -> Result<bool, Error> {
    if gone.is_none() {
        return Ok(false);
    }
    let env = found::read_env(ground, &ground.dir);
    for entry in ground.fs.list(&ground.dir)? {
        let Some(id) = parse_table(&entry.name).filter(|id| *id >= catalog.next_file) else { continue };
        let Look::Table(found) = found::look(ground, &env, id)? else { continue };
        let pedigree = &found.pedigree;
        if pedigree.store != catalog.store || pedigree.file != id {
            continue;
        }
        let replaced = |table: &FileId| {
            found.kin.as_ref().is_some_and(|kin| kin.inputs.contains(table) || kin.living.is_over(*table))
        };
        if gone.tables.iter().any(replaced) || (gone.segments > 0 && gone.tables.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}
