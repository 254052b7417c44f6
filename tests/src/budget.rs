//! How much is tried: a fixed share by default, as much as fits into `RESILVER_MINUTES` by night.

use std::time::{Duration, Instant};

use proptest::test_runner::Config;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// `share` hundredths of the minutes that the night gives, from now on; without end by day.
    #[must_use]
    pub fn of(share: u64) -> Self {
        let minutes = number("RESILVER_MINUTES");
        let until = minutes.map(|minutes| Instant::now() + Duration::from_millis(minutes * 600 * share));
        Self { until }
    }

    /// Whether there is time left.
    #[must_use]
    pub fn lasts(self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// Whether there is a night to spend.
#[must_use]
pub fn is_night() -> bool {
    number("RESILVER_MINUTES").is_some()
}

/// What must be done by night, however long it takes: so much for each of its minutes. Nothing by day.
#[must_use]
pub fn least(by_minute: u64) -> u64 {
    number("RESILVER_MINUTES").map_or(0, |minutes| minutes * by_minute)
}

/// So many cases by day; by night as many as asked for.
#[must_use]
pub fn cases(by_day: u32) -> Config {
    let config = Config::default();
    let cases = if is_night() { config.cases } else { by_day };
    Config { cases, max_shrink_iters: 2_000, max_shrink_time: 60_000, failure_persistence: None, ..config }
}

/// The seed of everything that proptest does not choose.
#[must_use]
pub fn seed() -> u64 {
    number("RESILVER_SEED").unwrap_or(1)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
