//! Numbers in as few bytes as they need: seven bits to a byte, the low ones first, the high bit set on all but
//! the last (LEB128).
//!
//! ```
//! use page_ecc::varint;
//! let mut bytes = Vec::new();
//! varint::put(&mut bytes, 300);
//! assert_eq!(bytes, [0xAC, 0x02]);
//! assert_eq!(varint::len(300), 2);
//! let mut at = 0;
//! assert_eq!((varint::take(&bytes, &mut at), at), (Some(300), 2));
//! ```

use alloc::vec::Vec;

/// The most bytes a number takes.
pub const LEN_MAX: usize = 10;

/// The bytes `number` takes.
#[inline]
#[must_use]
pub const fn len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends `number`.
#[inline]
pub fn put(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads the number at `at` and moves behind it; `None` if it does not end within the bytes or within 64 bits.
#[inline]
#[must_use]
pub fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let &first = bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(first.into());
    }
    match bytes.get(*at..).and_then(|rest| rest.first_chunk()).and_then(|word| in_word(*word)) {
        Some((number, len)) => {
            *at += len;
            Some(number)
        }
        None => take_long(bytes, at),
    }
}

/// The number that eight bytes begin with, and how many of them it takes; `None` if it does not end within them.
/// All its bytes are put together at once.
///
/// ```
/// use page_ecc::varint;
/// assert_eq!(varint::in_word([0xAC, 0x02, 7, 7, 7, 7, 7, 7]), Some((300, 2)));
/// assert_eq!(varint::in_word([0xFF; 8]), None);
/// ```
#[inline]
#[must_use]
pub const fn in_word(bytes: [u8; 8]) -> Option<(u64, usize)> {
    let word = u64::from_le_bytes(bytes);
    if word & 0x80 == 0 {
        return Some((word & 0x7F, 1));
    }
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return None;
    }
    let last_bit = ends.trailing_zeros();
    let sevens = word & 0x7F7F_7F7F_7F7F_7F7F & (u64::MAX >> (63 - last_bit));
    let pairs = sevens & 0x007F_007F_007F_007F | (sevens & 0x7F00_7F00_7F00_7F00) >> 1;
    let fours = pairs & 0x0000_3FFF_0000_3FFF | (pairs & 0x3FFF_0000_3FFF_0000) >> 2;
    let number = fours & 0x0FFF_FFFF | (fours & 0x0FFF_FFFF_0000_0000) >> 4;
    Some((number, last_bit as usize / 8 + 1))
}

/// How many of eight bytes the number takes that they begin with; `None` if it does not end within them.
///
/// ```
/// use page_ecc::varint;
/// assert_eq!(varint::len_in_word([0xAC, 0x02, 7, 7, 7, 7, 7, 7]), Some(2));
/// ```
#[inline]
#[must_use]
pub const fn len_in_word(bytes: [u8; 8]) -> Option<usize> {
    let ends = !u64::from_le_bytes(bytes) & 0x8080_8080_8080_8080;
    if ends == 0 { None } else { Some(ends.trailing_zeros() as usize / 8 + 1) }
}

/// A byte at a time: what is too long for a word, or too near the end to be read as one.
#[inline(never)]
fn take_long(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let &byte = bytes.get(*at)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_power_of_two_comes_back() {
        for power in 0..64 {
            for number in [(1u64 << power) - 1, 1 << power, (1 << power) | 1, u64::MAX] {
                let mut bytes = Vec::new();
                put(&mut bytes, number);
                let mut at = 0;
                assert_eq!(take(&bytes, &mut at), Some(number));
                assert_eq!([at, len(number)], [bytes.len(); 2]);
                assert!(at <= LEN_MAX);
                assert_eq!(take(&bytes[..at - 1], &mut 0), None);
                // Others behind it change nothing, nor whether it is read as a word.
                bytes.extend([0xFF; 8]);
                let mut behind = 0;
                assert_eq!((take(&bytes, &mut behind), behind), (Some(number), at));
                let word = *bytes.first_chunk().unwrap();
                assert_eq!(in_word(word), (at <= 8).then_some((number, at)));
                assert_eq!(len_in_word(word), (at <= 8).then_some(at));
            }
        }
    }

    #[test]
    fn a_number_over_64_bits_is_refused() {
        assert_eq!(take(&[0xFF; 11], &mut 0), None);
        assert_eq!(take(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], &mut 0), None);
    }
}
