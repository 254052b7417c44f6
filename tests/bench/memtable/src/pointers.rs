//! The same skip list as ours, but in one region of memory that offsets are trusted in: what bounds checks and
//! the search for a chunk cost, and what it would bring to lend keys and values out instead of copying them.
//! Only for keys and values of the length measured.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use bytes::Bytes;

use crate::{
    Subject,
    data::{Key, Value},
};

const LEVELS: usize = 12;
const HEAD: usize = 16;
const LAYOUT: Layout = Layout::new::<[u64; 1 << 27]>();

pub struct Pointers {
    base: *mut u8,
    free: AtomicU64,
}

// SAFETY: words that change are atomics; a node's bytes are written before a link to it is stored with `Release`.
unsafe impl Send for Pointers {}
// SAFETY: as above.
unsafe impl Sync for Pointers {}

impl Pointers {
    fn word(&self, at: usize) -> &AtomicU64 {
        // SAFETY: offsets are of words that were taken from the region.
        unsafe { &*self.base.cast::<AtomicU64>().add(at) }
    }

    fn bytes<const N: usize>(&self, at: usize) -> &[u8; N] {
        // SAFETY: as above; these were written before a link led here, and do not change.
        unsafe { &*self.base.add(at * 8).cast::<[u8; N]>() }
    }

    fn is_before(&self, link: u64, key: &Key, prefix: u64, seq: u64) -> bool {
        if link == 0 || link >> 32 > prefix {
            return false;
        }
        let at = link as u32 as usize;
        link >> 32 < prefix
            || match self.bytes::<16>(at + 1).cmp(key) {
                std::cmp::Ordering::Equal => self.word(at).load(Relaxed) > seq,
                order => order.is_lt(),
            }
    }

    fn walk(&self, mut at: usize, level: usize, behind: u64, key: &Key, seq: u64) -> (usize, u64) {
        let prefix = prefix(key);
        loop {
            let link = self.word(at - 1 - level).load(Acquire);
            if link == behind || !self.is_before(link, key, prefix, seq) {
                return (at, link);
            }
            at = link as u32 as usize;
        }
    }

    fn search(&self, key: &Key, seq: u64) -> [(usize, u64); LEVELS] {
        let mut way = [(HEAD, 0); LEVELS];
        let (mut at, mut behind) = (HEAD, 0);
        for level in (0..LEVELS).rev() {
            (at, behind) = self.walk(at, level, behind, key, seq);
            way[level] = (at, behind);
        }
        way
    }
}

fn prefix(key: &Key) -> u64 {
    u64::from(u32::from_be_bytes([key[0], key[1], key[2], key[3]]))
}

impl Drop for Pointers {
    fn drop(&mut self) {
        // SAFETY: it was allocated so.
        unsafe { dealloc(self.base, LAYOUT) }
    }
}

impl Subject for Pointers {
    fn new() -> Self {
        // SAFETY: the layout has a size.
        let base = unsafe { alloc_zeroed(LAYOUT) };
        assert!(!base.is_null());
        Self { base, free: AtomicU64::new(32) }
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        let mut hash = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ hash >> 31).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let height = (1 + (hash ^ hash >> 32).trailing_zeros() as usize / 2).min(LEVELS);
        let words = height + 1 + 2 + 13;
        let at = self.free.fetch_add(words as u64, Relaxed) as usize + height;
        assert!(at + words < 1 << 27);
        self.word(at).store(seq, Relaxed);
        // SAFETY: these words are nobody else's yet.
        unsafe {
            self.base.add(at * 8 + 8).cast::<Key>().write(*key);
            self.base.add(at * 8 + 24).cast::<Value>().write(*value);
        }
        let link = prefix(key) << 32 | at as u64;
        let mut way = self.search(key, seq);
        for (level, (before, next)) in way[..height].iter_mut().enumerate() {
            loop {
                self.word(at - 1 - level).store(*next, Relaxed);
                let word = self.word(*before - 1 - level);
                if word.compare_exchange(*next, link, Release, Relaxed).is_ok() {
                    break;
                }
                (*before, *next) = self.walk(*before, level, 0, key, seq);
            }
        }
    }

    fn get(&self, key: &Key) -> Option<u8> {
        let link = self.search(key, u64::MAX)[0].1;
        let at = link as u32 as usize;
        (link != 0 && self.bytes::<16>(at + 1) == key)
            .then(|| Bytes::copy_from_slice(self.bytes::<100>(at + 3))[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        let mut at = self.word(HEAD - 1).load(Acquire) as u32 as usize;
        while at != 0 {
            visit(self.bytes::<16>(at + 1), self.bytes::<100>(at + 3));
            at = self.word(at - 1).load(Acquire) as u32 as usize;
        }
    }
}
