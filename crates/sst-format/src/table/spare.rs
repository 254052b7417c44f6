//! The memory a table was made in, for the next one.
//!
//! Memory fresh from the system is given page by page as it is first written, which costs about as much as
//! everything else that writing a table does. Invariant: nothing that was in it is read again.

use alloc::vec::Vec;

use crate::filter::FilterMemory;

/// Memory for a table to be made in: about its image, and 16 bytes a key.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{Entry, SeqNo, SpareMemory, TableOptions, TableWriter};
///
/// let mut spare = SpareMemory::default();
/// for number in [1, 2] {
///     let mut writer = TableWriter::new(Uid::new([number; 16]), TableOptions::new())?.reusing(spare);
///     writer.add(Entry::put(b"apple", SeqNo::new(9), b"green"))?;
///     let (table, left) = writer.finish_sparing()?;
///     // ... the image is written to a file ...
///     spare = left.image(table.image.into_bytes());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct SpareMemory {
    pub(super) image: Vec<u8>,
    pub(super) filter: FilterMemory,
}

impl SpareMemory {
    /// Adds the bytes of an image that is not needed any more.
    #[must_use]
    pub fn image(mut self, bytes: Vec<u8>) -> Self {
        self.image = bytes;
        self
    }
}
