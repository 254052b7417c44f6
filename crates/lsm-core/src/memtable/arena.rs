//! The memory of a memtable: words for nodes, and values too large to stand among them.
//!
//! Invariant: what was taken is taken once, and is zero until its owner writes it. All of it goes together, with
//! the memtable. When others may look is left to the list.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;

use super::chunks::{Chunks, FIRST, is_one_chunk};

/// Words for nodes.
pub(super) struct Arena {
    words: Chunks<AtomicU64>,
    /// The next place that is free.
    free: AtomicU64,
    /// Words at the ends of chunks that were too few for what was wanted.
    left: AtomicU64,
}

impl Arena {
    pub(super) fn new() -> Self {
        // The allocator's zeros are taken as they are: no pass over a chunk, whose pages come as they are used.
        let words = Chunks::new(|count| vec![0; count].into_iter().map(AtomicU64::new).collect());
        Self { words, free: AtomicU64::new(u64::from(FIRST)), left: AtomicU64::new(0) }
    }

    /// So many words in a row: the place of the first.
    pub(super) fn take(&self, count: usize) -> u32 {
        let count = count as u64;
        loop {
            let start = self.free.fetch_add(count, Relaxed);
            let end = start + count;
            assert!(end <= 1 << 32, "a memtable has room for 32 GiB beside large values: seal it sooner");
            let start = start as u32;
            if is_one_chunk(start, (end - 1) as u32) {
                self.words.grown(start);
                return start;
            }
            // The chunk ends too soon. They become larger, so one further on has room.
            self.left.fetch_add(count, Relaxed);
        }
    }

    /// Words that were taken.
    pub(super) fn taken(&self) -> u64 {
        // What is left is counted after it is taken from what is free, and so is read first.
        let left = self.left.load(Relaxed);
        (self.free.load(Relaxed) - u64::from(FIRST)).saturating_sub(left)
    }

    #[inline]
    pub(super) fn chunk(&self, place: u32) -> (&[AtomicU64], usize) {
        self.words.chunk(place)
    }
}

/// Large values.
pub(super) struct Values {
    slots: Chunks<OnceLock<Bytes>>,
    free: AtomicU64,
    bytes: AtomicU64,
}

impl Values {
    pub(super) fn new() -> Self {
        let slots = Chunks::new(|count| (0..count).map(|_| OnceLock::new()).collect());
        Self { slots, free: AtomicU64::new(u64::from(FIRST)), bytes: AtomicU64::new(0) }
    }

    /// Keeps a value: its place.
    pub(super) fn add(&self, value: Bytes) -> u32 {
        let place = self.free.fetch_add(1, Relaxed);
        assert!(place < 1 << 32, "a memtable has room for 2^32 large values: seal it sooner");
        let bytes = value.len() + size_of::<OnceLock<Bytes>>();
        self.bytes.fetch_add(bytes as u64, Relaxed);
        let (slots, at) = self.slots.grown(place as u32);
        slots[at].get_or_init(|| value);
        place as u32
    }

    pub(super) fn get(&self, place: u32) -> Bytes {
        let (slots, at) = self.slots.chunk(place);
        slots.get(at).and_then(OnceLock::get).cloned().unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}
