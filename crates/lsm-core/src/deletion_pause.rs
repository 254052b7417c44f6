//! Holding back deletions while somebody needs the files: a checkpoint links them one by one.
//!
//! A pause lasts from its first guard to its last; what it holds back is its own. Checking is one load while
//! there is no pause. Needs no std; what an item is, and who deletes it, is left to others.
//!
//! Invariants: an item is given to exactly one of caller, pause and drain. A drain hands out what ended pauses
//! held back, never what a living one does.
//!
//! Whoever pauses does so before looking at which files there are; whoever deletes takes the file out of the
//! version before asking here. Then one of the two sees the other.

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt, mem,
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use spin::Mutex;

/// Deletions that wait while at least one [`PauseGuard`] lives; clones share them.
///
/// ```
/// use lsm_core::DeletionPause;
/// use std::task::Waker;
///
/// let deletions = DeletionPause::new(Waker::noop().clone());
/// assert_eq!(deletions.try_enqueue("7.table"), Err("7.table"), "delete it now");
///
/// let guard = deletions.pause();
/// assert_eq!(deletions.try_enqueue("8.table"), Ok(()), "it is deleted later");
/// assert!(deletions.drain().is_empty());
/// drop(guard);
/// assert_eq!(deletions.drain(), ["8.table"]);
/// ```
pub struct DeletionPause<T> {
    shared: Arc<Shared<T>>,
}

/// Holds back deletions until it is dropped; dropping the last one wakes who drains.
///
/// ```
/// let deletions = lsm_core::DeletionPause::<&str>::new(std::task::Waker::noop().clone());
/// let guard = deletions.pause();
/// assert!(deletions.is_active());
/// drop(guard);
/// assert!(!deletions.is_active());
/// ```
#[must_use = "dropping it ends the pause"]
pub struct PauseGuard<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    /// Living guards, as the queues count them; written under their lock, read without.
    guards: AtomicUsize,
    queues: Mutex<Queues<T>>,
    waker: Waker,
}

/// Guarded by the pause's lock, a leaf: nothing else is locked, and nobody woken, under it.
struct Queues<T> {
    guards: usize,
    /// Held back by the pause that lasts.
    held: Vec<T>,
    /// Held back by pauses that ended, or given back: to be deleted.
    due: Vec<T>,
}

impl<T> DeletionPause<T> {
    /// No pause; `waker` wakes who drains.
    #[must_use]
    pub fn new(waker: Waker) -> Self {
        let queues = Mutex::new(Queues { guards: 0, held: Vec::new(), due: Vec::new() });
        Self { shared: Arc::new(Shared { guards: AtomicUsize::new(0), queues, waker }) }
    }

    /// Begins a pause, or prolongs the one that lasts.
    pub fn pause(&self) -> PauseGuard<T> {
        let mut queues = self.shared.queues.lock();
        queues.guards += 1;
        self.shared.guards.store(queues.guards, Ordering::SeqCst);
        drop(queues);
        PauseGuard { shared: self.shared.clone() }
    }

    /// Whether a pause lasts.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.guards.load(Ordering::SeqCst) > 0
    }

    /// Keeps the item until the pause ends.
    ///
    /// # Errors
    /// The item, if there is no pause: the caller deletes it now.
    pub fn try_enqueue(&self, item: T) -> Result<(), T> {
        if !self.is_active() {
            return Err(item);
        }
        self.enqueue_checked(item)
    }

    /// The pause may have ended since the first look: then nobody would be woken for the item.
    fn enqueue_checked(&self, item: T) -> Result<(), T> {
        let mut queues = self.shared.queues.lock();
        if queues.guards == 0 {
            return Err(item);
        }
        queues.held.push(item);
        Ok(())
    }

    /// What is kept of everything that waits, held back or due.
    ///
    /// ```
    /// use lsm_core::DeletionPause;
    /// let deletions = DeletionPause::<&str>::new(std::task::Waker::noop().clone());
    /// let _pause = deletions.pause();
    /// deletions.try_enqueue("7.table")?;
    /// assert_eq!(deletions.waiting(|name| name.strip_suffix(".table")), ["7"]);
    /// # Ok::<(), &str>(())
    /// ```
    pub fn waiting<U>(&self, keep: impl FnMut(&T) -> Option<U>) -> Vec<U> {
        let queues = self.shared.queues.lock();
        queues.held.iter().chain(&queues.due).filter_map(keep).collect()
    }

    /// What is to be deleted now, oldest first.
    #[must_use = "what is drained is forgotten here"]
    pub fn drain(&self) -> Vec<T> {
        mem::take(&mut self.shared.queues.lock().due)
    }

    /// Takes back what could not be deleted: the next drain hands it out again. Nobody is woken.
    pub fn give_back(&self, item: T) {
        self.shared.queues.lock().due.push(item);
    }
}

