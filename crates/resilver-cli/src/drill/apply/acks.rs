//! Acknowledgements: each is printed once everything before it is durable, in the order it was asked for.

use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::Scope,
};

use resilver::Db;

use crate::failure::Failure;

/// Commits on their way to the disk.
pub(super) struct Acks<'a> {
    shared: Arc<Shared<'a>>,
    threads: usize,
}

struct Shared<'a> {
    db: &'a Db,
    state: Mutex<State<'a>>,
    changed: Condvar,
}

struct State<'a> {
    out: &'a mut (dyn Write + Send),
    /// Commits that were asked for.
    asked: u64,
    /// Of them, those that a sync which is under way, or done, covers.
    taken: u64,
    /// Of them, those that are durable and told.
    told: u64,
    failure: Option<Failure>,
    is_over: bool,
}

impl<'a> Acks<'a> {
    /// Begins with `threads` that wait for the disk; with one, whoever asks waits.
    pub(super) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        db: &'a Db,
        out: &'a mut (dyn Write + Send),
        threads: usize,
    ) -> Self
    where
        'a: 'scope,
    {
        let state = State { out, asked: 0, taken: 0, told: 0, failure: None, is_over: false };
        let shared = Arc::new(Shared { db, state: Mutex::new(state), changed: Condvar::new() });
        if threads > 1 {
            for _ in 0..threads {
                let shared = shared.clone();
                scope.spawn(move || shared.serve());
            }
        }
        Self { shared, threads }
    }

    /// Asks for one more.
    pub(super) fn push(&self) -> Result<(), Failure> {
        self.shared.lock().asked += 1;
        if self.threads == 1 {
            return self.shared.sync_once();
        }
        self.shared.changed.notify_all();
        self.wait_until_below(self.threads as u64)
    }

    /// Waits until all are told.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        self.wait_until_below(1)
    }

    /// Waits until all are told, or one failed, and lets the threads go.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let settled = self.settle();
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        settled
    }

    fn wait_until_below(&self, limit: u64) -> Result<(), Failure> {
        let mut state = self.shared.lock();
        while state.failure.is_none() && state.asked - state.told >= limit {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.failure.take().map_or(Ok(()), Err)
    }
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        loop {
            let mut state = self.lock();
            while state.asked == state.taken && !state.is_over {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_over {
                return;
            }
            drop(state);
            if let Err(failure) = self.sync_once() {
                let mut state = self.lock();
                state.failure.get_or_insert(failure);
                state.is_over = true;
                self.changed.notify_all();
            }
        }
    }

    /// Makes what was asked for so far durable, and tells it behind what was asked for before.
    fn sync_once(&self) -> Result<(), Failure> {
        let (from, upto) = {
            let mut state = self.lock();
            let from = state.taken;
            state.taken = state.asked;
            (from, state.taken)
        };
        self.db.sync()?;
        let mut state = self.lock();
        // An earlier sync that is still under way tells first.
        while state.told < from && state.failure.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        for number in state.told + 1..=upto {
            writeln!(state.out, "ACK {number}").map_err(Failure::Stdout)?;
        }
        state.out.flush().map_err(Failure::Stdout)?;
        state.told = state.told.max(upto);
        self.changed.notify_all();
        Ok(())
    }
}
