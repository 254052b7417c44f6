//! A place among the keys of a keyspace.

use std::ops::Bound;

use bytes::Bytes;
use sst_format::SeqNo;

use crate::{
    Error, Memtable,
    iter::{Item, Iter, ScanRange},
};

/// Which keys to walk over, and what of them.
///
/// ```
/// use lsm_core::KeyRange;
/// let range = KeyRange::all().between(std::ops::Bound::Included("a".into()), std::ops::Bound::Unbounded);
/// # let _ = range.keys_only();
/// ```
#[derive(Clone, Debug)]
pub struct KeyRange {
    range: ScanRange,
}

/// A place among the keys of a keyspace, as of one moment; it keeps what it reads alive.
///
/// It is on a key, between two, or at an end. A new one is between nothing: the first step forward gives the
/// first key, the first step back the last. Where keys are lost, a step is an error, and the next one goes on
/// behind the loss.
pub struct KeyIter {
    iter: Iter<Memtable>,
}

impl std::fmt::Debug for KeyIter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyIter").finish_non_exhaustive()
    }
}

/// A key and its value.
pub type KeyValue<'a> = Item<'a>;

impl KeyRange {
    /// Every key with its value.
    #[must_use]
    pub const fn all() -> Self {
        Self { range: ScanRange::all(SeqNo::MAX) }
    }

    /// Keys between bounds.
    #[must_use]
    pub fn between(self, lower: Bound<Bytes>, upper: Bound<Bytes>) -> Self {
        Self { range: self.range.between(lower, upper) }
    }

    /// Keys without values, which come back empty.
    #[must_use]
    pub fn keys_only(self) -> Self {
        Self { range: self.range.keys_only() }
    }

    pub(super) fn at(self, snapshot: SeqNo) -> ScanRange {
        self.range.at(snapshot)
    }
}

impl KeyIter {
    pub(super) fn new(iter: Iter<Memtable>) -> Self {
        Self { iter }
    }

    /// To the first key that is not before `key`.
    ///
    /// # Errors
    /// If keys there are lost, or the disk refuses.
    pub fn seek(&mut self, key: &[u8]) -> Result<Option<KeyValue<'_>>, Error> {
        self.iter.seek(key)
    }

    /// To the last key that is not behind `key`.
    ///
    /// # Errors
    /// If keys there are lost, or the disk refuses.
    pub fn seek_back(&mut self, key: &[u8]) -> Result<Option<KeyValue<'_>>, Error> {
        self.iter.seek_for_prev(key)
    }

    /// To the next key.
    ///
    /// # Errors
    /// If keys there are lost, or the disk refuses.
    #[inline]
    pub fn step(&mut self) -> Result<Option<KeyValue<'_>>, Error> {
        self.iter.move_next()
    }

    /// The value that the last step came to, without a count of who shares it; afterwards it is gone from here.
    #[inline]
    pub fn part_with_value(&mut self) -> Bytes {
        self.iter.part_with_value()
    }

    /// To the key before.
    ///
    /// # Errors
    /// If keys there are lost, or the disk refuses.
    #[inline]
    pub fn step_back(&mut self) -> Result<Option<KeyValue<'_>>, Error> {
        self.iter.move_prev()
    }
}
