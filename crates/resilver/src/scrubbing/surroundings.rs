//! What a patrol is given of the world: time, rest, threads.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use lsm_scrub::Pace;

use crate::{background::Bell, engine::Engine, latency::Latency};

/// Time since 1970 that never goes back while it is held, and rest that ends with the store.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    begun: Duration,
    since: Instant,
    bell: Arc<Bell>,
    latency: Arc<Latency>,
}

impl Clock {
    pub(super) fn new(engine: &Engine) -> Self {
        let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begun, since: Instant::now(), bell: engine.bell.clone(), latency: engine.latency.clone() }
    }
}

impl Pace for Clock {
    fn now(&self) -> Duration {
        self.begun + self.since.elapsed()
    }

    fn rest(&self, time: Duration) -> bool {
        self.bell.rest(time)
    }

    fn foreground_latency(&self) -> Option<Duration> {
        self.latency.recent()
    }
}

/// Threads of a scrub's own, which end with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew;

impl lsm_scrub::Crew for Crew {
    fn run(&self, workers: usize, work: &(dyn Fn() + Sync)) {
        std::thread::scope(|scope| {
            // Whatever threads are refused, the caller's own does the rest.
            for _ in 1..workers {
                let name = std::thread::Builder::new().name("resilver-scrub".into());
                if name.spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
    }
}
