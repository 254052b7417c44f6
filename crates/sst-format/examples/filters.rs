//! Prints what filters cost and reach: `cargo run --release -p sst-format --example filters`.
//!
//! Ratios compare a ribbon filter with a cache-line-blocked Bloom filter built for the same target in the same
//! run. `build` starts from key bytes (hashing included), `solve` from hashes; each time is the best of several.

use std::hint::black_box;
use std::time::Instant;

use sst_format::{Answer, FalsePositiveRate, FilterBuilder, FilterPolicy, FilterView, KeyHash};

const QUERIES: usize = 10_000_000;
const TIMED: usize = 2_000_000;

struct Measured {
    bits: f64,
    rate: f64,
    hit_ns: f64,
    miss_ns: f64,
    build_ns: f64,
    solve_ns: f64,
}

fn main() {
    println!(
        " keys     target   kind     bits/key  measured ppm  over bound  hit ns  miss ns  build ns  solve ns"
    );
    for count in [1_000, 100_000, 1_000_000, 10_000_000] {
        for ppm in [10_000, 1_000, 100] {
            let rate = FalsePositiveRate::per_million(ppm);
            let bloom = report(count, ppm, "Bloom", FilterPolicy::Bloom(rate));
            let ribbon = report(count, ppm, "ribbon", FilterPolicy::Ribbon(rate));
            println!(
                "{:28} {:9.2} {:13} {:11} {:7.2} {:8.2} {:9.2} {:9.2}",
                "ribbon / Bloom",
                ribbon.bits / bloom.bits,
                "",
                "",
                ribbon.hit_ns / bloom.hit_ns,
                ribbon.miss_ns / bloom.miss_ns,
                ribbon.build_ns / bloom.build_ns,
                ribbon.solve_ns / bloom.solve_ns,
            );
        }
    }
}

fn report(count: usize, ppm: u32, kind: &str, policy: FilterPolicy) -> Measured {
    let measured = measure(count, policy);
    let over = measured.bits / -measured.rate.log2() - 1.0;
    println!(
        "{count:9} {ppm:6} ppm {kind:8} {:9.3} {:13.1} {:9.2} % {:7.1} {:8.1} {:9.1} {:9.1}",
        measured.bits,
        measured.rate * 1e6,
        over * 100.0,
        measured.hit_ns,
        measured.miss_ns,
        measured.build_ns,
        measured.solve_ns
    );
    measured
}

fn measure(count: usize, policy: FilterPolicy) -> Measured {
    let rounds = (4_000_000 / count).clamp(3, 1000);
    let key = |number: usize| {
        (number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes()
    };
    let keys: Vec<[u8; 16]> = (0..count).map(key).collect();
    let hashes: Vec<KeyHash> = keys.iter().map(|key| KeyHash::of_key(key)).collect();
    let build_ns = best(rounds, count, || {
        let mut builder = FilterBuilder::new(policy);
        keys.iter().for_each(|key| builder.add_key(key));
        black_box(builder.finish());
    });
    let bytes = {
        let mut builder = FilterBuilder::new(policy);
        hashes.iter().for_each(|hash| builder.add_hash(*hash));
        builder.finish()
    };
    let solve_ns = best(rounds, count, || {
        let mut builder = FilterBuilder::new(policy);
        hashes.iter().for_each(|hash| builder.add_hash(*hash));
        black_box(builder.finish());
    });

    // Both kinds are read from cache-line-aligned memory, which favours Bloom's lines.
    let mut room = vec![0; bytes.len() + 64];
    let at = room.as_ptr().align_offset(64);
    room[at..at + bytes.len()].copy_from_slice(&bytes);
    let filter = FilterView::parse(&room[at..at + bytes.len()]).expect("a filter just built parses");

    let absent: Vec<KeyHash> = (count..count + QUERIES).map(|number| KeyHash::of_key(&key(number))).collect();
    let wrong = absent.iter().filter(|hash| filter.may_contain(**hash) == Answer::Maybe).count();
    assert!(hashes.iter().all(|hash| filter.may_contain(*hash) == Answer::Maybe), "no false negatives");
    let hits: Vec<KeyHash> = (0..TIMED).map(|number| hashes[number.wrapping_mul(7919) % count]).collect();
    Measured {
        bits: bytes.len() as f64 * 8.0 / count as f64,
        rate: wrong as f64 / QUERIES as f64,
        hit_ns: query_ns(&filter, &hits),
        miss_ns: query_ns(&filter, &absent[..TIMED]),
        build_ns,
        solve_ns,
    }
}

fn query_ns(filter: &FilterView<'_>, hashes: &[KeyHash]) -> f64 {
    best(5, hashes.len(), || {
        let found = hashes.iter().filter(|hash| filter.may_contain(**hash) == Answer::Maybe).count();
        black_box(found);
    })
}

fn best(rounds: usize, items: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_nanos() as f64 / items as f64);
    }
    best
}
