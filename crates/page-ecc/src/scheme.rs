//! How much protection a file gets: the outer code over its columns and the inner code in its pages.

use core::fmt;

/// The code over each column of pages.
///
/// ```
/// use page_ecc::Scheme;
/// assert_eq!(Scheme::default(), Scheme::STANDARD);
/// assert_eq!(Scheme::STANDARD.to_string(), "64+4");
/// assert_eq!("xor 8+1".parse(), Ok(Scheme::Xor { data: 8 }));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// Digests alone: damage is noticed, one flipped bit a page is corrected, nothing is rebuilt.
    ChecksumOnly,
    /// One parity page for at most `data` pages of a column: any one of them comes back.
    Xor {
        /// Body pages of a column, at most.
        data: u16,
    },
    /// Reed–Solomon: any `parity` lost pages of a column come back.
    ReedSolomon {
        /// Body pages of a column, at most.
        data: u16,
        /// Parity pages of a column.
        parity: u16,
    },
}

impl Scheme {
    /// 64 + 4: any hole up to 1/16 of the file, for less than 7 % of space from 16 MiB on.
    pub const STANDARD: Self = Self::ReedSolomon { data: 64, parity: 4 };
    /// 64 + 2: any hole up to 1/32 of the file, for about half the space.
    pub const LIGHT: Self = Self::ReedSolomon { data: 64, parity: 2 };
    /// 32 + 8: any hole up to a quarter of the file.
    pub const STRONG: Self = Self::ReedSolomon { data: 32, parity: 8 };

    /// The most body pages a column may have.
    pub const DATA_MAX: u16 = 4096;
    /// The most parity pages a column may have.
    pub const PARITY_MAX: u16 = 256;

    /// Body pages of a column, at most; 1 where there is no code.
    #[must_use]
    pub const fn data(self) -> u16 {
        match self {
            Self::ChecksumOnly => 1,
            Self::Xor { data } | Self::ReedSolomon { data, .. } => data,
        }
    }

    /// Parity pages of a column: as many lost pages of it come back.
    #[must_use]
    pub const fn parity(self) -> u16 {
        match self {
            Self::ChecksumOnly => 0,
            Self::Xor { .. } => 1,
            Self::ReedSolomon { parity, .. } => parity,
        }
    }

    /// Whether its counts are within the limits.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        let (data, parity) = (self.data(), self.parity());
        data >= 1
            && data <= Self::DATA_MAX
            && parity <= Self::PARITY_MAX
            && (parity >= 1 || matches!(self, Self::ChecksumOnly))
    }

    pub(crate) const fn tag(self) -> u16 {
        match self {
            Self::ChecksumOnly => 0,
            Self::Xor { .. } => 1,
            Self::ReedSolomon { .. } => 2,
        }
    }

    pub(crate) fn from_tag(tag: u16, data: u16, parity: u16) -> Option<Self> {
        let scheme = match tag {
            0 => Self::ChecksumOnly,
            1 => Self::Xor { data },
            2 => Self::ReedSolomon { data, parity },
            _ => return None,
        };
        (scheme.is_valid() && scheme.data() == data && scheme.parity() == parity).then_some(scheme)
    }
}

impl Default for Scheme {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChecksumOnly => f.write_str("checksum only"),
            Self::Xor { data } => write!(f, "xor {data}+1"),
            Self::ReedSolomon { data, parity } => write!(f, "{data}+{parity}"),
        }
    }
}

/// The text names no scheme.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "not a protection scheme: use standard, light, strong, checksum, `xor DATA+1` or `DATA+PARITY` \
     with at most {max_data} data and {max_parity} parity pages a column",
    max_data = Scheme::DATA_MAX,
    max_parity = Scheme::PARITY_MAX
)]
pub struct UnknownScheme;

impl core::str::FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        match text {
            "standard" => return Ok(Self::STANDARD),
            "light" => return Ok(Self::LIGHT),
            "strong" => return Ok(Self::STRONG),
            "checksum" | "checksum only" => return Ok(Self::ChecksumOnly),
            _ => {}
        }
        let (is_xor, counts) = match text.strip_prefix("xor ") {
            Some(counts) => (true, counts),
            None => (false, text),
        };
        let (data, parity) = counts.split_once('+').ok_or(UnknownScheme)?;
        let data = data.parse().map_err(|_| UnknownScheme)?;
        let parity = parity.parse().map_err(|_| UnknownScheme)?;
        let scheme = match (is_xor, parity) {
            (true, 1) => Self::Xor { data },
            (true, _) => return Err(UnknownScheme),
            (false, _) => Self::ReedSolomon { data, parity },
        };
        scheme.is_valid().then_some(scheme).ok_or(UnknownScheme)
    }
}

/// The code inside each page, beside the one over columns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum InnerCode {
    /// None: the digest's CRC half corrects one flipped bit a page for nothing.
    #[default]
    None,
    /// Hsiao (72,64): one flipped bit in every eight bytes, for 12.5 % of space.
    Hsiao,
}

impl InnerCode {
    pub(crate) const fn tag(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Hsiao => 1,
        }
    }

    pub(crate) const fn from_tag(tag: u16) -> Option<Self> {
        match tag {
            0 => Some(Self::None),
            1 => Some(Self::Hsiao),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_scheme_reads_back_what_it_prints() {
        for scheme in [
            Scheme::ChecksumOnly,
            Scheme::Xor { data: 10 },
            Scheme::STANDARD,
            Scheme::LIGHT,
            Scheme::STRONG,
            Scheme::ReedSolomon { data: 4096, parity: 256 },
        ] {
            assert_eq!(scheme.to_string().parse(), Ok(scheme));
            assert_eq!(Scheme::from_tag(scheme.tag(), scheme.data(), scheme.parity()), Some(scheme));
        }
        for text in ["", "64", "64+", "+4", "0+1", "4+0", "5000+1", "64+257", "xor 8+2", "-1+4"] {
            assert_eq!(text.parse::<Scheme>(), Err(UnknownScheme), "{text:?}");
        }
    }
}
