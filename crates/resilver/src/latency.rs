//! How long reads of the foreground take, while somebody wants to know.
//!
//! Invariant: while nobody does, a read pays for one look at a flag.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How much the newest read weighs against those before: one in so many.
const WEIGHT: u64 = 16;

/// How long reads take, those of late more than those before.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    watchers: AtomicUsize,
    nanos: AtomicU64,
}

impl Latency {
    /// Somebody wants to know from now on.
    pub(crate) fn watch(&self) {
        if self.watchers.fetch_add(1, Relaxed) == 0 {
            self.nanos.store(0, Relaxed);
        }
    }

    /// Somebody does not any more.
    pub(crate) fn look_away(&self) {
        self.watchers.fetch_sub(1, Relaxed);
    }

    /// The moment a read begins, if anybody wants to know.
    #[inline]
    pub(crate) fn begin(&self) -> Option<Instant> {
        (self.watchers.load(Relaxed) > 0).then(Instant::now)
    }

    /// A read that began then has ended.
    #[inline]
    pub(crate) fn end(&self, begun: Option<Instant>) {
        let Some(begun) = begun else { return };
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX) / WEIGHT;
        // Of two that end at once one may go uncounted.
        let known = self.nanos.load(Relaxed);
        self.nanos.store(known - known / WEIGHT + took, Relaxed);
    }

    /// How long reads took of late, if there were any.
    pub(crate) fn recent(&self) -> Option<Duration> {
        Some(self.nanos.load(Relaxed)).filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_measured_while_nobody_watches() {
        let latency = Latency::default();
        latency.end(latency.begin());
        assert_eq!(latency.recent(), None);
        latency.watch();
        let begun = latency.begin();
        std::thread::sleep(Duration::from_millis(2));
        latency.end(begun);
        assert!(latency.recent().is_some_and(|recent| recent >= Duration::from_micros(100)));
        latency.look_away();
        assert!(latency.begin().is_none());
    }
}
