//! What is written, and in which order it is read.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Entries of a table, and reads of a round.
pub const ENTRIES: u64 = 1_000_000;
/// Bytes of a data block before it is written.
pub const BLOCK_BYTES: u16 = 4096;
/// Every how many entries a data block keeps a whole key.
pub const RESTARTS: u8 = 8;
/// Bytes of blocks that a cache keeps: more than any table has.
pub const CACHE_BYTES: u64 = 1 << 30;
/// Entries that are made before the clock runs.
const BATCH: u64 = 1000;

pub type Key = [u8; 16];
pub type Value = [u8; 100];
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Keys whose order is that of their numbers, and whose bytes look random.
pub fn key(number: u64) -> Key {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(number.wrapping_mul(0x10_0000_0000_0000 / ENTRIES) << 12).to_be_bytes());
    key[8..].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key
}

pub fn value(number: u64) -> Value {
    let mut value = [b'v'; 100];
    for (at, part) in value[..56].chunks_exact_mut(8).enumerate() {
        let word = (number + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(at as u32 * 7);
        part.copy_from_slice(&word.to_le_bytes());
    }
    value
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

/// The time `add` takes for all entries. What it is lent is made and dropped while the clock stands.
pub fn timed_adds<T>(make: impl Fn(u64) -> T, mut add: impl FnMut(&mut T) -> Result<()>) -> Result<Duration> {
    let mut spent = Duration::ZERO;
    let mut batch = Vec::new();
    for first in (0..ENTRIES).step_by(BATCH as usize) {
        batch.extend((first..first + BATCH).map(&make));
        let start = Clock::start();
        for item in &mut batch {
            add(item)?;
        }
        spent += start.elapsed();
        batch.clear();
    }
    Ok(spent)
}

/// The time it takes to read every key once, at random places.
pub fn timed_gets(mut get: impl FnMut(&Key) -> Result<Option<u8>>) -> Result<Duration> {
    let start = Clock::start();
    for number in 0..ENTRIES {
        let number = number.wrapping_mul(0x9E37_79B1) % ENTRIES;
        let first = get(&key(number))?;
        assert_eq!(first, Some(value(number)[0]), "entry {number}");
    }
    Ok(start.elapsed())
}

/// What a scan has seen. Each has to see the same.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Seen {
    entries: u64,
    keys: u64,
    values: u64,
}

impl Seen {
    pub fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.entries += 1;
        self.keys += u64::from(key[15]) + key.len() as u64;
        self.values += u64::from(value[0]) + value.len() as u64;
    }

    fn of_all() -> Self {
        let mut seen = Self::default();
        (0..ENTRIES).for_each(|number| seen.entry(&key(number), &value(number)));
        seen
    }
}

pub fn timed_scan(scan: impl FnOnce(&mut Seen) -> Result<()>) -> Result<Duration> {
    let mut seen = Seen::default();
    let start = Clock::start();
    scan(&mut seen)?;
    let spent = start.elapsed();
    assert_eq!(seen, Seen::of_all());
    Ok(spent)
}
