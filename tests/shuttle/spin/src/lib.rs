//! What the files under test call `spin`: a lock that the scheduler sees. Whoever waits for it is not scheduled,
//! as one who spins would get nowhere.
#![forbid(unsafe_code)]

use shuttle::sync;

/// A lock.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// With this inside.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Panics
    /// If a thread panicked while it held the lock: the schedule has failed already.
    pub fn lock(&self) -> sync::MutexGuard<'_, T> {
        self.0.lock().expect("no holder panicked")
    }
}
