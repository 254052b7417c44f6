//! Where everything stands in a sealed file, and which pages stand in for each other.
//!
//! ```text
//! +--------+--------------+----------+-------------+--------------+----------+--------+
//! | header | body pages   | digests  | word checks | parity pages | digests  | footer |
//! | page   | 0 .. n-1     | copy A   | (optional)  | m x L        | copy B   | page   |
//! +--------+--------------+----------+-------------+--------------+----------+--------+
//! ```
//!
//! **Columns.** Put `pad` missing pages before the body so that it fills whole *shards* of L
//! consecutive pages, and let the parity follow as m more shards. A column is one page of each
//! shard. Any m L consecutive pages, also across the seam from body to parity, then cost each
//! column at most m. **Invariant**: the pages before the body count as zeros, exist nowhere and
//! are never lost.
//!
//! L is odd (strides of a power of two alias in the cache), at least (n + k/m) / k, so that a hole
//! of m/k of the body fits wherever it starts, and m L is at least 17, so that any 64 KiB do.

use alloc::collections::BTreeMap;
use core::ops::Range;

use crate::digest_page::DIGESTS_PER_PAGE;
use crate::hsiao::CHECKS_LEN;
use crate::page::{CodeNo, PAGE_LEN, PageNo};
use crate::scheme::{InnerCode, Scheme};

/// Pages that a hole of 64 KiB can touch.
const HOLE_64K_PAGES: u64 = 17;

/// Pages whose word checks fill one page.
pub(crate) const PAGES_PER_WORD_PAGE: u64 = (PAGE_LEN / CHECKS_LEN) as u64;

/// What a page of a sealed file is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Region {
    /// The descriptor, at the start.
    Header,
    /// What the caller sealed.
    Body,
    /// Digests of body, parity and word checks.
    DigestsA,
    /// Check bits of the inner code.
    WordChecks,
    /// Parity of the columns.
    Parity,
    /// The digests once more.
    DigestsB,
    /// The descriptor, at the end.
    Footer,
}

impl Region {
    /// Every region, in the order of the file.
    pub const ALL: [Self; 7] = [
        Self::Header,
        Self::Body,
        Self::DigestsA,
        Self::WordChecks,
        Self::Parity,
        Self::DigestsB,
        Self::Footer,
    ];
}

impl core::fmt::Display for Region {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Body => "body",
            Self::DigestsA => "digests A",
            Self::WordChecks => "word checks",
            Self::Parity => "parity",
            Self::DigestsB => "digests B",
            Self::Footer => "footer",
        })
    }
}

/// No sealed file has this shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GeometryError {
    /// The body is longer than the format can hold.
    #[error("a body of {body_len} bytes is over the {max} a sealed file holds; split it", max = Geometry::BODY_LEN_MAX)]
    BodyTooLong {
        /// Bytes asked for.
        body_len: u64,
    },
    /// The body fits, but not what protects it: no file is that long.
    #[error(
        "a body of {body_len} bytes and its protection are longer than a file can be; split it, or protect it less"
    )]
    FileTooLong {
        /// Bytes of the body.
        body_len: u64,
    },
    /// The scheme's counts are outside its limits.
    #[error(
        "{data}+{parity} is no protection scheme: use 1 to {max_data} data and 1 to {max_parity} parity pages",
        max_data = Scheme::DATA_MAX,
        max_parity = Scheme::PARITY_MAX
    )]
    Scheme {
        /// Body pages of a column.
        data: u16,
        /// Parity pages of a column.
        parity: u16,
    },
    /// The columns do not fit body and scheme.
    #[error("{columns} columns cannot hold a body of {body_pages} pages under this scheme")]
    Columns {
        /// Columns asked for.
        columns: u64,
        /// Pages of the body.
        body_pages: u64,
    },
}

/// The shape of a sealed file.
///
/// ```
/// use page_ecc::{Geometry, InnerCode, Scheme};
/// let table = Geometry::new(64 << 20, Scheme::STANDARD, InnerCode::None)?;
/// assert_eq!(table.body_pages(), 16384);
/// assert_eq!(table.parity_pages(), 4 * 257);
/// assert!(table.overhead() < 0.07);
/// # Ok::<(), page_ecc::GeometryError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    body_len: u64,
    scheme: Scheme,
    inner: InnerCode,
    columns: u64,
}

