//! Encryption from outside: a block opens only where, as what, and under which key it was written.
#![cfg(feature = "encryption")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use page_ecc::Uid;
use sst_format::{BlockPlace, CryptoError, EpochKey, FileKey, KeyEpoch, KeyProvider, KeyStamp};

/// A provider of a few keys, the last of which is current.
struct Keys(Vec<(u16, [u8; 32])>);

impl KeyProvider for Keys {
    fn current(&self) -> KeyEpoch {
        self.0.last().map_or(KeyEpoch::NONE, |(epoch, _)| KeyEpoch::new(*epoch))
    }

    fn key(&self, epoch: KeyEpoch) -> Option<EpochKey> {
        let found = self.0.iter().find(|(number, _)| *number == epoch.get());
        found.map(|(_, bytes)| EpochKey::new(*bytes))
    }
}

/// Everything that decides what a block's encrypted bytes are.
#[derive(Clone, Copy)]
struct Setting {
    store: u8,
    epoch: u16,
    uid: u8,
    offset: u64,
    kind: u8,
    codec: u8,
    raw_len: u32,
}

const HOME: Setting = Setting { store: 1, epoch: 1, uid: 1, offset: 4096, kind: 1, codec: 1, raw_len: 9 };

impl Setting {
    fn key(self) -> FileKey {
        let key = EpochKey::new([self.store; 32]);
        FileKey::derive(&key, KeyEpoch::new(self.epoch), Uid::new([self.uid; 16]))
            .expect("an epoch of its own and a build with encryption")
    }

    fn place(self) -> BlockPlace {
        BlockPlace { offset: self.offset, kind: self.kind }
    }

    fn context(self) -> Vec<u8> {
        [&[self.codec][..], &self.raw_len.to_le_bytes()].concat()
    }

    fn encrypt(self, plain: &[u8]) -> Vec<u8> {
        let mut bytes = plain.to_vec();
        self.key().into_encryptor().encrypt(self.place(), &self.context(), &mut bytes);
        bytes
    }

    fn decrypt(self, mut bytes: Vec<u8>) -> Result<Vec<u8>, CryptoError> {
        self.key().decrypt(self.place(), &self.context(), &mut bytes).map(|()| bytes)
    }

    fn refusal(self) -> CryptoError {
        CryptoError::Refused { epoch: KeyEpoch::new(self.epoch), offset: self.offset, kind: self.kind }
    }
}

#[test]
fn a_block_opens_only_where_it_was_written() {
    let bytes = HOME.encrypt(b"plain text");
    assert_eq!(HOME.decrypt(bytes.clone()), Ok(b"plain text".to_vec()));
    for (moved, elsewhere) in [
        ("within the table", Setting { offset: 8192, ..HOME }),
        ("to another table", Setting { uid: 2, ..HOME }),
        ("to another store", Setting { store: 2, ..HOME }),
        ("to another store and table", Setting { store: 2, uid: 2, ..HOME }),
        ("to another epoch", Setting { epoch: 2, ..HOME }),
        ("to another kind", Setting { kind: 2, ..HOME }),
        ("to another codec", Setting { codec: 2, ..HOME }),
        ("to another raw length", Setting { raw_len: 10, ..HOME }),
    ] {
        assert_eq!(elsewhere.decrypt(bytes.clone()), Err(elsewhere.refusal()), "{moved}");
        assert_ne!(HOME.decrypt(elsewhere.encrypt(b"plain text")), Ok(b"plain text".to_vec()), "{moved}");
    }
}

#[test]
fn swapped_blocks_of_one_table_are_both_refused() {
    let there = Setting { offset: 9000, ..HOME };
    let mut encryptor = HOME.key().into_encryptor();
    let (mut first, mut second) = (b"block one.".to_vec(), b"block two.".to_vec());
    encryptor.encrypt(HOME.place(), &HOME.context(), &mut first);
    encryptor.encrypt(there.place(), &there.context(), &mut second);
    assert_eq!(HOME.decrypt(second.clone()), Err(HOME.refusal()));
    assert_eq!(there.decrypt(first), Err(there.refusal()));
    assert_eq!(there.decrypt(second), Ok(b"block two.".to_vec()));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_and_changes_nothing() {
    let bytes = HOME.encrypt(b"plain text");
    let key = HOME.key();
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let before = wrong.clone();
        assert_eq!(key.decrypt(HOME.place(), &HOME.context(), &mut wrong), Err(HOME.refusal()));
        assert_eq!(wrong, before);
    }
    for len in 0..bytes.len() {
        assert_eq!(HOME.decrypt(bytes[..len].to_vec()), Err(HOME.refusal()));
    }
}

