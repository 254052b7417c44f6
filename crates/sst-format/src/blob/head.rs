//! Record head: the first 32 bytes of every record of a blob file.
//!
//! | at | len | field   | meaning                                                                   |
//! |---:|----:|---------|---------------------------------------------------------------------------|
//! |  0 |   4 | magic   | `RSBR`                                                                    |
//! |  4 |   1 | codec   | compression tag of the value                                              |
//! |  5 |   1 | flags   | 0                                                                         |
//! |  6 |   2 | epoch   | encryption key epoch; 0 is "not encrypted"                                |
//! |  8 |   8 | seq     | sequence number of the write                                              |
//! | 16 |   4 | raw_len | bytes of the value once decompressed                                      |
//! | 20 |   4 | len     | payload bytes between this head and the checksum                          |
//! | 24 |   2 | key_len | bytes of the key                                                          |
//! | 26 |   2 | zero    | 0                                                                         |
//! | 28 |   4 | mark    | low half of XXH3-64 of bytes 0..28, XOR the low half of the place's salt  |
//!
//! Behind it:
//!
//! | at | len | field    | meaning                                                                  |
//! |---:|----:|----------|--------------------------------------------------------------------------|
//! | 32 | len | payload  | key, then value as the codec left it; encrypted as one, tag included     |
//! | .. |   8 | checksum | XXH3-64 of everything before it, XOR the place's salt                    |
//!
//! The salt is that of a block trailer. A head has a mark of its own, so that a walker behind a gap knows the next record, and how far it reaches,
//! by 32 bytes: however bytes lie, no byte is hashed twice.

use super::error::BlobError;
use super::salt::Salter;
use crate::codec::{CodecError, CodecTag};
use crate::crypto::{FileKey, KeyEpoch};
use crate::entry::SeqNo;

/// What a record says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) codec: CodecTag,
    pub(super) epoch: KeyEpoch,
    pub(super) seq: SeqNo,
    pub(super) raw_len: u32,
    pub(super) len: u32,
    pub(super) key_len: u16,
}

/// The head's bytes, known to have been written at their place.
pub(super) type HeadBytes = [u8; Head::LEN];

impl Head {
    pub(super) const LEN: usize = 32;
    /// What a record has beside its payload.
    pub(super) const FRAME_LEN: usize = Self::LEN + 8;
    const MAGIC: [u8; 4] = *b"RSBR";

