//! Why nothing can be said of a file.

use std::path::PathBuf;

use lsm_io::IoError;
use page_ecc::DescriptorError;
use sst_format::ReadError;

/// Why nothing can be said of a file.
///
/// ```
/// let told = resilver::inspect::table("/nowhere/at/all", &resilver::Options::new());
/// assert!(matches!(told, Err(resilver::inspect::InspectError::Io(_))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It is no sealed file, or its descriptor is gone from head and tail and no manifest beside it knows it.
    #[error("{}: {cause}", path.display())]
    NotSealed {
        /// Which.
        path: PathBuf,
        /// What its ends say.
        cause: DescriptorError,
    },
    /// It is the seal of another file.
    #[error("{} is the seal of another file; `resilver verify` looks at both", path.display())]
    Detached {
        /// Which.
        path: PathBuf,
    },
    /// It is far shorter than its descriptor says.
    #[error("{} has {pages} pages and states {stated}: too little is left of it to be looked at", path.display())]
    CutShort {
        /// Which.
        path: PathBuf,
        /// Pages it has.
        pages: u64,
        /// Pages it should have.
        stated: u64,
    },
    /// It is sealed, and something else than a table.
    #[error("{} is {} and no table; name a file that ends in .table", path.display(), kind_name(*kind))]
    NotATable {
        /// Which.
        path: PathBuf,
        /// Its kind.
        kind: u16,
    },
    /// It is a table that this release cannot read.
    #[error("{}: {cause}", path.display())]
    Table {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: ReadError,
    },
    /// It is no segment of a log that can be told.
    #[error("{}: {cause}", path.display())]
    Segment {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: lsm_wal::InspectError,
    },
    /// The manifest that it is of says nothing of it.
    #[error("{} is no file of a manifest that is in use; name one of the newest generation", path.display())]
    NoManifest {
        /// Which.
        path: PathBuf,
    },
    /// It has no such page.
    #[error("{} has no page {page}; its pages are 0 to {}", path.display(), pages.saturating_sub(1))]
    NoPage {
        /// Which file.
        path: PathBuf,
        /// The page that was asked for.
        page: u64,
        /// How many it has.
        pages: u64,
    },
}

/// What files of a kind are.
const fn kind_name(kind: u16) -> &'static str {
    match kind {
        1 => "a table",
        2 => "a file of large values",
        3 => "a snapshot of a manifest",
        _ => "a sealed file of its own",
    }
}
