//! The small lock-free parts as the project has them, word for word, compiled with a `core`, a `std`, a
//! `parking_lot` and a `spin` that are made of a scheduler's locks and atomics.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
extern crate shuttle_core as core;
extern crate shuttle_std as std;

#[path = "../../../crates/lsm-core/src/deletion_pause.rs"]
pub mod deletion_pause;
#[path = "../../../crates/lsm-core/src/publication.rs"]
pub mod publication;
