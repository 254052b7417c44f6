//! Randomness as an argument: a seed, and the same numbers every time.

/// A small generator (SplitMix64) for fault plans and crash images; not for secrets.
///
/// ```
/// use lsm_io::Rng;
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.below(10) < 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The generator that `seed` stands for.
    ///
    /// ```
    /// assert_ne!(lsm_io::Rng::new(1).next_u64(), lsm_io::Rng::new(2).next_u64());
    /// ```
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    ///
    /// ```
    /// assert_eq!(lsm_io::Rng::new(0).next_u64(), 0xE220_A839_7B1D_CDAF);
    /// ```
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, near enough to evenly; 0 for a bound of 0.
    ///
    /// ```
    /// assert_eq!(lsm_io::Rng::new(3).below(0), 0);
    /// ```
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The high half of a 128-bit product: no division, bias below 2^-64 * bound.
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// True `times` times out of `of`.
    ///
    /// ```
    /// assert!(lsm_io::Rng::new(3).chance(1, 1));
    /// ```
    pub const fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// Overwrites every byte with a random one.
    ///
    /// ```
    /// let mut bytes = [0; 9];
    /// lsm_io::Rng::new(3).fill(&mut bytes);
    /// assert_ne!(bytes, [0; 9]);
    /// ```
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}
