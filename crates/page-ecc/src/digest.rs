//! The digest of a page: what tells a right page from any other.
//!
//! Two independent halves, CRC-32C and the low half of XXH3-64, both salted with the file's uid
//! and the page's number, so that a page of another file or from another place never passes. The
//! salt is laid over the sums afterwards: the CRC half stays linear, which lets
//! [`flip`](crate::flip) read a flipped bit from it.
//!
//! | at | len | field | meaning                                                        |
//! |---:|----:|-------|----------------------------------------------------------------|
//! |  0 |   4 | crc   | CRC-32C of the page, XOR the low half of its salt               |
//! |  4 |   4 | xxh   | low half of XXH3-64 of the page, XOR the high half of its salt  |
//!
//! The salt of number `i` is the SplitMix64 finalizer of `key + (i + 1) * 0x9E3779B97F4A7C15`,
//! where `key` is XXH3-64 of the uid; within one file no two numbers share a salt.

use core::fmt;

use twox_hash::XxHash3_64;

use crate::crc::crc32c;

/// The name of a file for ever: 128 random bits, never reused.
///
/// ```
/// use page_ecc::Uid;
/// assert_eq!(Uid::new([0xAB; 16]).to_string(), "ab".repeat(16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u8; 16]);

impl Uid {
    /// A uid from 128 random bits, which the caller draws.
    #[must_use]
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

/// The digest of one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digest {
    pub(crate) crc: u32,
    pub(crate) xxh: u32,
}

impl Digest {
    pub(crate) const LEN: usize = 8;

    /// Of bytes wherever they stand; a [`Salter`] binds it to a place.
    pub(crate) fn unsalted(bytes: &[u8]) -> Self {
        Self { crc: crc32c(bytes), xxh: XxHash3_64::oneshot(bytes) as u32 }
    }

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        (u64::from(self.crc) | u64::from(self.xxh) << 32).to_le_bytes()
    }

    pub(crate) fn decode(bytes: [u8; Self::LEN]) -> Self {
        let both = u64::from_le_bytes(bytes);
        Self { crc: both as u32, xxh: (both >> 32) as u32 }
    }
}

/// Gives every page of one file its salt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Salter {
    key: u64,
}

impl Salter {
    /// Digest pages are salted from here on, far above any page that has a digest.
    pub(crate) const DIGEST_PAGES: u64 = 1 << 62;

    pub(crate) fn new(uid: Uid) -> Self {
        Self { key: XxHash3_64::oneshot(&uid.0) }
    }

    /// The digest of bytes that stand under `number`.
    pub(crate) fn digest(self, number: u64, bytes: &[u8]) -> Digest {
        self.bind(number, Digest::unsalted(bytes))
    }

    /// Binds an unsalted digest to the place `number`.
    pub(crate) fn bind(self, number: u64, unsalted: Digest) -> Digest {
        let salt = self.salt(number);
        Digest { crc: unsalted.crc ^ salt as u32, xxh: unsalted.xxh ^ (salt >> 32) as u32 }
    }

    fn salt(self, number: u64) -> u64 {
        let mut z = self.key.wrapping_add((number.wrapping_add(1)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PAGE_LEN;

    #[test]
    fn a_page_passes_only_in_its_own_file_at_its_own_place() {
        let page = [0u8; PAGE_LEN];
        let here = Salter::new(Uid::new([1; 16]));
        let there = Salter::new(Uid::new([2; 16]));
        let digest = here.digest(7, &page);
        assert_eq!(here.digest(7, &page), digest);
        assert_ne!(there.digest(7, &page), digest);
        for number in (0..4096).filter(|&number| number != 7) {
            let other = here.digest(number, &page);
            assert!(other.crc != digest.crc || other.xxh != digest.xxh);
        }
    }

    #[test]
    fn a_digest_keeps_its_bytes() {
        let digest = Digest { crc: 0x0403_0201, xxh: 0x0807_0605 };
        assert_eq!(digest.encode(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Digest::decode(digest.encode()), digest);
    }
}
