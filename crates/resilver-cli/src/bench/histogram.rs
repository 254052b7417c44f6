//! How long operations took: counts by logarithm, so that a quantile is right to a thirty-second part of itself.
//!
//! Invariant: every time that was recorded is in exactly one bucket; the longest is kept as it was.

use std::time::Duration;

/// Bits of a time that its bucket keeps behind the first one.
const KEPT: u32 = 5;
const BUCKETS: usize = (64 - KEPT as usize + 1) << KEPT;

/// Times in nanoseconds, counted.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    longest: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, longest: 0 }
    }

    pub(super) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.longest = self.longest.max(nanos);
    }

    /// Takes in what another one counted.
    pub(super) fn join(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }

    /// The time that so many of a thousand operations kept within.
    pub(super) fn permille(&self, permille: u64) -> Duration {
        let rank = (u128::from(self.count) * u128::from(permille)).div_ceil(1000) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return Duration::from_nanos(last_of(bucket).min(self.longest));
            }
        }
        self.longest()
    }
}

/// Where a time is counted: by its highest bit and the few behind that.
fn bucket(nanos: u64) -> usize {
    let dropped = (u64::BITS - nanos.leading_zeros()).saturating_sub(KEPT + 1);
    ((dropped as usize) << KEPT) + (nanos >> dropped) as usize
}

/// The longest time of a bucket.
fn last_of(bucket: usize) -> u64 {
    let dropped = (bucket >> KEPT).saturating_sub(1);
    let kept = (bucket - (dropped << KEPT)) as u64;
    (kept << dropped) | ((1 << dropped) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorted times, asked as the definition of a quantile says.
    fn twin(times: &mut [u64], permille: u64) -> u64 {
        times.sort_unstable();
        times[(times.len() * permille as usize).div_ceil(1000).max(1) - 1]
    }

    #[test]
    fn a_quantile_is_that_of_the_sorted_times_or_less_than_a_thirty_second_part_above_it() {
        let mut state = 7_u64;
        for len in [1, 2, 10, 999, 5000] {
            let mut times: Vec<u64> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> (state >> 58)
            })
            .take(len)
            .collect();
            let (mut even, mut odd) = (Histogram::new(), Histogram::new());
            for (at, &time) in times.iter().enumerate() {
                [&mut even, &mut odd][at % 2].record(Duration::from_nanos(time));
            }
            even.join(&odd);
            for permille in [1, 500, 990, 999, 1000] {
                let exact = twin(&mut times, permille);
                let told = even.permille(permille).as_nanos() as u64;
                assert!(told >= exact && told - exact <= exact / 32, "{permille} of {len}: {told}, {exact}");
            }
            assert_eq!((even.count(), even.longest().as_nanos() as u64), (len as u64, times[len - 1]));
        }
    }

    #[test]
    fn every_time_is_in_the_bucket_that_ends_at_or_behind_it() {
        for shift in 0..64 {
            for nanos in [(1_u64 << shift) - 1, 1 << shift, (1 << shift) + 1, u64::MAX >> shift] {
                let at = bucket(nanos);
                assert!(at < BUCKETS && last_of(at) >= nanos, "{nanos}");
                assert!(at == 0 || last_of(at - 1) < nanos, "{nanos}");
            }
        }
    }
}
