//! Why bytes cannot be encrypted or decrypted.

use super::epoch_key::KeyEpoch;

/// What kept encryption from its work; each variant calls for another remedy.
///
/// ```
/// use sst_format::{CryptoError, KeyEpoch};
/// let error = CryptoError::MissingKey { epoch: KeyEpoch::new(3) };
/// assert!(error.to_string().contains("epoch 3"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The build lacks encryption.
    #[error(
        "key epoch {epoch} needs the feature `encryption` of sst-format, which this build leaves out; \
         build with it"
    )]
    WithoutEncryption {
        /// The epoch of the file.
        epoch: KeyEpoch,
    },
    /// Misuse, or damage: epoch 0 is what unencrypted files say.
    #[error("key epoch 0 means \"not encrypted\" and has no key; number epochs from 1 on")]
    NoEpoch,
    /// The provider does not know the epoch.
    #[error("the key provider has no key for epoch {epoch}; keep old keys until no file uses them")]
    MissingKey {
        /// The epoch of the file.
        epoch: KeyEpoch,
    },
    /// The provider's key is not the one that the file was written with; the file is not to blame.
    #[error(
        "the key for epoch {epoch} is not the one this file was written with; check which keys the \
         provider was given, and write nothing until it is right"
    )]
    WrongKey {
        /// The epoch of the file.
        epoch: KeyEpoch,
    },
    /// Damage or forgery: the key is right, the bytes are not those that were written here.
    #[error(
        "the bytes at offset {offset} (kind {kind}) fail authentication under the right key of epoch \
         {epoch}: they are damaged, or were moved or changed on purpose; repair the file or restore it"
    )]
    Refused {
        /// The epoch of the file.
        epoch: KeyEpoch,
        /// Where in the file.
        offset: u64,
        /// As what they were to be read.
        kind: u8,
    },
}
