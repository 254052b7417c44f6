//! The law: under any damage the original bytes or a typed loss naming the pages, never a wrong byte.
//!
//! Within the promise there is no loss at all. Which damage is within it, a naive model decides
//! that knows nothing of how the crate works. `RESILVER_SEED` chooses the random parts (1 by
//! default, printed on failure); with `RESILVER_MINUTES` the random mixes go on that long.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

mod damage;
mod golden;
mod holes;
mod hostile;
mod judge;
mod mixes;
mod pages;
mod strips;

use page_ecc::{InnerCode, Scheme};

/// Every preset and some that are none.
const SCHEMES: [Scheme; 6] = [
    Scheme::STANDARD,
    Scheme::LIGHT,
    Scheme::STRONG,
    Scheme::Xor { data: 10 },
    Scheme::ReedSolomon { data: 5, parity: 3 },
    Scheme::ChecksumOnly,
];

const INNERS: [InnerCode; 2] = [InnerCode::None, InnerCode::Hsiao];

fn seed() -> u64 {
    std::env::var("RESILVER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}
