//! Sorted tables as bytes.
//!
//! Everything here turns values into bytes and bytes into values; nothing here opens a file, starts a thread
//! or asks for the time.
//!
//! * [`FilterBuilder`], [`Filter`]: which keys a table cannot hold, at about 7 bits a key for one wrong answer
//!   in a hundred.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod filter;

pub use filter::{
    Answer, FalsePositiveRate, Filter, FilterBuilder, FilterError, FilterKind, FilterPolicy, FilterView,
    KeyHash,
};
