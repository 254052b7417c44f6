//! The page: the unit of loss, of digests and of healing.
//!
//! Owns the page length and the two ways of numbering pages. A [`PageNo`] counts from the start of
//! a sealed file; a [`CodeNo`] counts the pages that carry a digest: body first, then parity, then
//! word checks. Which is which is the business of [`Geometry`](crate::Geometry).

use core::fmt;
use core::ops::Range;

/// Bytes of a page. Everything in a sealed file starts and ends on one.
pub const PAGE_LEN: usize = 4096;

/// The bytes of one page.
pub type Page = [u8; PAGE_LEN];

/// What missing pages of a column count as.
pub(crate) const ZERO_PAGE: Page = [0; PAGE_LEN];

/// A page of a sealed file, counted from its first.
///
/// ```
/// use page_ecc::PageNo;
/// assert_eq!(PageNo::new(3).offset(), 3 * 4096);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageNo(u64);

impl PageNo {
    /// The page at this place of the file.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// How many pages stand before it.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The byte at which the page starts.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.0 * PAGE_LEN as u64
    }

    /// The page `count` pages further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for PageNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A page that carries a digest: body pages first, then parity, then word checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct CodeNo(pub(crate) u64);

/// Pages as few ranges: what a message prints and a caller acts on.
///
/// ```
/// use page_ecc::{PageNo, PageRanges};
/// let ranges: PageRanges = [4, 5, 6, 9].into_iter().map(PageNo::new).collect();
/// assert_eq!(ranges.to_string(), "4-6, 9");
/// assert_eq!(ranges.page_count(), 4);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PageRanges(alloc::vec::Vec<Range<u64>>);

impl PageRanges {
    /// Adds a page; pages come in ascending order.
    pub fn push(&mut self, page: PageNo) {
        match self.0.last_mut() {
            Some(last) if last.end == page.0 => last.end += 1,
            Some(last) if last.end > page.0 => debug_assert!(last.contains(&page.0)),
            _ => self.0.push(page.0..page.0 + 1),
        }
    }

    /// The ranges, first page to one past the last.
    pub fn iter(&self) -> impl Iterator<Item = Range<PageNo>> + '_ {
        self.0.iter().map(|range| PageNo(range.start)..PageNo(range.end))
    }

    /// How many pages they hold together.
    #[must_use]
    pub fn page_count(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether there is no page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<PageNo> for PageRanges {
    fn from_iter<I: IntoIterator<Item = PageNo>>(pages: I) -> Self {
        let mut ranges = Self::default();
        pages.into_iter().for_each(|page| ranges.push(page));
        ranges
    }
}

impl fmt::Display for PageRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        for (index, range) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match range.end - range.start {
                1 => write!(f, "{comma}{}", range.start)?,
                _ => write!(f, "{comma}{}-{}", range.start, range.end - 1)?,
            }
        }
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more ranges"),
        }
    }
}
