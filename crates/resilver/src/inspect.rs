//! What is in the files of a store, for people who look after one: read, never changed, damaged or not.
//!
//! Another process may have the store open; what it writes meanwhile may be missing. Invariant: bytes of a file
//! that was named cost no more memory than a bound stated here, whatever they say.

mod manifest;

pub use lsm_core::{Catalog, KeyBounds, KeyEnd, ManifestFinding, Recovered, TableMeta, TreeState};
pub use manifest::manifest;
