//! Where a waiter hears what became of its group, and where it sleeps until then.
//!
//! **Invariant**: a waiter that is asleep is woken by its verdict or by a summons, whichever comes first;
//! neither is lost if it comes before the waiter sleeps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::{Condvar, Mutex};

use crate::Fault;

/// What became of a group.
pub(crate) type Verdict = Result<(), Arc<Fault>>;

/// Where a verdict arrives. A leaf lock.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Set once the verdict is there.
    settled: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
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

impl Slot {
    /// Says what became of the group; what is said first counts.
    pub(crate) fn settle(&self, verdict: Verdict) {
        let mut state = self.state.lock();
        state.verdict.get_or_insert(verdict);
        self.settled.store(true, Ordering::Release);
        let asleep = state.waiter == Waiter::Asleep;
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.is_settled() { self.state.lock().verdict.clone() } else { None }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Wakes the waiter to lead, if it sleeps.
    pub(crate) fn summon(&self) -> bool {
        let mut state = self.state.lock();
        let asleep = state.waiter == Waiter::Asleep && state.verdict.is_none();
        if asleep {
            state.waiter = Waiter::Summoned;
            drop(state);
            self.wake.notify_one();
        }
        asleep
    }

    /// Sleeps until the verdict is there or a summons comes. `held` keeps summonses out until it sleeps.
    pub(crate) fn sleep<T>(&self, held: T) {
        let mut state = self.state.lock();
        state.waiter = Waiter::Asleep;
        drop(held);
        while state.verdict.is_none() && state.waiter == Waiter::Asleep {
            self.wake.wait(&mut state);
        }
        state.waiter = Waiter::Elsewhere;
    }
}
