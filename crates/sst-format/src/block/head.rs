//! Block head: the first 8 bytes of every block.
//!
//! | at | len | field | meaning                                                            |
//! |---:|----:|-------|--------------------------------------------------------------------|
//! |  0 |   4 | len   | payload bytes between this head and the trailer                    |
//! |  4 |   4 | mark  | of `len`, bound to file and offset: magic and checksum in one      |
//!
//! The mark is the high half of the place's salt XOR `len`, multiplied by 0xD6E8FEB86659FD93. A block of
//! another file, or one at another place, does not have it, so a walker behind a gap knows the next block by
//! its first 8 bytes and how far it reaches, and no stale page misleads it.

use super::addr::FileSalt;
use crate::limits::PAYLOAD_LEN_MAX;

/// The head of a block at a known place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub(crate) len: u32,
}

impl Head {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn encode(self, file: FileSalt, offset: u64) -> [u8; Self::LEN] {
        assert!(self.len as usize <= PAYLOAD_LEN_MAX);
        let mark = mark(file, offset, self.len);
        (u64::from(self.len) | u64::from(mark) << 32).to_le_bytes()
    }

    /// The head, if these bytes are the head of a block at this place.
    #[inline]
    pub(crate) fn decode(bytes: [u8; Self::LEN], file: FileSalt, offset: u64) -> Option<Self> {
        let both = u64::from_le_bytes(bytes);
        let len = both as u32;
        let is_head = len as usize <= PAYLOAD_LEN_MAX && mark(file, offset, len) == (both >> 32) as u32;
        is_head.then_some(Self { len })
    }
}

#[inline]
fn mark(file: FileSalt, offset: u64, len: u32) -> u32 {
    ((file.salt(offset) ^ u64::from(len)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as u32
}

const _: () = assert!(Head::LEN == 4 + 4);

#[cfg(test)]
mod tests {
    use super::*;
    use page_ecc::Uid;

    #[test]
    fn a_head_passes_only_at_its_place() {
        let file = FileSalt::of(Uid::new([7; 16]));
        let bytes = Head { len: 4000 }.encode(file, 64);
        assert_eq!(Head::decode(bytes, file, 64), Some(Head { len: 4000 }));
        assert_eq!(Head::decode(bytes, file, 72), None);
        assert_eq!(Head::decode(bytes, FileSalt::of(Uid::new([8; 16])), 64), None);
        for bit in 0..64 {
            let flipped = (u64::from_le_bytes(bytes) ^ 1 << bit).to_le_bytes();
            assert_eq!(Head::decode(flipped, file, 64), None);
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let bytes = Head { len: 0x0001_0203 }.encode(FileSalt::of(Uid::new([7; 16])), 8);
        assert_eq!(&bytes[..4], [3, 2, 1, 0]);
        assert_eq!(&bytes[4..], MARK);
    }

    const MARK: [u8; 4] = [168, 239, 193, 158];
}
