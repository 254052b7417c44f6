//! How uids, keys and pages are written.

use resilver::{
    PageRanges, Uid,
    inspect::{KeyBounds, KeyEnd},
};

/// Bytes of a key that are shown to people.
const SHOWN_BYTES: usize = 60;

pub(super) fn hex(uid: Uid) -> String {
    uid.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key or a name as a word, escaped as `drill` does.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut word = String::new();
    crate::drill::escape(&mut word, bytes);
    word
}

/// A key as a word, cut short if it is long.
pub(super) fn short(key: &[u8]) -> String {
    match key.get(..SHOWN_BYTES) {
        Some(start) if key.len() > SHOWN_BYTES => format!("{}..", shown(start)),
        _ => shown(key),
    }
}

pub(super) fn key_range(bounds: &KeyBounds) -> String {
    let end = if bounds.end == KeyEnd::Included { "" } else { " (excluded)" };
    format!("{} to {}{end}", short(&bounds.smallest), short(&bounds.largest))
}

/// Pages as pairs of first and last.
pub(super) fn pairs(pages: &PageRanges) -> Vec<[u64; 2]> {
    pages.iter().map(|range| [range.start.get(), range.end.get() - 1]).collect()
}
