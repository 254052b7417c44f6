//! What every store compared can do, and how all are opened alike.

use std::{error::Error, path::Path};

pub type Failure = Box<dyn Error + Send + Sync>;
pub type Done = Result<(), Failure>;

/// Whether a store may be made where there is none; not every engine can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    Allowed,
    Never,
}

/// How stores are opened; every engine gets the same.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub cache_bytes: u64,
    pub memtable_bytes: u64,
    pub block_bytes: u32,
    /// Of a Bloom filter; where a filter is chosen by its errors, as many as such a one makes.
    pub filter_bits: f32,
    /// Threads for flushes and compactions.
    pub workers: usize,
    pub creation: Creation,
}

/// A store, opened. It is closed by dropping it.
pub trait Engine: Send + Sync {
    /// A put that survives the end of the process.
    fn put(&self, key: &[u8], value: &[u8]) -> Done;
    /// A put that survives a power cut.
    fn put_synced(&self, key: &[u8], value: &[u8]) -> Done;
    /// A delete that survives as much as a put.
    fn delete(&self, key: &[u8]) -> Done;
    /// Shows the value of a key, if there is one; whether there was.
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Result<bool, Failure>;
    /// Shows keys and values from a key on.
    fn scan(&self, from: &[u8], count: usize, look: &mut dyn FnMut(&[u8], &[u8])) -> Done;
    /// Makes tables of what is in memory.
    fn flush(&self) -> Done;
}

/// An engine by its name.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// What it lacks, or does otherwise.
    pub note: &'static str,
    /// Whether its puts can survive a power cut.
    pub syncs: bool,
    pub open: fn(&Path, &Settings) -> Result<Box<dyn Engine>, Failure>,
}

pub const KINDS: &[Kind] = &[
    crate::resilver::ON,
    crate::resilver::OFF,
    crate::fjall::KIND,
    #[cfg(feature = "rocksdb")]
    crate::rocksdb::KIND,
    crate::redb::KIND,
    crate::coordinode::PLAIN,
    crate::coordinode::SECDED,
];
