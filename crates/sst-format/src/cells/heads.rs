//! The first bytes in which the keys of an index block differ, side by side: a binary search over them stays in a
//! few cache lines, and mostly leaves one key to look at.
//!
//! Invariant: there are some only where every cell is a restart, so that the number of a restart is that of a cell.
//! They only narrow a search by byte order. What all keys begin with is left out, and eight bytes of each follow as
//! a number, filled with zeros; so of two keys with different numbers the lower is the smaller, and those with equal
//! ones are told apart by who searches.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{cmp::Ordering, ops::Range};

use super::Parsed;
use super::error::PayloadError;
use crate::order::common_prefix;

/// Eight bytes of each restart's key.
#[derive(Debug)]
pub(super) struct Heads {
    /// Where in the cells those bytes stand that all keys begin with.
    prefix_at: usize,
    prefix_len: usize,
    heads: Box<[u64]>,
}

impl Heads {
    /// Of every cell, if each is a restart.
    pub(super) fn of(block: &Parsed) -> Result<Option<Self>, PayloadError> {
        let last = block.restarts() - 1;
        let (first, smallest) = block.restart_cell(0)?;
        let (_, largest) = block.restart_cell(last)?;
        let prefix_len = common_prefix(smallest, largest);
        let mut heads = Vec::with_capacity(block.restarts());
        for at in 0..=last {
            let (cell, key) = block.restart_cell(at)?;
            let end = if at == last { block.cells_len as usize } else { block.restart(at + 1) };
            if cell.end as usize != end {
                return Ok(None);
            }
            heads.push(head(key, prefix_len));
        }
        Ok(Some(Self { prefix_at: first.key_at as usize, prefix_len, heads: heads.into() }))
    }

    /// Bytes they take.
    pub(super) fn len(&self) -> usize {
        size_of_val(&*self.heads)
    }

    /// The cells that may be versions of `key`: all before them are before it, all behind them behind it.
    #[inline]
    pub(super) fn narrow(&self, cells: &[u8], key: &[u8]) -> Range<usize> {
        let prefix = &cells[self.prefix_at..self.prefix_at + self.prefix_len];
        let begin = &key[..key.len().min(self.prefix_len)];
        match begin.cmp(prefix) {
            Ordering::Less => return 0..0,
            Ordering::Greater => return self.heads.len()..self.heads.len(),
            Ordering::Equal => {}
        }
        let wanted = head(key, self.prefix_len);
        let start = self.heads.partition_point(|head| *head < wanted);
        let alike = self.heads[start..].iter().take_while(|head| **head == wanted).count();
        start..start + alike
    }
}

#[inline]
fn head(key: &[u8], prefix_len: usize) -> u64 {
    let rest = key.get(prefix_len..).unwrap_or_default();
    match rest.first_chunk() {
        Some(head) => u64::from_be_bytes(*head),
        None => {
            let mut head = [0; 8];
            head[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(head)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::{Buckets, CellBlock, CellBuilder, NewCell, Target};
    use crate::block::Head;
    use crate::order::KeyOrder;

    fn block(keys: &[&[u8]]) -> [CellBlock; 2] {
        let mut builder = CellBuilder::new(1, Buckets::Off);
        for (at, &key) in keys.iter().enumerate() {
            // Versions of a key descend.
            builder.add(NewCell { tag: 1, flags: 0, key, seq: 100 - at as u64, value: b"" });
        }
        let bytes = bytes::Bytes::copy_from_slice(&builder.finish()[Head::LEN..]);
        [CellBlock::parse(bytes.clone()).unwrap(), CellBlock::parse_index(bytes).unwrap()]
    }

    /// Every short key over a small alphabet, beside a search without heads.
    #[test]
    fn a_narrowed_search_finds_what_a_search_of_all_finds() {
        let mut asked: Vec<Vec<u8>> = Vec::from([Vec::new()]);
        for at in 0..400 {
            for byte in [0, 1, b'a', b'b', 0xFF] {
                let key = [&asked[at][..], &[byte]].concat();
                asked.push(key);
            }
        }
        let long =
            [b"aaaaaaaaaaaa".as_slice(), b"aaaaaaaaaaab", b"aaaaaaaaaaab\0", b"aaaaaaaaaaab\0\0", b"b"];
        asked.extend(long.map(<[u8]>::to_vec));
        let lists: [&[&[u8]]; 8] = [
            &[b""],
            &[b"a"],
            &[b"", b"\0", b"\0\0", b"\x01"],
            &[b"a", b"a", b"a", b"b"],
            &[b"aa", b"aa\0", b"aa\0\0", b"aa\x01", b"aaa", b"aab\xFF"],
            &[b"aa\0", b"aab", b"aab", b"aab", b"aab\0"],
            &long[..4],
            &long,
        ];
        for keys in lists {
            let [plain, headed] = block(keys);
            for key in &asked {
                for seq in [0, 97, 98, 99, 100, u64::MAX] {
                    let target = Target { key, seq };
                    let found = |block: &CellBlock| {
                        let hit = block.lower_bound(&KeyOrder::Bytes, target).unwrap();
                        hit.map(|hit| (hit.cell.at, hit.is_key))
                    };
                    assert_eq!(found(&headed), found(&plain), "{key:?} at {seq} in {keys:?}");
                    let child = headed.child_over(&KeyOrder::Bytes, target).unwrap();
                    let number = found(&plain).map(|(at, _)| at as usize);
                    let number = number.map(|at| (0..keys.len()).position(|cell| plain.restart(cell) == at));
                    assert_eq!(child.map(|child| child.number), number);
                }
            }
        }
    }
}
