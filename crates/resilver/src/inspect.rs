//! What is in the files of a store, for people who look after one: read, never changed, damaged or not.
//!
//! Another process may have the store open; what it writes meanwhile may be missing. Invariant: what a file says
//! of itself costs no more than a few times what its own bytes do.

mod error;
mod manifest;
mod page;
mod sealed;
mod segment;
mod table;

pub use error::InspectError;
pub use lsm_core::{Catalog, KeyBounds, KeyEnd, ManifestFinding, Recovered, TableMeta, TreeState};
pub use lsm_wal::{Held, Inspected as InspectedSegment, StatedHeader};
pub use manifest::manifest;
pub use page::{InspectedPage, PageVerdict, page};
pub use sealed::SealedFile;
pub use segment::segment;
pub use sst_format::{CodecTag, Properties, ReadError};
pub use table::{InspectedTable, table};
