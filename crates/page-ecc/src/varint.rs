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
    *at += 1;
    if first < 0x80 { Some(first.into()) } else { take_long(bytes, at, first) }
}

fn take_long(bytes: &[u8], at: &mut usize, first: u8) -> Option<u64> {
    let mut number = u64::from(first & 0x7F);
    for shift in (7..70).step_by(7) {
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
            }
        }
    }

    #[test]
    fn a_number_over_64_bits_is_refused() {
        assert_eq!(take(&[0xFF; 11], &mut 0), None);
        assert_eq!(take(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], &mut 0), None);
    }
}
