//! What binds a record to its file and its place: the salt of blocks, laid over the sums of records.

use core::hash::Hasher as _;

use page_ecc::Uid;
use twox_hash::XxHash3_64;

use crate::block::FileSalt;

/// Gives each place of one blob file its salt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Salter(FileSalt);

impl Salter {
    pub(super) fn new(uid: Uid) -> Self {
        Self(FileSalt::of(uid))
    }

    /// XXH3-64 of bytes that belong to the record at `offset`.
    pub(super) fn checksum(self, offset: u64, bytes: &[u8]) -> u64 {
        XxHash3_64::oneshot(bytes) ^ self.0.salt(offset)
    }

    /// The same of bytes in two parts.
    pub(super) fn checksum_of_parts(self, offset: u64, front: &[u8], back: &[u8]) -> u64 {
        let mut hasher = XxHash3_64::new();
        hasher.write(front);
        hasher.write(back);
        hasher.finish() ^ self.0.salt(offset)
    }
}
