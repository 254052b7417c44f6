//! Block trailer: the last 24 bytes of every block.
//!
//! | at | len | field    | meaning                                                                |
//! |---:|----:|----------|------------------------------------------------------------------------|
//! |  0 |   4 | magic    | `RSBK`                                                                 |
//! |  4 |   1 | kind     | 1 data, 2 index, 3 top index, 4 filter, 5 ranges, 6 properties, 7 dictionary, 8 root, 9 padding |
//! |  5 |   1 | codec    | compression tag; 0 is "not compressed"                                 |
//! |  6 |   2 | epoch    | encryption key epoch; 0 is "not encrypted"                             |
//! |  8 |   4 | raw_len  | payload bytes once decrypted and decompressed                          |
//! | 12 |   4 | len      | payload bytes between head and trailer, as in the head                 |
//! | 16 |   8 | checksum | XXH3-64 of the whole block up to here, XOR the salt of file and offset |
//!
//! The salt is the SplitMix64 finalizer of `key + (offset + 1) * 0x9E3779B97F4A7C15`, where `key` is XXH3-64 of
//! the file's uid under the seed 0x626C6F636B73616C; within one file no two places share a salt.

use super::error::BlockError;
use super::kind::BlockKind;

/// What a block says of itself; its checksum is verified by whoever holds the block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
    pub(crate) kind: BlockKind,
    pub(crate) codec: u8,
    pub(crate) epoch: u16,
    pub(crate) raw_len: u32,
    pub(crate) len: u32,
}

impl Trailer {
    pub(crate) const LEN: usize = 24;
    pub(crate) const CHECKSUM_LEN: usize = 8;
    const FIELDS_LEN: usize = Self::LEN - Self::CHECKSUM_LEN;
    const MAGIC: [u8; 4] = *b"RSBK";

    /// The bytes before the checksum.
    pub(crate) fn encode(&self) -> [u8; Self::FIELDS_LEN] {
        let mut bytes = [0; Self::FIELDS_LEN];
        bytes[..4].copy_from_slice(&Self::MAGIC);
        bytes[4] = self.kind.tag();
        bytes[5] = self.codec;
        bytes[6..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.raw_len.to_le_bytes());
        bytes[12..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// What encryption authenticates beside the place: codec, epoch and raw length.
    pub(crate) fn context(&self) -> [u8; 7] {
        let [e0, e1] = self.epoch.to_le_bytes();
        let [r0, r1, r2, r3] = self.raw_len.to_le_bytes();
        [self.codec, e0, e1, r0, r1, r2, r3]
    }

    pub(crate) fn decode(bytes: [u8; Self::FIELDS_LEN]) -> Result<Self, BlockError> {
        let [m0, m1, m2, m3, kind, codec, e0, e1, r0, r1, r2, r3, len @ ..] = bytes;
        let magic = [m0, m1, m2, m3];
        if magic != Self::MAGIC {
            return Err(BlockError::Magic { found: u32::from_le_bytes(magic) });
        }
        let kind = BlockKind::parse(kind)?;
        let epoch = u16::from_le_bytes([e0, e1]);
        let raw_len = u32::from_le_bytes([r0, r1, r2, r3]);
        Ok(Self { kind, codec, epoch, raw_len, len: u32::from_le_bytes(len) })
    }
}

const _: () = assert!(Trailer::LEN == 4 + 1 + 1 + 2 + 4 + 4 + 8);

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Trailer =
        Trailer { kind: BlockKind::Index, codec: 1, epoch: 0x0302, raw_len: 0x0807_0605, len: 0x0C0B_0A09 };
    const GOLDEN: [u8; 16] = [b'R', b'S', b'B', b'K', 2, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12];

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        assert_eq!(SAMPLE.encode(), GOLDEN);
        assert_eq!(Trailer::decode(GOLDEN), Ok(SAMPLE));
    }

    #[test]
    fn wrong_magic_and_kind_are_named() {
        let with = |at: usize, byte| {
            let mut bytes = GOLDEN;
            bytes[at] = byte;
            Trailer::decode(bytes).unwrap_err()
        };
        assert_eq!(with(0, b'X'), BlockError::Magic { found: u32::from_le_bytes(*b"XSBK") });
        assert_eq!(with(4, 0), BlockError::Kind { found: 0 });
        assert_eq!(with(4, 77), BlockError::Kind { found: 77 });
    }
}
