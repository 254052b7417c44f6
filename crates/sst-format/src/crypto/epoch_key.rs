//! The caller's keys, each under a number of its own.

use core::fmt;

use super::cipher;

/// Which of the caller's keys a file is encrypted with.
///
/// ```
/// use sst_format::KeyEpoch;
/// assert!(!KeyEpoch::NONE.is_encrypted());
/// assert!(KeyEpoch::new(1).is_encrypted());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct KeyEpoch(u16);

impl KeyEpoch {
    /// Not encrypted.
    pub const NONE: Self = Self(0);

    /// The epoch of this number; 0 is [`KeyEpoch::NONE`].
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether it has a key.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for KeyEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key of an epoch: 256 bits from which the key of every file is derived. Never shown, wiped when dropped.
///
/// ```
/// use sst_format::EpochKey;
/// let key = EpochKey::new([0x5E; 32]); // 256 random bits
/// assert_eq!(format!("{key:?}"), "EpochKey(..)");
/// ```
#[derive(Clone)]
pub struct EpochKey([u8; Self::LEN]);

impl EpochKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// A key of 256 random bits, which the caller draws and keeps.
    #[must_use]
    pub const fn new(random: [u8; Self::LEN]) -> Self {
        Self(random)
    }

    pub(super) const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl Drop for EpochKey {
    fn drop(&mut self) {
        cipher::wipe(&mut self.0);
    }
}

impl fmt::Debug for EpochKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EpochKey(..)")
    }
}

/// Where keys come from: a file, the system's key ring, a service.
///
/// To rotate, offer a new key under a higher epoch and keep the old ones: files move to the current epoch as
/// they are rewritten.
///
/// ```
/// use sst_format::{EpochKey, KeyEpoch, KeyProvider};
/// struct TwoKeys([EpochKey; 2]);
/// impl KeyProvider for TwoKeys {
///     fn current(&self) -> KeyEpoch {
///         KeyEpoch::new(2)
///     }
///     fn key(&self, epoch: KeyEpoch) -> Option<EpochKey> {
///         let index = usize::from(epoch.get()).checked_sub(1)?;
///         self.0.get(index).cloned()
///     }
/// }
/// let keys = TwoKeys([EpochKey::new([1; 32]), EpochKey::new([2; 32])]);
/// assert!(keys.key(KeyEpoch::new(3)).is_none());
/// ```
pub trait KeyProvider: Send + Sync {
    /// The epoch under which new files are written; [`KeyEpoch::NONE`] writes them unencrypted.
    fn current(&self) -> KeyEpoch;

    /// The key of an epoch, if it is known. The same epoch must always have the same key.
    fn key(&self, epoch: KeyEpoch) -> Option<EpochKey>;
}
