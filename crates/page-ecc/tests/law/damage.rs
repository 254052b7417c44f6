//! Damage as values, and the small generator that draws it.

use page_ecc::PAGE_LEN;

use crate::judge::Medium;

/// SplitMix64: small, seeded, good enough to hurt with.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// What happens to a stretch of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Zero,
    Garble,
    /// Bytes of another place of the same file.
    Elsewhere,
    /// The same place of another file, sealed alike.
    Foreign,
    /// Reads fail.
    Unreadable,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Zero, Self::Garble, Self::Elsewhere, Self::Foreign, Self::Unreadable];
}

/// Hurts `len` bytes from `at` on; what lies behind the file's end is left out.
pub(crate) fn hurt(medium: &mut Medium, kind: Kind, at: usize, len: usize, random: &mut Random) {
    let end = (at + len).min(medium.bytes.len());
    let at = at.min(end);
    match kind {
        Kind::Zero => medium.bytes[at..end].fill(0),
        Kind::Garble => medium.bytes[at..end].copy_from_slice(&random.bytes(end - at)),
        Kind::Foreign => medium.bytes[at..end].copy_from_slice(&medium.foreign[at..end]),
        Kind::Elsewhere => {
            let other = random.below(medium.bytes.len() - (end - at) + 1);
            medium.bytes.copy_within(other..other + (end - at), at);
        }
        Kind::Unreadable => {
            medium.unreadable.extend((at / PAGE_LEN) as u64..end.div_ceil(PAGE_LEN) as u64);
        }
    }
}

/// Flips one bit.
pub(crate) fn flip(medium: &mut Medium, bit: usize) {
    medium.bytes[bit / 8] ^= 1 << (bit % 8);
}
