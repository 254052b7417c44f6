//! What the files under test call `std`, with atomics that the scheduler sees.
#![forbid(unsafe_code)]

pub use std::collections;

/// Atomics of the scheduler, and shared ownership as it is.
pub mod sync {
    pub use shuttle::sync::{Arc, atomic};
}
