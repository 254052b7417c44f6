//! Encrypted blob files: nothing shows, and the right key is asked for.

use page_ecc::Uid;
use sst_format::{BlobError, BlobReader, BlobRef, Codec, KeyEpoch, KeyStamp, Walked};

use crate::sample::{Cover, FILE, Sample, UID, key_of, values, write};

#[test]
fn an_encrypted_file_shows_no_key_no_value_and_asks_for_its_key() {
    let Sample { image, entries } = write(Cover::Encrypted, UID, Codec::None, &values());
    let shows = |text: &[u8]| image.as_bytes().windows(text.len()).any(|window| window == text);
    assert!(!shows(b"key 1") && !shows(b"short") && !shows(&[2; 16]));
    let (reference, entry) = &entries[0];
    let BlobRef { offset, .. } = *reference;
    let missing = Err(BlobError::Key { offset, epoch: KeyEpoch::new(1) });
    let keyless = BlobReader::new(FILE, UID);
    assert_eq!(keyless.read(image.body(), *reference), missing);
    let of_another_epoch = BlobReader::new(FILE, UID).with_key(key_of(UID, 2));
    assert_eq!(of_another_epoch.read(image.body(), *reference), missing);
    let of_another_file = BlobReader::new(FILE, UID).with_key(key_of(Uid::new([8; 16]), 1));
    assert!(matches!(of_another_file.read(image.body(), *reference), Err(BlobError::Crypto { .. })));
    assert_eq!(Cover::Encrypted.reader(UID).read(image.body(), *reference).as_ref(), Ok(entry));
    // Scrubbing and salvage prove records without any key.
    assert_eq!(keyless.walk(image.body(), &[]).count(), entries.len());
    assert!(keyless.walk(image.body(), &[]).all(|walked| matches!(walked, Walked::Record(_))));
}

#[test]
fn the_descriptor_says_which_key_a_file_needs() {
    let Sample { image, .. } = write(Cover::Encrypted, UID, Codec::None, &values());
    assert_eq!(image.descriptor().kind(), BlobReader::FILE_KIND);
    let field = image.descriptor().field(KeyStamp::FIELD_TAG).unwrap();
    let stamp = KeyStamp::decode(field.try_into().unwrap()).unwrap();
    assert_eq!(stamp, key_of(UID, 1).stamp());
}
