//! Tables: sorted entries in, one sealed image out, and back.
//!
//! ```text
//! dictionary | data blocks | ranges | index blocks | top index | filter | properties | ranges again | root
//! ```
//!
//! A body is written front to back, and nothing in it is touched twice. Reading is navigation: state machines
//! say which block they need next, or have the answer; whoever drives them reads, caches and repairs.

mod child;
mod cursor;
mod error;
mod find;
mod opening;
mod options;
mod samples;
mod spare;
mod view;
mod write_error;
mod writer;

pub use child::LostRange;
pub use cursor::Cursor;
pub use error::ReadError;
pub use find::Find;
pub use opening::Opening;
pub(crate) use opening::unpacker_for;
pub use options::{FilterPin, HashIndex, ReadOptions, TableOptions};
pub use spare::SpareMemory;
pub use view::{Step, TableBlock, TableView};
pub use write_error::WriteError;
pub use writer::{TableWriter, WrittenTable};
