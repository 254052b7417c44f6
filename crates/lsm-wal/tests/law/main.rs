//! The laws of the log: what power cuts, failing calls, damage and many threads may never do to it.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod bench;
mod history;

mod alone;
mod crash;
mod damage;
mod failures;
mod hostile;
mod inspecting;
mod mending;
mod straight;
mod threads;