impl Geometry {
    /// The longest body: 2^56 bytes.
    pub const BODY_LEN_MAX: u64 = 1 << 56;

    /// The most pages of a file: its bytes have to be counted by a signed 64-bit offset.
    const TOTAL_PAGES_MAX: u64 = i64::MAX as u64 / PAGE_LEN as u64;

    /// The shape of a file with this body under this scheme.
    ///
    /// # Errors
    /// When the body is too long or the scheme's counts are outside its limits.
    pub fn new(body_len: u64, scheme: Scheme, inner: InnerCode) -> Result<Self, GeometryError> {
        if !scheme.is_valid() {
            return Err(GeometryError::Scheme { data: scheme.data(), parity: scheme.parity() });
        }
        if body_len > Self::BODY_LEN_MAX {
            return Err(GeometryError::BodyTooLong { body_len });
        }
        let body_pages = body_len.div_ceil(PAGE_LEN as u64);
        let (data, parity) = (u64::from(scheme.data()), u64::from(scheme.parity()));
        let columns = match parity {
            0 => body_pages.max(1),
            _ => {
                let for_share = (body_pages + data.div_ceil(parity)).div_ceil(data);
                for_share.max(HOLE_64K_PAGES.div_ceil(parity)) | 1
            }
        };
        Self::with_columns(body_len, scheme, inner, columns)
    }

    /// The shape that a descriptor states; columns may differ from those of [`new`](Self::new).
    pub(crate) fn with_columns(
        body_len: u64,
        scheme: Scheme,
        inner: InnerCode,
        columns: u64,
    ) -> Result<Self, GeometryError> {
        if body_len > Self::BODY_LEN_MAX {
            return Err(GeometryError::BodyTooLong { body_len });
        }
        let body_pages = body_len.div_ceil(PAGE_LEN as u64);
        let most = (body_pages.max(1)).max(HOLE_64K_PAGES) + 2;
        if columns == 0 || columns > most || body_pages.div_ceil(columns) > u64::from(scheme.data()) {
            return Err(GeometryError::Columns { columns, body_pages });
        }
        let geometry = Self { body_len, scheme, inner, columns };
        match geometry.total_pages() <= Self::TOTAL_PAGES_MAX {
            true => Ok(geometry),
            false => Err(GeometryError::FileTooLong { body_len }),
        }
    }

    /// Bytes of the body.
    #[must_use]
    pub const fn body_len(&self) -> u64 {
        self.body_len
    }

    /// The code over columns.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The code inside pages.
    #[must_use]
    pub const fn inner(&self) -> InnerCode {
        self.inner
    }

    /// Columns, which is also the pages of a shard: L.
    #[must_use]
    pub const fn columns(&self) -> u64 {
        self.columns
    }

    /// Pages of the body: n.
    #[must_use]
    pub const fn body_pages(&self) -> u64 {
        self.body_len.div_ceil(PAGE_LEN as u64)
    }

    /// Pages of parity: m L.
    #[must_use]
    pub const fn parity_pages(&self) -> u64 {
        self.columns * self.scheme.parity() as u64
    }

    /// Pages of word checks.
    #[must_use]
    pub const fn word_pages(&self) -> u64 {
        match self.inner {
            InnerCode::None => 0,
            InnerCode::Hsiao => (self.body_pages() + self.parity_pages()).div_ceil(PAGES_PER_WORD_PAGE),
        }
    }

    /// Pages of one copy of the digests.
    #[must_use]
    pub const fn digest_pages(&self) -> u64 {
        self.code_pages().div_ceil(DIGESTS_PER_PAGE as u64)
    }

    /// Pages of the whole file.
    #[must_use]
    pub const fn total_pages(&self) -> u64 {
        2 + self.code_pages() + 2 * self.digest_pages()
    }

    /// Bytes of the whole file.
    #[must_use]
    pub const fn total_len(&self) -> u64 {
        self.total_pages() * PAGE_LEN as u64
    }

