//! What the files under test call `parking_lot`: locks without poisoning, which the scheduler sees.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

use shuttle::sync;

/// A lock.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// A lock that is held; empty only while a condition is waited for.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

/// A condition to wait for.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl<T> Mutex<T> {
    /// With this inside.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Panics
    /// If a thread panicked while it held the lock: the schedule has failed already.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("no holder panicked")))
    }

    /// The lock, if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("held but for waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held but for waits")
    }
}

impl Condvar {
    /// Nobody waits.
    pub fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Lets the lock go until somebody notifies.
    ///
    /// # Panics
    /// If a thread panicked while it held the lock: the schedule has failed already.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("held but for waits");
        guard.0 = Some(self.0.wait(held).expect("no holder panicked"));
    }

    /// Wakes one who waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
