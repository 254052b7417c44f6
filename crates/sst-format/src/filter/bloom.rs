//! Cache-line-blocked Bloom filter: the yardstick, and the quickest filter to build.
//!
//! | at | len    | field   | meaning                                                              |
//! |---:|-------:|---------|----------------------------------------------------------------------|
//! |  0 | 64 · n | lines   | bit `b` of a line is bit `b % 8` of its byte `b / 8`                 |
//! | 64n |     28 | trailer | kind 2; `width` is the number of probes a key                        |
//!
//! A key owns one line and sets `width` bits of it, nine bits of hash each. Invariant: a set bit is never
//! cleared. No lines at all means no keys.

use alloc::vec::Vec;

use super::error::FilterError;
use super::hash::KeyHash;
use super::policy::FalsePositiveRate;
use super::trailer::{FilterKind, Trailer};
use super::view::Answer;

const LINE_LEN: usize = 64;
const PROBES_MAX: u8 = 24;
/// Probes of nine bits that one 64-bit number feeds.
const PROBES_A_WORD: u8 = 7;

/// Serialises a filter of `hashes`.
pub(super) fn build(hashes: &[u64], rate: FalsePositiveRate, seed: u64) -> Vec<u8> {
    let Size { centibits, probes } = Size::for_rate(rate);
    let bits = (hashes.len() as u64).saturating_mul(centibits.into()) / 100;
    let lines = bits.div_ceil(8 * LINE_LEN as u64).max(u64::from(!hashes.is_empty()));
    let len =
        usize::try_from(lines).expect("lines take less room than the hashes they are made of") * LINE_LEN;
    let mut out = Vec::with_capacity(len + Trailer::LEN);
    out.resize(len, 0);
    for &hash in hashes {
        let key = Probes::new(hash, seed);
        let at = key.line(lines) * LINE_LEN;
        let line: &mut [u8; LINE_LEN] =
            out[at..].first_chunk_mut().expect("a key's line lies inside the filter");
        key.each(probes, |bit| {
            line[bit / 8] |= 1 << (bit % 8);
            true
        });
    }
    let keys = hashes.len() as u64;
    let trailer = Trailer { kind: FilterKind::Bloom, width: probes, layers: 0, wide: 0, salt: 0, seed, keys };
    out.extend_from_slice(&trailer.encode());
    out
}

/// What a query needs besides the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bloom {
    lines: u64,
    probes: u8,
    seed: u64,
}

impl Bloom {
    pub(super) fn parse(body: &[u8], trailer: &Trailer) -> Result<Self, FilterError> {
        if !(1..=PROBES_MAX).contains(&trailer.width) {
            return Err(FilterError::Field { field: "width", found: trailer.width.into() });
        }
        let unused =
            [("layers", trailer.layers.into()), ("wide", trailer.wide.into()), ("salt", trailer.salt.into())];
        if let Some(&(field, found)) = unused.iter().find(|(_, value)| *value != 0) {
            return Err(FilterError::Field { field, found });
        }
        let lines = (body.len() / LINE_LEN) as u64;
        if !body.len().is_multiple_of(LINE_LEN) {
            let described = lines * LINE_LEN as u64 + Trailer::LEN as u64;
            return Err(FilterError::Len { described, len: body.len() + Trailer::LEN });
        }
        Ok(Self { lines, probes: trailer.width, seed: trailer.seed })
    }

    #[inline]
    pub(super) fn may_contain(&self, bytes: &[u8], hash: KeyHash) -> Answer {
        if self.lines == 0 {
            return Answer::Absent;
        }
        let key = Probes::new(hash.to_u64(), self.seed);
        let Some(line) =
            bytes.get(key.line(self.lines) * LINE_LEN..).and_then(<[u8]>::first_chunk::<LINE_LEN>)
        else {
            return Answer::Maybe;
        };
        match key.each(self.probes, |bit| line[bit / 8] >> (bit % 8) & 1 != 0) {
            true => Answer::Maybe,
            false => Answer::Absent,
        }
    }
}

/// The line and the bits of one key.
#[derive(Clone, Copy)]
struct Probes {
    mixed: u64,
}

impl Probes {
    #[inline]
    fn new(hash: u64, seed: u64) -> Self {
        Self { mixed: (hash ^ seed).wrapping_mul(0xA24B_AED4_963E_E407) }
    }

    #[inline]
    fn line(self, lines: u64) -> usize {
        ((u128::from(self.mixed) * u128::from(lines)) >> 64) as usize
    }

