//! The laws of the patrol, in a made-up world: everything once, whatever it meets and whenever it dies.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod world;

mod memory;
mod pace;
mod resume;
mod whole;