impl<T> Clone for DeletionPause<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for PauseGuard<T> {
    fn drop(&mut self) {
        let mut queues = self.shared.queues.lock();
        queues.guards -= 1;
        self.shared.guards.store(queues.guards, Ordering::SeqCst);
        let ended = queues.guards == 0;
        if ended {
            let mut held = mem::take(&mut queues.held);
            queues.due.append(&mut held);
        }
        drop(queues);
        if ended {
            self.shared.waker.wake_by_ref();
        }
    }
}

impl<T> fmt::Debug for DeletionPause<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl<T> fmt::Debug for PauseGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queues = self.queues.lock();
        let mut fields = f.debug_struct("DeletionPause");
        fields.field("guards", &queues.guards).field("held", &queues.held.len());
        fields.field("due", &queues.due.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, task::Wake, thread};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn deletions() -> (DeletionPause<u64>, Arc<Woken>) {
        let woken = Arc::new(Woken::default());
        (DeletionPause::new(Waker::from(woken.clone())), woken)
    }

    #[track_caller]
    fn check(deletions: &DeletionPause<u64>, due: &[u64]) {
        assert_eq!(deletions.drain(), due);
    }

    #[test]
    fn a_deletion_is_deferred_then_done() {
        let (deletions, woken) = deletions();
        let guard = deletions.pause();
        assert_eq!(deletions.try_enqueue(1), Ok(()));
        assert_eq!(deletions.try_enqueue(2), Ok(()));
        check(&deletions, &[]);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        drop(guard);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        check(&deletions, &[1, 2]);
        check(&deletions, &[]);
    }

    #[test]
    fn without_a_pause_the_item_is_refused() {
        let (deletions, _) = deletions();
        assert_eq!(deletions.try_enqueue(1), Err(1));
        drop(deletions.pause());
        assert_eq!(deletions.try_enqueue(2), Err(2));
        check(&deletions, &[]);
    }

    #[test]
    fn a_pause_within_a_pause_lasts_until_both_end() {
        let (deletions, woken) = deletions();
        let (outer, inner) = (deletions.pause(), deletions.pause());
        assert_eq!(deletions.try_enqueue(1), Ok(()));
        drop(outer);
        assert_eq!(deletions.try_enqueue(2), Ok(()));
        check(&deletions, &[]);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        drop(inner);
        check(&deletions, &[1, 2]);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_pause_that_begins_before_an_older_drain_keeps_what_it_holds() {
        let (deletions, _) = deletions();
        let older = deletions.pause();
        assert_eq!(deletions.try_enqueue(1), Ok(()));
        drop(older);
        let newer = deletions.pause();
        assert_eq!(deletions.try_enqueue(2), Ok(()));
        check(&deletions, &[1]);
        check(&deletions, &[]);
        drop(newer);
        check(&deletions, &[2]);
    }

    #[test]
    fn a_pause_that_ends_between_the_two_looks_leaks_nothing() {
        let (deletions, _) = deletions();
        let guard = deletions.pause();
        assert!(deletions.is_active());
        drop(guard);
        assert_eq!(deletions.enqueue_checked(1), Err(1));
        check(&deletions, &[]);
    }

    #[test]
    fn what_could_not_be_deleted_is_due_again_though_another_pause_lasts() {
        let (deletions, _) = deletions();
        drop({
            let guard = deletions.pause();
            assert_eq!(deletions.try_enqueue(1), Ok(()));
            guard
        });
        let _lasting = deletions.pause();
        check(&deletions, &[1]);
        deletions.give_back(1);
        check(&deletions, &[1]);
    }

    #[test]
    fn every_item_of_racing_threads_comes_out_once() {
        const THREADS: u64 = 4;
        const ITEMS: u64 = 500;
        let (deletions, _) = deletions();
        let start = Barrier::new(THREADS as usize + 1);
        let mut found: Vec<u64> = thread::scope(|scope| {
            let deletes = |thread: u64| {
                let (deletions, start) = (&deletions, &start);
                scope.spawn(move || {
                    start.wait();
                    let items = thread * ITEMS..(thread + 1) * ITEMS;
                    items.filter_map(|item| deletions.try_enqueue(item).err()).collect::<Vec<_>>()
                })
            };
            let threads: Vec<_> = (0..THREADS).map(deletes).collect();
            start.wait();
            let mut found = Vec::new();
            for _ in 0..200 {
                drop((deletions.pause(), deletions.pause()));
                found.extend(deletions.drain());
            }
            found.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
            found
        });
        found.extend(deletions.drain());
        found.sort_unstable();
        assert!(found.iter().copied().eq(0..THREADS * ITEMS));
    }
}
