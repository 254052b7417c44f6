//! A page of digests, which proves itself.
//!
//! The digests of body, parity and word-check pages follow each other, 510 to a page, in two copies
//! of the same bytes far apart; a damaged page is mended from its twin.
//!
//! | at   | len  | field   | meaning                                                     |
//! |-----:|-----:|---------|-------------------------------------------------------------|
//! |    0 | 4080 | digests | 510 digests of 8 bytes; zeros behind the last                |
//! | 4080 |    8 | magic   | `RSDIGEST`                                                   |
//! | 4088 |    8 | digest  | of bytes 0..4088, salted as number 2^62 + this page's number |

use crate::digest::{Digest, Salter};
use crate::flip;
use crate::page::{CodeNo, PAGE_LEN, Page};

/// Digests that one page holds.
pub(crate) const DIGESTS_PER_PAGE: usize = 510;

const MAGIC: [u8; 8] = *b"RSDIGEST";
const MAGIC_AT: usize = DIGESTS_PER_PAGE * Digest::LEN;
const DIGEST_AT: usize = MAGIC_AT + MAGIC.len();
const _: () = assert!(DIGEST_AT + Digest::LEN == PAGE_LEN);

/// Where the digest of a page stands: the digest page, and the byte within it.
pub(crate) fn place_of(number: CodeNo) -> (u64, usize) {
    let per_page = DIGESTS_PER_PAGE as u64;
    (number.0 / per_page, (number.0 % per_page) as usize * Digest::LEN)
}

/// Makes a page that holds its digests prove itself.
pub(crate) fn close(page: &mut Page, index: u64, salter: Salter) {
    page[MAGIC_AT..DIGEST_AT].copy_from_slice(&MAGIC);
    let digest = salter.digest(Salter::DIGEST_PAGES + index, &page[..DIGEST_AT]);
    page[DIGEST_AT..].copy_from_slice(&digest.encode());
}

/// Whether the page is digest page `index` of this file, whole.
pub(crate) fn is_proven(page: &Page, index: u64, salter: Salter) -> bool {
    is_marked(page) && salter.digest(Salter::DIGEST_PAGES + index, &page[..DIGEST_AT]) == own_digest(page)
}

/// Whether the page says that it is one of digests, of whatever file.
pub(crate) fn is_marked(page: &Page) -> bool {
    page[MAGIC_AT..DIGEST_AT] == MAGIC
}

/// Turns back one flipped bit; whether the page then proves itself.
pub(crate) fn correct_flip(page: &mut Page, index: u64, salter: Salter) -> bool {
    let digest = own_digest(page);
    flip::correct(salter, Salter::DIGEST_PAGES + index, digest, &mut page[..DIGEST_AT])
        && is_proven(page, index, salter)
}

/// The digest at a byte that [`place_of`] named.
pub(crate) fn digest_at(page: &Page, at: usize) -> Digest {
    let bytes = page[..MAGIC_AT][at..].first_chunk().expect("digests fill the page up to its magic");
    Digest::decode(*bytes)
}

fn own_digest(page: &Page) -> Digest {
    Digest::decode(*page.last_chunk().expect("a page is longer than a digest"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Uid;

    #[test]
    fn a_digest_page_is_proven_only_whole_and_at_its_own_number() {
        let salter = Salter::new(Uid::new([3; 16]));
        let mut page = [0; PAGE_LEN];
        page[..MAGIC_AT].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 7) as u8);
        close(&mut page, 4, salter);
        assert!(is_proven(&page, 4, salter));
        assert!(!is_proven(&page, 5, salter));
        for bit in 0..PAGE_LEN * 8 {
            let mut hurt = page;
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_proven(&hurt, 4, salter), "bit {bit}");
        }
        for bit in (0..DIGEST_AT * 8).step_by(101) {
            let mut hurt = page;
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert!(correct_flip(&mut hurt, 4, salter), "bit {bit}");
            assert_eq!(hurt, page);
        }
    }
}
