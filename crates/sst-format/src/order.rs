//! The order of keys: bytes by default, or a comparator of the caller's that the table names.
//!
//! Invariant: within one table entries ascend by key in this order and, within a key, descend by sequence
//! number, so the newest version comes first.

use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;

use twox_hash::XxHash3_64;

/// An order of keys other than that of their bytes.
///
/// Two keys that compare as equal must be the same bytes, or filters would tell them apart.
pub trait Comparator: Send + Sync {
    /// Its name, recorded in every table: another name is another order. At most 255 bytes.
    fn name(&self) -> &str;

    /// How `a` stands to `b`: a total order.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;
}

/// The order of a table's keys.
///
/// ```
/// use std::cmp::Ordering;
/// use std::sync::Arc;
/// use sst_format::{Comparator, KeyOrder};
///
/// struct Backwards;
/// impl Comparator for Backwards {
///     fn name(&self) -> &str {
///         "backwards"
///     }
///     fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
///         b.cmp(a)
///     }
/// }
///
/// assert_eq!(KeyOrder::Bytes.compare(b"a", b"b"), Ordering::Less);
/// let custom = KeyOrder::Custom(Arc::new(Backwards));
/// assert_eq!(custom.compare(b"a", b"b"), Ordering::Greater);
/// assert_eq!(custom.name(), "backwards");
/// ```
#[derive(Clone, Default)]
pub enum KeyOrder {
    /// By bytes, a prefix before what continues it.
    #[default]
    Bytes,
    /// As a comparator says.
    Custom(Arc<dyn Comparator>),
}

impl KeyOrder {
    /// The name that tables record.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Bytes => "resilver.bytes",
            Self::Custom(comparator) => comparator.name(),
        }
    }

    /// How `a` stands to `b`.
    #[inline]
    #[must_use]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Custom(comparator) => comparator.compare(a, b),
        }
    }

    /// The name as a number: what the table root keeps, so that a lost properties block hides no other order.
    pub(crate) fn fingerprint(&self) -> u64 {
        XxHash3_64::oneshot(self.name().as_bytes())
    }

    /// Appends to `into` a key that is not before `last` and is before `next`, as short as is cheap to find.
    pub(crate) fn separate(&self, last: &[u8], next: &[u8], into: &mut alloc::vec::Vec<u8>) {
        into.clear();
        let same = common_prefix(last, next);
        let (Self::Bytes, Some(&low), Some(&high)) = (self, last.get(same), next.get(same)) else {
            into.extend_from_slice(last);
            return;
        };
        debug_assert!(low < high);
        if next.len() > same + 1 {
            into.extend_from_slice(&next[..=same]);
        } else if low + 1 < high {
            into.extend_from_slice(&last[..same]);
            into.push(low + 1);
        } else {
            let bumped = (same + 1..last.len()).find(|&at| last[at] != u8::MAX).unwrap_or(last.len());
            into.extend_from_slice(&last[..bumped]);
            into.extend(last.get(bumped).map(|byte| byte + 1));
        }
    }
}

impl fmt::Debug for KeyOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyOrder({})", self.name())
    }
}

/// How many bytes both begin with.
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    let mut at = 0;
    while let (Some(x), Some(y)) = (a[at..len].first_chunk::<8>(), b[at..len].first_chunk::<8>()) {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return at + difference.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < len && a[at] == b[at] {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn common_prefixes_are_those_of_a_plain_loop() {
        for len in 0..40 {
            for differ in 0..=len {
                let a: Vec<u8> = (0..len).collect();
                let mut b = a.clone();
                b.get_mut(usize::from(differ)).into_iter().for_each(|byte| *byte ^= 0x40);
                assert_eq!(common_prefix(&a, &b), usize::from(differ));
            }
        }
    }

    #[track_caller]
    fn check(last: &[u8], next: &[u8], want: &[u8]) {
        let mut got = Vec::new();
        KeyOrder::Bytes.separate(last, next, &mut got);
        assert_eq!(got, want);
        assert!(last <= &got[..] && &got[..] < next);
    }

    #[test]
    fn separators_stand_between_and_are_short() {
        check(b"apple", b"banana", b"b");
        check(b"apple", b"apricot", b"apr");
        check(b"a", b"ab", b"a");
        check(b"", b"a", b"");
        check(b"abc", b"c", b"b");
        check(b"a\xFFxyz", b"b", b"a\xFFy");
        check(b"a\xFF\xFF", b"b", b"a\xFF\xFF");
        check(b"azz", b"b", b"a{");
    }
}
