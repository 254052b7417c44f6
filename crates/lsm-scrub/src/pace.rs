//! Time and rest, which a patrol is given and never takes.

use std::time::Duration;

/// Time and rest.
///
/// ```
/// use std::time::{Duration, SystemTime, UNIX_EPOCH};
/// use lsm_scrub::Pace;
///
/// struct Wall;
///
/// impl Pace for Wall {
///     fn now(&self) -> Duration {
///         SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
///     }
///     fn rest(&self, time: Duration) -> bool {
///         std::thread::sleep(time);
///         true
///     }
///     fn foreground_latency(&self) -> Option<Duration> {
///         None
///     }
/// }
/// assert!(Wall.rest(Duration::ZERO));
/// ```
pub trait Pace: Sync {
    /// The time since a moment that a restart does not change, such as the beginning of 1970.
    fn now(&self) -> Duration;

    /// Lets this much time pass; false if the patrol should end. A patrol rests for at most 100 ms at a time.
    fn rest(&self, time: Duration) -> bool;

    /// How long the store's own reads take at present, if that is known.
    fn foreground_latency(&self) -> Option<Duration>;
}
