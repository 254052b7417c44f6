//! What a block holds.

use super::error::BlockError;

/// What a block holds; the byte stands in its trailer.
///
/// ```
/// use sst_format::BlockKind;
/// assert_eq!(BlockKind::Data.tag(), 1);
/// assert_eq!(BlockKind::Data.to_string(), "data");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BlockKind {
    /// Entries.
    Data,
    /// Which data block holds which keys.
    Index,
    /// Which index block holds which keys.
    TopIndex,
    /// Which keys the table cannot hold.
    Filter,
    /// Range deletes and loss markers.
    Ranges,
    /// What the table says of itself.
    Properties,
    /// What data blocks were compressed against.
    Dictionary,
    /// Where the others are.
    Root,
    /// Nothing: it keeps other blocks apart.
    Padding,
}

impl BlockKind {
    /// Every kind, in the order of their tags.
    pub const ALL: [Self; 9] = [
        Self::Data,
        Self::Index,
        Self::TopIndex,
        Self::Filter,
        Self::Ranges,
        Self::Properties,
        Self::Dictionary,
        Self::Root,
        Self::Padding,
    ];

    /// The byte that stands for it; 0 is never written.
    #[must_use]
    pub const fn tag(self) -> u8 {
        self as u8 + 1
    }

    /// The kind of this byte.
    ///
    /// # Errors
    /// [`BlockError::Kind`] if this release knows no such kind.
    pub fn parse(tag: u8) -> Result<Self, BlockError> {
        let at = usize::from(tag).checked_sub(1);
        at.and_then(|at| Self::ALL.get(at)).copied().ok_or(BlockError::Kind { found: tag })
    }
}

impl core::fmt::Display for BlockKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::TopIndex => "top index",
            Self::Filter => "filter",
            Self::Ranges => "ranges",
            Self::Properties => "properties",
            Self::Dictionary => "dictionary",
            Self::Root => "root",
            Self::Padding => "padding",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_pinned_both_ways() {
        for (tag, kind) in (1..).zip(BlockKind::ALL) {
            assert_eq!(kind.tag(), tag);
            assert_eq!(BlockKind::parse(tag), Ok(kind));
        }
        for tag in [0, 10, 255] {
            assert_eq!(BlockKind::parse(tag), Err(BlockError::Kind { found: tag }));
        }
    }
}
