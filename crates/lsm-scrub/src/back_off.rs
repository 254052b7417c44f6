//! How far a patrol steps back while the foreground is slow.
//!
//! Invariant: between two rests there is a read, and no rest is longer than [`REST_MAX`], so a patrol of a busy
//! store is slow and still comes to its end.

use std::time::Duration;

/// The first rest.
const REST_MIN: Duration = Duration::from_millis(50);
/// The longest.
pub(crate) const REST_MAX: Duration = Duration::from_secs(2);

/// How often in a row the foreground was slow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    slow: u32,
}

impl BackOff {
    /// How long to rest before the next read.
    pub(crate) fn rest(&mut self, latency: Option<Duration>, latency_max: Option<Duration>) -> Duration {
        match (latency, latency_max) {
            (Some(latency), Some(latency_max)) if latency > latency_max => {
                let rest = REST_MIN.saturating_mul(1u32.checked_shl(self.slow).unwrap_or(u32::MAX));
                self.slow = (self.slow + 1).min(u32::BITS);
                rest.min(REST_MAX)
            }
            _ => {
                self.slow = 0;
                Duration::ZERO
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound_and_end_with_the_rush() {
        let mut back_off = BackOff::default();
        let (slow, calm) = (Some(Duration::from_millis(21)), Some(Duration::from_millis(20)));
        let mut rest = |latency, bound| back_off.rest(latency, bound).as_millis();
        let rests: Vec<_> = (0..8).map(|_| rest(slow, calm)).collect();
        assert_eq!(rests, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert!((0..100).all(|_| rest(slow, calm) == 2000));
        assert_eq!(rest(calm, calm), 0);
        assert_eq!(rest(slow, calm), 50);
        assert_eq!(rest(None, calm), 0);
        assert_eq!(rest(slow, None), 0);
    }
}
