//! How much writers are held back, so that compaction keeps up.
//!
//! Invariant: the answer depends on the debt alone and changes with it little by little: writers get slower
//! long before they would have to stop.

use std::time::Duration;

/// How much writers are held back.
///
/// ```
/// use lsm_core::Pressure;
/// use std::time::Duration;
/// assert_eq!(Pressure::Free.delay(1 << 20), Some(Duration::ZERO));
/// assert_eq!(Pressure::Slow { bytes_per_sec: 1 << 20 }.delay(1 << 19), Some(Duration::from_millis(500)));
/// assert_eq!(Pressure::Stop.delay(1), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// Not at all.
    Free,
    /// All writers together write this fast.
    Slow {
        /// Bytes in a second.
        bytes_per_sec: u64,
    },
    /// They wait until this changes.
    Stop,
}

/// What has been written but not been put in order.
///
/// ```
/// let debt = lsm_core::Debt { flushed_runs: 3, ..Default::default() };
/// assert_eq!(debt.compaction_bytes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Debt {
    /// Memtables that take no more writes and wait for their flush.
    pub sealed_memtables: u64,
    /// Runs of level 0.
    pub flushed_runs: u64,
    /// Bytes that compaction has to rewrite: [`Leveled::debt_bytes`](crate::Leveled::debt_bytes).
    pub compaction_bytes: u64,
}

/// When writers are slowed down, and when stopped.
///
/// ```
/// use lsm_core::{Debt, Pressure, PressureLimits};
/// let limits = PressureLimits::new();
/// assert_eq!(limits.pressure(&Debt::default()), Pressure::Free);
/// assert_eq!(limits.pressure(&Debt { flushed_runs: 1000, ..Default::default() }), Pressure::Stop);
/// ```
#[derive(Clone, Debug)]
pub struct PressureLimits {
    sealed_memtables: Limit,
    flushed_runs: Limit,
    compaction_bytes: Limit,
    fastest_bytes_per_sec: u64,
    slowest_bytes_per_sec: u64,
}

/// Free up to one number, slower and slower up to another, then stopped.
#[derive(Clone, Copy, Debug)]
struct Limit {
    slow: u64,
    stop: u64,
}

impl Default for PressureLimits {
    fn default() -> Self {
        Self {
            sealed_memtables: Limit { slow: 1, stop: 4 },
            flushed_runs: Limit { slow: 12, stop: 36 },
            compaction_bytes: Limit { slow: 32 << 30, stop: 256 << 30 },
            fastest_bytes_per_sec: 256 << 20,
            slowest_bytes_per_sec: 1 << 20,
        }
    }
}

impl PressureLimits {
    /// Limits for memtables of 64 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sealed memtables beyond which writers slow down, and at which they stop.
    ///
    /// # Panics
    /// If the first is not below the second.
    #[must_use]
    pub fn sealed_memtables(mut self, slow: u64, stop: u64) -> Self {
        self.sealed_memtables = Limit::new(slow, stop);
        self
    }

    /// Runs of level 0 beyond which writers slow down, and at which they stop.
    ///
    /// # Panics
    /// If the first is not below the second.
    #[must_use]
    pub fn flushed_runs(mut self, slow: u64, stop: u64) -> Self {
        self.flushed_runs = Limit::new(slow, stop);
        self
    }

    /// Bytes to rewrite beyond which writers slow down, and at which they stop.
    ///
    /// # Panics
    /// If the first is not below the second.
    #[must_use]
    pub fn compaction_bytes(mut self, slow: u64, stop: u64) -> Self {
        self.compaction_bytes = Limit::new(slow, stop);
        self
    }

    /// How fast writers are at the first sign of debt, and at the last moment before they stop.
    ///
    /// # Panics
    /// If the slowest is 0, or faster than the fastest.
    #[must_use]
    pub fn bytes_per_sec(mut self, fastest: u64, slowest: u64) -> Self {
        assert!(slowest > 0, "writers who cannot move do not slow down");
        assert!(slowest <= fastest, "the slowest is not the fastest");
        (self.fastest_bytes_per_sec, self.slowest_bytes_per_sec) = (fastest, slowest);
        self
    }

