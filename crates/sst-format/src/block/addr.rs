//! Where a block stands: in which file, at which offset, how long. Its checksum is bound to all three.
//!
//! On disk only offset and length are written, as a [`BlockSpan`]:
//!
//! | at | len | field  | meaning                                                           |
//! |---:|----:|--------|-------------------------------------------------------------------|
//! |  0 |   8 | offset | of the block's first byte in the body, a multiple of 8            |
//! |  8 |   4 | len    | bytes of the whole block, head and trailer included; 0 is "none"  |

use core::fmt;

use page_ecc::Uid;
use twox_hash::XxHash3_64;

/// Blocks start on multiples of this, so that a walker behind a gap looks at one place in eight.
pub(crate) const BLOCK_ALIGN: u64 = 8;

/// Seed of the hash that makes a file's salt from its uid.
const SALT_SEED: u64 = 0x626C_6F63_6B73_616C;

/// Offset and length of a block within a body.
///
/// ```
/// use sst_format::BlockSpan;
/// let span = BlockSpan { offset: 64, len: 40 };
/// assert_eq!(span.end(), 104);
/// assert_eq!(span.to_string(), "64+40");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockSpan {
    /// Where its first byte stands in the body.
    pub offset: u64,
    /// Bytes of the whole block.
    pub len: u32,
}

impl BlockSpan {
    pub(crate) const LEN: usize = 12;

    /// The byte behind the block.
    #[must_use]
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.len as u64)
    }

    /// Whether it names a block.
    pub(crate) const fn is_some(self) -> bool {
        self.len != 0
    }

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let [o0, o1, o2, o3, o4, o5, o6, o7, len @ ..] = bytes;
        let offset = u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        Self { offset, len: u32::from_le_bytes(len) }
    }
}

impl fmt::Display for BlockSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.offset, self.len)
    }
}

/// What binds the blocks of one file to it: a number made from its uid.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::FileSalt;
/// assert_ne!(FileSalt::of(Uid::new([1; 16])), FileSalt::of(Uid::new([2; 16])));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileSalt(u64);

impl FileSalt {
    /// The salt of the file with this uid.
    #[must_use]
    pub fn of(uid: Uid) -> Self {
        Self(XxHash3_64::oneshot_with_seed(SALT_SEED, &uid.to_bytes()))
    }

    /// The address of the block at this place of the file.
    #[must_use]
    pub const fn at(self, span: BlockSpan) -> BlockAddr {
        BlockAddr { file: self, span }
    }

    /// A number for each offset of the file: SplitMix64, whose steps never meet within one file.
    #[inline]
    pub(crate) const fn salt(self, offset: u64) -> u64 {
        let step = offset.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The place a block is expected at.
///
/// ```
/// use page_ecc::Uid;
/// use sst_format::{BlockSpan, FileSalt};
/// let file = FileSalt::of(Uid::new([1; 16]));
/// let addr = file.at(BlockSpan { offset: 0, len: 4096 });
/// assert_eq!(addr.span.len, 4096);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlockAddr {
    /// The file.
    pub file: FileSalt,
    /// The place in its body.
    pub span: BlockSpan,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_keeps_its_bytes() {
        let span = BlockSpan { offset: 0x0807_0605_0403_0201, len: 0x0C0B_0A09 };
        assert_eq!(span.encode(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(BlockSpan::decode(span.encode()), span);
    }

    #[test]
    fn salts_are_part_of_the_format() {
        let file = FileSalt::of(Uid::new([7; 16]));
        assert_ne!(file.salt(0), file.salt(8));
        assert_eq!(file.salt(64), FileSalt::of(Uid::new([7; 16])).salt(64));
    }
}
