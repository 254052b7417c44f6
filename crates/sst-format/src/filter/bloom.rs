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
        if body.len() % LINE_LEN != 0 {
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
    /// The smallest measured size at or under a rate, as (rate in ppm, hundredths of a bit a key, probes).
    /// Blocks fill unevenly, so each row is a little above the textbook's `1.44 · log2(1 / rate)`.
    const MEASURED: [(u32, u32, u8); 3] = [(10_000, 1020, 6), (1_000, 1610, 9), (100, 2340, 12)];

    fn for_rate(rate: FalsePositiveRate) -> Self {
        let fitting = Self::MEASURED.iter().find(|(ppm, ..)| FalsePositiveRate::per_million(*ppm) <= rate);
        let (_, centibits, probes) = *fitting.unwrap_or(&Self::MEASURED[Self::MEASURED.len() - 1]);
        Self { centibits, probes }
    }
}
