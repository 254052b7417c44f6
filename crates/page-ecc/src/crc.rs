//! CRC-32C, by the processor where there is a standard library, by tables elsewhere.
//!
//! Both give the same sums; the table walk doubles as the plain twin the tests compare with.
//! [`step`] is the polynomial's one-bit move, on which finding a flipped bit stands.

/// The Castagnoli polynomial, lowest power in the highest bit.
pub(crate) const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The register one zero bit later.
pub(crate) const fn step(register: u32) -> u32 {
    (register >> 1) ^ (POLYNOMIAL & (register & 1).wrapping_neg())
}

/// CRC-32C of `bytes`.
#[cfg(feature = "std")]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// CRC-32C of `bytes`.
#[cfg(not(feature = "std"))]
pub(crate) use portable as crc32c;

const LANES: usize = 8;

/// `TABLES[lane][byte]`: what a byte adds to the register once `lane` more bytes have passed.
const TABLES: [[u32; 256]; LANES] = tables();

const fn tables() -> [[u32; 256]; LANES] {
    let mut tables = [[0; 256]; LANES];
    let mut byte = 0;
    while byte < 256 {
        let mut register = byte as u32;
        let mut lane = 0;
        while lane < LANES {
            let mut bit = 0;
            while bit < 8 {
                register = step(register);
                bit += 1;
            }
            tables[lane][byte] = register;
            lane += 1;
        }
        byte += 1;
    }
    tables
}

/// CRC-32C without the processor's help, eight bytes a turn.
#[cfg_attr(all(feature = "std", not(test)), expect(dead_code, reason = "the twin of tests and of no_std"))]
pub(crate) fn portable(bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<LANES>();
    let mut register = !0u32;
    for chunk in chunks {
        let mixed = u64::from_le_bytes(*chunk) ^ u64::from(register);
        register = 0;
        for (lane, byte) in mixed.to_le_bytes().into_iter().enumerate() {
            register ^= TABLES[LANES - 1 - lane][usize::from(byte)];
        }
    }
    for &byte in rest {
        register = (register >> 8) ^ TABLES[0][usize::from(register as u8 ^ byte)];
    }
    !register
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The definition, a bit at a time.
    fn bitwise(bytes: &[u8]) -> u32 {
        let register = bytes.iter().fold(!0u32, |register, &byte| {
            (0..8).fold(register ^ u32::from(byte), |register, _| step(register))
        });
        !register
    }

    #[test]
    fn every_way_to_sum_agrees() {
        assert_eq!(portable(b"123456789"), 0xE306_9283);
        let bytes: Vec<u8> = (0..600u32).map(|i| (i * 151 + 7) as u8).collect();
        for end in 0..bytes.len() {
            let sum = bitwise(&bytes[..end]);
            assert_eq!(portable(&bytes[..end]), sum, "the first {end} bytes");
            assert_eq!(crc32c(&bytes[..end]), sum, "the first {end} bytes");
        }
    }
}
