//! Ends the process where a store hangs, and says what it was at.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};

/// The longest that one step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the process unless it is dropped soon.
#[derive(Clone, Debug)]
pub struct Watchdog {
    leash: Sender<()>,
}

impl Watchdog {
    /// Watches over one case, which `what` names so that it can be run again.
    #[must_use]
    pub fn over(what: String) -> Self {
        let (leash, dropped) = channel::<()>();
        std::thread::spawn(move || {
            let next = || dropped.recv_timeout(PATIENCE);
            let Some(last) = std::iter::repeat_with(next).find(Result::is_err) else { return };
            if last == Err(RecvTimeoutError::Timeout) {
                use std::io::Write as _;
                // Past the test harness, which would keep it to itself.
                let _ = writeln!(std::io::stderr(), "hangs for {PATIENCE:?}: {what}");
                std::process::abort();
            }
        });
        Self { leash }
    }

    /// Says that it goes on.
    pub fn pat(&self) {
        // Who watches ends only with this process or with the last leash.
        let _ = self.leash.send(());
    }
}
