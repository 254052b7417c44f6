//! Finds and rebuilds damaged pages of immutable files.
#![no_std]
#![forbid(unsafe_code)]