    pub(super) fn encode(&self, salter: Salter, offset: u64) -> HeadBytes {
        assert!(self.payload_len_min() <= u64::from(self.len));
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&Self::MAGIC);
        bytes[4] = self.codec.to_byte();
        bytes[6..8].copy_from_slice(&self.epoch.get().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.get().to_le_bytes());
        bytes[16..20].copy_from_slice(&self.raw_len.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.len.to_le_bytes());
        bytes[24..26].copy_from_slice(&self.key_len.to_le_bytes());
        let mark = salter.checksum(offset, &bytes[..28]) as u32;
        bytes[28..].copy_from_slice(&mark.to_le_bytes());
        bytes
    }

    /// How long the record is whose head this is, or nothing if these bytes are no head of this place.
    pub(super) fn record_len(bytes: &HeadBytes, salter: Salter, offset: u64) -> Option<u64> {
        let [m0, m1, m2, m3, rest @ ..] = bytes;
        if [*m0, *m1, *m2, *m3] != Self::MAGIC {
            return None;
        }
        let mark = salter.checksum(offset, &bytes[..28]) as u32;
        if mark.to_le_bytes() != bytes[28..] {
            return None;
        }
        let [.., l0, l1, l2, l3, _, _, _, _, _, _, _, _] = *rest;
        Some(u64::from(u32::from_le_bytes([l0, l1, l2, l3])) + Self::FRAME_LEN as u64)
    }

    /// The fields of a head whose record's checksum has passed.
    pub(super) fn decode(bytes: &HeadBytes, offset: u64) -> Result<Self, BlobError> {
        let [m0, m1, m2, m3, codec, flags, e0, e1, rest @ ..] = *bytes;
        let [s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, l0, l1, l2, l3, k0, k1, z0, z1, ..] = rest;
        let field = |field, found| BlobError::Field { offset, field, found };
        if [m0, m1, m2, m3] != Self::MAGIC {
            return Err(field("magic", u32::from_le_bytes([m0, m1, m2, m3])));
        }
        if flags != 0 {
            return Err(field("flags", flags.into()));
        }
        if [z0, z1] != [0; 2] {
            return Err(field("zero", u16::from_le_bytes([z0, z1]).into()));
        }
        let codec = CodecTag::parse(codec).map_err(|cause: CodecError| BlobError::Codec { offset, cause })?;
        let head = Self {
            codec,
            epoch: KeyEpoch::new(u16::from_le_bytes([e0, e1])),
            seq: SeqNo::new(u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
            raw_len: u32::from_le_bytes([r0, r1, r2, r3]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            key_len: u16::from_le_bytes([k0, k1]),
        };
        if head.payload_len_min() > u64::from(head.len) {
            return Err(field("key_len", head.key_len.into()));
        }
        Ok(head)
    }

    /// Payload bytes that key and tag alone take.
    fn payload_len_min(&self) -> u64 {
        let tag_len = if self.epoch.is_encrypted() { FileKey::TAG_LEN as u64 } else { 0 };
        u64::from(self.key_len) + tag_len
    }
}

const _: () = assert!(Head::LEN == 4 + 1 + 1 + 2 + 8 + 4 + 4 + 2 + 2 + 4);

#[cfg(test)]
mod tests {
    use page_ecc::Uid;

    use super::*;

    const SAMPLE: Head = Head {
        codec: CodecTag::Lz4,
        epoch: KeyEpoch::new(0x0302),
        seq: SeqNo::new(0x0807_0605_0403_0201),
        raw_len: 0x0C0B_0A09,
        len: 0x100F_0E0D,
        key_len: 0x0102,
    };
    #[rustfmt::skip]
    const GOLDEN: [u8; 28] = [
        b'R', b'S', b'B', b'R', 1, 0, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8,
        9, 10, 11, 12, 13, 14, 15, 16, 2, 1, 0, 0,
    ];

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        let salter = Salter::new(Uid::new([7; 16]));
        let bytes = SAMPLE.encode(salter, 64);
        assert_eq!(bytes[..28], GOLDEN);
        assert_eq!(bytes[28..], [22, 2, 86, 130]);
        assert_eq!(Head::decode(&bytes, 64), Ok(SAMPLE));
        assert_eq!(Head::record_len(&bytes, salter, 64), Some(0x100F_0E0D + 40));
    }

    #[test]
    fn a_head_passes_only_at_its_place_and_with_every_bit() {
        let salter = Salter::new(Uid::new([7; 16]));
        let bytes = SAMPLE.encode(salter, 64);
        assert_eq!(Head::record_len(&bytes, salter, 72), None);
        assert_eq!(Head::record_len(&bytes, Salter::new(Uid::new([8; 16])), 64), None);
        for bit in 0..Head::LEN * 8 {
            let mut wrong = bytes;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::record_len(&wrong, salter, 64), None, "bit {bit}");
        }
    }

    #[track_caller]
    fn check(at: usize, value: u8, want: BlobError) {
        let mut bytes = SAMPLE.encode(Salter::new(Uid::new([7; 16])), 64);
        bytes[at] = value;
        assert_eq!(Head::decode(&bytes, 64), Err(want));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let field = |field, found| BlobError::Field { offset: 64, field, found };
        check(0, b'X', field("magic", u32::from_le_bytes(*b"XSBR")));
        check(4, 9, BlobError::Codec { offset: 64, cause: CodecError::UnknownTag { found: 9 } });
        check(5, 1, field("flags", 1));
        check(27, 1, field("zero", 256));
    }
}
