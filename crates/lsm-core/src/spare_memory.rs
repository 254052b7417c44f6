//! Memory that tables were made in, kept for the next ones.
//!
//! A table is made whole in memory, so a store that merges all the time asks the system for gigabytes, and each page
//! of it costs a fault at its first touch: a quarter of the processor time of a fill with values of 1 KiB.
//! Owns images that were written and what filters were built in; who asks when is left to jobs.
//!
//! Invariants: at most [`KEPT_MAX`] of either are kept; nothing that was in them is read again.

use std::time::Instant;

use lsm_io::Recycler;
use parking_lot::Mutex;
use sst_format::SpareMemory;

/// More are not kept: a flush and a merge in a few pieces use as many at once.
const KEPT_MAX: usize = 4;

/// What is not in use.
#[derive(Debug, Default)]
pub(crate) struct SpareMemories {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    images: Vec<Vec<u8>>,
    filters: Vec<SpareMemory>,
    /// When there was something to do with them.
    used: Option<Instant>,
}

impl SpareMemories {
    /// Memory for a table: fresh if nothing is kept.
    pub(crate) fn take(&self) -> SpareMemory {
        let mut kept = self.kept.lock();
        kept.used = Some(Instant::now());
        let (filter, image) = (kept.filters.pop(), kept.images.pop());
        filter.unwrap_or_default().image(image.unwrap_or_default())
    }

    /// Keeps what a finished table left beside its image.
    pub(crate) fn keep(&self, left: SpareMemory) {
        let mut kept = self.kept.lock();
        kept.used = Some(Instant::now());
        if kept.filters.len() < KEPT_MAX {
            kept.filters.push(left);
        }
    }

    /// Lets go of everything if nobody asked since `before`.
    pub(crate) fn let_go(&self, before: Instant) {
        let rested = {
            let mut kept = self.kept.lock();
            let is_rested = kept.used.is_some_and(|used| used < before);
            if is_rested { std::mem::take(&mut *kept) } else { Kept::default() }
        };
        drop(rested);
    }
}

impl Recycler for SpareMemories {
    fn recycle(&self, bytes: Vec<u8>) {
        let mut kept = self.kept.lock();
        kept.used = Some(Instant::now());
        if kept.images.len() < KEPT_MAX {
            kept.images.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    #[test]
    fn an_image_comes_back_once_nobody_holds_it() {
        let spare = Arc::new(SpareMemories::default());
        let image = lsm_io::Image::lent(vec![7; 4096], spare.clone());
        let clone = image.clone();
        drop(image);
        assert!(spare.kept.lock().images.is_empty(), "somebody writes it still");
        drop(clone);
        assert_eq!(spare.kept.lock().images.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_a_few_and_nothing_for_long() {
        let spare = Arc::new(SpareMemories::default());
        (0..10).for_each(|_| spare.recycle(vec![0; 10]));
        (0..10).for_each(|_| spare.keep(SpareMemory::default()));
        let _used = spare.take();
        let now = Instant::now();
        let kept = || {
            let kept = spare.kept.lock();
            (kept.images.len(), kept.filters.len())
        };
        assert_eq!(kept(), (KEPT_MAX - 1, KEPT_MAX - 1));
        spare.let_go(now.checked_sub(Duration::from_secs(1)).unwrap());
        assert_eq!(kept(), (KEPT_MAX - 1, KEPT_MAX - 1), "in use a moment ago");
        spare.let_go(Instant::now() + Duration::from_secs(1));
        assert_eq!(kept(), (0, 0));
        spare.recycle(vec![0; 10]);
        spare.let_go(Instant::now() + Duration::from_secs(1));
        assert_eq!(kept(), (0, 0), "what came back behind a rest");
    }
}
