//! Collects hashes while a table is written, and turns them into a filter at its end.
//!
//! Invariant: memory is 8 bytes a hash until [`FilterBuilder::finish`]. Equal neighbours (versions of one key,
//! keys of one prefix) are kept once; equal hashes further apart cost space but no correctness.

use alloc::vec::Vec;

use super::hash::KeyHash;
use super::policy::{FilterPolicy, Recipe};
use super::{bloom, ribbon};

/// What a filter is built in, for the next one to be built in.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterMemory {
    pub(super) hashes: Vec<u64>,
    /// Of any content: where a ribbon filter sorts its hashes.
    pub(super) sorted: Vec<u64>,
}

/// Builds a filter from keys, prefixes or their hashes.
///
/// The same hashes in the same order under the same seed give the same bytes on every machine.
///
/// ```
/// use sst_format::{Answer, FilterBuilder, FilterPolicy, FilterView, KeyHash};
///
/// let mut builder = FilterBuilder::new(FilterPolicy::default());
/// for key in ["user/17", "user/18"] {
///     builder.add_key(key.as_bytes());
///     builder.add_prefix(b"user/");
/// }
/// let bytes = builder.finish();
///
/// let filter = FilterView::parse(&bytes)?;
/// assert_eq!(filter.may_contain(KeyHash::of_key(b"user/17")), Answer::Maybe);
/// assert_eq!(filter.may_contain(KeyHash::of_prefix(b"user/")), Answer::Maybe);
/// # Ok::<(), sst_format::FilterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FilterBuilder {
    policy: FilterPolicy,
    /// How long entries are on average, as far as that is known.
    entry_bytes: u64,
    seed: u64,
    memory: FilterMemory,
    last_key: Option<KeyHash>,
    last_prefix: Option<KeyHash>,
}

impl FilterBuilder {
    /// An empty builder with seed 0.
    #[must_use]
    pub const fn new(policy: FilterPolicy) -> Self {
        let memory = FilterMemory { hashes: Vec::new(), sorted: Vec::new() };
        Self { policy, entry_bytes: 0, seed: 0, memory, last_key: None, last_prefix: None }
    }

    /// Uses `seed`; one that others cannot guess keeps them from choosing keys that collide.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Says how long entries are on average, for a policy that fits itself to that.
    #[must_use]
    pub const fn entry_bytes(mut self, bytes: u64) -> Self {
        self.entry_bytes = bytes;
        self
    }

    /// Adds a whole key.
    #[inline]
    pub fn add_key(&mut self, key: &[u8]) {
        self.add_hash(KeyHash::of_key(key));
    }

    /// Adds a key prefix.
    #[inline]
    pub fn add_prefix(&mut self, prefix: &[u8]) {
        let hash = KeyHash::of_prefix(prefix);
        if self.last_prefix.replace(hash) != Some(hash) {
            self.memory.hashes.push(hash.to_u64());
        }
    }

    /// Adds a hash computed elsewhere.
    #[inline]
    pub fn add_hash(&mut self, hash: KeyHash) {
        if self.last_key.replace(hash) != Some(hash) {
            self.memory.hashes.push(hash.to_u64());
        }
    }

    /// Hashes added so far, equal neighbours counted once.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.memory.hashes.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.hashes.is_empty()
    }

    /// The filter's bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.finish_sparing().0
    }

    /// Moves what was added into memory that another filter was built in.
    pub(crate) fn move_into(&mut self, mut memory: FilterMemory) {
        memory.hashes.clear();
        memory.hashes.append(&mut self.memory.hashes);
        self.memory = memory;
    }

    /// As [`finish`](Self::finish), with the memory it was built in.
    pub(crate) fn finish_sparing(self) -> (Vec<u8>, FilterMemory) {
        let mut memory = self.memory;
        let bytes = match self.policy.recipe(self.entry_bytes) {
            Recipe::Ribbon(rate) => ribbon::build(&mut memory, rate, self.seed),
            Recipe::Bloom(rate) => bloom::build(&memory.hashes, rate, self.seed),
        };
        (bytes, memory)
    }
}
