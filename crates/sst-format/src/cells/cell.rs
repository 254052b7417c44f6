//! Cell: one key with its sequence number and value, in a block of many.
//!
//! | at | len | field     | meaning                                                                     |
//! |---:|----:|-----------|-----------------------------------------------------------------------------|
//! |  0 |   1 | tag       | kind in the low 7 bits, 0 is never written; top bit: a flags byte follows   |
//! |  1 | 0,1 | flags     | the caller's, left out when 0                                               |
//! | .. |  v  | shared    | bytes the key has in common with the key before; 0 at a restart             |
//! | .. |  v  | unshared  | bytes of the key that follow                                                |
//! | .. |  v  | value_len | bytes of the value                                                          |
//! | .. |  v  | seq       | sequence number less that of the block's first cell, folded to no sign      |
//! | .. |  .. | key       | the unshared bytes                                                          |
//! | .. |  .. | value     | its bytes                                                                   |
//!
//! `v` is a number of 7 bits a byte, lowest first. The distance of sequence numbers wraps at 64 bits.

use alloc::vec::Vec;

use super::error::PayloadError;
use crate::limits::{KEY_LEN_MAX, PAYLOAD_LEN_MAX};
use page_ecc::varint;

use crate::zigzag::{unzigzag, zigzag};

/// Says that a flags byte follows the tag.
const HAS_FLAGS: u8 = 0x80;

/// Where the parts of a cell stand in its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) tag: u8,
    pub(crate) flags: u8,
    pub(crate) shared: u32,
    pub(crate) at: u32,
    pub(crate) key_at: u32,
    pub(crate) value_at: u32,
    pub(crate) end: u32,
    pub(crate) seq: u64,
}

/// What a cell is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellParts<'a> {
    pub(crate) tag: u8,
    pub(crate) flags: u8,
    pub(crate) shared: usize,
    pub(crate) unshared: &'a [u8],
    pub(crate) seq_distance: u64,
    pub(crate) value: &'a [u8],
}

impl CellParts<'_> {
    #[inline]
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        debug_assert!(self.tag != 0 && self.tag < HAS_FLAGS);
        let lens = [self.shared, self.unshared.len(), self.value.len()];
        if self.flags == 0 && lens[0] | lens[1] | lens[2] < 0x80 {
            into.extend_from_slice(&[self.tag, lens[0] as u8, lens[1] as u8, lens[2] as u8]);
        } else {
            self.encode_long(lens, into);
        }
        varint::put(into, zigzag(self.seq_distance as i64));
        into.extend_from_slice(self.unshared);
        into.extend_from_slice(self.value);
    }

    /// What stands before the sequence number, where a byte is too few for a length or there are flags.
    fn encode_long(&self, lens: [usize; 3], into: &mut Vec<u8>) {
        match self.flags {
            0 => into.push(self.tag),
            flags => into.extend_from_slice(&[self.tag | HAS_FLAGS, flags]),
        }
        lens.into_iter().for_each(|len| varint::put(into, len as u64));
    }
}

