//! Runs the steps of a turn against the disk.
//!
//! [`Executor`] is the seam where another way of talking to the kernel fits in: it is handed whole turns,
//! asks each for its steps and reports how they went. What a turn means is none of its business.

use std::{sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};

use crate::{
    debts::Debts,
    turn::{Step, StepError, Turn},
};

/// The longest a bulk write waits for the running log turn before it goes on beside it.
const COURTESY_MAX: Duration = Duration::from_millis(2);

/// A long bulk write is synced each time so many bytes have been handed over: a sync of everything at once
/// would keep the device busy, and every commit waiting, for as long as the whole table takes.
const PACE_LEN: usize = 4 << 20;

/// How far to run a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Every byte is handed over, nothing synced.
    Written,
    /// The end.
    Finished,
}

/// Runs turns.
pub(crate) trait Executor: Send + Sync {
    /// Runs `turn` as far as asked.
    fn run(&self, turn: &mut Turn, until: Until);
}

/// One system call after another, on the calling thread.
#[derive(Debug)]
pub(crate) struct Blocking {
    debts: Arc<Debts>,
    /// Whose turns go first.
    gives_way_to: Option<Arc<Traffic>>,
}

/// Whether a lane has a turn under way.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// A leaf lock.
    turns: Mutex<usize>,
    quiet: Condvar,
}

impl Blocking {
    pub(crate) fn new(debts: Arc<Debts>, gives_way_to: Option<Arc<Traffic>>) -> Self {
        Self { debts, gives_way_to }
    }

    fn perform(&self, step: &Step) -> Result<(), StepError> {
        match step {
            Step::Write { target, offset, image, range } => {
                if let Some(traffic) = &self.gives_way_to {
                    traffic.wait_until_quiet(COURTESY_MAX);
                }
                let result = target.write_at(*offset, &image.as_slice()[range.clone()]);
                self.debts.owe(target);
                result.map_err(StepError::Io)?;
                let more_follows = range.end < image.as_slice().len();
                if self.gives_way_to.is_some() && more_follows && range.end % PACE_LEN == 0 {
                    target.sync()?;
                }
                Ok(())
            }
            Step::Sync(target) => Ok(target.sync()?),
            Step::SyncDir(dir) => dir.fs.sync_dir(&dir.path).map_err(StepError::Io),
            Step::Remove(deletion) => deletion.fs.remove(&deletion.path).map_err(StepError::Io),
        }
    }
}

impl Executor for Blocking {
    fn run(&self, turn: &mut Turn, until: Until) {
        while let Some(step) = turn.next(until) {
            let result = self.perform(&step);
            turn.record(&step, result);
        }
    }
}

impl Traffic {
    pub(crate) fn begins(&self) {
        *self.turns.lock() += 1;
    }

    pub(crate) fn ends(&self) {
        *self.turns.lock() -= 1;
        self.quiet.notify_all();
    }

    fn wait_until_quiet(&self, patience: Duration) {
        let mut turns = self.turns.lock();
        if *turns > 0 {
            // Whether it became quiet or patience ran out, the write goes on.
            let _ = self.quiet.wait_for(&mut turns, patience);
        }
    }
}
