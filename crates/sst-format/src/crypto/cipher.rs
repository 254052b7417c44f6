//! AES-256-GCM, and HKDF-SHA256 for its keys.
//!
//! | what   | HKDF input                                                                      |
//! |--------|---------------------------------------------------------------------------------|
//! | ikm    | the epoch's key, 32 bytes                                                       |
//! | salt   | the file's uid, 16 bytes                                                        |
//! | info   | a label in ASCII that names format and use, then the epoch, 2 bytes             |
//! | output | 32 bytes under `resilver/1 block aes-256-gcm`, 8 under `resilver/1 key check`   |

use alloc::vec::Vec;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use page_ecc::Uid;
use sha2::Sha256;
use zeroize::Zeroize;

use super::epoch_key::{EpochKey, KeyEpoch};
use super::error::CryptoError;
use super::file_key::NONCE_LEN;
use super::key_stamp::KeyStamp;

const KEY_LABEL: &[u8] = b"resilver/1 block aes-256-gcm";
const CHECK_LABEL: &[u8] = b"resilver/1 key check";

/// The cipher under one file's key; its state is wiped when dropped.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    /// The file's cipher, and the check of its key.
    pub(super) fn derive(
        epoch_key: &EpochKey,
        epoch: KeyEpoch,
        uid: Uid,
    ) -> Result<(Self, [u8; KeyStamp::CHECK_LEN]), CryptoError> {
        let hkdf = Hkdf::<Sha256>::new(Some(&uid.to_bytes()), epoch_key.bytes());
        let epoch = epoch.get().to_le_bytes();
        let fill = |label: &[u8], output: &mut [u8]| {
            let done = hkdf.expand_multi_info(&[label, &epoch], output);
            done.expect("HKDF-SHA256 gives up to 8160 bytes");
        };
        let (mut key, mut check) = ([0; EpochKey::LEN], [0; KeyStamp::CHECK_LEN]);
        fill(KEY_LABEL, &mut key);
        fill(CHECK_LABEL, &mut check);
        let cipher = Self(Aes256Gcm::new((&key).into()));
        wipe(&mut key);
        Ok((cipher, check))
    }

    pub(super) fn encrypt(&self, nonce: &[u8; NONCE_LEN], authenticated: &[u8], bytes: &mut Vec<u8>) {
        let done = self.0.encrypt_in_place(nonce.into(), authenticated, bytes);
        done.expect("GCM takes up to 64 GiB, and whoever encrypts stays below 4 GiB");
    }

    pub(super) fn decrypt(
        &self,
        nonce: &[u8; NONCE_LEN],
        authenticated: &[u8],
        bytes: &mut Vec<u8>,
    ) -> Option<()> {
        self.0.decrypt_in_place(nonce.into(), authenticated, bytes).ok()
    }
}

/// Overwrites a key with zeros, in a way that is not optimized out.
pub(super) fn wipe(key: &mut [u8; EpochKey::LEN]) {
    key.zeroize();
}
