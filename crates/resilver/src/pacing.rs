//! Holds writers back while flushes and compactions are behind, little by little, so that none stands long.
//!
//! While a flush is under way, writers may fill the memory that is left just as fast as the flush is expected to
//! take: they arrive together. Compactions hold back by their debt ([`PressureLimits`]). What is slower counts.
//!
//! **Invariant**: a writer never waits for room that a failing flush will not make: it is told why instead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lsm_core::{Debt, Pressure, PressureLimits};
use parking_lot::{Condvar, Mutex};

use crate::{Background, Error, Options, engine::Engine};

/// The longest a write is slowed down at once.
const DELAY_MAX: Duration = Duration::from_millis(10);
/// Writers who are ahead by less go on: sleeping takes longer than so short a time.
const GRAIN: Duration = Duration::from_millis(1);
/// What writers did not use may be used within this time.
const CREDIT: Duration = Duration::from_millis(2);
/// After so many bytes the rate is found anew.
const STRIDE: u64 = 256 << 10;
/// Memtables' worth of memory that writers are given time for, and at which they stop.
const MEMTABLES_PACED: u64 = 4;
const MEMTABLES_MAX: u64 = 5;
/// How fast the first flush is taken to be, and how slow writers get before they stop.
const FLUSH_BYTES_PER_SEC: f64 = (64 << 20) as f64;
const SLOWEST_BYTES_PER_SEC: u64 = 1 << 20;
/// The part of a flush that is always taken to be ahead, in case it takes longer than expected.
const PART_AHEAD: f64 = 0.25;
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
    /// Bytes let through since the rate was found.
    strode: u64,
    flush: Option<FlushUnderWay>,
    /// What flushes managed so far; none before the first.
    flush_bytes_per_sec: Option<f64>,
    /// Why the last flush failed, until one succeeds.
    stalled: Option<Arc<Error>>,
}

/// A flush that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlushUnderWay {
    begun: Instant,
    bytes: u64,
}

/// The bytes in memtables, against what they may be.
#[derive(Clone, Copy, Debug)]
struct Memory {
    active: u64,
    sealed: u64,
    memtable: u64,
}

