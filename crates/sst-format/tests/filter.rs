//! Filters from outside: no false negatives, the promised rate and space, and no harm from bytes that lie.

use proptest::prelude::*;
use sst_format::{Answer, FalsePositiveRate, Filter, FilterBuilder, FilterPolicy, FilterView, KeyHash};

fn hash(number: u64) -> KeyHash {
    KeyHash::of_key(&number.to_be_bytes())
}

fn build(policy: FilterPolicy, hashes: impl IntoIterator<Item = KeyHash>) -> Filter<Vec<u8>> {
    let mut builder = FilterBuilder::new(policy).seed(1);
    hashes.into_iter().for_each(|hash| builder.add_hash(hash));
    Filter::parse(builder.finish()).expect("a filter just built parses")
}

fn ribbon(ppm: u32) -> FilterPolicy {
    FilterPolicy::Ribbon(FalsePositiveRate::per_million(ppm))
}

fn bloom(ppm: u32) -> FilterPolicy {
    FilterPolicy::Bloom(FalsePositiveRate::per_million(ppm))
}

fn holds_all(filter: &Filter<Vec<u8>>, hashes: impl IntoIterator<Item = KeyHash>) -> bool {
    hashes.into_iter().all(|hash| filter.may_contain(hash) == Answer::Maybe)
}

#[test]
fn no_added_hash_is_absent_at_any_small_size() {
    for ppm in [500_000, 10_000, 300, 1] {
        for count in (0..260).chain([500, 1000, 4096, 5000]) {
            for policy in [ribbon(ppm), bloom(ppm)] {
                let filter = build(policy, (0..count).map(hash));
                assert!(holds_all(&filter, (0..count).map(hash)), "{policy:?}, {count} keys");
                assert_eq!(filter.keys(), count);
            }
        }
    }
}

/// Over a million keys: (bits a key, share of absent keys answered "maybe").
fn measure(policy: FilterPolicy) -> (f64, f64) {
    const KEYS: u64 = 1_000_000;
    const ABSENT: u64 = 12_000_000;
    let filter = build(policy, (0..KEYS).map(hash));
    assert!(holds_all(&filter, (0..KEYS).map(hash)));
    let wrong = (KEYS..KEYS + ABSENT).filter(|key| filter.may_contain(hash(*key)) == Answer::Maybe).count();
    (filter.bytes().len() as f64 * 8.0 / KEYS as f64, wrong as f64 / ABSENT as f64)
}

#[track_caller]
fn check_million(ppm: u32) {
    let target = f64::from(ppm) / 1e6;
    let (bits, rate) = measure(ribbon(ppm));
    assert!(rate <= target, "{rate} over {target}");
    assert!(bits <= -rate.log2() * 1.04, "{bits} bits a key for a rate of {rate}");
    let (bloom_bits, bloom_rate) = measure(bloom(ppm));
    assert!(bloom_rate <= target, "Bloom: {bloom_rate} over {target}");
    assert!(bits * 1.4 <= bloom_bits, "{bits} against {bloom_bits} bits");
}

#[test]
fn a_million_keys_reach_one_per_cent_in_the_promised_space() {
    check_million(10_000);
}

#[test]
fn a_million_keys_reach_one_per_mille_in_the_promised_space() {
    check_million(1_000);
}

#[test]
fn a_million_keys_reach_one_in_ten_thousand_in_the_promised_space() {
    check_million(100);
}

#[test]
fn small_filters_waste_little() {
    for count in 1..=1000u64 {
        let len = build(FilterPolicy::default(), (0..count).map(hash)).bytes().len();
        // Trailer, counts and cuts, two blocks at the least, then 7.5 bits a key and what whole blocks leave over.
        let allowed = 44 + (count * 15).div_ceil(16) + 72;
        assert!(len as u64 <= allowed, "{len} bytes for {count} keys, allowed {allowed}");
    }
}

