//! The handle through which a patrol is watched and steered while it goes.
//!
//! Invariant: a cancelled patrol stays cancelled. Nothing waits here; workers look at it between two reads.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::bucket::Rate;

/// Watches and steers a patrol from outside; clones share it.
///
/// ```
/// use lsm_scrub::Control;
/// let control = Control::new();
/// control.set_bytes_per_sec(10 << 20);
/// control.pause();
/// assert!(control.is_paused());
/// control.resume();
/// assert_eq!(control.progress().remaining_fraction(), 0.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Guards what was asked for and what is shown; a leaf, held for a moment.
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    order: Order,
    rate: Option<Rate>,
    progress: Progress,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Go,
    Pause,
    Cancel,
}

/// How far a pass has come.
///
/// ```
/// use std::time::Duration;
/// use lsm_scrub::Progress;
/// let progress = Progress {
///     bytes_total: 1000, bytes_done: 400, bytes_before: 200, elapsed: Duration::from_secs(2), ..Progress::default()
/// };
/// assert_eq!(progress.bytes_per_sec(), 100);
/// assert_eq!(progress.remaining(), Some(Duration::from_secs(6)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files of the pass.
    pub files_total: u64,
    /// Files it is done with.
    pub files_done: u64,
    /// Bytes of the pass.
    pub bytes_total: u64,
    /// Bytes it is done with.
    pub bytes_done: u64,
    /// Of these, bytes it was done with before it was resumed.
    pub bytes_before: u64,
    /// Findings so far.
    pub findings: u64,
    /// Pages lost so far.
    pub pages_lost: u64,
    /// Time spent on it so far, rests included, since it began or was resumed.
    pub elapsed: Duration,
}

impl Progress {
    /// How fast it goes on average, since it began or was resumed.
    #[must_use]
    pub fn bytes_per_sec(&self) -> u64 {
        per_sec(self.bytes_done.saturating_sub(self.bytes_before), self.elapsed)
    }

    /// How long the rest takes at that rate; None if nothing can be said yet.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        match (self.bytes_total.saturating_sub(self.bytes_done), self.bytes_per_sec()) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (bytes, rate) => Some(Duration::from_secs(bytes.div_ceil(rate))),
        }
    }

    /// How much of the pass is left, from 0 to 1.
    #[must_use]
    pub fn remaining_fraction(&self) -> f64 {
        let left = self.bytes_total.saturating_sub(self.bytes_done);
        if self.bytes_total == 0 { 0.0 } else { left as f64 / self.bytes_total as f64 }
    }
}

/// Bytes in a second, 0 if no time went by.
pub(crate) fn per_sec(bytes: u64, time: Duration) -> u64 {
    const NANOS: u128 = 1_000_000_000;
    let rate = (u128::from(bytes) * NANOS).checked_div(time.as_nanos());
    rate.map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

impl Control {
    /// One that lets a patrol go, at the rate of its options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on no more than this is read in a second; 0 is as much as can be.
    pub fn set_bytes_per_sec(&self, bytes: u64) {
        self.state.lock().rate = Some(Rate::per_sec(bytes));
    }

    /// Stops the patrol after the reads that are under way, until it is resumed; unless it is cancelled.
    pub fn pause(&self) {
        self.change(Order::Go, Order::Pause);
    }

    /// Lets a paused patrol go on.
    pub fn resume(&self) {
        self.change(Order::Pause, Order::Go);
    }

    /// Ends the patrol after the reads that are under way. What it has done is remembered.
    pub fn cancel(&self) {
        self.state.lock().order = Order::Cancel;
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.order() == Order::Pause
    }

    /// Whether it is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.order() == Order::Cancel
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.state.lock().progress
    }

    pub(crate) fn order(&self) -> Order {
        self.state.lock().order
    }

    /// The rate that was set here, if one was.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.state.lock().rate
    }

    pub(crate) fn show(&self, progress: Progress) {
        self.state.lock().progress = progress;
    }

    fn change(&self, from: Order, to: Order) {
        let mut state = self.state.lock();
        if state.order == from {
            state.order = to;
        }
    }
}
