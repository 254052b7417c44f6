//! Blocks by hand, from the byte tables alone: a second writer beside the crate's own.

use page_ecc::Uid;
use sst_format::BlockSpan;
use twox_hash::XxHash3_64;

/// A block that proves itself, whatever its payload.
pub(crate) fn block(uid: Uid, offset: u64, kind: u8, payload: &[u8]) -> (Vec<u8>, BlockSpan) {
    packed(uid, offset, kind, 0, payload.len() as u32, payload)
}

/// The same, with a codec tag and raw length that may lie.
pub(crate) fn packed(
    uid: Uid,
    offset: u64,
    kind: u8,
    codec: u8,
    raw_len: u32,
    payload: &[u8],
) -> (Vec<u8>, BlockSpan) {
    let salt = salt(uid, offset);
    let len = payload.len() as u32;
    let mark = ((salt ^ u64::from(len)).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32) as u32;
    let mut bytes = [len.to_le_bytes(), mark.to_le_bytes()].concat();
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"RSBK");
    bytes.extend_from_slice(&[kind, codec, 0, 0]);
    bytes.extend_from_slice(&raw_len.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    let checksum = XxHash3_64::oneshot(&bytes) ^ salt;
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let span = BlockSpan { offset, len: bytes.len() as u32 };
    (bytes, span)
}

fn salt(uid: Uid, offset: u64) -> u64 {
    let key = XxHash3_64::oneshot_with_seed(0x626C_6F63_6B73_616C, &uid.to_bytes());
    let mut z = key.wrapping_add((offset + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
