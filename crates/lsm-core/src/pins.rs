//! What open tables keep of their filters and indexes, so that a read goes straight to its data block: by one
//! budget for the whole store.
//!
//! Invariant: what is pinned is never more than the budget, and goes with its table. What finds no room is read
//! through the block cache like any block.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use sst_format::TableBlock;

/// Bytes that all open tables of a store may pin together.
#[derive(Debug)]
pub(crate) struct PinBudget {
    max: u64,
    taken: AtomicU64,
}

/// What one table pins.
#[derive(Debug)]
pub(crate) struct Pins {
    budget: Arc<PinBudget>,
    taken: AtomicU64,
    /// Its index blocks, by their place in the top index, each from when it was first read.
    leaves: Box<[OnceLock<TableBlock>]>,
}

impl PinBudget {
    /// So many bytes.
    pub(crate) fn new(max: u64) -> Self {
        Self { max, taken: AtomicU64::new(0) }
    }

    /// Bytes that are pinned.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let fits = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.max);
        self.taken.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }
}

impl Pins {
    /// None yet.
    pub(crate) fn new(budget: &Arc<PinBudget>) -> Self {
        Self { budget: budget.clone(), taken: AtomicU64::new(0), leaves: Box::default() }
    }

    /// With room for so many index blocks.
    pub(crate) fn with_leaves(mut self, leaves: usize) -> Self {
        self.leaves = (0..leaves).map(|_| OnceLock::new()).collect();
        self
    }

    /// Takes from the budget, if it has so much left.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let has_room = self.budget.take(bytes);
        if has_room {
            self.taken.fetch_add(bytes, Relaxed);
        }
        has_room
    }

    /// An index block that is pinned.
    #[inline]
    pub(crate) fn leaf(&self, number: usize) -> Option<&TableBlock> {
        self.leaves.get(number)?.get()
    }

    /// Pins an index block, if there is room.
    pub(crate) fn pin_leaf(&self, number: usize, block: &TableBlock) {
        let Some(place) = self.leaves.get(number).filter(|place| place.get().is_none()) else { return };
        // Of two threads that come here at once, one pins, and what the other took stays taken until the table goes.
        if self.take(block.len() as u64) {
            place.get_or_init(|| block.clone());
        }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(*self.taken.get_mut(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_never_overdrawn_and_comes_back_with_the_table() {
        let budget = Arc::new(PinBudget::new(100));
        let (one, other) = (Pins::new(&budget), Pins::new(&budget));
        assert!(one.take(60) && !other.take(41) && other.take(40) && !one.take(1));
        assert_eq!(budget.taken(), 100);
        drop(one);
        assert_eq!(budget.taken(), 40);
        assert!(other.take(60) && !other.take(u64::MAX));
        drop(other);
        assert_eq!(budget.taken(), 0);
    }
}
