//! Prints what filters cost and reach: `cargo run --release -p sst-format --example filters`.
//!
//! A ribbon filter and a cache-line-blocked Bloom filter for the same target are timed in turn, round after
//! round, and each time is the best of its rounds, so that a busy machine disturbs both alike. `build` starts
//! from key bytes, hashing included; `solve` from hashes.

use std::hint::black_box;
use std::time::Instant;

use sst_format::{Answer, FalsePositiveRate, FilterBuilder, FilterPolicy, FilterView, KeyHash};

const ABSENT: usize = 10_000_000;
const TIMED: usize = 1_000_000;
const ROUNDS_MIN: usize = 5;
const ROUNDS_MAX: usize = 200;

fn main() {
    let counts: Vec<usize> =
        std::env::args().skip(1).map(|count| count.parse().expect("a number of keys")).collect();
    let counts = if counts.is_empty() { vec![1_000, 100_000, 1_000_000, 10_000_000] } else { counts };
    println!(
        "     keys target ppm  kind   bits/key  measured ppm  over bound  hit ns  miss ns  build ns  solve ns"
    );
    for count in counts {
        let keys = Keys::new(count);
        for ppm in [10_000, 1_000, 100] {
            let rate = FalsePositiveRate::per_million(ppm);
            compare(
                &keys,
                ppm,
                [("Bloom", FilterPolicy::Bloom(rate)), ("ribbon", FilterPolicy::Ribbon(rate))],
            );
        }
    }
}

struct Keys {
    keys: Vec<[u8; 16]>,
    hashes: Vec<KeyHash>,
    absent: Vec<KeyHash>,
    hits: Vec<KeyHash>,
}

impl Keys {
    fn new(count: usize) -> Self {
        let key =
            |at: usize| (at as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes();
        let keys: Vec<[u8; 16]> = (0..count).map(key).collect();
        let hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash::of_key(key)).collect();
        let absent = (count..count + ABSENT).map(|at| KeyHash::of_key(&key(at))).collect();
        let hits = (0..TIMED).map(|at| hashes[at.wrapping_mul(7919) % count]).collect();
        Self { keys, hashes, absent, hits }
    }
}

/// Best times so far, in nanoseconds a key: hit, miss, build, solve.
type Times = [f64; 4];

fn compare(keys: &Keys, ppm: u32, policies: [(&str, FilterPolicy); 2]) {
    let rooms = policies.map(|(_, policy)| Room::new(&solve(policy, &keys.hashes)));
    let mut best: [Times; 2] = [[f64::INFINITY; 4]; 2];
    for _ in 0..(20_000_000 / keys.keys.len()).clamp(ROUNDS_MIN, ROUNDS_MAX) {
        for (at, (_, policy)) in policies.iter().enumerate() {
            let times = time(keys, *policy, &rooms[at].filter());
            best[at] = std::array::from_fn(|measure| best[at][measure].min(times[measure]));
        }
    }
    let mut sizes = [0.0; 2];
    for (at, (kind, _)) in policies.iter().enumerate() {
        let filter = rooms[at].filter();
        let rate = found(&filter, &keys.absent) as f64 / ABSENT as f64;
        assert_eq!(found(&filter, &keys.hashes), keys.hashes.len(), "no false negatives");
        sizes[at] = filter.bytes().len() as f64 * 8.0 / keys.hashes.len() as f64;
        let over = (sizes[at] / -rate.log2() - 1.0) * 100.0;
        let [hit, miss, build, solve] = best[at];
        println!(
            "{:9} {ppm:10}  {kind:6} {:8.3} {:13.1} {over:9.2} % {hit:7.1} {miss:8.1} {build:9.1} {solve:9.1}",
            keys.keys.len(),
            sizes[at],
            rate * 1e6,
        );
    }
    let [hit, miss, build, solve]: Times = std::array::from_fn(|measure| best[1][measure] / best[0][measure]);
    let bits = sizes[1] / sizes[0];
    println!("          ribbon / Bloom {bits:11.2} {:25} {hit:7.2} {miss:8.2} {build:9.2} {solve:9.2}", "");
}

fn time(keys: &Keys, policy: FilterPolicy, filter: &FilterView<'_>) -> Times {
    [
        nanoseconds(keys.hits.len(), || found(filter, &keys.hits)),
        nanoseconds(TIMED, || found(filter, &keys.absent[..TIMED])),
        nanoseconds(keys.keys.len(), || {
            let mut builder = FilterBuilder::new(policy);
            keys.keys.iter().for_each(|key| builder.add_key(key));
            builder.finish()
        }),
        nanoseconds(keys.keys.len(), || solve(policy, &keys.hashes)),
    ]
}

fn solve(policy: FilterPolicy, hashes: &[KeyHash]) -> Vec<u8> {
    let mut builder = FilterBuilder::new(policy);
    hashes.iter().for_each(|hash| builder.add_hash(*hash));
    builder.finish()
}

fn found(filter: &FilterView<'_>, hashes: &[KeyHash]) -> usize {
    hashes.iter().filter(|hash| filter.may_contain(**hash) == Answer::Maybe).count()
}

fn nanoseconds<T>(items: usize, work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_nanos() as f64 / items as f64
}

/// A filter that starts on a cache line, which favours Bloom's lines.
struct Room {
    bytes: Vec<u8>,
    at: usize,
    len: usize,
}

impl Room {
    fn new(filter: &[u8]) -> Self {
        let mut bytes = vec![0; filter.len() + 64];
        let at = bytes.as_ptr().align_offset(64);
        bytes[at..at + filter.len()].copy_from_slice(filter);
        Self { bytes, at, len: filter.len() }
    }

    fn filter(&self) -> FilterView<'_> {
        FilterView::parse(&self.bytes[self.at..self.at + self.len]).expect("a filter just built parses")
    }
}
