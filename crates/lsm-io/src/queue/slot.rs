//! Where the verdict on one epoch arrives, and where its waiter sleeps.
//!
//! **Invariant**: a waiter that is asleep is woken by its verdict or by a summons, whichever comes first;
//! neither is lost if it comes before the waiter sleeps.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use parking_lot::{Condvar, Mutex};

use crate::turn::Verdict;

/// Where an epoch's verdict arrives.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    state: Mutex<SlotState>,
    wake: Condvar,
    pub(super) fate: Arc<Fate>,
}

#[derive(Debug, Default)]
struct SlotState {
    verdict: Option<Verdict>,
    waiter: Waiter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiter {
    #[default]
    Elsewhere,
    Asleep,
    Summoned,
}

/// Whether an epoch is done, for those that depend on it.
#[derive(Debug, Default)]
pub(crate) struct Fate(AtomicU8);

impl Slot {
    pub(super) fn settle(&self, verdict: Verdict) {
        self.fate.seal(&verdict);
        let mut state = self.state.lock();
        state.verdict = Some(verdict);
        let waiter = state.waiter;
        drop(state);
        if waiter != Waiter::Elsewhere {
            self.wake.notify_one();
        }
    }

    /// Wakes the waiter to lead, if it sleeps.
    pub(super) fn summon(&self) -> bool {
        let mut state = self.state.lock();
        let asleep = state.waiter == Waiter::Asleep;
        if asleep {
            state.waiter = Waiter::Summoned;
            drop(state);
            self.wake.notify_one();
        }
        asleep
    }

    pub(super) fn take(&self) -> Option<Verdict> {
        self.state.lock().verdict.take()
    }

    /// Sleeps until the verdict is there or a summons comes. `held` keeps summons out until it sleeps.
    pub(super) fn sleep<T>(&self, held: T) {
        let mut state = self.state.lock();
        state.waiter = Waiter::Asleep;
        drop(held);
        while state.verdict.is_none() && state.waiter == Waiter::Asleep {
            self.wake.wait(&mut state);
        }
        state.waiter = Waiter::Elsewhere;
    }
}

impl Fate {
    const DONE: u8 = 1;
    const FAILED: u8 = 2;

    fn seal(&self, verdict: &Verdict) {
        self.0.store(if verdict.is_ok() { Self::DONE } else { Self::FAILED }, Ordering::Release);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::DONE
    }
}
