//! Seeded mixes of every damage, up to far beyond the promise.

use std::time::{Duration, Instant};

use page_ecc::{InnerCode, PAGE_LEN, Scheme};
use proptest::prelude::*;

use crate::damage::{self, Kind, Random};
use crate::judge::{Case, Medium, Verdict};
use crate::{INNERS, SCHEMES, seed};

/// Hurts a file in several ways at once.
fn hurt_at_random(medium: &mut Medium, random: &mut Random) {
    for _ in 0..1 + random.below(6) {
        let at = random.below(medium.bytes.len());
        let kind = Kind::ALL[random.below(Kind::ALL.len())];
        match random.below(8) {
            0 => (0..1 + random.below(40))
                .for_each(|_| damage::flip(medium, random.below(medium.bytes.len() * 8))),
            1 => damage::hurt(medium, kind, at, 1 + random.below(600), random),
            2 => damage::hurt(medium, kind, at & !511, 512, random),
            3 | 4 => damage::hurt(medium, kind, at & !(PAGE_LEN - 1), PAGE_LEN, random),
            5 => damage::hurt(medium, kind, at, 64 << 10, random),
            6 => damage::hurt(medium, kind, at, medium.bytes.len() / 16, random),
            _ => {
                let (page, pages) = (at / PAGE_LEN, medium.bytes.len() / PAGE_LEN);
                medium.rotten_cache.extend((page..(page + 9).min(pages)).map(|page| page as u64));
            }
        }
    }
    if random.below(8) == 0 {
        medium.bytes.truncate(random.below(medium.bytes.len()));
    }
}

fn mix(case: &Case, seed: u64) -> Verdict {
    let mut random = Random::new(seed);
    let mut medium = case.medium();
    hurt_at_random(&mut medium, &mut random);
    medium.unreadable.retain(|&page| page < case.geometry().total_pages());
    case.judge(&medium, &format!("mix {seed}"))
}

#[test]
fn any_mix_of_damage_gives_the_right_bytes_or_a_named_loss() {
    let until = std::env::var("RESILVER_MINUTES")
        .ok()
        .and_then(|minutes| minutes.parse().ok())
        .map(|minutes: u64| Instant::now() + Duration::from_secs(minutes * 60));
    let (mut promised, mut beyond) = (0u64, 0u64);
    for round in 0.. {
        let is_over = until.map_or(round == 3, |until| Instant::now() > until);
        if is_over {
            break;
        }
        for (index, scheme) in SCHEMES.into_iter().enumerate() {
            let seed = seed().wrapping_mul(1_000_003) + round * 10_000 + index as u64 * 1_000;
            let body_len = Random::new(seed).below(if round == 1 { 2_500_000 } else { 300_000 });
            let case = Case::new(body_len, scheme, INNERS[(round % 2) as usize], seed);
            for step in 0..60 {
                match mix(&case, seed + step) {
                    Verdict::Promised => promised += 1,
                    Verdict::Beyond => beyond += 1,
                }
            }
        }
    }
    println!("seed {}: {promised} mixes within the promise, {beyond} beyond it, no wrong byte", seed());
    assert!(promised > 50 && beyond > 50, "the mixes are to fall on both sides: {promised}, {beyond}");
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    prop_oneof![
        proptest::sample::select(&SCHEMES[..]),
        (1u16..40, 1u16..12).prop_map(|(data, parity)| Scheme::ReedSolomon { data, parity }),
        (1u16..40).prop_map(|data| Scheme::Xor { data }),
    ]
}

proptest! {
    #[test]
    fn any_scheme_keeps_the_law(
        scheme in any_scheme(),
        has_words in any::<bool>(),
        body_len in 0usize..200_000,
        seed in any::<u64>(),
    ) {
        let inner = if has_words { InnerCode::Hsiao } else { InnerCode::None };
        let case = Case::new(body_len, scheme, inner, seed % 1_000_000);
        for step in 0..4 {
            mix(&case, seed.wrapping_add(step));
        }
    }
}
