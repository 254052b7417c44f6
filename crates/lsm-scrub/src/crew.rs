//! Whose threads the workers of a patrol run on.

/// The caller's executor.
///
/// ```
/// use lsm_scrub::Crew;
///
/// struct Threads;
///
/// impl Crew for Threads {
///     fn run(&self, workers: usize, work: &(dyn Fn() + Sync)) {
///         std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
///     }
/// }
/// let count = std::sync::atomic::AtomicUsize::new(0);
/// Threads.run(3, &|| drop(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
/// assert_eq!(count.into_inner(), 3);
/// ```
pub trait Crew: Sync {
    /// Runs `work` on up to this many threads at once, and returns when all are done.
    fn run(&self, workers: usize, work: &(dyn Fn() + Sync));
}

/// The thread that calls, alone.
///
/// ```
/// use lsm_scrub::{Crew, OneThread};
/// OneThread.run(8, &|| ());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OneThread;

impl Crew for OneThread {
    fn run(&self, _workers: usize, work: &(dyn Fn() + Sync)) {
        work();
    }
}
