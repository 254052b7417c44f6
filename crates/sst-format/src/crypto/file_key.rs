//! The key of one file: opens its blocks, each only where it was written.

use alloc::vec::Vec;
use core::fmt;

use page_ecc::Uid;

use super::cipher::Cipher;
use super::encryptor::Encryptor;
use super::epoch_key::{EpochKey, KeyEpoch, KeyProvider};
use super::error::CryptoError;
use super::key_stamp::KeyStamp;

/// Where a block stands and what it is.
///
/// ```
/// use sst_format::BlockPlace;
/// assert_ne!(BlockPlace { offset: 4096, kind: 1 }, BlockPlace { offset: 4096, kind: 2 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlockPlace {
    /// Offset in the file's body.
    pub offset: u64,
    /// Kind of block; the number means what its format wants it to.
    pub kind: u8,
}

/// A key that is good for one file.
///
/// ```
/// # if cfg!(feature = "encryption") {
/// use page_ecc::Uid;
/// use sst_format::{BlockPlace, CryptoError, EpochKey, FileKey, KeyEpoch};
/// let epoch_key = EpochKey::new([0x5E; 32]);
/// let (epoch, uid) = (KeyEpoch::new(1), Uid::new([7; 16]));
/// let place = BlockPlace { offset: 0, kind: 1 };
///
/// let mut encryptor = FileKey::derive(&epoch_key, epoch, uid)?.into_encryptor();
/// let mut bytes = b"secret".to_vec();
/// encryptor.encrypt(place, b"header", &mut bytes);
/// assert_eq!(bytes.len(), 6 + FileKey::TAG_LEN);
///
/// let key = FileKey::derive(&epoch_key, epoch, uid)?;
/// let elsewhere = BlockPlace { offset: 22, ..place };
/// assert!(matches!(key.decrypt(elsewhere, b"header", &mut bytes), Err(CryptoError::Refused { .. })));
/// key.decrypt(place, b"header", &mut bytes)?;
/// assert_eq!(bytes, b"secret");
/// # }
/// # Ok::<(), sst_format::CryptoError>(())
/// ```
pub struct FileKey {
    cipher: Cipher,
    stamp: KeyStamp,
}

impl FileKey {
    /// Bytes that encryption adds to a block.
    pub const TAG_LEN: usize = 16;

    /// The key of the file with this uid under an epoch's key.
    ///
    /// # Errors
    /// When the epoch is [`KeyEpoch::NONE`], or the build lacks encryption.
    pub fn derive(epoch_key: &EpochKey, epoch: KeyEpoch, uid: Uid) -> Result<Self, CryptoError> {
        if !epoch.is_encrypted() {
            return Err(CryptoError::NoEpoch);
        }
        let (cipher, check) = Cipher::derive(epoch_key, epoch, uid)?;
        Ok(Self { cipher, stamp: KeyStamp::new(epoch, check) })
    }

    /// The key for a new file, or nothing if new files are not to be encrypted.
    ///
    /// # Errors
    /// When the provider lacks the key of its current epoch, or the build lacks encryption.
    pub fn for_new_file(keys: &dyn KeyProvider, uid: Uid) -> Result<Option<Self>, CryptoError> {
        let epoch = keys.current();
        if !epoch.is_encrypted() {
            return Ok(None);
        }
        let key = keys.key(epoch).ok_or(CryptoError::MissingKey { epoch })?;
        Self::derive(&key, epoch, uid).map(Some)
    }

    /// The key for a file that bears this stamp.
    ///
    /// # Errors
    /// When the provider lacks the key or has another one, or the build lacks encryption.
    pub fn for_file(keys: &dyn KeyProvider, stamp: KeyStamp, uid: Uid) -> Result<Self, CryptoError> {
        let epoch = stamp.epoch();
        let key = keys.key(epoch).ok_or(CryptoError::MissingKey { epoch })?;
        let derived = Self::derive(&key, epoch, uid)?;
        if derived.stamp != stamp {
            return Err(CryptoError::WrongKey { epoch });
        }
        Ok(derived)
    }

    /// What the file is to store, so that a wrong key is found out at once.
    #[must_use]
    pub const fn stamp(&self) -> KeyStamp {
        self.stamp
    }

    /// The epoch it was derived from.
    #[must_use]
    pub const fn epoch(&self) -> KeyEpoch {
        self.stamp.epoch()
    }

    /// Starts the writing of this file; each file has one writer, and a uid is never drawn twice.
    #[must_use]
    pub const fn into_encryptor(self) -> Encryptor {
        Encryptor::new(self)
    }

    /// Replaces a block's encrypted bytes by what they hide. `context` is what stands beside the block in
    /// the clear (codec, lengths), exactly as it was when encrypted.
    ///
    /// # Errors
    /// When these are not the bytes that were written at this place in this context; they stay as they are.
    pub fn decrypt(&self, place: BlockPlace, context: &[u8], bytes: &mut Vec<u8>) -> Result<(), CryptoError> {
        let done = self.cipher.decrypt(&nonce(place), &authenticated(place, context), bytes);
        done.ok_or(CryptoError::Refused { epoch: self.epoch(), offset: place.offset, kind: place.kind })
    }

    pub(super) fn encrypt(&self, place: BlockPlace, context: &[u8], bytes: &mut Vec<u8>) {
        self.cipher.encrypt(&nonce(place), &authenticated(place, context), bytes);
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKey").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

pub(super) const NONCE_LEN: usize = 12;

/// The offset, little-endian, and four zeros.
fn nonce(place: BlockPlace) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&place.offset.to_le_bytes());
    nonce
}

/// The kind, then the context.
fn authenticated(place: BlockPlace, context: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + context.len());
    bytes.push(place.kind);
    bytes.extend_from_slice(context);
    bytes
}
