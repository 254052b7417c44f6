//! Where a record stands: the place in one file that its checksum is bound to.

use core::ops::Range;

use page_ecc::Uid;

use crate::entry::BlobRef;

impl BlobRef {
    /// The bytes of the body to read.
    #[must_use]
    pub const fn span(self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.len)
    }

    /// The place to verify them against.
    #[must_use]
    pub const fn addr(self, uid: Uid) -> RecordAddr {
        RecordAddr { uid, offset: self.offset, len: self.len }
    }
}

/// A place in one blob file, which the record there is bound to.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::BlobRef;
/// let reference = BlobRef { file: 3, offset: 4096, len: 70_000 };
/// assert_eq!(reference.addr(Uid::new([7; 16])).offset, 4096);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecordAddr {
    /// The file.
    pub uid: Uid,
    /// Where the record begins in the body.
    pub offset: u64,
    /// Bytes of the record.
    pub len: u64,
}
