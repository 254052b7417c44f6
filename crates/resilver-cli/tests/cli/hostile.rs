//! Seals that lie: a typed answer, soon, whatever they claim.

use std::fs;
use std::time::{Duration, Instant};

use page_ecc::{Descriptor, Scheme, SealOptions, Uid};
use serde_json::Value;

use crate::stage::Stage;

/// A record of a sound detached seal with fields overwritten and the checksum put right.
fn forged(scheme: Scheme, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let options = SealOptions::new(Uid::new([7; 16])).scheme(scheme).detached();
    let mut record = options.seal(&[]).unwrap().descriptor().encode();
    change(&mut record);
    let checksum = twox_hash::XxHash3_128::oneshot(&record[..496]);
    record[496..].copy_from_slice(&checksum.to_le_bytes());
    record.repeat(4096 / Descriptor::LEN)
}

/// What a seal of this shape states, put together without page-ecc.
fn shape(record: &mut [u8], body_len: u64, columns: u64, inner: u16) {
    let parity = u64::from(u16::from_le_bytes([record[16], record[17]]));
    let body = body_len.div_ceil(4096);
    let parity = columns * parity;
    let words = if inner == 1 { (body + parity).div_ceil(8) } else { 0 };
    let digests = (body + parity + words).div_ceil(510);
    let a = 1 + body;
    let positions = [a, a + digests, a + digests + words, a + digests + words + parity];
    let footer = positions[3] + digests;
    record[18..20].copy_from_slice(&inner.to_le_bytes());
    for (at, value) in (56..).step_by(8).zip([body_len, columns].into_iter().chain(positions).chain([footer]))
    {
        record[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
}

#[track_caller]
fn check(seal: &[u8], code: i32, kind: Option<&str>) {
    let stage = Stage::empty();
    let body = vec![5; 50_000];
    fs::write(stage.path("f"), &body).unwrap();
    fs::write(stage.path("f.seal"), seal).unwrap();
    let start = Instant::now();
    for command in ["verify", "recover"] {
        let run = stage.expect(code, &[command, "f"]);
        assert_eq!(run.json["error"]["kind"], kind.map_or(Value::Null, Value::from), "{:#}", run.json);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "took {:?}", start.elapsed());
    assert!(stage.read("f") == body && stage.read("f.seal") == seal);
    assert_eq!(stage.names(), ["f", "f.seal"]);
}

#[test]
fn absurd_shapes_with_sound_checksums_are_losses_and_cost_nothing() {
    let one_to_one = Scheme::ReedSolomon { data: 1, parity: 1 };
    let wide = Scheme::ReedSolomon { data: 4096, parity: 256 };
    for scheme in [Scheme::STANDARD, Scheme::ChecksumOnly, Scheme::Xor { data: 3 }, one_to_one, wide] {
        for inner in [0, 1] {
            for body_len in [1u64 << 56, (1 << 56) - 4095, 1 << 40] {
                let pages = body_len.div_ceil(4096);
                let least = pages.div_ceil(u64::from(scheme.data()));
                for columns in [least, pages, pages + 2] {
                    let seal = forged(scheme, |record| shape(record, body_len, columns, inner));
                    match columns.saturating_mul(scheme.parity().into()) < 1 << 50 {
                        true => check(&seal, 4, None),
                        false => check(&seal, 1, Some("descriptor")),
                    }
                }
            }
        }
    }
}

#[test]
fn two_absurd_descriptors_are_told_apart_in_no_time() {
    let one = forged(Scheme::STANDARD, |record| shape(record, 1 << 56, 1 << 40, 0));
    let other = forged(Scheme::STANDARD, |record| shape(record, 1 << 55, 1 << 40, 0));
    check(&[one, vec![0; 8192], other].concat(), 4, None);
}

#[test]
fn a_seal_that_contradicts_itself_is_refused() {
    check(&forged(Scheme::STANDARD, |record| record[56..64].fill(0xFF)), 1, Some("descriptor"));
    check(&forged(Scheme::STANDARD, |record| record[64..72].fill(0)), 1, Some("descriptor"));
    check(&forged(Scheme::STANDARD, |record| record[64..72].fill(0xFF)), 1, Some("descriptor"));
    check(&forged(Scheme::STANDARD, |record| record[12] = 9), 1, Some("descriptor"));
    check(&forged(Scheme::STANDARD, |record| record[8] = 2), 1, Some("descriptor"));
    check(&forged(Scheme::STANDARD, |record| record[31] = 0x80), 1, Some("descriptor"));
}

#[test]
fn what_is_no_seal_is_called_so() {
    check(b"", 1, Some("not_seal"));
    check(b"x", 1, Some("not_seal"));
    check(&[0; 100_000], 1, Some("not_seal"));
}

#[test]
fn a_seal_without_head_and_tail_says_that_its_descriptor_is_gone() {
    let stage = Stage::new(50_000, &[]);
    let last = stage.seal.len() - 4096;
    stage.rot("f.seal", |bytes| {
        bytes[..4096].fill(0);
        bytes[last..].fill(0);
    });
    let run = stage.expect(4, &["verify", "f"]);
    assert_eq!(run.json["error"]["kind"], "descriptor_gone");
    stage.expect(4, &["recover", "f"]);
    assert!(stage.read("f") == stage.body);
}

#[test]
fn a_descriptor_that_was_moved_is_found() {
    let stage = Stage::new(50_000, &[]);
    stage.rot("f.seal", |bytes| {
        bytes[..4096].fill(0);
        bytes.extend([0; 9000]);
    });
    stage.expect(3, &["recover", "f"]);
    stage.check_whole();
}

#[test]
fn a_seal_cut_anywhere_is_answered() {
    for keep in [1, 511, 512, 4095, 4096, 4097, 8192, 12_288, 60_000] {
        let stage = Stage::new(50_000, &[]);
        stage.rot("f.seal", |bytes| bytes.truncate(keep));
        let run = stage.run(&["recover", "f"]);
        match run.code {
            3 => stage.check_whole(),
            1 | 4 => assert!(stage.read("f") == stage.body),
            code => panic!("{keep}: {code}"),
        }
    }
}
