//! How fast a patrol may read: a token bucket over times that it is given.
//!
//! Invariant: whatever is asked for and whenever, the bytes granted within a time are at most the rate times that
//! time, plus the rate times [`BURST`], plus the last read granted.

use std::{num::NonZeroU64, time::Duration};

/// For how long unused rate is saved up, so that waking late costs nothing.
pub(crate) const BURST: Duration = Duration::from_millis(250);

const NANOS: i128 = 1_000_000_000;

/// Bytes in a second, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(Option<NonZeroU64>);

impl Rate {
    /// This many bytes in a second; 0 is no limit.
    pub(crate) const fn per_sec(bytes: u64) -> Self {
        Self(NonZeroU64::new(bytes))
    }
}

/// What may be read, and what was read ahead of its time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    at: Option<Duration>,
    /// Bytes times 10^9, so that any rate is exact in nanoseconds; negative while reads are paid off.
    credit: i128,
}

impl Bucket {
    /// Grants a read of this many bytes now, or says how long to wait before asking again.
    pub(crate) fn take(&mut self, now: Duration, rate: Rate, bytes: u64) -> Result<(), Duration> {
        self.advance(now, rate);
        match rate.0 {
            Some(rate) if self.credit < 0 => {
                let nanos = self.credit.unsigned_abs().div_ceil(u128::from(rate.get()));
                Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
            _ => {
                self.charge(bytes);
                Ok(())
            }
        }
    }

    /// Charges for bytes that were read without being asked for, such as the siblings of a bad page.
    pub(crate) fn charge(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_sub(i128::from(bytes) * NANOS);
    }

    fn advance(&mut self, now: Duration, rate: Rate) {
        let passed = now.saturating_sub(self.at.unwrap_or(now));
        self.at = Some(now);
        let Some(rate) = rate.0 else {
            self.credit = 0;
            return;
        };
        let worth = |time: Duration| {
            let nanos = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
            nanos.saturating_mul(i128::from(rate.get()))
        };
        self.credit = self.credit.saturating_add(worth(passed)).min(worth(BURST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_read_is_paid_off_before_the_next() {
        let mut bucket = Bucket::default();
        let rate = Rate::per_sec(1000);
        assert_eq!(bucket.take(ms(0), rate, 100), Ok(()));
        assert_eq!(bucket.take(ms(0), rate, 100), Err(ms(100)));
        assert_eq!(bucket.take(ms(60), rate, 100), Err(ms(40)));
        assert_eq!(bucket.take(ms(100), rate, 100), Ok(()));
        bucket.charge(100);
        assert_eq!(bucket.take(ms(100), rate, 1), Err(ms(200)));
    }

    #[test]
    fn no_more_is_saved_up_than_a_burst() {
        let mut bucket = Bucket::default();
        let rate = Rate::per_sec(1000);
        assert_eq!(bucket.take(ms(0), rate, 0), Ok(()));
        assert_eq!(bucket.take(ms(3_600_000), rate, 250), Ok(()));
        assert_eq!(bucket.take(ms(3_600_000), rate, 1), Ok(()));
        assert_eq!(bucket.take(ms(3_600_000), rate, 1), Err(ms(1)));
    }

    #[test]
    fn another_rate_counts_at_once() {
        let mut bucket = Bucket::default();
        let (slow, fast) = (Rate::per_sec(1), Rate::per_sec(1_000_000));
        assert_eq!(bucket.take(ms(0), slow, 1_000_000), Ok(()));
        assert_eq!(bucket.take(ms(0), slow, 1), Err(Duration::from_secs(1_000_000)));
        assert_eq!(bucket.take(ms(0), fast, 1), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(ms(0), Rate::per_sec(0), 1), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_and_absurd_numbers_do_no_harm() {
        let mut bucket = Bucket::default();
        let rate = Rate::per_sec(u64::MAX);
        assert_eq!(bucket.take(Duration::MAX, rate, u64::MAX), Ok(()));
        assert!(bucket.take(Duration::ZERO, Rate::per_sec(1), u64::MAX).is_err());
        assert_eq!(bucket.take(Duration::MAX, rate, u64::MAX), Ok(()));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_rate_a_burst_and_one_read(
            rate in 1u64..5000,
            asks in proptest::collection::vec((0u64..700, 1u64..900, any::<bool>()), 1..80),
        ) {
            let (mut bucket, mut now, mut granted) = (Bucket::default(), Duration::ZERO, Vec::new());
            for (pause, bytes, waits) in asks {
                now += ms(pause);
                match bucket.take(now, Rate::per_sec(rate), bytes) {
                    Ok(()) => granted.push((now, bytes)),
                    Err(wait) if waits => {
                        now += wait;
                        prop_assert_eq!(bucket.take(now, Rate::per_sec(rate), bytes), Ok(()));
                        granted.push((now, bytes));
                    }
                    Err(_) => {}
                }
            }
            for from in 0..granted.len() {
                let mut sum = 0;
                for (until, bytes) in &granted[from..] {
                    let window = *until - granted[from].0 + BURST;
                    prop_assert!(u128::from(sum) * 1_000_000_000 <= window.as_nanos() * u128::from(rate));
                    sum += bytes;
                }
            }
        }
    }
}
