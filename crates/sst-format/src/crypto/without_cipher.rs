//! Stands in for the cipher where the feature `encryption` is left out: no key is ever derived.

use alloc::vec::Vec;

use page_ecc::Uid;

use super::epoch_key::{EpochKey, KeyEpoch};
use super::error::CryptoError;
use super::file_key::NONCE_LEN;
use super::key_stamp::KeyStamp;

/// Never made.
pub(super) enum Cipher {}

impl Cipher {
    pub(super) fn derive(
        epoch_key: &EpochKey,
        epoch: KeyEpoch,
        _: Uid,
    ) -> Result<(Self, [u8; KeyStamp::CHECK_LEN]), CryptoError> {
        let _ = epoch_key.bytes();
        Err(CryptoError::WithoutEncryption { epoch })
    }

    pub(super) fn encrypt(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut Vec<u8>) {
        match *self {}
    }

    pub(super) fn decrypt(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut Vec<u8>) -> Option<()> {
        match *self {}
    }
}

/// Overwrites a key with zeros, as well as safe code can.
pub(super) fn wipe(key: &mut [u8; EpochKey::LEN]) {
    key.fill(0);
}
