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

/// How far a cell reaches, and what a search that passes it must know: all but the number of its change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) tag: u8,
    flags: u8,
    pub(crate) shared: u32,
    seq_at: u32,
    pub(crate) key_at: u32,
    pub(crate) value_at: u32,
    pub(crate) end: u32,
}

impl Extent {
    /// Of the cell at `at` of a block's cells.
    #[inline(always)]
    pub(crate) fn decode(cells: &[u8], at: usize) -> Result<Self, PayloadError> {
        match Self::decode_short(cells, at) {
            Some(extent) => Ok(extent),
            None => Self::decode_long(cells, at),
        }
    }

    /// Of the cell of a restart.
    #[inline]
    pub(crate) fn decode_restart(cells: &[u8], at: usize) -> Result<Self, PayloadError> {
        let extent = Self::decode(cells, at)?;
        if extent.shared != 0 {
            return Err(PayloadError { at, what: "the key of a restart is not whole" });
        }
        Ok(extent)
    }

    /// Of a cell without flags of a short key, sixteen bytes or more before the end: nearly every one. What it cannot
    /// be is refused with the reason by [`decode_long`](Self::decode_long).
    #[inline(always)]
    fn decode_short(cells: &[u8], at: usize) -> Option<Self> {
        let window: &[u8; 16] = cells.get(at..)?.first_chunk()?;
        let [tag, shared, unshared, ..] = *window;
        if tag | shared | unshared >= 0x80 || tag == 0 {
            return None;
        }
        let (value_len, len) = varint::in_word(*window[3..].first_chunk()?)?;
        let seq_len = varint::len_in_word(*window.get(3 + len..)?.first_chunk()?)?;
        let seq_at = at + 3 + len;
        let value_at = seq_at + seq_len + usize::from(unshared);
        if value_len > cells.len().checked_sub(value_at)? as u64 {
            return None;
        }
        let end = value_at as u32 + value_len as u32;
        let [seq_at, key_at, value_at] = [seq_at, seq_at + seq_len, value_at].map(|at| at as u32);
        Some(Self { tag, flags: 0, shared: shared.into(), seq_at, key_at, value_at, end })
    }

    #[inline(never)]
    fn decode_long(cells: &[u8], at: usize) -> Result<Self, PayloadError> {
        let error = |what| PayloadError { at, what };
        let cut = || error("a cell is cut short");
        let &tag = cells.get(at).ok_or_else(cut)?;
        let mut next = at + 1;
        let mut flags = 0;
        if tag & HAS_FLAGS != 0 {
            flags = *cells.get(next).ok_or_else(cut)?;
            next += 1;
        }
        let mut take = || varint::take(cells, &mut next).ok_or_else(cut);
        let [shared, unshared, value_len] = [take()?, take()?, take()?];
        let seq_at = next;
        varint::take(cells, &mut next).ok_or_else(cut)?;
        let tag = tag & !HAS_FLAGS;
        if tag == 0 {
            return Err(error("a cell has no kind"));
        }
        if shared.saturating_add(unshared) > KEY_LEN_MAX as u64 {
            return Err(error("a key is over 65,535 bytes"));
        }
        if value_len > PAYLOAD_LEN_MAX as u64 {
            return Err(error("a value is over 512 MiB"));
        }
        let value_at = next + unshared as usize;
        let end = value_at + value_len as usize;
        if end > cells.len() {
            return Err(cut());
        }
        let [seq_at, key_at, value_at, end] = [seq_at, next, value_at, end].map(|at| at as u32);
        Ok(Self { tag, flags, shared: shared as u32, seq_at, key_at, value_at, end })
    }

    /// The whole cell, at `at` of the same block.
    #[inline]
    pub(crate) fn into_cell(self, cells: &[u8], at: usize, base_seq: u64) -> Cell {
        let Self { tag, flags, shared, seq_at, key_at, value_at, end } = self;
        // It was seen to end where the key begins.
        let distance = varint::take(cells, &mut (seq_at as usize)).unwrap_or_default();
        let seq = base_seq.wrapping_add(unzigzag(distance) as u64);
        Cell { tag, flags, shared, at: at as u32, key_at, value_at, end, seq }
    }

    /// The key's unshared bytes.
    #[inline]
    pub(crate) fn unshared<'a>(&self, cells: &'a [u8]) -> &'a [u8] {
        &cells[self.key_at as usize..self.value_at as usize]
    }
}

impl Cell {
    /// The cell at `at` of a block's cells.
    #[inline]
    pub(crate) fn decode(cells: &[u8], at: usize, base_seq: u64) -> Result<Self, PayloadError> {
        Ok(Extent::decode(cells, at)?.into_cell(cells, at, base_seq))
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
    fn a_cell_far_from_the_end_reads_as_the_last_one_does() {
        for (value_len, seq) in [0, 1, 127, 128, 300, 70_000].into_iter().flat_map(|len| {
            [0, 1, 200, 1 << 20, 1 << 60, u64::MAX].map(|seq| (len, seq)) // distances of one byte to ten
        }) {
            for (flags, unshared) in [(0, 3), (7, 3), (0, 0), (0, 200)] {
                let (key, value) = (vec![0xAB; unshared], vec![0xCD; value_len]);
                let parts = CellParts { flags, unshared: &key, seq_distance: seq, value: &value, ..SAMPLE };
                let mut bytes = vec![0xEE; 5];
                parts.encode(&mut bytes);
                let last = Cell::decode(&bytes, 5, 77).unwrap();
                assert_eq!((last.seq, last.flags), (seq.wrapping_add(77), flags));
                assert_eq!((last.unshared(&bytes), last.value(&bytes)), (&key[..], &value[..]));
                for behind in [0x00, 0x7F, 0xFF] {
                    bytes.truncate(last.end as usize);
                    bytes.extend([behind; 16]);
                    assert_eq!(Cell::decode(&bytes, 5, 77), Ok(last));
                }
            }
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
