//! A filter read in place.
//!
//! Invariant: bytes of any content give a typed error or some answer; a query never panics, allocates or reads
//! outside the bytes. Left to others: proving that the bytes are those that were written.

use super::bloom::Bloom;
use super::error::FilterError;
use super::hash::KeyHash;
use super::ribbon::Ribbon;
use super::trailer::{FilterKind, Trailer};

/// What a filter says about a key.
///
/// ```
/// use sst_format::{Answer, FilterBuilder, FilterPolicy, FilterView, KeyHash};
///
/// let empty = FilterBuilder::new(FilterPolicy::default()).finish();
/// let answer = FilterView::parse(&empty)?.may_contain(KeyHash::of_key(b"any"));
/// assert_eq!(answer, Answer::Absent);
/// # Ok::<(), sst_format::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The key was not added.
    Absent,
    /// The key was added, or this is one of the false positives the target allows.
    Maybe,
}

/// A parsed filter over borrowed or shared bytes: `&[u8]`, `Vec<u8>`, `Arc<[u8]>`.
///
/// Parsing reads the trailer and at most eight counts, so it may be done for each lookup; a cache keeps the
/// parsed filter.
///
/// ```
/// use sst_format::{Answer, Filter, FilterBuilder, FilterPolicy, KeyHash};
///
/// let mut builder = FilterBuilder::new(FilterPolicy::default());
/// builder.add_key(b"here");
/// let filter: Filter<Vec<u8>> = Filter::parse(builder.finish())?;
/// assert_eq!(filter.may_contain(KeyHash::of_key(b"here")), Answer::Maybe);
/// assert_eq!(filter.keys(), 1);
/// # Ok::<(), sst_format::FilterError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Filter<B> {
    bytes: B,
    keys: u64,
    layout: Layout,
}

/// A filter over borrowed bytes.
///
/// ```
/// use sst_format::FilterView;
///
/// assert!(FilterView::parse(b"not a filter").is_err());
/// ```
pub type FilterView<'a> = Filter<&'a [u8]>;

#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "parsing allocates nothing, and most filters are ribbons")]
enum Layout {
    Ribbon(Ribbon),
    Bloom(Bloom),
}

impl<B: AsRef<[u8]>> Filter<B> {
    /// Parses a filter's bytes.
    ///
    /// # Errors
    /// [`FilterError`] if the trailer does not describe these bytes.
    pub fn parse(bytes: B) -> Result<Self, FilterError> {
        let (body, trailer) = Trailer::split(bytes.as_ref())?;
        let layout = match trailer.kind {
            FilterKind::Ribbon => Layout::Ribbon(Ribbon::parse(body, &trailer)?),
            FilterKind::Bloom => Layout::Bloom(Bloom::parse(body, &trailer)?),
        };
        Ok(Self { bytes, keys: trailer.keys, layout })
    }

    /// Whether the key of this hash may have been added.
    #[inline]
    #[must_use]
    pub fn may_contain(&self, hash: KeyHash) -> Answer {
        match &self.layout {
            Layout::Ribbon(ribbon) => ribbon.may_contain(self.bytes.as_ref(), hash),
            Layout::Bloom(bloom) => bloom.may_contain(self.bytes.as_ref(), hash),
        }
    }

    /// Which data structure this is.
    #[must_use]
    pub const fn kind(&self) -> FilterKind {
        match self.layout {
            Layout::Ribbon(_) => FilterKind::Ribbon,
            Layout::Bloom(_) => FilterKind::Bloom,
        }
    }

    /// Hashes that were added.
    #[must_use]
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// The bytes this filter was parsed from.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}