#[test]
fn a_repeated_hash_costs_nothing_next_to_itself_and_is_harmless_elsewhere() {
    let once = build(ribbon(1000), (0..500).map(hash));
    let twice = build(ribbon(1000), (0..1000).map(|at| hash(at / 2)));
    assert_eq!(once.bytes(), twice.bytes());
    let apart = build(ribbon(1000), (0..3000).map(|at| hash(at % 500)));
    assert!(holds_all(&apart, (0..500).map(hash)));
    let same = build(ribbon(1000), (0..5000).map(|at| hash(at % 2)));
    assert!(holds_all(&same, (0..2).map(hash)));
}

#[test]
fn hashes_that_are_not_even_still_have_no_false_negatives() {
    let uneven: [fn(u64) -> u64; 4] =
        [|at| at, |at| at << 48, |at| at << 32 | at, |at| !(at & 1) ^ (at << 20)];
    for spread in uneven {
        let hashes = (0..20_000).map(|at| KeyHash::from_u64(spread(at)));
        assert!(holds_all(&build(ribbon(10_000), hashes.clone()), hashes));
    }
}

#[test]
fn keys_and_prefixes_share_a_filter() {
    let mut builder = FilterBuilder::new(FilterPolicy::default());
    for number in 0..2000u32 {
        let key = format!("tenant/{:03}/{number:06}", number / 100);
        builder.add_key(key.as_bytes());
        builder.add_prefix(&key.as_bytes()[..10]);
    }
    assert_eq!(builder.len(), 2020);
    let filter = Filter::parse(builder.finish()).unwrap();
    assert!(holds_all(&filter, (0..20).map(|at| KeyHash::of_prefix(format!("tenant/{at:03}").as_bytes()))));
    let absent = (20..1000).map(|at| KeyHash::of_prefix(format!("tenant/{at:03}").as_bytes()));
    assert!(absent.filter(|prefix| filter.may_contain(*prefix) == Answer::Maybe).count() < 25);
}

#[test]
fn the_same_hashes_and_seed_give_the_pinned_bytes() {
    let print = |policy| KeyHash::of_key(build(policy, (0..10_000).map(hash)).bytes()).to_u64();
    assert_eq!(print(ribbon(10_000)), 16_694_573_101_806_257_386);
    assert_eq!(print(ribbon(100)), 1_503_013_473_878_398_137);
    assert_eq!(print(bloom(10_000)), 14_512_931_479_854_061_293);
}

/// Asks a few hashes; the answers do not matter, only that they come.
fn probe(bytes: &[u8]) {
    if let Ok(filter) = FilterView::parse(bytes) {
        for at in 0..64 {
            let _ = filter.may_contain(hash(at));
            let _ = filter.may_contain(KeyHash::from_u64(at << 58));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_or_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1u8..4) {
        probe(&bytes);
        if let Some(at) = bytes.len().checked_sub(28) {
            bytes[at..at + 6].copy_from_slice(&[b'R', b'S', b'F', b'L', kind, 1]);
            bytes[at + 11] = 0;
            probe(&bytes);
        }
    }

    #[test]
    fn damaged_filters_are_an_error_or_answer(
        count in 0u64..600,
        kind in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_tail in any::<bool>(),
        cut in 0usize..8,
    ) {
        let policy = if kind { ribbon(3000) } else { bloom(3000) };
        let mut bytes = build(policy, (0..count).map(hash)).bytes().to_vec();
        let from = if in_tail { bytes.len().saturating_sub(40) } else { 0 };
        for (at, value) in damage {
            let tail = &mut bytes[from..];
            tail[at.index(tail.len())] = value;
        }
        probe(&bytes);
        probe(&bytes[cut..]);
        probe(&bytes[..bytes.len() - cut]);
    }

    #[test]
    fn no_added_hash_is_absent(hashes in proptest::collection::vec(any::<u64>(), 0..800), ppm in 1u32..600_000) {
        let hashes: Vec<KeyHash> = hashes.into_iter().map(KeyHash::from_u64).collect();
        for policy in [ribbon(ppm), bloom(ppm)] {
            prop_assert!(holds_all(&build(policy, hashes.iter().copied()), hashes.iter().copied()));
        }
    }
}
