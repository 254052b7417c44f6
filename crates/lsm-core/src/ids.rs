//! Numbers that name things in a store. None is ever used twice.

use core::fmt;

/// A keyspace's tree; 0 stands for the store itself.
///
/// ```
/// use lsm_core::TreeId;
/// assert_eq!(TreeId::STORE.get(), 0);
/// assert_eq!(TreeId::new(7).to_string(), "7");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(u32);

impl TreeId {
    /// The store itself: its manifest and log belong to no keyspace.
    pub const STORE: Self = Self(0);

    /// The tree of this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A file of the store.
///
/// ```
/// use lsm_core::FileId;
/// assert!(FileId::new(2) > FileId::new(1));
/// assert_eq!(FileId::new(1).next(), FileId::new(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u64);

impl FileId {
    /// The file of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number behind it.
    ///
    /// # Panics
    /// Behind the last of 2^64 numbers, which no store reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("no store makes 2^64 files"))
    }
}

/// A run's place among those of its level: the higher, the newer.
///
/// A run keeps it when a job rewrites one of its tables where it stands.
///
/// ```
/// use lsm_core::RunNo;
/// assert!(RunNo::new(2) > RunNo::new(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunNo(u64);

impl RunNo {
    /// The run of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A level of a tree: 0 takes the flushes, the last one holds most.
///
/// ```
/// use lsm_core::Level;
/// assert_eq!(Level::ZERO.below(), Level::new(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Where flushed tables go.
    pub const ZERO: Self = Self(0);
    /// How many levels a tree has.
    pub const COUNT: usize = 7;
    /// The deepest.
    pub const LAST: Self = Self(Self::COUNT as u8 - 1);

    /// The level of this number.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        assert!((number as usize) < Self::COUNT, "a tree has seven levels");
        Self(number)
    }

    /// The level of this number, if there is one.
    #[must_use]
    pub const fn parse(number: u8) -> Option<Self> {
        if (number as usize) < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Its place in a list of levels.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The next deeper one.
    ///
    /// # Panics
    /// Below the last.
    #[must_use]
    pub const fn below(self) -> Self {
        Self::new(self.0 + 1)
    }

    /// All of them, from the top.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RunNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
