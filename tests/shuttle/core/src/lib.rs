//! What the files under test call `core`, with atomics that the scheduler sees.
#![forbid(unsafe_code)]

pub use core::*;

/// Atomics of the scheduler.
pub mod sync {
    pub use shuttle::sync::atomic;
}
