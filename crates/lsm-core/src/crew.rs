//! Who runs the pieces of a large job: a tree has no threads, so whoever has some lends them.

/// Hands for the pieces of a job.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use lsm_core::{Alone, Crew};
/// let done = AtomicUsize::new(0);
/// Alone.run(3, &|piece| _ = done.fetch_add(piece, Ordering::Relaxed));
/// assert_eq!((Alone.hands(), done.into_inner()), (1, 3));
/// ```
pub trait Crew: Sync {
    /// How many pieces a job that begins now should have.
    fn hands(&self) -> usize;

    /// Calls `piece` once with each number below `count`, in any order and side by side or not; returns when every
    /// call has.
    fn run(&self, count: usize, piece: &(dyn Fn(usize) + Sync));
}

/// Nobody else: jobs stay whole.
///
/// See [`Crew`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn hands(&self) -> usize {
        1
    }

    fn run(&self, count: usize, piece: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(piece);
    }
}
