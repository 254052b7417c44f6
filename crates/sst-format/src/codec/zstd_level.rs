//! Zstandard's effort, a number within the range its library offers.

use super::error::CodecError;

/// How hard Zstandard tries: 1 is fast, 19 and more are slow and take much memory.
///
/// ```
/// use sst_format::{CodecError, ZstdLevel};
/// assert_eq!(ZstdLevel::new(19)?.get(), 19);
/// assert_eq!(ZstdLevel::default().get(), 3);
/// assert_eq!(ZstdLevel::new(23), Err(CodecError::Level { found: 23 }));
/// # Ok::<(), CodecError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ZstdLevel(u8);

impl ZstdLevel {
    /// The lowest.
    pub const MIN: Self = Self(1);
    /// The highest.
    pub const MAX: Self = Self(22);

    /// A level from 1 to 22.
    ///
    /// # Errors
    /// When it is none.
    pub const fn new(level: u8) -> Result<Self, CodecError> {
        match level {
            1..=22 => Ok(Self(level)),
            found => Err(CodecError::Level { found }),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for ZstdLevel {
    /// Level 3, the library's own choice.
    fn default() -> Self {
        Self(3)
    }
}