impl Pacer {
    pub(crate) fn new(options: &Options) -> Self {
        let limits = match options.background {
            Background::Threads => Some(PressureLimits::new()),
            Background::Inline => None,
        };
        Self { limits, rate: AtomicU64::new(FREE), queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes the debt of the store into account.
    pub(crate) fn update(&self, engine: &Engine) {
        let Some(limits) = &self.limits else { return };
        // Memory is looked at more closely below.
        let by_debt = match limits.pressure(&Debt { sealed_memtables: 0, ..engine.store.debt() }) {
            Pressure::Free => FREE,
            Pressure::Slow { bytes_per_sec } => bytes_per_sec.clamp(1, STOPPED - 1),
            Pressure::Stop => STOPPED,
        };
        let (active, sealed) = engine.store.memtable_bytes();
        let memory = Memory { active, sealed, memtable: engine.options.memtable_bytes };
        let by_memory = self.queue.lock().rate_in(memory, Instant::now());
        let rate = match (by_debt, by_memory) {
            (STOPPED, _) | (_, STOPPED) => STOPPED,
            (FREE, rate) | (rate, FREE) => rate,
            (one, other) => one.min(other),
        };
        if self.rate.swap(rate, Ordering::Relaxed) == STOPPED && rate != STOPPED {
            self.wake();
        }
    }

    /// Hears that a flush of so many bytes begins.
    pub(crate) fn flush_begins(&self, bytes: u64) -> FlushUnderWay {
        let flush = FlushUnderWay { begun: Instant::now(), bytes };
        self.queue.lock().flush = Some(flush);
        flush
    }

    /// Hears that it succeeded.
    pub(crate) fn flush_done(&self, FlushUnderWay { begun, bytes }: FlushUnderWay) {
        let speed = bytes as f64 / begun.elapsed().as_secs_f64().max(1e-3);
        let mut queue = self.queue.lock();
        queue.flush = None;
        queue.flush_bytes_per_sec = Some(queue.flush_bytes_per_sec.map_or(speed, |old| (old + speed) / 2.0));
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

    /// Whether a write would go through at once.
    pub(crate) fn is_free(&self) -> bool {
        self.rate.load(Ordering::Relaxed) == FREE
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
                self.wait_slow(engine, rate, bytes);
                Ok(())
            }
        }
    }

    fn wait_slow(&self, engine: &Engine, rate: u64, bytes: usize) {
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let (ahead, is_stale) = {
            let (now, mut queue) = (Instant::now(), self.queue.lock());
            let from = now.checked_sub(CREDIT).unwrap_or(now);
            let until = queue.busy_until.map_or(from, |until| until.max(from)) + takes;
            queue.busy_until = Some(until);
            queue.strode += bytes as u64;
            let ahead = until.saturating_duration_since(now);
            let is_stale = queue.strode >= STRIDE || ahead >= GRAIN;
            if is_stale {
                queue.strode = 0;
            }
            (ahead, is_stale)
        };
        if ahead >= GRAIN {
            std::thread::sleep(ahead.min(DELAY_MAX));
        }
        if is_stale {
            self.update(engine);
        }
    }

    #[cold]
    fn wait_stopped(&self, engine: &Engine) -> Result<(), Error> {
        let mut queue = self.queue.lock();
        while self.rate.load(Ordering::Relaxed) == STOPPED {
            engine.check_open()?;
            if engine.bell.is_over() {
                // Nobody flushes any more, and who waits here may be a thread that closing waits for.
                return Err(Error::Closed);
            }
            if let Some(cause) = &queue.stalled {
                return Err(Error::Stalled { cause: cause.clone() });
            }
            self.changed.wait_for(&mut queue, Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Queue {
    /// How fast memory may fill.
    fn rate_in(&self, memory: Memory, now: Instant) -> u64 {
        let Memory { active, sealed, memtable } = memory;
        if sealed == 0 {
            return FREE;
        }
        let used = active.saturating_add(sealed);
        if used >= memtable.saturating_mul(MEMTABLES_MAX) {
            return STOPPED;
        }
        let room = memtable.saturating_mul(MEMTABLES_PACED).saturating_sub(used);
        let speed = self.flush_bytes_per_sec.unwrap_or(FLUSH_BYTES_PER_SEC).max(1.0);
        let done = self.flush.map_or(0.0, |flush| now.saturating_duration_since(flush.begun).as_secs_f64());
        let under_way = self.flush.map_or(0.0, |flush| flush.bytes as f64 / speed);
        // Until the flush that is under way ends and memory is freed; with none, until the next one does.
        let takes = if self.flush.is_some() { under_way } else { sealed as f64 / speed };
        let left = (takes - done).max(takes * PART_AHEAD).max(1e-3);
        let rate = (room as f64 / left).min((STOPPED - 1) as f64) as u64;
        rate.max(SLOWEST_BYTES_PER_SEC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Writers want ten times what flushes manage, a millisecond after the other.
    #[test]
    fn writers_settle_at_the_speed_of_flushes_without_a_stop() {
        for flush_speed in [8 * MIB, 60 * MIB, 200 * MIB] {
            let (mut active, mut sealed, mut written) = (0_u64, 0_u64, 0_u64);
            let (start, mut queue) = (Instant::now(), Queue::default());
            queue.flush_bytes_per_sec = Some(flush_speed as f64);
            for millis in 0..60_000_u64 {
                let now = start + Duration::from_millis(millis);
                let memory = Memory { active, sealed, memtable: 64 * MIB };
                let rate = match queue.rate_in(memory, now) {
                    FREE => flush_speed * 10,
                    STOPPED => panic!("stopped after {millis} ms at {flush_speed}"),
                    rate => rate.min(flush_speed * 10),
                };
                active += rate / 1000;
                written += rate / 1000;
                if active >= 64 * MIB {
                    (active, sealed) = (0, sealed + active);
                }
                match queue.flush {
                    None if sealed > 0 => queue.flush = Some(FlushUnderWay { begun: now, bytes: sealed }),
                    Some(flush)
                        if (now - flush.begun).as_secs_f64() * flush_speed as f64 > flush.bytes as f64 =>
                    {
                        sealed -= flush.bytes;
                        queue.flush = None;
                    }
                    _ => {}
                }
            }
            let share = written as f64 / 60.0 / flush_speed as f64;
            assert!((0.8..1.8).contains(&share), "{share} at {flush_speed}");
        }
    }

    #[test]
    fn a_flush_that_takes_ten_times_as_long_slows_writers_down_and_does_not_stop_them_at_once() {
        let now = Instant::now();
        let begun = now.checked_sub(Duration::from_secs(10)).unwrap();
        let queue = Queue {
            flush: Some(FlushUnderWay { begun, bytes: 64 * MIB }),
            flush_bytes_per_sec: Some((64 * MIB) as f64),
            ..Queue::default()
        };
        let rate = |used| queue.rate_in(Memory { active: used, sealed: 64 * MIB, memtable: 64 * MIB }, now);
        assert_eq!(rate(64 * MIB), 512 * MIB);
        assert_eq!(rate(184 * MIB), 32 * MIB);
        assert_eq!(rate(192 * MIB), SLOWEST_BYTES_PER_SEC);
        assert_eq!(rate(256 * MIB), STOPPED);
    }
}