#[test]
fn equal_blocks_look_different_everywhere() {
    let elsewhere = [Setting { offset: 1, ..HOME }, Setting { uid: 2, ..HOME }, Setting { epoch: 2, ..HOME }];
    let bytes = HOME.encrypt(&[0; 64]);
    for other in elsewhere {
        let other = other.encrypt(&[0; 64]);
        assert!(bytes.chunks(8).zip(other.chunks(8)).all(|(a, b)| a != b));
    }
}

#[test]
fn an_offset_is_encrypted_once_and_in_order() {
    for offset in [0, 100, 4095, 4096] {
        let mut encryptor = HOME.key().into_encryptor();
        encryptor.encrypt(HOME.place(), &[], &mut vec![1]);
        let place = BlockPlace { offset, kind: 9 };
        let again = || encryptor.encrypt(place, &[], &mut vec![1]);
        assert!(catch_unwind(AssertUnwindSafe(again)).is_err(), "offset {offset} after 4096");
    }
}

#[test]
fn a_missing_key_and_a_wrong_key_are_different_errors_that_say_what_to_do() {
    let uid = Uid::new([4; 16]);
    let keys = Keys(vec![(1, [1; 32]), (2, [2; 32])]);
    let stamp = FileKey::for_new_file(&keys, uid).unwrap().unwrap().stamp();
    let epoch = stamp.epoch();
    assert_eq!(epoch, KeyEpoch::new(2));
    assert_eq!(FileKey::for_file(&keys, stamp, uid).unwrap().stamp(), stamp);

    let missing = FileKey::for_file(&Keys(vec![(1, [1; 32])]), stamp, uid).unwrap_err();
    assert_eq!(missing, CryptoError::MissingKey { epoch });
    assert!(missing.to_string().contains("keep old keys"));

    let wrong = FileKey::for_file(&Keys(vec![(2, [3; 32])]), stamp, uid).unwrap_err();
    assert_eq!(wrong, CryptoError::WrongKey { epoch });
    assert!(wrong.to_string().contains("check which keys"));
}

#[test]
fn keys_of_past_epochs_still_open_what_they_wrote() {
    let uid = Uid::new([4; 16]);
    let old = Keys(vec![(1, [1; 32])]);
    let stamp = FileKey::for_new_file(&old, uid).unwrap().unwrap().stamp();
    let rotated = Keys(vec![(1, [1; 32]), (2, [2; 32])]);
    assert_eq!(FileKey::for_file(&rotated, stamp, uid).unwrap().epoch(), KeyEpoch::new(1));
    let fresh = FileKey::for_new_file(&rotated, Uid::new([5; 16])).unwrap().unwrap();
    assert_eq!(fresh.epoch(), KeyEpoch::new(2));
}

#[test]
fn without_a_current_epoch_nothing_is_encrypted() {
    assert!(FileKey::for_new_file(&Keys(Vec::new()), Uid::new([4; 16])).unwrap().is_none());
    let none = FileKey::derive(&EpochKey::new([1; 32]), KeyEpoch::NONE, Uid::new([4; 16])).unwrap_err();
    assert_eq!(none, CryptoError::NoEpoch);
    assert_eq!(KeyStamp::decode([0; KeyStamp::LEN]), Err(CryptoError::NoEpoch));
}

/// Worked out by an independent HKDF and AES-GCM.
#[test]
fn the_bytes_are_those_of_rfc_5869_and_aes_gcm() {
    let key = EpochKey::new(std::array::from_fn(|at| at as u8));
    let uid = Uid::new(std::array::from_fn(|at| at as u8 + 16));
    let key = FileKey::derive(&key, KeyEpoch::new(7), uid).unwrap();
    assert_eq!(hex(&key.stamp().encode()), "070021532fdbd6fef33e");
    let mut bytes = b"block bytes".to_vec();
    key.into_encryptor().encrypt(BlockPlace { offset: 4096, kind: 3 }, b"context", &mut bytes);
    assert_eq!(hex(&bytes), "41853f710b837b8733cde61f6402a95cfc79cdb3c8db9d6f900471");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn no_key_is_ever_shown() {
    let key = EpochKey::new([0xAB; 32]);
    let shown = format!("{key:?} {:?} {:?}", HOME.key(), HOME.key().into_encryptor());
    assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
}
