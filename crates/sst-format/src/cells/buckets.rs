//! The hash index of a cell block: which restart a key is behind, or that it is in none.
//!
//! One byte a bucket: the number of the restart, or 254 where keys of several restarts meet, or 255 where no
//! key falls. A key's bucket is its hash, which filters use too, scaled to the number of buckets.

use alloc::vec::Vec;

use crate::filter::KeyHash;

const MIXED: u8 = 254;
const EMPTY: u8 = 255;

/// What a bucket says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bucket {
    /// The block does not hold the key.
    Empty,
    /// If the block holds the key, all its cells are behind this restart.
    Restart(usize),
    /// Nothing.
    Mixed,
}

impl Bucket {
    pub(super) fn of(buckets: &[u8], hash: KeyHash) -> Self {
        match buckets.get(place(hash, buckets.len())) {
            Some(&EMPTY) => Self::Empty,
            Some(&restart) if restart < MIXED => Self::Restart(restart.into()),
            _ => Self::Mixed,
        }
    }
}

fn place(hash: KeyHash, buckets: usize) -> usize {
    ((u128::from(hash.to_u64()) * buckets as u128) >> 64) as usize
}

#[derive(Debug)]
pub(super) struct BucketBuilder {
    keys: Vec<(KeyHash, u32)>,
}

impl BucketBuilder {
    pub(super) const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    #[inline]
    pub(super) fn add(&mut self, hash: KeyHash, restart: usize) {
        let new = (hash, restart as u32);
        if self.keys.last() != Some(&new) {
            self.keys.push(new);
        }
    }

    /// Appends the buckets and gives their number; none where restarts are too many for a byte.
    pub(super) fn write(&self, into: &mut Vec<u8>) -> u16 {
        let count = self.keys.len() * 4 / 3 + 1;
        let restarts = self.keys.last().map_or(0, |last| last.1 as usize + 1);
        if restarts > usize::from(MIXED) || count > usize::from(u16::MAX) {
            return 0;
        }
        let at = into.len();
        into.resize(at + count, EMPTY);
        for &(hash, restart) in &self.keys {
            let bucket = &mut into[at + place(hash, count)];
            *bucket = if [EMPTY, restart as u8].contains(bucket) { restart as u8 } else { MIXED };
        }
        count as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_missed() {
        let mut builder = BucketBuilder::new();
        let key = |at: u32| at.to_be_bytes();
        (0..200).for_each(|at| builder.add(KeyHash::of_key(&key(at)), at as usize / 16));
        let mut bytes = Vec::new();
        assert_eq!(usize::from(builder.write(&mut bytes)), bytes.len());
        let of = |at| Bucket::of(&bytes, KeyHash::of_key(&key(at)));
        for at in 0..200 {
            assert!([Bucket::Restart(at as usize / 16), Bucket::Mixed].contains(&of(at)));
        }
        assert!((200..1200).filter(|&at| of(at) == Bucket::Empty).count() > 300);
    }
}
