//! Encrypts the blocks of one file while it is written.
//!
//! Invariant: each offset is encrypted once at most, since offsets must rise; with a key of its own for each
//! file no nonce can come twice.

use alloc::vec::Vec;

use super::file_key::{BlockPlace, FileKey};
use super::key_stamp::KeyStamp;

/// Encrypts blocks in the order in which they stand in the file.
///
/// ```
/// # if cfg!(feature = "encryption") {
/// use page_ecc::Uid;
/// use sst_format::{BlockPlace, EpochKey, FileKey, KeyEpoch};
/// let key = FileKey::derive(&EpochKey::new([1; 32]), KeyEpoch::new(1), Uid::new([2; 16]))?;
/// let mut encryptor = key.into_encryptor();
/// let (mut first, mut second) = (b"same".to_vec(), b"same".to_vec());
/// encryptor.encrypt(BlockPlace { offset: 0, kind: 1 }, &[], &mut first);
/// encryptor.encrypt(BlockPlace { offset: 20, kind: 1 }, &[], &mut second);
/// assert_ne!(first, second);
/// # }
/// # Ok::<(), sst_format::CryptoError>(())
/// ```
#[derive(Debug)]
pub struct Encryptor {
    key: FileKey,
    /// No offset below it may be used any more.
    next: u64,
}

impl Encryptor {
    pub(super) const fn new(key: FileKey) -> Self {
        Self { key, next: 0 }
    }

    /// What the file is to store, so that a wrong key is found out at once.
    #[must_use]
    pub const fn stamp(&self) -> KeyStamp {
        self.key.stamp()
    }

    /// Replaces a block's bytes by their encrypted form, longer by [`FileKey::TAG_LEN`]. `context` is what
    /// will stand beside the block in the clear and must not change.
    ///
    /// # Panics
    /// When the place is not behind the block encrypted before, as its nonce would come twice; and when the
    /// block has 4 GiB or more, which no format's length field could say.
    pub fn encrypt(&mut self, place: BlockPlace, context: &[u8], bytes: &mut Vec<u8>) {
        assert!(place.offset >= self.next, "blocks of a file are encrypted in order, each place once");
        assert!(u32::try_from(bytes.len()).is_ok(), "lengths of blocks are 32 bits wide");
        self.next = place.offset.checked_add(1).expect("no file reaches the last offset");
        self.key.encrypt(place, context, bytes);
    }
}
