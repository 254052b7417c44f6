//! The 64-bit hash a filter knows a key by.
//!
//! Invariant: the hash of given bytes never changes, since it is part of the file format. Keys and prefixes are
//! hashed under different seeds, so one filter may hold both without a short key answering for a prefix.

use twox_hash::XxHash3_64;

/// The XXH3-64 hash of a key or of a key prefix.
///
/// ```
/// use sst_format::KeyHash;
///
/// assert_eq!(KeyHash::of_key(b"user/17"), KeyHash::of_key(b"user/17"));
/// assert_ne!(KeyHash::of_key(b"user/"), KeyHash::of_prefix(b"user/"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(u64);

/// Seed of prefix hashes; any value but zero, which is the seed of key hashes.
const PREFIX_SEED: u64 = 0x7072_6566_6978_2121;

impl KeyHash {
    /// Hashes a whole key.
    #[inline]
    #[must_use]
    pub fn of_key(key: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(key))
    }

    /// Hashes a key prefix.
    #[inline]
    #[must_use]
    pub fn of_prefix(prefix: &[u8]) -> Self {
        Self(XxHash3_64::oneshot_with_seed(PREFIX_SEED, prefix))
    }

    /// Takes a hash computed elsewhere. It must be spread evenly over 64 bits, or false positives grow.
    #[inline]
    #[must_use]
    pub const fn from_u64(hash: u64) -> Self {
        Self(hash)
    }

    /// The hash as a number.
    #[inline]
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_part_of_the_format() {
        assert_eq!(KeyHash::of_key(b""), KeyHash(0x2d06_8005_38d3_94c2));
        assert_ne!(KeyHash::of_key(b"resilver"), KeyHash::of_prefix(b"resilver"));
    }
}
