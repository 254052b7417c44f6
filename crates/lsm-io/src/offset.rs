//! Places and lengths in files, so that a length is never passed where a place is meant.
//!
//! The arithmetic is only what means something: a place plus a length is a place, the distance of two
//! places is a length, and there is no place plus a place.

use std::{fmt, ops};

/// A place in a file, in bytes from its start.
///
/// ```
/// use lsm_io::{ByteLen, FileOffset};
/// assert_eq!(FileOffset::new(10) + ByteLen::new(5), FileOffset::new(15));
/// assert_eq!(FileOffset::new(15).since(FileOffset::new(10)), ByteLen::new(5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOffset(u64);

/// A number of bytes.
///
/// ```
/// use lsm_io::ByteLen;
/// assert_eq!(ByteLen::of(b"four") + ByteLen::new(1), ByteLen::new(5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteLen(u64);

impl FileOffset {
    /// The start of a file.
    ///
    /// ```
    /// assert_eq!(lsm_io::FileOffset::ZERO.get(), 0);
    /// ```
    pub const ZERO: Self = Self(0);

    /// The place `bytes` after the start.
    ///
    /// ```
    /// assert_eq!(lsm_io::FileOffset::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The bytes before this place.
    ///
    /// ```
    /// assert_eq!(lsm_io::FileOffset::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// How far this place lies behind `earlier`; nothing if it does not.
    ///
    /// ```
    /// use lsm_io::{ByteLen, FileOffset};
    /// assert_eq!(FileOffset::new(3).since(FileOffset::new(9)), ByteLen::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> ByteLen {
        ByteLen(self.0.saturating_sub(earlier.0))
    }
}

impl ByteLen {
    /// Nothing.
    ///
    /// ```
    /// assert_eq!(lsm_io::ByteLen::ZERO.get(), 0);
    /// ```
    pub const ZERO: Self = Self(0);

    /// A length of `bytes`.
    ///
    /// ```
    /// assert_eq!(lsm_io::ByteLen::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The length of a slice.
    ///
    /// ```
    /// assert_eq!(lsm_io::ByteLen::of(&[0; 3]).get(), 3);
    /// ```
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        Self(bytes.len() as u64)
    }

    /// The number of bytes.
    ///
    /// ```
    /// assert_eq!(lsm_io::ByteLen::new(7).get(), 7);
    /// ```
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl ops::Add<ByteLen> for FileOffset {
    type Output = Self;

    fn add(self, len: ByteLen) -> Self {
        Self(self.0.saturating_add(len.0))
    }
}

impl ops::Add for ByteLen {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for FileOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ByteLen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
