//! The first bytes in which the keys of an index block differ, side by side: a binary search over them stays in a
//! few cache lines, and mostly leaves no key to look at. Beside them stands where each cell leads to, so that mostly
//! no cell is looked at either.
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
use crate::block::BlockSpan;
use crate::index::{Child, ChildKind};
use crate::order::common_prefix;

/// Eight bytes of each restart's key, and where its cell leads to.
#[derive(Debug)]
pub(super) struct Heads {
    /// Where in the cells those bytes stand that all keys begin with.
    prefix_at: usize,
    prefix_len: usize,
    heads: Box<[u64]>,
    /// As many, or none if a cell leads to no block, to one behind 4 GiB, or is not sound.
    places: Box<[Place]>,
}

/// Where a block stands that does so within 4 GiB.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u32,
    len: u32,
}

impl Heads {
    /// Of every cell, if each is a restart.
    pub(super) fn of(block: &Parsed) -> Result<Option<Self>, PayloadError> {
        let last = block.restarts() - 1;
        let (first, smallest) = block.restart_cell(0)?;
        let (_, largest) = block.restart_cell(last)?;
        let prefix_len = common_prefix(smallest, largest);
        let mut heads = Vec::with_capacity(block.restarts());
        let mut places = Vec::with_capacity(block.restarts());
        for at in 0..=last {
            let (cell, key) = block.restart_cell(at)?;
            let end = if at == last { block.cells_len as usize } else { block.restart(at + 1) };
            if cell.end as usize != end {
                return Ok(None);
            }
            heads.push(head(key, prefix_len));
            let place = Child::place(block, cell).ok();
            places.extend(place.and_then(|(kind, span)| Place::of(kind, span)));
        }
        if places.len() != heads.len() {
            places = Vec::new();
        }
        let (prefix_at, heads, places) = (first.key_at as usize, heads.into(), places.into());
        Ok(Some(Self { prefix_at, prefix_len, heads, places }))
    }

    /// The block that a cell leads to, if that is known here.
    #[inline]
    pub(super) fn place(&self, cell: usize) -> Option<BlockSpan> {
        self.places.get(cell).map(|place| BlockSpan { offset: place.offset.into(), len: place.len })
    }

    /// Bytes they take.
    pub(super) fn len(&self) -> usize {
        size_of_val(&*self.heads) + size_of_val(&*self.places)
    }

    /// The cells that may be versions of `key`: all before them are before it, all behind them behind it.
    #[inline]
    pub(super) fn narrow(&self, cells: &[u8], key: &[u8]) -> Range<usize> {
        if self.prefix_len > 0 {
            let prefix = &cells[self.prefix_at..self.prefix_at + self.prefix_len];
            let begin = &key[..key.len().min(self.prefix_len)];
            match begin.cmp(prefix) {
                Ordering::Less => return 0..0,
                Ordering::Greater => return self.heads.len()..self.heads.len(),
                Ordering::Equal => {}
            }
        }
        let wanted = head(key, self.prefix_len);
        let start = self.heads.partition_point(|head| *head < wanted);
        if self.heads.get(start) != Some(&wanted) {
            return start..start;
        }
        let alike = self.heads[start..].iter().take_while(|head| **head == wanted).count();
        start..start + alike
    }
}

impl Place {
    fn of(kind: ChildKind, span: BlockSpan) -> Option<Self> {
        let offset = u32::try_from(span.offset).ok().filter(|_| kind == ChildKind::Block)?;
        Some(Self { offset, len: span.len })
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

    fn block(keys: &[&[u8]], tag: u8) -> [CellBlock; 2] {
        let mut builder = CellBuilder::new(1, Buckets::Off);
        for (at, &key) in keys.iter().enumerate() {
            // Versions of a key descend. What each leads to starts at its number.
            let value = &[at as u8, 64, 0, 0];
            builder.add(NewCell { tag, flags: 0, key, seq: 100 - at as u64, value });
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
        // Of gaps, places are not kept.
        let kinds = [(1, ChildKind::Block), (2, ChildKind::Gap)];
        for (keys, (tag, kind)) in lists.into_iter().flat_map(|keys| kinds.map(|kind| (keys, kind))) {
            let [plain, headed] = block(keys, tag);
            assert_eq!(headed.heads.as_ref().unwrap().place(0).is_some(), kind == ChildKind::Block);
            for key in &asked {
                for seq in [0, 97, 98, 99, 100, u64::MAX] {
                    let target = Target { key, seq };
                    let found = |block: &CellBlock| {
                        let hit = block.lower_bound(&KeyOrder::Bytes, target).unwrap();
                        hit.map(|hit| (hit.cell.at, hit.is_key))
                    };
                    assert_eq!(found(&headed), found(&plain), "{key:?} at {seq} in {keys:?}");
                    let child = headed.child_over(&KeyOrder::Bytes, target).unwrap();
                    let child = child.map(|child| (child.kind, child.span.offset, child.number));
                    let number = |at| (0..keys.len()).position(|cell| plain.restart(cell) == at);
                    let number = found(&plain).and_then(|(at, _)| number(at as usize));
                    assert_eq!(child, number.map(|number| (kind, number as u64, Some(number))));
                }
            }
        }
    }
}
