//! Why bytes are not a filter.
//!
//! All variants are damage: the bytes lie, or they were written by a version this one does not know. Reading
//! without the filter stays correct, only slower.

/// Bytes that do not describe a filter.
///
/// ```
/// use sst_format::{FilterError, FilterView};
///
/// assert_eq!(FilterView::parse(&[]).unwrap_err(), FilterError::Short { len: 0, min: 28 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Fewer bytes than the trailer alone.
    #[error(
        "a filter of {len} bytes is shorter than its trailer of {min}; read without it and rewrite the table"
    )]
    Short {
        /// Bytes given.
        len: usize,
        /// Bytes the smallest filter has.
        min: usize,
    },
    /// The trailer does not begin as trailers do.
    #[error("a filter trailer begins with {found:#010x}, not `RSFL`; check which block was handed over")]
    Magic {
        /// The four bytes found, as a little-endian number.
        found: u32,
    },
    /// A newer format.
    #[error(
        "the filter trailer says version {found}, this code reads version 1; read without the filter or upgrade"
    )]
    Version {
        /// The version found.
        found: u8,
    },
    /// A kind this version does not know.
    #[error("the filter trailer says kind {found}, known are 1 and 2; read without the filter or upgrade")]
    Kind {
        /// The tag found.
        found: u8,
    },
    /// A field outside its range.
    #[error(
        "field `{field}` of the filter holds {found}, outside its range; read without it and rewrite the table"
    )]
    Field {
        /// The field, as the byte table names it.
        field: &'static str,
        /// What it holds.
        found: u64,
    },
    /// The parts the trailer names do not add up to the bytes given.
    #[error(
        "the filter's trailer describes {described} bytes, given are {len}; read without it and rewrite the table"
    )]
    Len {
        /// Bytes the trailer describes.
        described: u64,
        /// Bytes given.
        len: usize,
    },
}
