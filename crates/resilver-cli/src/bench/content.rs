//! What the stores of a bench hold: keys by number, values that prove whose they are.
//!
//! Invariant: keys sort as their numbers do, and the keys of a prefix are [`PER_PREFIX`] neighbours.

use std::ops::Range;

pub(super) const KEY_BYTES: usize = 16;
/// How many keys begin alike.
pub(super) const PER_PREFIX: u64 = 200;
/// Digits behind the prefix.
const BEHIND: usize = 3;
/// Where a value says whose it is, and which one of that key.
const NUMBER: Range<usize> = 0..8;
const ROUND: Range<usize> = 8..16;
/// Bytes that values are cut from.
const POOL_BYTES: usize = 64 << 10;
/// Rounds of the permutation.
const MIXES: u64 = 4;

pub(super) type Key = [u8; KEY_BYTES];

#[derive(Debug)]
pub(super) struct Content {
    keys: u64,
    value_bytes: usize,
    seed: u64,
    pool: Vec<u8>,
}

impl Content {
    pub(super) fn new(keys: u64, value_bytes: usize, seed: u64) -> Self {
        let pool = (0..(POOL_BYTES + value_bytes) as u64).map(|at| mixed(seed ^ !at) as u8).collect();
        Self { keys, value_bytes, seed, pool }
    }

    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Bytes of a key and its value.
    pub(super) fn entry_bytes(&self) -> u64 {
        (KEY_BYTES + self.value_bytes) as u64
    }

    /// The key of a number.
    pub(super) fn key(number: u64) -> Key {
        let mut key = [0; KEY_BYTES];
        write_digits(&mut key[..KEY_BYTES - BEHIND], number / PER_PREFIX);
        write_digits(&mut key[KEY_BYTES - BEHIND..], number % PER_PREFIX);
        key
    }

    /// A key that nobody has, behind those that differ from that of the number in the last digit.
    pub(super) fn missing(number: u64) -> Key {
        let mut key = Self::key(number);
        key[KEY_BYTES - 1] += b'a' - b'0';
        key
    }

    /// What the keys around that of a number begin with.
    pub(super) fn prefix(number: u64) -> Vec<u8> {
        Self::key(number)[..KEY_BYTES - BEHIND].to_vec()
    }

    /// How many keys begin so.
    pub(super) fn in_prefix(&self, number: u64) -> u64 {
        (self.keys - number / PER_PREFIX * PER_PREFIX).min(PER_PREFIX)
    }

    /// What a key is set to in a round.
    pub(super) fn fill_value(&self, number: u64, round: u64, value: &mut Vec<u8>) {
        value.clear();
        value.extend_from_slice(self.filler(number));
        value[NUMBER].copy_from_slice(&number.to_le_bytes());
        value[ROUND].copy_from_slice(&round.to_le_bytes());
    }

    /// Whether a value is one that the key was set to.
    pub(super) fn is_of(&self, number: u64, value: &[u8]) -> bool {
        value.len() == self.value_bytes
            && value[NUMBER] == number.to_le_bytes()
            && value[ROUND.end..] == self.filler(number)[ROUND.end..]
    }

    fn filler(&self, number: u64) -> &[u8] {
        let from = mixed(number) as usize % POOL_BYTES;
        &self.pool[from..from + self.value_bytes]
    }

    /// Any number, the same for the same operation of the same workload.
    pub(super) fn draw(&self, salt: u64, op: u64) -> u64 {
        ((u128::from(mixed(mixed(self.seed ^ salt) ^ op)) * u128::from(self.keys)) >> 64) as u64
    }

    /// The number at a place of an order without any: every number has one place.
    pub(super) fn shuffled(&self, salt: u64, place: u64) -> u64 {
        let half = (u64::BITS - (self.keys - 1).leading_zeros()).div_ceil(2).max(1);
        let (mask, seed) = ((1 << half) - 1, mixed(self.seed ^ salt));
        let mut number = place;
        loop {
            // A Feistel network: whatever the mixing does, it can be undone, so no two places meet.
            for round in 0..MIXES {
                let (left, right) = (number >> half, number & mask);
                let drawn = mixed(seed.wrapping_add(round) ^ (right << 8)) & mask;
                number = (right << half) | (left ^ drawn);
            }
            if number < self.keys {
                return number;
            }
        }
    }
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The bits of a word, spread over all of it.
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_without_any_has_every_number_once() {
        for keys in [1000, 1023, 1024, 1025, 4097] {
            let content = Content::new(keys, 16, 3);
            let mut numbers: Vec<u64> = (0..keys).map(|place| content.shuffled(5, place)).collect();
            assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]));
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..keys), "{keys} keys");
        }
    }

    #[test]
    fn keys_sort_as_their_numbers_do_and_missing_keys_lie_between_them() {
        let keys: Vec<Key> = (0..1000).map(Content::key).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
        let content = Content::new(1000, 16, 3);
        for number in 0..1000 {
            assert!(!keys.contains(&Content::missing(number)), "{number}");
            let prefix = Content::prefix(number);
            let alike = keys.iter().filter(|key| key.starts_with(&prefix)).count();
            assert_eq!(alike as u64, content.in_prefix(number), "{number}");
        }
    }

    #[test]
    fn a_value_is_of_its_key_alone() {
        let content = Content::new(1000, 100, 3);
        let mut value = Vec::new();
        for round in 0..3 {
            content.fill_value(7, round, &mut value);
            assert!(content.is_of(7, &value) && !content.is_of(8, &value) && !content.is_of(7, &value[1..]));
        }
        value[99] ^= 1;
        assert!(!content.is_of(7, &value));
    }
}
