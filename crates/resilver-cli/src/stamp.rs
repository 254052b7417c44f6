//! What a seal keeps of its file beside its bytes: time of modification and name.
//!
//! They are fields of the descriptor. The first, tag 1:
//!
//! | at | len | field | meaning                                          |
//! |---:|----:|-------|--------------------------------------------------|
//! |  0 |   8 | secs  | modification time, seconds since 1970, signed    |
//! |  8 |   4 | nanos | and nanoseconds, below 10^9                      |
//!
//! The second, tag 2, is the file's name in UTF-8, at most 200 bytes of it.

use std::path::Path;

use page_ecc::{Descriptor, FieldError, SealOptions};
use serde_json::{Value, json};

const MODIFIED_TAG: u16 = 1;
const NAME_TAG: u16 = 2;
const NAME_LEN_MAX: usize = 200;

/// When a file was last modified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Modified {
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
}

impl Modified {
    const LEN: usize = 12;

    fn encode(self) -> [u8; Self::LEN] {
        assert!(self.nanos < 1_000_000_000);
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.secs.to_le_bytes());
        bytes[8..].copy_from_slice(&self.nanos.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (secs, nanos) = bytes.split_first_chunk()?;
        let (secs, nanos) = (i64::from_le_bytes(*secs), u32::from_le_bytes(nanos.try_into().ok()?));
        (nanos < 1_000_000_000).then_some(Self { secs, nanos })
    }

    pub(crate) fn json(self) -> Value {
        json!({ "secs": self.secs, "nanos": self.nanos })
    }
}

/// Adds what is known of a file to what will be sealed.
///
/// # Errors
/// When the descriptor has no room for it.
pub(crate) fn put(options: SealOptions, modified: Modified, file: &Path) -> Result<SealOptions, FieldError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let end = (0..=NAME_LEN_MAX.min(name.len())).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    options.field(MODIFIED_TAG, &modified.encode())?.field(NAME_TAG, &name.as_bytes()[..end])
}

/// The modification time at sealing, if the seal states one.
pub(crate) fn modified(descriptor: &Descriptor) -> Option<Modified> {
    Modified::decode(descriptor.field(MODIFIED_TAG)?)
}

/// The name at sealing, if the seal states one.
pub(crate) fn name(descriptor: &Descriptor) -> Option<String> {
    Some(String::from_utf8_lossy(descriptor.field(NAME_TAG)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use page_ecc::Uid;

    #[test]
    fn a_stamp_keeps_its_bytes_and_comes_back() {
        let stamp = Modified { secs: -2, nanos: 0x0403_0201 };
        let bytes = [0xFE, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4];
        assert_eq!(stamp.encode(), bytes);
        assert_eq!(Modified::decode(&bytes), Some(stamp));
        assert_eq!(Modified::decode(&bytes[..11]), None);
        assert_eq!(Modified::decode(&[0xFF; 12]), None);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let path = "ä".repeat(150);
        let options = put(SealOptions::new(Uid::new([1; 16])), Modified { secs: 1, nanos: 2 }, path.as_ref());
        let image = options.unwrap().seal(b"x").unwrap();
        assert_eq!(name(image.descriptor()), Some("ä".repeat(100)));
        assert_eq!(modified(image.descriptor()), Some(Modified { secs: 1, nanos: 2 }));
    }
}
