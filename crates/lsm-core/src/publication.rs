//! Which writes readers may see: all up to one sequence number, in order.
//!
//! Writers get their sequence numbers from the log and apply their batches side by side; a batch shows only
//! once every one before it does, so what a reader sees is always a prefix of the log.
//!
//! **Invariant**: every sequence number that was handed out is published exactly once, whether its batch was
//! applied or failed, so that nobody waits for one that never comes.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::{Condvar, Mutex};
use sst_format::SeqNo;

/// Which writes readers may see.
///
/// ```
/// use lsm_core::Publication;
/// use sst_format::SeqNo;
/// let publication = Publication::new(SeqNo::new(10));
/// publication.publish(SeqNo::new(11), 3);
/// assert_eq!(publication.visible(), SeqNo::new(13));
/// ```
#[derive(Debug)]
pub struct Publication {
    visible: AtomicU64,
    /// Guards what is applied but not yet visible; a leaf.
    early: Mutex<Early>,
    advanced: Condvar,
}

#[derive(Debug, Default)]
struct Early {
    /// First to last, of batches that wait for one before them.
    applied: BTreeMap<u64, u64>,
    waiters: usize,
}

impl Publication {
    /// With everything up to `visible` published.
    #[must_use]
    pub fn new(visible: SeqNo) -> Self {
        Self { visible: AtomicU64::new(visible.get()), early: Mutex::default(), advanced: Condvar::new() }
    }

    /// The newest sequence number that readers may see.
    #[must_use]
    pub fn visible(&self) -> SeqNo {
        SeqNo::new(self.visible.load(Ordering::Acquire))
    }

    /// Says that `count` sequence numbers from `first` on are applied, and returns once they show.
    pub fn publish(&self, first: SeqNo, count: u64) {
        let Some(last) = count.checked_sub(1).map(|more| first.get() + more) else { return };
        let mut early = self.early.lock();
        let visible = self.visible.load(Ordering::Relaxed);
        debug_assert!(first.get() > visible, "a sequence number is published once");
        if first.get() == visible + 1 {
            self.advance(&mut early, last);
            return;
        }
        early.applied.insert(first.get(), last);
        early.waiters += 1;
        while self.visible.load(Ordering::Relaxed) < last {
            self.advanced.wait(&mut early);
        }
        early.waiters -= 1;
    }

    /// Says that everything up to `seq` is applied or was never there; nobody publishes meanwhile.
    pub fn reach(&self, seq: SeqNo) {
        self.visible.fetch_max(seq.get(), Ordering::AcqRel);
    }

    fn advance(&self, early: &mut Early, last: u64) {
        let mut visible = last;
        while let Some(last) = early.applied.remove(&(visible + 1)) {
            visible = last;
        }
        self.visible.store(visible, Ordering::Release);
        if early.waiters > 0 {
            self.advanced.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_batch_shows_only_behind_those_before_it() {
        let publication = Arc::new(Publication::new(SeqNo::new(0)));
        let later: Vec<_> = [(4, 2), (2, 2)]
            .map(|(first, count)| {
                let publication = publication.clone();
                std::thread::spawn(move || publication.publish(SeqNo::new(first), count))
            })
            .into();
        while publication.early.lock().waiters < 2 {
            std::thread::yield_now();
        }
        assert_eq!(publication.visible(), SeqNo::new(0));
        publication.publish(SeqNo::new(1), 1);
        for thread in later {
            thread.join().unwrap();
        }
        assert_eq!(publication.visible(), SeqNo::new(5));
    }

    #[test]
    fn many_writers_publish_every_number_once() {
        let publication = Publication::new(SeqNo::new(0));
        let next = AtomicU64::new(1);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (publication, next) = (&publication, &next);
                scope.spawn(move || {
                    for round in 0..2000_u64 {
                        let count = (round + writer) % 3 + 1;
                        let first = next.fetch_add(count, Ordering::Relaxed);
                        publication.publish(SeqNo::new(first), count);
                        assert!(publication.visible().get() >= first + count - 1);
                    }
                });
            }
        });
        assert_eq!(publication.visible().get(), next.into_inner() - 1);
    }
}