    /// What sealing adds, as a share of the body; not a number for an empty one.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        (self.total_len() - self.body_len) as f64 / self.body_len as f64
    }

    /// The pages of a region.
    #[must_use]
    pub fn region(&self, region: Region) -> Range<PageNo> {
        let mut start = 0;
        for at in Region::ALL {
            let pages = self.region_pages(at);
            if at == region {
                return PageNo::new(start)..PageNo::new(start + pages);
            }
            start += pages;
        }
        unreachable!("every region is among all regions")
    }

    fn region_pages(&self, region: Region) -> u64 {
        match region {
            Region::Header | Region::Footer => 1,
            Region::Body => self.body_pages(),
            Region::DigestsA | Region::DigestsB => self.digest_pages(),
            Region::WordChecks => self.word_pages(),
            Region::Parity => self.parity_pages(),
        }
    }

    /// Every page of the file.
    #[must_use]
    pub const fn all_pages(&self) -> Range<PageNo> {
        PageNo::new(0)..PageNo::new(self.total_pages())
    }

    /// The region of a page and the page's number within it; `None` behind the file's end.
    #[must_use]
    pub fn locate(&self, page: PageNo) -> Option<(Region, u64)> {
        let mut index = page.get();
        for region in Region::ALL {
            let pages = self.region_pages(region);
            if index < pages {
                return Some((region, index));
            }
            index -= pages;
        }
        None
    }

    /// How many more pages the weakest column can lose, when these are lost already; what is no page of a column
    /// costs none.
    ///
    /// ```
    /// use page_ecc::{Geometry, InnerCode, PageNo, Scheme};
    /// let table = Geometry::new(1 << 20, Scheme::STANDARD, InnerCode::None)?;
    /// let neighbours = (1..4).map(PageNo::new);
    /// assert_eq!(table.margin(neighbours), 3, "each is of another column");
    /// assert_eq!(table.margin([]), 4);
    /// # Ok::<(), page_ecc::GeometryError>(())
    /// ```
    #[must_use]
    pub fn margin(&self, lost: impl IntoIterator<Item = PageNo>) -> u16 {
        let mut columns = BTreeMap::<u64, u16>::new();
        for page in lost {
            let number = match self.locate(page) {
                Some((Region::Body, index)) => index,
                Some((Region::Parity, index)) => self.body_pages() + index,
                _ => continue,
            };
            let in_column = columns.entry(self.column_of(CodeNo(number))).or_default();
            *in_column = in_column.saturating_add(1);
        }
        let most = columns.into_values().max().unwrap_or(0);
        self.scheme.parity().saturating_sub(most)
    }

    /// Pages that carry a digest: body, parity, word checks.
    pub(crate) const fn code_pages(&self) -> u64 {
        self.body_pages() + self.parity_pages() + self.word_pages()
    }

    /// Body and parity pages, which the word checks cover.
    pub(crate) const fn column_pages(&self) -> u64 {
        self.body_pages() + self.parity_pages()
    }

    /// Where the page of a digest stands.
    pub(crate) fn page_of(&self, number: CodeNo) -> PageNo {
        debug_assert!(number.0 < self.code_pages());
        let (region, before) = match number.0 {
            body if body < self.body_pages() => (Region::Body, 0),
            parity if parity < self.column_pages() => (Region::Parity, self.body_pages()),
            _ => (Region::WordChecks, self.column_pages()),
        };
        self.region(region).start.plus(number.0 - before)
    }

    /// Shards of the body, the first one padded in front; at least one.
    pub(crate) fn data_shards(&self) -> usize {
        // At most `Scheme::DATA_MAX`, as `with_columns` checks.
        self.body_pages().div_ceil(self.columns).max(1) as usize
    }

    /// Shards of parity.
    pub(crate) fn parity_shards(&self) -> usize {
        usize::from(self.scheme.parity())
    }

    /// Pages missing before the body.
    fn pad(&self) -> u64 {
        self.data_shards() as u64 * self.columns - self.body_pages()
    }

    /// The page of `shard` in `column`; `None` if it is one of those missing before the body.
    pub(crate) fn code_no_at(&self, shard: usize, column: u64) -> Option<CodeNo> {
        debug_assert!(column < self.columns);
        (shard as u64 * self.columns + column).checked_sub(self.pad()).map(CodeNo)
    }

    /// The shard of a body or parity page.
    pub(crate) fn shard_of(&self, number: CodeNo) -> usize {
        debug_assert!(number.0 < self.column_pages());
        ((number.0 + self.pad()) / self.columns) as usize
    }

    /// The column of a body or parity page.
    pub(crate) fn column_of(&self, number: CodeNo) -> u64 {
        debug_assert!(number.0 < self.column_pages());
        (number.0 + self.pad()) % self.columns
    }
}

#[cfg(test)]
#[path = "geometry_tests.rs"]
mod tests;
