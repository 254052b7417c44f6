//! What a filter is asked to be: its kind and its false-positive rate.
//!
//! Invariant: a rate is a fraction of 2^32, above 0 and at most one half, so every later computation is on
//! integers and gives the same filter on every machine. Which level of a tree gets which policy is the
//! caller's decision.

/// Entries of so many bytes on average get stricter filters.
const LARGE_ENTRY_BYTES: u64 = 512;

/// How a filter is built.
///
/// ```
/// use sst_format::{FalsePositiveRate, FilterPolicy};
///
/// assert_eq!(FilterPolicy::default(), FilterPolicy::Fitting);
/// let strict = FilterPolicy::Ribbon(FalsePositiveRate::per_million(100));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterPolicy {
    /// A ribbon filter at 1 %, 7 bits a key; at 0.1 %, 10 bits, in tables of entries of 512 bytes or more on average,
    /// beside which 3 bits are nothing.
    #[default]
    Fitting,
    /// A Bloom filter at the same rates, 10 and 16 bits a key: quicker to build and to ask, for tables that live
    /// shortly.
    FittingQuick,
    /// Bumped ribbon retrieval: fewest bits, for tables that live long.
    Ribbon(FalsePositiveRate),
    /// Cache-line-blocked Bloom: half again as many bits, quickest to build, for tables that live shortly.
    Bloom(FalsePositiveRate),
}

/// A kind and a rate, once both are known.
pub(super) enum Recipe {
    Ribbon(FalsePositiveRate),
    Bloom(FalsePositiveRate),
}

impl FilterPolicy {
    /// What it comes to over entries of so many bytes on average.
    pub(super) fn recipe(self, entry_bytes: u64) -> Recipe {
        let fitting = || match entry_bytes >= LARGE_ENTRY_BYTES {
            true => FalsePositiveRate::per_million(1_000),
            false => FalsePositiveRate::default(),
        };
        match self {
            Self::Fitting => Recipe::Ribbon(fitting()),
            Self::FittingQuick => Recipe::Bloom(fitting()),
            Self::Ribbon(rate) => Recipe::Ribbon(rate),
            Self::Bloom(rate) => Recipe::Bloom(rate),
        }
    }

    /// The same for a table that lives shortly.
    #[must_use]
    pub const fn if_short_lived(self) -> Self {
        match self {
            Self::Fitting => Self::FittingQuick,
            asked_for => asked_for,
        }
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
    fn large_entries_get_strict_filters_and_short_lives_quick_ones() {
        let rate = |policy: FilterPolicy, entry_bytes| match policy.recipe(entry_bytes) {
            Recipe::Ribbon(rate) => ("ribbon", rate),
            Recipe::Bloom(rate) => ("Bloom", rate),
        };
        let (usual, strict) = (FalsePositiveRate::default(), FalsePositiveRate::per_million(1_000));
        let quick = FilterPolicy::Fitting.if_short_lived();
        assert_eq!([0, 511, 512].map(|len| rate(FilterPolicy::Fitting, len).1), [usual, usual, strict]);
        assert_eq!([511, 512].map(|len| rate(quick, len)), [("Bloom", usual), ("Bloom", strict)]);
        let asked_for = FilterPolicy::Ribbon(strict);
        assert_eq!(asked_for.if_short_lived(), asked_for);
        assert_eq!(rate(asked_for, 0), ("ribbon", strict));
    }

    #[test]
    fn rates_outside_the_range_move_to_its_ends() {
        assert_eq!(FalsePositiveRate::per_million(0), FalsePositiveRate::per_million(1));
        assert_eq!(FalsePositiveRate::per_million(u32::MAX), FalsePositiveRate::one_in_power_of_two(0));
        assert_eq!(FalsePositiveRate::one_in_power_of_two(255).parts(), FalsePositiveRate::PARTS_MIN);
    }
}
