//! Sealing in strips makes the very bytes that sealing in memory makes.

use std::cell::RefCell;
use std::convert::Infallible;

use page_ecc::{PAGE_LEN, SealOptions, SealStore, SealedImage, StripSealer, Uid};

use crate::damage::Random;
use crate::{INNERS, SCHEMES, seed};

/// A file in memory that starts as rubbish, but for its body.
struct Memory(RefCell<Vec<u8>>);

impl SealStore for Memory {
    type Error = Infallible;

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.borrow_mut()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

fn check(image: &SealedImage, options: &SealOptions, strip_bytes: usize) {
    let body = image.body();
    let sealer = StripSealer::new(body.len() as u64, options, strip_bytes).unwrap();
    let mut rubbish = vec![0xEE; image.as_bytes().len()];
    rubbish[PAGE_LEN..PAGE_LEN + body.len()].copy_from_slice(body);
    let store = Memory(RefCell::new(rubbish));
    let mut scratch = sealer.scratch();
    for strip in (0..sealer.strips()).rev() {
        sealer.seal_strip(strip, &store, &mut scratch).unwrap();
    }
    assert_eq!(&sealer.finish(&store).unwrap(), image.descriptor());
    assert!(store.0.into_inner() == image.as_bytes(), "{} bytes in strips of {strip_bytes}", body.len());
}

#[test]
fn strips_of_any_width_make_the_same_file() {
    for scheme in SCHEMES {
        for inner in INNERS {
            for body_len in [0, 1, 4096, 70_000, 600 * PAGE_LEN + 5, 1100 * PAGE_LEN] {
                let options = SealOptions::new(Uid::new([3; 16])).scheme(scheme).inner(inner);
                let image = options.seal(&Random::new(seed()).bytes(body_len)).unwrap();
                for strip_bytes in [0, 1 << 20, 5 << 20, 1 << 30] {
                    check(&image, &options, strip_bytes);
                }
            }
        }
    }
}
