//! What a filter is asked to be: its kind and its false-positive rate.
//!
//! Invariant: a rate is a fraction of 2^32, above 0 and at most one half, so every later computation is on
//! integers and gives the same filter on every machine. Which level of a tree gets which policy is the
//! caller's decision.

/// How a filter is built.
///
/// The default is a ribbon filter at 1 %: 7 bits a key.
///
/// ```
/// use sst_format::{FalsePositiveRate, FilterPolicy};
///
/// let one_percent = FalsePositiveRate::per_million(10_000);
/// assert_eq!(FilterPolicy::default(), FilterPolicy::Ribbon(one_percent));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterPolicy {
    /// Bumped ribbon retrieval: fewest bits, for tables that live long.
    Ribbon(FalsePositiveRate),
    /// Cache-line-blocked Bloom: half again as many bits, quickest to build, for tables that live shortly.
    Bloom(FalsePositiveRate),
}

impl Default for FilterPolicy {
    fn default() -> Self {
        Self::Ribbon(FalsePositiveRate::default())
    }
}

/// The share of absent keys a filter may answer "maybe" to; the default is 1 %.
///
/// ```
/// use sst_format::FalsePositiveRate;
///
/// assert_eq!(FalsePositiveRate::per_million(250_000), FalsePositiveRate::one_in_power_of_two(2));
/// assert_eq!(FalsePositiveRate::per_million(100).to_string(), "100 ppm");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FalsePositiveRate {
    /// Parts of 2^32; from [`Self::PARTS_MIN`] to 2^31.
    parts: u32,
}

impl FalsePositiveRate {
    const PARTS_MIN: u32 = 1 << 8;
    const PARTS_MAX: u32 = 1 << 31;

    /// So many wrong answers in a million; values outside 1 to 500,000 are moved to the nearer end.
    #[must_use]
    pub const fn per_million(ppm: u32) -> Self {
        let ppm = if ppm < 1 { 1 } else { ppm };
        let parts = ((ppm as u64) << 32) / 1_000_000;
        Self { parts: if parts > Self::PARTS_MAX as u64 { Self::PARTS_MAX } else { parts as u32 } }
    }

    /// One wrong answer in 2^`power`; values outside 1 to 24 are moved to the nearer end.
    #[must_use]
    pub const fn one_in_power_of_two(power: u8) -> Self {
        let power = if power < 1 { 1 } else { power };
        Self { parts: if power > 24 { Self::PARTS_MIN } else { 1 << (32 - power) } }
    }

    /// The rate as parts of 2^32.
    pub(super) const fn parts(self) -> u32 {
        self.parts
    }
}

impl Default for FalsePositiveRate {
    fn default() -> Self {
        Self::per_million(10_000)
    }
}

impl core::fmt::Display for FalsePositiveRate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let tenths = (u64::from(self.parts) * 10_000_000).div_ceil(1 << 32);
        match tenths % 10 {
            0 => write!(f, "{} ppm", tenths / 10),
            tenth => write!(f, "{}.{tenth} ppm", tenths / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_outside_the_range_move_to_its_ends() {
        assert_eq!(FalsePositiveRate::per_million(0), FalsePositiveRate::per_million(1));
        assert_eq!(FalsePositiveRate::per_million(u32::MAX), FalsePositiveRate::one_in_power_of_two(0));
        assert_eq!(FalsePositiveRate::one_in_power_of_two(255).parts(), FalsePositiveRate::PARTS_MIN);
    }
}