    /// Calls `visit` with each bit and says whether all calls did; stops only between hash words.
    #[inline]
    fn each(self, probes: u8, mut visit: impl FnMut(usize) -> bool) -> bool {
        let mut word = self.mixed;
        let mut left = probes;
        loop {
            word = (word ^ (word >> 32)).wrapping_mul(0x9FB2_1C65_1E98_DF25);
            let mut bits = word ^ (word >> 32);
            let mut all = true;
            for _ in 0..left.min(PROBES_A_WORD) {
                all &= visit((bits >> 55) as usize);
                bits <<= 9;
            }
            left = left.saturating_sub(PROBES_A_WORD);
            if !all || left == 0 {
                return all;
            }
        }
    }
}

/// Bits and probes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    centibits: u32,
    probes: u8,
}

impl Size {
    /// Sizes by rate: ppm, hundredths of a bit a key, probes.
    ///
    /// A line of 512 bits holds a Poisson number of keys, on average `512 / bits`; with `i` keys and `k` probes
    /// its bits are set with chance `1 - (1 - 1/512)^(ik)`, to the power `k` that is its rate. Each row is the
    /// fewest bits whose average rate is a sixteenth under the target, or 1.5 % more bits where that saves a probe;
    /// from 200 ppm down 1.3 % are added, as counting asks for them.
    const SIZES: [(u32, u32, u8); 17] = [
        (500_000, 100, 1),
        (200_000, 353, 2),
        (100_000, 498, 3),
        (50_000, 646, 4),
        (20_000, 849, 5),
        (10_000, 1005, 6),
        (5_000, 1183, 6),
        (2_000, 1408, 7),
        (1_000, 1579, 8),
        (500, 1759, 9),
        (200, 2032, 11),
        (100, 2268, 10),
        (50, 2478, 11),
        (20, 2765, 13),
        (10, 3049, 12),
        (1, 3944, 15),
        (0, 4200, 16),
    ];

    fn for_rate(rate: FalsePositiveRate) -> Self {
        let fits = |ppm: u32| ppm > 0 && FalsePositiveRate::per_million(ppm) <= rate;
        let [.., least] = Self::SIZES;
        let (_, centibits, probes) = Self::SIZES.into_iter().find(|size| fits(size.0)).unwrap_or(least);
        Self { centibits, probes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same answer from the byte table, a probe at a time.
    fn naive(filter: &[u8], hash: u64, seed: u64, probes: u8) -> bool {
        let lines = (filter.len() - Trailer::LEN) / LINE_LEN;
        let mixed = (hash ^ seed).wrapping_mul(0xA24B_AED4_963E_E407);
        let line = ((u128::from(mixed) * lines as u128) >> 64) as usize * LINE_LEN;
        let mut word = mixed;
        (0..probes).all(|probe| {
            if probe % PROBES_A_WORD == 0 {
                word = (word ^ (word >> 32)).wrapping_mul(0x9FB2_1C65_1E98_DF25);
            }
            let bits = (word ^ (word >> 32)) << (9 * (probe % PROBES_A_WORD));
            let bit = (bits >> 55) as usize;
            filter[line + bit / 8] >> (bit % 8) & 1 != 0
        })
    }

    #[test]
    fn answers_are_those_of_the_byte_table() {
        for (ppm, seed) in [(500_000, 0), (10_000, 1), (1_000, 2), (1, 3)] {
            let rate = FalsePositiveRate::per_million(ppm);
            let hashes: Vec<u64> =
                (0..500u64).map(|at| KeyHash::of_key(&at.to_le_bytes()).to_u64()).collect();
            let filter = build(&hashes[..300], rate, seed);
            let (body, trailer) = Trailer::split(&filter).unwrap();
            let bloom = Bloom::parse(body, &trailer).unwrap();
            for (at, &hash) in hashes.iter().enumerate() {
                let maybe = bloom.may_contain(&filter, KeyHash::from_u64(hash)) == Answer::Maybe;
                assert_eq!(maybe, naive(&filter, hash, seed, trailer.width));
                assert!(maybe || at >= 300);
            }
        }
    }

    #[test]
    fn stricter_rates_take_more_bits() {
        assert!(Size::SIZES.is_sorted_by(|a, b| a.0 > b.0 && a.1 < b.1));
        let size = |power| Size::for_rate(FalsePositiveRate::one_in_power_of_two(power));
        assert_eq!(size(1), Size { centibits: 100, probes: 1 });
        assert_eq!(size(24), Size { centibits: 4200, probes: 16 });
    }
}
