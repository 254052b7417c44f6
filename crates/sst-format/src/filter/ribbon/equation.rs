//! The linear equation of one key: where it starts, which rows it adds up, what they must add up to.
//!
//! Invariant: the same hash and seed give the same equation, so a repeated key never contradicts itself. All
//! arithmetic mixes a hash that is already even; it separates layers and fields, it does not repair a bad hash.

/// Rows an equation spans; the width of the ribbon and the rows of a block.
pub(super) const ROWS: usize = 32;

/// The hash of a key, mixed with the filter's seed: one to one, so sorting these keeps everything known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mixed(pub(super) u64);

impl Mixed {
    #[inline]
    pub(super) const fn new(hash: u64, seed: u64) -> Self {
        let product = (hash ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(product ^ (product >> 32))
    }

    /// The start row in a layer that has `starts` of them, monotonic in `self * multiplier`.
    #[inline]
    pub(super) const fn start(self, multiplier: u64, starts: u64) -> usize {
        ((self.0.wrapping_mul(multiplier) as u128 * starts as u128) >> 64) as usize
    }

    /// Which of the 32 rows from the start are added up; the lowest bit, the start itself, is always set.
    #[inline]
    pub(super) const fn coefficients(self) -> u32 {
        (self.line() >> 32) as u32 | 1
    }

    /// What the rows must add up to, in all columns a filter can have.
    #[inline]
    pub(super) const fn fingerprint(self) -> Fingerprint {
        let product = self.line().wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        Fingerprint(product ^ (product >> 32))
    }

    #[inline]
    const fn line(self) -> u64 {
        let product = self.0.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        product ^ (product >> 32)
    }
}

/// Up to 32 fingerprint bits, spread over eight bytes as [`columns`](super::columns) wants them: column `j` is
/// bit `j / 8` of the byte whose index is `j % 8` with its three bits reversed. Higher bits are noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) u64);

impl Fingerprint {
    const NIBBLES: u64 = 0x0F0F_0F0F_0F0F_0F0F;

    /// All 32 bits without the noise.
    #[inline]
    pub(super) const fn pack(self) -> u32 {
        let bits = self.0 & Self::NIBBLES;
        (bits | (bits >> 28)) as u32
    }

    /// The bit of a packed fingerprint that is column `column`.
    #[inline]
    pub(super) const fn packed_bit(column: usize) -> usize {
        let byte = super::columns::reversed(column % 8);
        byte % 4 * 8 + byte / 4 * 4 + column / 8
    }
}

/// The multiplier that gives layer `layer` its own start rows; `salt` varies it when an attempt fails.
pub(super) const fn multiplier(layer: usize, salt: u8) -> u64 {
    let number = (layer as u64) << 8 | salt as u64;
    let mixed = (number + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 29)) | 1
}

#[cfg(test)]
mod tests {
    use super::super::columns::reversed;
    use super::*;

    #[test]
    fn packing_keeps_every_column() {
        for number in 0..1000u64 {
            let fingerprint = Mixed::new(number, 7).fingerprint();
            for column in 0..32 {
                let spread = fingerprint.0 >> (8 * reversed(column % 8) + column / 8) & 1;
                let packed = fingerprint.pack() >> Fingerprint::packed_bit(column) & 1;
                assert_eq!(u64::from(packed), spread);
            }
        }
    }

    #[test]
    fn starts_stay_inside_the_layer() {
        for mixed in [0, 1, u64::MAX >> 1, u64::MAX] {
            assert!(Mixed(mixed).start(multiplier(0, 0), 32) < 32);
            assert!(Mixed(mixed).start(1, 1 << 32) < 1 << 32);
        }
    }
}
