//! Sorted tables as bytes.
//!
//! Everything here turns values into bytes and bytes into values; nothing here opens a file, starts a thread
//! or asks for the time.
//!
//! * [`FilterBuilder`], [`Filter`]: which keys a table cannot hold, at about 7 bits a key for one wrong answer
//!   in a hundred.
//! * [`Codec`], [`Compressor`], [`decompress`], [`Dictionary`]: blocks made smaller, and back within a bound.
//! * [`FileKey`], [`Encryptor`]: each block encrypted for its one place in its one file.
//!
//! # Features
//! `std` (default) looks up processor features at run time; `zstd` (default) reads and writes Zstandard;
//! `encryption` (default) reads and writes encrypted files.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod codec;
mod crypto;
mod dictionary;
mod filter;

pub use codec::{Codec, CodecError, CodecTag, Compressed, Compressor, RawLen, ZstdLevel, decompress};
pub use crypto::{BlockPlace, CryptoError, Encryptor, EpochKey, FileKey, KeyEpoch, KeyProvider, KeyStamp};
pub use dictionary::Dictionary;
pub use filter::{
    Answer, FalsePositiveRate, Filter, FilterBuilder, FilterError, FilterKind, FilterPolicy, FilterView,
    KeyHash,
};
