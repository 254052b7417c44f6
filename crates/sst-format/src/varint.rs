//! Numbers in as few bytes as they need: seven bits a byte, lowest first, the top bit set on all but the last.

use alloc::vec::Vec;

/// Appends `number`.
#[inline]
pub(crate) fn put(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads the number at `at` and moves behind it; `None` if it does not end within the bytes or within 64 bits.
#[inline]
pub(crate) fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
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

/// Folds a signed distance into a number that is small when the distance is.
#[inline]
pub(crate) const fn zigzag(distance: i64) -> u64 {
    ((distance << 1) ^ (distance >> 63)) as u64
}

/// The distance that [`zigzag`] folded.
#[inline]
pub(crate) const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
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
                assert_eq!(at, bytes.len());
                assert!(at <= 10);
                assert_eq!(zigzag(unzigzag(number)), number);
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
