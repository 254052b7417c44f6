//! Holds writers back while flushes and compactions are behind, little by little, so that none stands long.
//!
//! **Invariant**: a writer never waits for room that a failing flush will not make: it is told why instead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lsm_core::{Pressure, PressureLimits};
use parking_lot::{Condvar, Mutex};

use crate::{Background, Error, Options, engine::Engine};

/// The longest a write is slowed down at once.
const DELAY_MAX: Duration = Duration::from_millis(20);
/// No rate: writers are free, or stopped.
const FREE: u64 = 0;
const STOPPED: u64 = u64::MAX;

/// Holds writers back.
#[derive(Debug)]
pub(crate) struct Pacer {
    limits: Option<PressureLimits>,
    /// Bytes a second that all writers together may write; or free, or stopped.
    rate: AtomicU64,
    /// A leaf.
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Until when what was let through so far takes at the rate.
    busy_until: Option<Instant>,
    /// Why the last flush failed, until one succeeds.
    stalled: Option<Arc<Error>>,
}

impl Pacer {
    pub(crate) fn new(options: &Options) -> Self {
        let limits = match options.background {
            Background::Threads => Some(PressureLimits::new().sealed_memtables(1, 3)),
            Background::Inline => None,
        };
        Self { limits, rate: AtomicU64::new(FREE), queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes the debt of the store into account.
    pub(crate) fn update(&self, engine: &Engine) {
        let Some(limits) = &self.limits else { return };
        let rate = match limits.pressure(&engine.store.debt()) {
            Pressure::Free => FREE,
            Pressure::Slow { bytes_per_sec } => bytes_per_sec.clamp(1, STOPPED - 1),
            Pressure::Stop => STOPPED,
        };
        if self.rate.swap(rate, Ordering::Relaxed) == STOPPED && rate != STOPPED {
            self.wake();
        }
    }

    /// Hears how a flush went.
    pub(crate) fn flushed(&self, outcome: &Result<bool, Error>) {
        match outcome {
            Ok(true) => self.queue.lock().stalled = None,
            Ok(false) => {}
            Err(error) => {
                self.queue.lock().stalled = Some(Arc::new(error.to_told()));
                self.wake();
            }
        }
    }

    /// Wakes whoever waits for room.
    pub(crate) fn wake(&self) {
        drop(self.queue.lock());
        self.changed.notify_all();
    }

    /// Lets a write of `bytes` through, now or a little later.
    #[inline]
    pub(crate) fn wait_for_room(&self, engine: &Engine, bytes: usize) -> Result<(), Error> {
        match self.rate.load(Ordering::Relaxed) {
            FREE => Ok(()),
            STOPPED => self.wait_stopped(engine),
            rate => {
                self.wait_slow(rate, bytes);
                Ok(())
            }
        }
    }

    #[cold]
    fn wait_slow(&self, rate: u64, bytes: usize) {
        let now = Instant::now();
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let until = {
            let mut queue = self.queue.lock();
            let until = queue.busy_until.map_or(now, |until| until.max(now)) + takes;
            queue.busy_until = Some(until);
            until
        };
        std::thread::sleep(until.saturating_duration_since(now).min(DELAY_MAX));
    }

    #[cold]
    fn wait_stopped(&self, engine: &Engine) -> Result<(), Error> {
        let mut queue = self.queue.lock();
        while self.rate.load(Ordering::Relaxed) == STOPPED {
            engine.check_open()?;
            if let Some(cause) = &queue.stalled {
                return Err(Error::Stalled { cause: cause.clone() });
            }
            self.changed.wait_for(&mut queue, Duration::from_millis(100));
        }
        Ok(())
    }
}
