//! An append-only array that many threads read and fill while it grows: nothing in it ever moves.
//!
//! Invariant: chunk `n` has the places from `FIRST << n` up to `FIRST << (n + 1)`, so a place's chunk is told by
//! its highest bit, and a slot is `Default` until it is filled. Places before `FIRST` do not exist: 0 is free to
//! mean "none". What a slot means, and who may see it when, is left to the owner.

use std::sync::OnceLock;

/// Slots of the first chunk; each further one has twice as many as the one before.
pub(super) const FIRST: u32 = 1 << FIRST_BITS;
const FIRST_BITS: u32 = 9;
/// Enough for every place that a `u32` names.
const CHUNKS: usize = (u32::BITS - FIRST_BITS) as usize;

/// Slots by place.
pub(super) struct Chunks<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
    make: fn(usize) -> Box<[T]>,
}

impl<T> Chunks<T> {
    /// None yet; `make` makes the slots of a chunk.
    pub(super) fn new(make: fn(usize) -> Box<[T]>) -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], make }
    }

    /// The chunk that has `place`, and where in it. Empty if nothing was ever put there.
    #[inline]
    pub(super) fn chunk(&self, place: u32) -> (&[T], usize) {
        let bit = place.ilog2();
        let chunk = self.chunks[(bit - FIRST_BITS) as usize].get();
        (chunk.map_or(&[], |chunk| &chunk[..]), (place - (1 << bit)) as usize)
    }

    /// As [`chunk`](Self::chunk), and there it is from now on.
    pub(super) fn grown(&self, place: u32) -> (&[T], usize) {
        let bit = place.ilog2();
        let chunk = self.chunks[(bit - FIRST_BITS) as usize].get_or_init(|| (self.make)(1 << bit));
        (chunk, (place - (1 << bit)) as usize)
    }
}

/// Whether places from `start` up to `end` stand in one chunk.
pub(super) fn is_one_chunk(start: u64, end: u64) -> bool {
    start.ilog2() == (end - 1).ilog2()
}
