//! Encryption at rest: AES-256-GCM over each block, under a key that belongs to one file alone.
//!
//! Invariants:
//! * No nonce is used twice under one key. The key is derived from the file's uid, which is random and never
//!   drawn twice; the nonce is the block's offset in that file; an [`Encryptor`] takes offsets in rising order
//!   only. Healing a page writes the very bytes that were written before, so it encrypts nothing.
//! * A block opens only where it was written: in its file, at its offset, as its kind, under its epoch, and
//!   with the header fields that were there. All of them are derived into the key or authenticated.
//! * A wrong key is told apart from damage before any block is opened, by the file's [`KeyStamp`].
//!
//! Where keys come from is left to the caller's [`KeyProvider`]; what a block's header holds, to its format.
//! Lengths, offsets and the order of blocks are not hidden.

mod encryptor;
mod epoch_key;
mod error;
mod file_key;
mod key_stamp;

#[cfg(feature = "encryption")]
mod cipher;
#[cfg(not(feature = "encryption"))]
#[path = "crypto/without_cipher.rs"]
mod cipher;

pub use encryptor::Encryptor;
pub use epoch_key::{EpochKey, KeyEpoch, KeyProvider};
pub use error::CryptoError;
pub use file_key::{BlockPlace, FileKey};
pub use key_stamp::KeyStamp;