impl Cell {
    /// The cell at `at` of a block's cells.
    #[inline]
    pub(crate) fn decode(cells: &[u8], at: usize, base_seq: u64) -> Result<Self, PayloadError> {
        match cells.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(&[tag, shared, unshared, value_len]) if tag | shared | unshared | value_len < 0x80 => {
                let lens = [shared.into(), unshared.into(), value_len.into()];
                Self::finish(cells, at, [tag, 0], lens, at + 4, base_seq)
            }
            _ => Self::decode_long(cells, at, base_seq),
        }
    }

    #[cold]
    fn decode_cut(at: usize) -> PayloadError {
        PayloadError { at, what: "a cell is cut short" }
    }

    fn decode_long(cells: &[u8], at: usize, base_seq: u64) -> Result<Self, PayloadError> {
        let cut = || Self::decode_cut(at);
        let &tag = cells.get(at).ok_or_else(cut)?;
        let mut next = at + 1;
        let mut flags = 0;
        if tag & HAS_FLAGS != 0 {
            flags = *cells.get(next).ok_or_else(cut)?;
            next += 1;
        }
        let mut take = || varint::take(cells, &mut next).ok_or_else(cut);
        let lens = [take()?, take()?, take()?];
        Self::finish(cells, at, [tag & !HAS_FLAGS, flags], lens, next, base_seq)
    }

    #[inline]
    fn finish(
        cells: &[u8],
        at: usize,
        [tag, flags]: [u8; 2],
        [shared, unshared, value_len]: [u64; 3],
        mut next: usize,
        base_seq: u64,
    ) -> Result<Self, PayloadError> {
        let distance = varint::take(cells, &mut next).ok_or_else(|| Self::decode_cut(at))?;
        if tag == 0 {
            return Err(PayloadError { at, what: "a cell has no kind" });
        }
        if shared.saturating_add(unshared) > KEY_LEN_MAX as u64 {
            return Err(PayloadError { at, what: "a key is over 65,535 bytes" });
        }
        if value_len > PAYLOAD_LEN_MAX as u64 {
            return Err(PayloadError { at, what: "a value is over 512 MiB" });
        }
        let value_at = next + unshared as usize;
        let end = value_at + value_len as usize;
        if end > cells.len() {
            return Err(Self::decode_cut(at));
        }
        let seq = base_seq.wrapping_add(unzigzag(distance) as u64);
        let [at, key_at, value_at, end] = [at, next, value_at, end].map(|at| at as u32);
        Ok(Self { tag, flags, shared: shared as u32, at, key_at, value_at, end, seq })
    }

    /// The key's unshared bytes.
    #[inline]
    pub(crate) fn unshared<'a>(&self, cells: &'a [u8]) -> &'a [u8] {
        &cells[self.key_at as usize..self.value_at as usize]
    }

    /// The value.
    #[inline]
    pub(crate) fn value<'a>(&self, cells: &'a [u8]) -> &'a [u8] {
        &cells[self.value_at as usize..self.end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const SAMPLE: CellParts<'_> =
        CellParts { tag: 1, flags: 0, shared: 2, unshared: b"key", seq_distance: 3, value: b"value" };

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        let mut bytes = Vec::new();
        SAMPLE.encode(&mut bytes);
        assert_eq!(bytes, [&[1, 2, 3, 5, 6][..], b"keyvalue"].concat());
        let cell = Cell::decode(&bytes, 0, 100).unwrap();
        assert_eq!((cell.unshared(&bytes), cell.value(&bytes)), (&b"key"[..], &b"value"[..]));
        assert_eq!((cell.seq, cell.shared, cell.end), (103, 2, 13));
    }

    #[test]
    fn flags_long_values_and_far_sequences_come_back() {
        let value = vec![7; 300];
        let parts = CellParts { flags: 9, value: &value, seq_distance: 5u64.wrapping_sub(900), ..SAMPLE };
        let mut bytes = vec![0xEE; 4];
        parts.encode(&mut bytes);
        let cell = Cell::decode(&bytes, 4, 900).unwrap();
        assert_eq!((cell.tag, cell.flags, cell.seq), (1, 9, 5));
        assert_eq!(cell.value(&bytes), value);
        for cut in 4..bytes.len() {
            assert!(Cell::decode(&bytes[..cut], 4, 900).is_err());
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let with = |lens: [u64; 3]| {
            let mut bytes = vec![1];
            lens.into_iter().chain([0]).for_each(|len| varint::put(&mut bytes, len));
            Cell::decode(&bytes, 0, 0).map_err(|error| error.what)
        };
        assert_eq!(with([60_000, 6_000, 0]), Err("a key is over 65,535 bytes"));
        assert_eq!(with([u64::MAX, u64::MAX, 0]), Err("a key is over 65,535 bytes"));
        assert_eq!(with([0, 0, u64::MAX]), Err("a value is over 512 MiB"));
        assert_eq!(with([0, 1, 0]), Err("a cell is cut short"));
    }
}