    /// How much writers are held back for this debt: what presses most counts.
    #[must_use]
    pub fn pressure(&self, debt: &Debt) -> Pressure {
        let parts = [
            self.sealed_memtables.part(debt.sealed_memtables),
            self.flushed_runs.part(debt.flushed_runs),
            self.compaction_bytes.part(debt.compaction_bytes),
        ];
        let part = parts.into_iter().fold(0.0, f64::max);
        if part <= 0.0 {
            return Pressure::Free;
        }
        if part >= 1.0 {
            return Pressure::Stop;
        }
        // Each step of debt takes the same share of the speed: no step is a jump.
        let (fastest, slowest) = (self.fastest_bytes_per_sec as f64, self.slowest_bytes_per_sec as f64);
        Pressure::Slow { bytes_per_sec: (fastest * (slowest / fastest).powf(part)).round() as u64 }
    }
}

impl Limit {
    fn new(slow: u64, stop: u64) -> Self {
        assert!(slow < stop, "writers slow down before they stop");
        Self { slow, stop }
    }

    /// How far from free to stopped: 0 at most is free, 1 at least is stopped.
    fn part(self, debt: u64) -> f64 {
        debt.saturating_sub(self.slow) as f64 / (self.stop - self.slow) as f64
    }
}

impl Pressure {
    /// How long a writer of so many bytes is held back; `None` until the pressure changes.
    #[must_use]
    pub fn delay(self, bytes: u64) -> Option<Duration> {
        match self {
            Self::Free => Some(Duration::ZERO),
            Self::Slow { bytes_per_sec } => {
                let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_sec.max(1));
                Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
            Self::Stop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> PressureLimits {
        PressureLimits::new().flushed_runs(10, 20).sealed_memtables(1, 3).bytes_per_sec(1 << 20, 1 << 10)
    }

    #[track_caller]
    fn check(debt: Debt, expected: Pressure) {
        assert_eq!(limits().pressure(&debt), expected, "{debt:?}");
    }

    #[test]
    fn what_presses_most_counts() {
        let debt =
            |sealed_memtables, flushed_runs| Debt { sealed_memtables, flushed_runs, compaction_bytes: 0 };
        check(debt(1, 10), Pressure::Free);
        check(debt(2, 10), Pressure::Slow { bytes_per_sec: 1 << 15 });
        check(debt(2, 19), Pressure::Slow { bytes_per_sec: 1 << 11 });
        check(debt(3, 0), Pressure::Stop);
        check(debt(0, 20), Pressure::Stop);
        check(Debt { compaction_bytes: u64::MAX, ..debt(0, 0) }, Pressure::Stop);
    }

    #[test]
    fn every_step_of_debt_takes_the_same_share_of_the_speed() {
        let speed = |flushed_runs| match limits().pressure(&Debt { flushed_runs, ..Debt::default() }) {
            Pressure::Slow { bytes_per_sec } => bytes_per_sec as f64,
            other => panic!("{other:?} at {flushed_runs}"),
        };
        for runs in 11..19 {
            let step = speed(runs) / speed(runs + 1);
            assert!((1.9..2.1).contains(&step), "{step} at {runs}");
        }
    }

    /// Writers want ten times what compaction manages, one second after the other.
    #[test]
    fn writers_settle_at_the_speed_of_compaction_without_a_stop() {
        const RUN_BYTES: u64 = 64 << 20;
        let limits = PressureLimits::new();
        for compacted in [4_u64 << 20, 20 << 20, 100 << 20] {
            let mut flushed = 0_u64;
            for second in 0..4000 {
                let debt = Debt { flushed_runs: flushed / RUN_BYTES, ..Debt::default() };
                let written = match limits.pressure(&debt) {
                    Pressure::Free => compacted * 10,
                    Pressure::Slow { bytes_per_sec } => bytes_per_sec.min(compacted * 10),
                    Pressure::Stop => panic!("stopped after {second} s at {compacted}"),
                };
                let share = written as f64 / compacted as f64;
                assert!(second < 2000 || (0.75..1.4).contains(&share), "{share} at {compacted}");
                flushed = (flushed + written).saturating_sub(compacted);
            }
        }
    }

    #[test]
    fn a_delay_never_overflows() {
        let slowest = Pressure::Slow { bytes_per_sec: 1 };
        assert_eq!(slowest.delay(u64::MAX), Some(Duration::from_nanos(u64::MAX)));
    }
}
