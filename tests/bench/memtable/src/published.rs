//! Maps of published crates, and the one of std.

use std::{cmp::Reverse, collections::BTreeMap};

use blart::TreeMap;
use bytes::Bytes;
use crossbeam_skiplist::SkipMap;
use parking_lot::RwLock;

use crate::{
    Subject,
    data::{Key, Value},
};

/// crossbeam-skiplist, with keys as an engine over it has them: a shared slice and a number.
pub struct Crossbeam(SkipMap<(Bytes, Reverse<u64>), Bytes>);

impl Subject for Crossbeam {
    fn new() -> Self {
        Self(SkipMap::new())
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        self.0.insert((Bytes::copy_from_slice(key), Reverse(seq)), Bytes::copy_from_slice(value));
    }

    fn get(&self, key: &Key) -> Option<u8> {
        let from = (Bytes::copy_from_slice(key), Reverse(u64::MAX));
        let entry = self.0.lower_bound(std::ops::Bound::Included(&from))?;
        (entry.key().0 == key[..]).then(|| entry.value().clone()[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        self.0.iter().for_each(|entry| visit(&entry.key().0, entry.value()));
    }
}

/// The same with a key and its number in one array, which only keys of one length allow.
pub struct CrossbeamArray(SkipMap<[u8; 24], Bytes>);

impl Subject for CrossbeamArray {
    fn new() -> Self {
        Self(SkipMap::new())
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        self.0.insert(joined(key, seq), Bytes::copy_from_slice(value));
    }

    fn get(&self, key: &Key) -> Option<u8> {
        let entry = self.0.lower_bound(std::ops::Bound::Included(&joined(key, u64::MAX)))?;
        (entry.key()[..16] == key[..]).then(|| entry.value().clone()[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        self.0.iter().for_each(|entry| visit(&entry.key()[..16], entry.value()));
    }
}

/// blart's adaptive radix tree behind a lock: nobody reads while one writes. Keys of one length, as it asks that
/// none be a prefix of another.
pub struct Blart(RwLock<TreeMap<[u8; 24], Bytes>>);

impl Subject for Blart {
    fn new() -> Self {
        Self(RwLock::new(TreeMap::new()))
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        let value = Bytes::copy_from_slice(value);
        // No key comes twice here.
        self.0.write().try_insert(joined(key, seq), value).expect("no prefixes");
    }

    fn get(&self, key: &Key) -> Option<u8> {
        let map = self.0.read();
        let (found, value) = map.range(joined(key, u64::MAX)..).next()?;
        (found[..16] == key[..]).then(|| value.clone()[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        self.0.read().iter().for_each(|(key, value)| visit(&key[..16], value));
    }
}

/// The map of std behind a lock.
pub struct Locked(RwLock<BTreeMap<(Bytes, Reverse<u64>), Bytes>>);

impl Subject for Locked {
    fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    fn insert(&self, key: &Key, seq: u64, value: &Value) {
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        self.0.write().insert((key, Reverse(seq)), value);
    }

    fn get(&self, key: &Key) -> Option<u8> {
        let from = (Bytes::copy_from_slice(key), Reverse(u64::MAX));
        let map = self.0.read();
        let (found, value) = map.range(from..).next()?;
        (found.0 == key[..]).then(|| value.clone()[0])
    }

    fn scan(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        self.0.read().iter().for_each(|(key, value)| visit(&key.0, value));
    }
}

/// A key and its number as bytes whose order is that of the two, newest first.
fn joined(key: &Key, seq: u64) -> [u8; 24] {
    let mut joined = [0; 24];
    joined[..16].copy_from_slice(key);
    joined[16..].copy_from_slice(&(!seq).to_be_bytes());
    joined
}
