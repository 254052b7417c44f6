//! What a patrol is given besides the ground it walks over.

use std::fmt;

use crate::{Control, Crew, Memory, NoMemory, OneThread, Pace};

/// Time, threads, memory and the handle of a patrol.
///
/// ```
/// use std::time::Duration;
/// use lsm_scrub::{Around, Pace, RamMemory};
/// # struct Still;
/// # impl Pace for Still {
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     fn rest(&self, _: Duration) -> bool { true }
/// #     fn foreground_latency(&self) -> Option<Duration> { None }
/// # }
/// let (pace, memory) = (Still, RamMemory::default());
/// let around = Around { memory: &memory, ..Around::new(&pace) };
/// around.control.pause();
/// ```
#[derive(Clone)]
pub struct Around<'a> {
    /// Time and rest.
    pub pace: &'a dyn Pace,
    /// Whose threads the workers run on.
    pub crew: &'a dyn Crew,
    /// What outlives a restart.
    pub memory: &'a dyn Memory,
    /// Watches and steers from outside.
    pub control: Control,
}

impl<'a> Around<'a> {
    /// One thread, no memory, a control of its own.
    #[must_use]
    pub fn new(pace: &'a dyn Pace) -> Self {
        Self { pace, crew: &OneThread, memory: &NoMemory, control: Control::new() }
    }
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("control", &self.control).finish_non_exhaustive()
    }
}
