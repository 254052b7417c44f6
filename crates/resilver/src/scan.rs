//! Which keys to walk over, and in which direction.

use std::ops::Bound;

use std::sync::Arc;

use bytes::Bytes;
use lsm_core::KeyIter;

use crate::{Error, Snapshot, engine::Engine};

/// Which keys to walk over, and in which direction.
///
/// ```
/// use resilver::{Db, Scan};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// for key in ["a/1", "a/2", "b/1"] {
///     db.put(key.as_bytes(), b"")?;
/// }
/// let keys = db.scan(Scan::prefix("a/").reverse())?.map(|item| Ok(item?.0));
/// let keys: Vec<_> = keys.collect::<Result<_, resilver::Error>>()?;
/// assert_eq!(keys, ["a/2", "a/1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scan {
    pub(crate) lower: Edge,
    pub(crate) upper: Edge,
    pub(crate) direction: Direction,
    pub(crate) values: Values,
    pub(crate) snapshot: Option<Snapshot>,
}

/// Keys and values on their way; see [`Scan`].
///
/// Where keys are lost, an item is an error that names them, and the next one stands behind the loss. Any other
/// error ends the walk.
#[derive(Debug)]
pub struct Items {
    pub(crate) engine: Arc<Engine>,
    pub(crate) iter: KeyIter,
    pub(crate) is_reverse: bool,
    pub(crate) ended: bool,
}

impl Iterator for Items {
    type Item = Result<(Bytes, Bytes), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if let Err(closed) = self.engine.check_open() {
            self.ended = true;
            return Some(Err(closed));
        }
        let step = if self.is_reverse { self.iter.step_back() } else { self.iter.step() };
        match step {
            Ok(Some(item)) => {
                let key = Bytes::copy_from_slice(item.key);
                Some(Ok((key, self.iter.part_with_value())))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                let error = Error::from(error);
                self.ended = error.loss().is_none();
                Some(Err(error))
            }
        }
    }
}

/// One end of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge(Option<Bound<Bytes>>);

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    #[default]
    Forward,
    Reverse,
}

/// Whether a scan brings values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Values {
    #[default]
    Brought,
    LeftOut,
}

impl Edge {
    pub(crate) fn bound(&self) -> Bound<Bytes> {
        self.0.clone().unwrap_or(Bound::Unbounded)
    }
}

impl Scan {
    /// Every key, in order.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Every key that begins with `prefix`, where keys are ordered by their bytes.
    #[must_use]
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        let behind = behind_prefix(&prefix);
        let scan = Self::all().from(prefix);
        match behind {
            Some(behind) => scan.to(behind),
            None => scan,
        }
    }

    /// From this key on.
    #[must_use]
    pub fn from(mut self, key: impl Into<Bytes>) -> Self {
        self.lower = Edge(Some(Bound::Included(key.into())));
        self
    }

    /// From behind this key on: the next page of a list.
    #[must_use]
    pub fn after(mut self, key: impl Into<Bytes>) -> Self {
        self.lower = Edge(Some(Bound::Excluded(key.into())));
        self
    }

    /// Up to, not including, this key.
    #[must_use]
    pub fn to(mut self, key: impl Into<Bytes>) -> Self {
        self.upper = Edge(Some(Bound::Excluded(key.into())));
        self
    }

    /// Up to and including this key.
    #[must_use]
    pub fn through(mut self, key: impl Into<Bytes>) -> Self {
        self.upper = Edge(Some(Bound::Included(key.into())));
        self
    }

    /// From the last key to the first.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.direction = Direction::Reverse;
        self
    }

    /// Values are left out: each comes back empty.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.values = Values::LeftOut;
        self
    }

    /// As the store was when the snapshot was taken.
    #[must_use]
    pub fn at(mut self, snapshot: &Snapshot) -> Self {
        self.snapshot = Some(snapshot.clone());
        self
    }
}

/// The first key behind all that begin with `prefix`; none if every key behind it begins so.
fn behind_prefix(prefix: &[u8]) -> Option<Bytes> {
    let kept = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut behind = prefix[..=kept].to_vec();
    behind[kept] += 1;
    Some(behind.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_first_key_that_lacks_it() {
        let behind = |prefix: &[u8]| behind_prefix(prefix).map(|key| key.to_vec());
        assert_eq!(behind(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(behind(b"a\xFF\xFF"), Some(b"b".to_vec()));
        assert_eq!(behind(b"\xFF"), None);
        assert_eq!(behind(b""), None);
    }
}
