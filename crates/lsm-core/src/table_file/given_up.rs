//! Blocks that nothing brought back, so that not every read of them goes up the ladder to its end.
//!
//! To find out that a page is lost takes all pages of its columns, from the medium; a table that lost a part would be
//! asked for it by every read of a key there. Left to who reads: the block's own bytes, cached and on the medium, come
//! first each time.
//!
//! **Invariant**: a block is given up for a while only after two looks in vain; then it is looked for after a second, and
//! each time twice as long, up to a minute. There are no more of them than the table has blocks.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Looks before a block is given up at all: what a disk refuses once it may give the next moment.
const LOOKS_MIN: u32 = 2;
/// The longest it is given up for.
const REST_MAX: Duration = Duration::from_secs(60);

/// What was looked for in vain, by where it stands.
#[derive(Debug, Default)]
pub(super) struct GivenUp(Mutex<BTreeMap<u64, Looks>>);

#[derive(Clone, Copy, Debug)]
struct Looks {
    count: u32,
    last: Instant,
}

impl GivenUp {
    /// Whether it is too soon to look for a block again.
    pub(super) fn has(&self, offset: u64, now: Instant) -> bool {
        let looks = self.0.lock().get(&offset).copied();
        looks.is_some_and(|Looks { count, last }| {
            let rest = count.checked_sub(LOOKS_MIN).map(|doubled| Duration::from_secs(1 << doubled.min(6)));
            rest.is_some_and(|rest| now.saturating_duration_since(last) < rest.min(REST_MAX))
        })
    }

    /// Hears how a look ended.
    pub(super) fn looked(&self, offset: u64, is_found: bool, now: Instant) {
        let mut all = self.0.lock();
        if is_found {
            all.remove(&offset);
        } else {
            let looks = all.entry(offset).or_insert(Looks { count: 0, last: now });
            *looks = Looks { count: looks.count.saturating_add(1), last: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_looked_for_twice_and_then_ever_more_rarely() {
        let (given_up, begun) = (GivenUp::default(), Instant::now());
        let mut looks = Vec::new();
        for tenth in 0..2000_u32 {
            let now = begun + Duration::from_millis(100) * tenth;
            if !given_up.has(7, now) {
                given_up.looked(7, false, now);
                looks.push(tenth);
            }
            assert!(!given_up.has(8, now));
        }
        assert_eq!(looks, [0, 1, 11, 31, 71, 151, 311, 631, 1231, 1831]);
        given_up.looked(7, true, begun);
        assert!(!given_up.has(7, begun));
    }
}
