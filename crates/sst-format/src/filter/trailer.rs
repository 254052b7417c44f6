//! Filter trailer: the last 28 bytes of every filter.
//!
//! | at | len | field   | meaning                                                                    |
//! |---:|----:|---------|----------------------------------------------------------------------------|
//! |  0 |   4 | magic   | `RSFL`                                                                     |
//! |  4 |   1 | kind    | 1 ribbon, 2 Bloom                                                          |
//! |  5 |   1 | version | 1                                                                          |
//! |  6 |   1 | width   | ribbon: columns of a narrow block; Bloom: probes a key                     |
//! |  7 |   1 | layers  | ribbon: layers, 0 to 8; Bloom: 0                                           |
//! |  8 |   2 | wide    | ribbon: share of wide blocks, in 65536ths; Bloom: 0                        |
//! | 10 |   1 | salt    | ribbon: which start positions the last layer uses; Bloom: 0                |
//! | 11 |   1 | zero    | 0                                                                          |
//! | 12 |   8 | seed    | changes every bit of the filter                                            |
//! | 20 |   8 | keys    | hashes added, repeated ones that were not neighbours counted again         |
//!
//! The trailer stands last so that a query may read past the final row block without padding. Left to others:
//! everything before these bytes, see [`ribbon`](super::ribbon) and [`bloom`](super::bloom).

use super::error::FilterError;

/// Which data structure a filter is.
///
/// ```
/// use sst_format::{FilterBuilder, FilterKind, FilterPolicy, FilterView};
///
/// let bytes = FilterBuilder::new(FilterPolicy::default()).finish();
/// assert_eq!(FilterView::parse(&bytes)?.kind(), FilterKind::Ribbon);
/// # Ok::<(), sst_format::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Bumped ribbon retrieval.
    Ribbon,
    /// Cache-line-blocked Bloom filter.
    Bloom,
}

impl FilterKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Ribbon => 1,
            Self::Bloom => 2,
        }
    }

    fn parse(tag: u8) -> Result<Self, FilterError> {
        match tag {
            1 => Ok(Self::Ribbon),
            2 => Ok(Self::Bloom),
            found => Err(FilterError::Kind { found }),
        }
    }
}

/// The fields every filter carries; their ranges are checked by the kind that reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) kind: FilterKind,
    pub(super) width: u8,
    pub(super) layers: u8,
    pub(super) wide: u16,
    pub(super) salt: u8,
    pub(super) seed: u64,
    pub(super) keys: u64,
}

impl Trailer {
    pub(super) const LEN: usize = 28;
    const MAGIC: [u8; 4] = *b"RSFL";
    const VERSION: u8 = 1;

    pub(super) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&Self::MAGIC);
        bytes[4..8].copy_from_slice(&[self.kind.tag(), Self::VERSION, self.width, self.layers]);
        bytes[8..10].copy_from_slice(&self.wide.to_le_bytes());
        bytes[10] = self.salt;
        bytes[12..20].copy_from_slice(&self.seed.to_le_bytes());
        bytes[20..].copy_from_slice(&self.keys.to_le_bytes());
        bytes
    }

    /// Splits a filter into what precedes its trailer, and the trailer.
    pub(super) fn split(filter: &[u8]) -> Result<(&[u8], Self), FilterError> {
        let (body, bytes) = filter
            .split_last_chunk::<{ Self::LEN }>()
            .ok_or(FilterError::Short { len: filter.len(), min: Self::LEN })?;
        Ok((body, Self::decode(*bytes)?))
    }

    fn decode(bytes: [u8; Self::LEN]) -> Result<Self, FilterError> {
        let [m0, m1, m2, m3, kind, version, width, layers, w0, w1, salt, zero, rest @ ..] = bytes;
        let magic = [m0, m1, m2, m3];
        if magic != Self::MAGIC {
            return Err(FilterError::Magic { found: u32::from_le_bytes(magic) });
        }
        if version != Self::VERSION {
            return Err(FilterError::Version { found: version });
        }
        let kind = FilterKind::parse(kind)?;
        if zero != 0 {
            return Err(FilterError::Field { field: "zero", found: zero.into() });
        }
        let (seed, keys) = rest.split_at(8);
        let number = |half: &[u8]| half.iter().rev().fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        let wide = u16::from_le_bytes([w0, w1]);
        Ok(Self { kind, width, layers, wide, salt, seed: number(seed), keys: number(keys) })
    }
}

const _: () = assert!(Trailer::LEN == 4 + 1 + 1 + 1 + 1 + 2 + 1 + 1 + 8 + 8);

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Trailer = Trailer {
        kind: FilterKind::Ribbon,
        width: 6,
        layers: 3,
        wide: 0xCCCD,
        salt: 1,
        seed: 0x0123_4567_89AB_CDEF,
        keys: 1000,
    };
    const GOLDEN: [u8; Trailer::LEN] = [
        b'R', b'S', b'F', b'L', 1, 1, 6, 3, 0xCD, 0xCC, 1, 0, 0xEF, 0xCD, 0xAB, 0x89, 0x67, 0x45, 0x23, 0x01,
        0xE8, 0x03, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn the_bytes_are_pinned_both_ways() {
        assert_eq!(SAMPLE.encode(), GOLDEN);
        assert_eq!(Trailer::split(&GOLDEN), Ok((&[][..], SAMPLE)));
    }

    #[track_caller]
    fn check(at: usize, value: u8, want: FilterError) {
        let mut bytes = GOLDEN;
        bytes[at] = value;
        assert_eq!(Trailer::split(&bytes), Err(want));
    }

    #[test]
    fn every_wrong_tag_is_named() {
        check(0, b'X', FilterError::Magic { found: u32::from_le_bytes(*b"XSFL") });
        check(4, 0, FilterError::Kind { found: 0 });
        check(5, 2, FilterError::Version { found: 2 });
        check(11, 9, FilterError::Field { field: "zero", found: 9 });
        assert_eq!(Trailer::split(&GOLDEN[1..]), Err(FilterError::Short { len: 27, min: 28 }));
    }
}
