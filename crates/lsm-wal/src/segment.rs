//! A segment: one file of fixed size that holds the same bytes twice.
//!
//! Its first half is extent A, its second half extent B. Page 0 of each is the header, frames stand behind
//! it. The extents are as far apart as they are long and never shorter than [`EXTENT_PAGES_MIN`] pages, so
//! no hole of 64 KiB (17 pages where it is not aligned) takes both copies of anything.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use page_ecc::{PAGE_LEN, Uid};

/// The shortest extent: more than the 17 pages an unaligned hole of 64 KiB touches.
pub const EXTENT_PAGES_MIN: u64 = 32;

/// The longest extent: 2^31 bytes and some room for a group of 1 GiB.
pub(crate) const EXTENT_PAGES_MAX: u64 = 1 << 20;

const PAGE: u64 = PAGE_LEN as u64;
const SUFFIX: &str = ".wal";

/// The number of a segment, which is also its file's name; never used twice.
///
/// ```
/// assert_eq!(lsm_wal::SegmentNo::new(7).file_name(), "000000000007.wal");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNo(u64);

/// What must be remembered of a segment outside it: its manifest entry.
///
/// ```
/// use lsm_wal::{SegmentNo, SegmentRecord, Uid};
/// let record = SegmentRecord { number: SegmentNo::new(1), uid: Uid::new([7; 16]), extent_pages: 32 };
/// assert_eq!(record.file_len(), 2 * 32 * 4096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentRecord {
    /// Its number.
    pub number: SegmentNo,
    /// Its name for ever.
    pub uid: Uid,
    /// The pages of one extent.
    pub extent_pages: u64,
}

/// Which of the two copies.
///
/// ```
/// assert_eq!(lsm_wal::Extent::A.to_string(), "extent A");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// The first half of the file.
    A,
    /// The second half.
    B,
}

/// A place in an extent, in bytes from its start: the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(pub(crate) u64);

impl SegmentNo {
    /// The segment numbered `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next number.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The last part of its path.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{:012}{SUFFIX}", self.0)
    }

    /// The number a file name stands for, if it is that of a segment.
    ///
    /// ```
    /// use lsm_wal::SegmentNo;
    /// assert_eq!(SegmentNo::of_file("000000000007.wal".as_ref()), Some(SegmentNo::new(7)));
    /// assert_eq!(SegmentNo::of_file("7.wal".as_ref()), None);
    /// ```
    #[must_use]
    pub fn of_file(name: &Path) -> Option<Self> {
        let digits = name.to_str()?.strip_suffix(SUFFIX)?;
        let number = Self(digits.parse().ok()?);
        (number.file_name().as_str() == name.to_str()?).then_some(number)
    }
}

impl SegmentRecord {
    /// How long its file is.
    #[must_use]
    pub const fn file_len(&self) -> u64 {
        self.extent_len().saturating_mul(2)
    }

    /// Where its file lies.
    #[must_use]
    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.number.file_name())
    }

    pub(crate) const fn extent_len(&self) -> u64 {
        self.extent_pages.saturating_mul(PAGE)
    }

    /// Whether the sizes are ones this crate makes.
    pub(crate) const fn is_sane(&self) -> bool {
        self.extent_pages >= EXTENT_PAGES_MIN && self.extent_pages <= EXTENT_PAGES_MAX
    }

    /// The byte of the file at which `position` of an extent stands.
    pub(crate) const fn offset(&self, extent: Extent, position: Position) -> u64 {
        match extent {
            Extent::A => position.0,
            Extent::B => self.extent_len() + position.0,
        }
    }
}

impl Extent {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];
}

impl Position {
    /// Where the first frame stands: behind the header.
    pub(crate) const FRAMES: Self = Self(PAGE);

    pub(crate) const fn page(self) -> u64 {
        self.0 / PAGE
    }

    pub(crate) const fn in_page(self) -> usize {
        (self.0 % PAGE) as usize
    }

    /// The start of this page if it stands there, else of the next.
    pub(crate) const fn round_up(self) -> Self {
        Self(self.0.next_multiple_of(PAGE))
    }
}

impl fmt::Display for SegmentNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "extent A",
            Self::B => "extent B",
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
