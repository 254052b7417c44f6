//! The Hsiao (72,64) code: eight check bits for every 64-bit word.
//!
//! An additional inner code for media with many scattered flips (raw flash): it corrects one flip
//! in every word of a page and notices two. Each data bit has a column of odd weight (all 56 of
//! weight three, then the eight rotations of five adjacent ones), so the syndrome of two flips is
//! even and never taken for one. Words are little-endian; a page of 512 words has 512 check bytes.

use crate::page::PAGE_LEN;

/// Check bytes of one page.
pub(crate) const CHECKS_LEN: usize = PAGE_LEN / 8;

const COLUMNS: [u8; 64] = columns();

const fn columns() -> [u8; 64] {
    let mut columns = [0; 64];
    let (mut count, mut value) = (0, 0u32);
    while value < 256 {
        if value.count_ones() == 3 {
            columns[count] = value as u8;
            count += 1;
        }
        value += 1;
    }
    let mut turn = 0;
    while turn < 8 {
        columns[count] = 0b1_1111u8.rotate_left(turn);
        count += 1;
        turn += 1;
    }
    assert!(count == 64);
    columns
}

/// `TABLES[at][byte]`: the checks of a word that is `byte` at byte `at` and zero elsewhere.
const TABLES: [[u8; 256]; 8] = tables();

const fn tables() -> [[u8; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 8 {
        let mut byte = 0;
        while byte < 256 {
            let mut bit = 0;
            while bit < 8 {
                if byte >> bit & 1 == 1 {
                    tables[at][byte] ^= COLUMNS[at * 8 + bit];
                }
                bit += 1;
            }
            byte += 1;
        }
        at += 1;
    }
    tables
}

/// What a syndrome names: the data bit with this column, or nothing.
const BIT_OF: [u8; 256] = bit_of();
const NO_BIT: u8 = 255;

const fn bit_of() -> [u8; 256] {
    let mut bits = [NO_BIT; 256];
    let mut bit = 0;
    while bit < 64 {
        bits[COLUMNS[bit] as usize] = bit as u8;
        bit += 1;
    }
    bits
}

fn checks_of(word: &[u8; 8]) -> u8 {
    word.iter().zip(&TABLES).fold(0, |checks, (&byte, table)| checks ^ table[usize::from(byte)])
}

/// Checks and corrects words of eight bytes with one check byte each.
///
/// Sealing uses it where [`InnerCode::Hsiao`](crate::InnerCode::Hsiao) is chosen; alone it locates
/// nothing and proves nothing, so whoever calls it keeps a digest of the bytes.
///
/// ```
/// use page_ecc::WordCode;
/// let mut bytes = *b"sixteen bytes ..";
/// let mut checks = [0; 2];
/// WordCode::encode(&bytes, &mut checks);
/// bytes[1] ^= 0x04;
/// bytes[9] ^= 0x80;
/// assert_eq!(WordCode::correct(&mut bytes, &checks), 2);
/// assert_eq!(&bytes, b"sixteen bytes ..");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WordCode;

impl WordCode {
    /// Writes the check byte of each word.
    ///
    /// # Panics
    /// When `bytes` are not eight for each of `checks`.
    pub fn encode(bytes: &[u8], checks: &mut [u8]) {
        assert_eq!(bytes.len(), 8 * checks.len(), "each word has one check byte");
        for (word, check) in bytes.as_chunks::<8>().0.iter().zip(checks) {
            *check = checks_of(word);
        }
    }

    /// Corrects one flip a word where the checks name it; says how many bits of `bytes` it turned.
    ///
    /// The result is a guess until a digest proves it: three flips in one word can look like one.
    ///
    /// # Panics
    /// When `bytes` are not eight for each of `checks`.
    pub fn correct(bytes: &mut [u8], checks: &[u8]) -> u32 {
        assert_eq!(bytes.len(), 8 * checks.len(), "each word has one check byte");
        let mut turned = 0;
        for (word, &check) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(checks) {
            let bit = BIT_OF[usize::from(checks_of(word) ^ check)];
            if bit != NO_BIT {
                word[usize::from(bit / 8)] ^= 1 << (bit % 8);
                turned += 1;
            }
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Page;
    use alloc::collections::BTreeSet;

    /// The check matrix, a bit at a time.
    fn slow_checks(word: u64) -> u8 {
        (0..64).filter(|bit| word >> bit & 1 == 1).fold(0, |checks, bit| checks ^ COLUMNS[bit])
    }

    fn sample() -> Page {
        let mut page = [0; PAGE_LEN];
        page.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 89 + at / 97) as u8);
        page
    }

    #[test]
    fn every_column_is_odd_and_its_own() {
        let all: BTreeSet<u8> = COLUMNS.into_iter().chain((0..8).map(|bit| 1 << bit)).collect();
        assert_eq!(all.len(), 72);
        assert!(all.iter().all(|column| column.count_ones() % 2 == 1));
    }

    #[test]
    fn tables_agree_with_the_matrix() {
        for word in sample().as_chunks::<8>().0 {
            assert_eq!(checks_of(word), slow_checks(u64::from_le_bytes(*word)));
        }
    }

    #[test]
    fn one_flip_in_each_word_is_corrected_wherever_it_is() {
        let page = sample();
        let mut checks = [0; CHECKS_LEN];
        WordCode::encode(&page, &mut checks);
        for bit in 0..64 {
            let mut hurt = page;
            hurt.as_chunks_mut::<8>().0.iter_mut().for_each(|word| word[bit / 8] ^= 1 << (bit % 8));
            assert_eq!(WordCode::correct(&mut hurt, &checks), 512);
            assert_eq!(hurt, page);
        }
        for bit in 0..8 {
            let mut hurt = page;
            let hurt_checks = checks.map(|check| check ^ 1 << bit);
            assert_eq!(
                WordCode::correct(&mut hurt, &hurt_checks),
                0,
                "a flipped check bit turns no data bit"
            );
            assert_eq!(hurt, page);
        }
    }

    #[test]
    fn two_flips_in_one_word_are_never_miscorrected() {
        let page = sample();
        let mut checks = [0; CHECKS_LEN];
        WordCode::encode(&page, &mut checks);
        for first in 0..64 {
            for second in 0..first {
                let mut hurt = page;
                hurt[first / 8] ^= 1 << (first % 8);
                hurt[second / 8] ^= 1 << (second % 8);
                assert_eq!(WordCode::correct(&mut hurt, &checks), 0, "bits {first} and {second}");
            }
        }
    }
}
