//! The laws of a store, judged from outside.
//!
//! Seeds are printed; `RESILVER_SEED`, `RESILVER_MINUTES`, `PROPTEST_CASES` and `PROPTEST_RNG_SEED` change how
//! much is tried and what.
#![expect(clippy::unwrap_used, reason = "a judge that cannot go on is a failed test")]

mod crash;
mod faults;
mod first_open;
mod heal;
mod log_damage;
mod loss;
mod misuse;
mod model;
mod repair;
mod rot;
mod stress;
