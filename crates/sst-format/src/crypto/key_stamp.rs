//! Key stamp: what an encrypted file says of its key, in the clear.
//!
//! | at | len | field | meaning                                                             |
//! |---:|----:|-------|---------------------------------------------------------------------|
//! |  0 |   2 | epoch | `KeyEpoch` of the file, never 0                                     |
//! |  2 |   8 | check | derived beside the file's key; a wrong epoch key gives another one  |
//!
//! The check tells nothing of the key: both come out of HKDF under different labels. One wrong key in 2^64
//! passes, and then still opens no block.

use super::epoch_key::KeyEpoch;
use super::error::CryptoError;

/// Names the key a file needs, and proves that it is the right one.
///
/// ```
/// use sst_format::{KeyEpoch, KeyStamp};
/// let stamp = KeyStamp::decode([3, 0, 1, 2, 3, 4, 5, 6, 7, 8])?;
/// assert_eq!(stamp.epoch(), KeyEpoch::new(3));
/// assert_eq!(stamp.encode(), [3, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
/// # Ok::<(), sst_format::CryptoError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyStamp {
    epoch: KeyEpoch,
    check: [u8; Self::CHECK_LEN],
}

impl KeyStamp {
    /// The descriptor field in which a sealed file stores it.
    pub const FIELD_TAG: u16 = 2;
    /// Bytes of a stamp.
    pub const LEN: usize = 2 + Self::CHECK_LEN;
    pub(super) const CHECK_LEN: usize = 8;

    pub(super) const fn new(epoch: KeyEpoch, check: [u8; Self::CHECK_LEN]) -> Self {
        assert!(epoch.is_encrypted());
        Self { epoch, check }
    }

    /// The epoch of the file's key.
    #[must_use]
    pub const fn epoch(&self) -> KeyEpoch {
        self.epoch
    }

    /// The bytes that a file stores.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [e0, e1] = self.epoch.get().to_le_bytes();
        let [c0, c1, c2, c3, c4, c5, c6, c7] = self.check;
        [e0, e1, c0, c1, c2, c3, c4, c5, c6, c7]
    }

    /// The stamp in these bytes.
    ///
    /// # Errors
    /// When they name epoch 0.
    pub const fn decode(bytes: [u8; Self::LEN]) -> Result<Self, CryptoError> {
        let [e0, e1, check @ ..] = bytes;
        let epoch = KeyEpoch::new(u16::from_le_bytes([e0, e1]));
        if !epoch.is_encrypted() {
            return Err(CryptoError::NoEpoch);
        }
        Ok(Self { epoch, check })
    }
}

const _: () = assert!(KeyStamp::LEN == 2 + 8);
