//! Filters: small byte strings that answer "this key is certainly not here".
//!
//! A filter is built from 64-bit hashes of keys, of key prefixes, or of both, and read in place from borrowed
//! or shared bytes. Two kinds share one trailer and one interface:
//!
//! * [`ribbon`]: bumped ribbon retrieval, within 4 % of the fewest bits that can reach a false-positive rate;
//! * [`bloom`]: a Bloom filter whose probes stay in one cache line, half again as large, quicker to build.
//!
//! Invariant: a hash that was added is never [`Answer::Absent`]. Left to others: the checksum of the block
//! around these bytes, and the choice of which prefixes a table hashes.

mod bloom;
mod builder;
mod error;
mod hash;
mod policy;
mod ribbon;
mod trailer;
mod view;

pub use builder::FilterBuilder;
pub(crate) use builder::FilterMemory;
pub use error::FilterError;
pub use hash::KeyHash;
pub use policy::{FalsePositiveRate, FilterPolicy};
pub use trailer::FilterKind;
pub use view::{Answer, Filter, FilterView};
