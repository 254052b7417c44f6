//! An append-only array that many threads read and fill while it grows: nothing in it ever moves.
//!
//! Invariant: a place's chunk is told by its highest bit and the three behind it, so a chunk is an eighth to a
//! sixteenth of all before it: making one costs little beside what was written, and little is idle. A slot is
//! `Default` until it is filled. Places before `FIRST` do not exist: 0 is free to mean "none". What a slot means,
//! and who may see it when, is left to the owner.

use std::sync::OnceLock;

/// The first place.
pub(super) const FIRST: u32 = 1 << FIRST_BITS;
const FIRST_BITS: u32 = 12;
/// Chunks of one size, as a power of two; those behind them have twice as many slots.
const ALIKE_BITS: u32 = 3;
/// Enough for every place that a `u32` names.
const CHUNKS: usize = ((u32::BITS - FIRST_BITS) << ALIKE_BITS) as usize;

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
        let (chunk, at, _) = split(place);
        (self.chunks[chunk].get().map_or(&[], |chunk| &chunk[..]), at)
    }

    /// As [`chunk`](Self::chunk), and there it is from now on.
    pub(super) fn grown(&self, place: u32) -> (&[T], usize) {
        let (chunk, at, len) = split(place);
        (self.chunks[chunk].get_or_init(|| (self.make)(len)), at)
    }
}

/// Whether places from `start` to `last` stand in one chunk.
pub(super) fn is_one_chunk(start: u32, last: u32) -> bool {
    split(start).0 == split(last).0
}

/// The chunk of a place, where in it, and how many slots it has.
#[inline]
fn split(place: u32) -> (usize, usize, usize) {
    let bit = place.ilog2();
    let len_bits = bit - ALIKE_BITS;
    let alike = (place >> len_bits) & ((1 << ALIKE_BITS) - 1);
    let chunk = (bit - FIRST_BITS) << ALIKE_BITS | alike;
    (chunk as usize, (place & ((1 << len_bits) - 1)) as usize, 1 << len_bits)
}
