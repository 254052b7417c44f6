//! One flipped bit, found from the CRC alone.
//!
//! CRC-32C keeps distance 4 up to 2^31 bits, so over a page every single flip and only that flip
//! has its own syndrome: a digest costs no extra parity to also correct. The syndrome of a flip
//! `d` bits before the end is the polynomial moved `d` steps on; walking those steps finds it. The
//! other digest half proves the result.

use crate::crc::{POLYNOMIAL, step};
use crate::digest::{Digest, Salter};
use crate::page::PAGE_LEN;

/// Stretches of a page walked side by side, a vector's worth of steps at a time.
const LANES: usize = 16;
const LANE_BITS: usize = PAGE_LEN * 8 / LANES;
/// The syndrome at the first step of each stretch.
const LANE_STARTS: [u32; LANES] = lane_starts();

const fn lane_starts() -> [u32; LANES] {
    let mut starts = [POLYNOMIAL; LANES];
    let mut lane = 1;
    while lane < LANES {
        let mut register = starts[lane - 1];
        let mut distance = 0;
        while distance < LANE_BITS {
            register = step(register);
            distance += 1;
        }
        starts[lane] = register;
        lane += 1;
    }
    starts
}

/// The bit whose flip changes the CRC of `bits` bits by `syndrome`, from the lowest bit of byte 0.
fn locate(syndrome: u32, bits: usize) -> Option<usize> {
    debug_assert!(bits <= LANES * LANE_BITS);
    let mut registers = LANE_STARTS;
    for at in 0..LANE_BITS {
        let is_hit = registers.iter().fold(false, |is_hit, &register| is_hit | (register == syndrome));
        if is_hit {
            let lane = registers.iter().position(|&register| register == syndrome)?;
            return (bits - 1).checked_sub(lane * LANE_BITS + at);
        }
        registers = registers.map(step);
    }
    None
}

/// Flips the one bit that makes `bytes` match `digest`; leaves them alone if there is none.
pub(crate) fn correct(salter: Salter, number: u64, digest: Digest, bytes: &mut [u8]) -> bool {
    let found = salter.digest(number, bytes);
    let Some(bit) = locate(found.crc ^ digest.crc, bytes.len() * 8) else { return false };
    bytes[bit / 8] ^= 1 << (bit % 8);
    let proven = salter.digest(number, bytes) == digest;
    if !proven {
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    proven
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Uid;
    use crate::page::Page;

    const PAGE_BITS: usize = PAGE_LEN * 8;

    fn sample() -> (Salter, Page, Digest) {
        let salter = Salter::new(Uid::new([9; 16]));
        let mut page = [0; PAGE_LEN];
        page.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 31 + at / 256) as u8);
        (salter, page, salter.digest(5, &page))
    }

    #[test]
    fn every_single_flip_of_a_page_is_corrected() {
        let (salter, page, digest) = sample();
        for bit in 0..PAGE_BITS {
            let mut hurt = page;
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert!(correct(salter, 5, digest, &mut hurt), "bit {bit}");
            assert_eq!(hurt, page, "bit {bit}");
        }
    }

    #[test]
    fn more_than_one_flip_is_never_miscorrected() {
        let (salter, page, digest) = sample();
        for second in 1..PAGE_BITS {
            let mut hurt = page;
            hurt[0] ^= 1;
            hurt[second / 8] ^= 1 << (second % 8);
            let before = hurt;
            assert!(!correct(salter, 5, digest, &mut hurt), "bits 0 and {second}");
            assert_eq!(hurt, before);
        }
    }

    /// The polynomial itself changes no sum, so with one flip beside it the CRC names that flip.
    #[test]
    fn what_the_crc_takes_for_one_flip_is_turned_back_only_if_the_other_half_agrees() {
        let (salter, page, digest) = sample();
        for bit in (0..PAGE_BITS).step_by(37) {
            let mut hurt = page;
            let polynomial = (1 | u64::from(POLYNOMIAL) << 1).to_le_bytes();
            hurt[100..108].iter_mut().zip(polynomial).for_each(|(byte, turned)| *byte ^= turned);
            hurt[bit / 8] ^= 1 << (bit % 8);
            let before = hurt;
            assert_eq!(locate(salter.digest(5, &hurt).crc ^ digest.crc, PAGE_BITS), Some(bit));
            assert!(!correct(salter, 5, digest, &mut hurt), "bit {bit}");
            assert_eq!(hurt, before);
        }
    }
}
