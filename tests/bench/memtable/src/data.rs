//! What is written, and in which order it is read.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Entries of a memtable, and reads of a round.
pub const ENTRIES: u64 = 1_000_000;

pub type Key = [u8; 16];
pub type Value = [u8; 100];

/// What keys look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// Bytes without any pattern.
    Random,
    /// Decimal numbers, filled with zeros on the left; inserted in no order.
    Numbers,
}

impl Keys {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "random" => Some(Self::Random),
            "numbers" => Some(Self::Numbers),
            _ => None,
        }
    }

    /// The key of entry `number`; from `ENTRIES` on, keys that no entry has.
    pub fn key(self, number: u64) -> Key {
        let mut key = [0; 16];
        match self {
            Self::Random => {
                key[..8].copy_from_slice(&mixed(number).to_be_bytes());
                key[8..].copy_from_slice(&mixed(!number).to_be_bytes());
            }
            Self::Numbers => {
                let absent = number / ENTRIES;
                let mut rest = number.wrapping_mul(0x9E37_79B1) % ENTRIES * 10 + absent;
                for digit in key.iter_mut().rev() {
                    *digit = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
            }
        }
        key
    }
}

pub fn value(number: u64) -> Value {
    let mut value = [b'v'; 100];
    value[..8].copy_from_slice(&mixed(number).to_le_bytes());
    value
}

fn mixed(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

/// Counts the time this thread has a processor: others on a busy machine disturb that less than they do
/// the time of day.
#[derive(Clone, Copy)]
pub struct Clock(Duration);

impl Clock {
    pub fn start() -> Self {
        Self(Self::now())
    }

    pub fn elapsed(self) -> Duration {
        Self::now() - self.0
    }

    fn now() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}
