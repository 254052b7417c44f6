//! Damage within the promise comes back to the byte; damage beyond it is listed and changes nothing.

use std::fs;

use proptest::prelude::*;

use crate::stage::Stage;

const BODY: usize = 1_000_001;

/// Damages a fresh stage and wants everything back.
#[track_caller]
fn check_comes_back(options: &[&str], hurt: impl FnOnce(&Stage)) {
    let stage = Stage::new(BODY, options);
    let modified = fs::metadata(stage.path("f")).unwrap().modified().unwrap();
    hurt(&stage);
    let seen = (stage.read("f"), stage.read("f.seal"));
    let run = stage.expect(3, &["verify", "f"]);
    assert_eq!(run.json["state"], "correctable");
    stage.expect(3, &["recover", "f", "--dry-run"]);
    assert!((stage.read("f"), stage.read("f.seal")) == seen);
    let run = stage.expect(3, &["recover", "f"]);
    assert_eq!(run.json["action"], "healed");
    stage.check_whole();
    assert_eq!(fs::metadata(stage.path("f")).unwrap().modified().unwrap(), modified);
    assert_eq!(stage.expect(0, &["verify", "f"]).json["state"], "clean");
    assert_eq!(stage.expect(0, &["recover", "f"]).json["action"], "nothing");
    assert_eq!(stage.names(), ["f", "f.seal"]);
}

#[test]
fn every_kind_of_damage_to_the_file_comes_back() {
    for options in [&[][..], &["--scheme", "light"], &["--scheme", "strong"], &["--inner", "hsiao"]] {
        check_comes_back(options, |stage| stage.rot("f", |bytes| bytes[77] ^= 4));
        check_comes_back(options, |stage| stage.rot("f", |bytes| bytes[8192..8192 + 65536].fill(0)));
        check_comes_back(options, |stage| stage.rot("f", |bytes| bytes.truncate(BODY - 60_000)));
        check_comes_back(options, |stage| stage.rot("f", |bytes| *bytes.last_mut().unwrap() ^= 0xFF));
        check_comes_back(options, |stage| {
            stage.rot("f", |bytes| {
                let (one, other) = bytes.split_at_mut(40_960);
                one[4096..8192].swap_with_slice(&mut other[..4096]);
            });
        });
    }
}

#[test]
fn every_page_of_the_seal_comes_back() {
    let pages = Stage::new(BODY, &[]).seal.len() / 4096;
    for page in (0..pages).step_by(3) {
        check_comes_back(&[], |stage| stage.rot("f.seal", |bytes| bytes[page * 4096..][..4096].fill(0x5A)));
    }
    check_comes_back(&[], |stage| stage.rot("f.seal", |bytes| bytes.truncate((pages - 3) * 4096 + 5)));
    check_comes_back(&[], |stage| stage.rot("f.seal", |bytes| bytes.extend([7; 5000])));
    check_comes_back(&["--inner", "hsiao"], |stage| stage.rot("f.seal", |bytes| bytes[4096..69632].fill(1)));
}

#[test]
fn damage_to_both_comes_back() {
    check_comes_back(&[], |stage| {
        stage.rot("f", |bytes| bytes[..30_000].fill(9));
        stage.rot("f.seal", |bytes| bytes[..4096].fill(0));
        stage.rot("f.seal", |bytes| bytes[9 * 4096..11 * 4096].fill(0));
    });
    check_comes_back(&["--scheme", "xor 8+1"], |stage| stage.rot("f", |bytes| bytes[..65536].fill(9)));
    check_comes_back(&["--scheme", "checksum"], |stage| stage.rot("f", |bytes| bytes[5] ^= 1));
}

#[test]
fn a_small_file_that_is_gone_comes_back() {
    let stage = Stage::new(60_000, &[]);
    fs::remove_file(stage.path("f")).unwrap();
    assert_eq!(stage.expect(3, &["verify", "f"]).json["state"], "correctable");
    stage.expect(3, &["recover", "f"]);
    stage.check_whole();
    stage.rot("f", Vec::clear);
    stage.expect(3, &["recover", "f.seal"]);
    stage.check_whole();
    assert_eq!(stage.names(), ["f", "f.seal"]);
}

#[test]
fn beyond_the_promise_nothing_is_written_and_losses_are_listed() {
    let stage = Stage::new(BODY, &[]);
    stage.rot("f", |bytes| bytes[100 * 4096..200 * 4096].fill(0));
    let seen = stage.read("f");
    for arguments in [&["verify", "f"][..], &["recover", "f"], &["recover", "f", "--out", "g"]] {
        let run = stage.expect(4, arguments);
        let lost = &run.json["lost"][0];
        assert_eq!((&lost["in"], &lost["region"]), (&"file".into(), &"body".into()));
        assert_eq!((&lost["offset"], &lost["len"]), (&409_600.into(), &409_600.into()));
        assert!(stage.read("f") == seen && stage.names() == ["f", "f.seal"]);
    }
    stage.expect(4, &["recover", "f", "--out", "g", "--accept-loss"]);
    assert!(stage.read("f") == seen && stage.read("g") == seen);
}

#[test]
fn a_gone_file_too_large_for_its_parity_is_a_loss_and_its_rest_can_be_had() {
    let stage = Stage::new(BODY, &[]);
    stage.rot("f", |bytes| bytes.truncate(500_000));
    stage.expect(4, &["recover", "f"]);
    assert_eq!(stage.read("f").len(), 500_000);
    stage.expect(4, &["recover", "f", "--out", "g", "--accept-loss"]);
    let salvaged = stage.read("g");
    assert_eq!(salvaged.len(), BODY);
    assert!(salvaged[..122 * 4096] == stage.body[..122 * 4096]);
    fs::remove_file(stage.path("f")).unwrap();
    let run = stage.expect(4, &["recover", "f"]);
    assert_eq!(run.json["lost"][0]["len"], BODY);
    assert_eq!(stage.names(), ["f.seal", "g"]);
}

#[test]
fn out_writes_elsewhere_and_leaves_both_alone() {
    let stage = Stage::new(BODY, &[]);
    stage.rot("f", |bytes| bytes[..65536].fill(0));
    stage.rot("f.seal", |bytes| bytes[..4096].fill(0));
    let seen = (stage.read("f"), stage.read("f.seal"));
    stage.expect(3, &["recover", "f", "--out", "g"]);
    assert!(stage.read("g") == stage.body);
    assert!((stage.read("f"), stage.read("f.seal")) == seen);
    let run = stage.expect(1, &["recover", "f", "--out", "g"]);
    assert_eq!(run.json["error"]["kind"], "occupied");
    stage.expect(2, &["recover", "f", "--accept-loss"]);
}

#[test]
fn what_is_known_of_a_body_beyond_its_patch_bound_is_written_in_rounds() {
    let stage = Stage::new(80 << 20, &["--scheme", "1+1"]);
    fs::remove_file(stage.path("f")).unwrap();
    stage.expect(3, &["recover", "f"]);
    stage.check_whole();
    stage.rot("f", |bytes| bytes[..70 << 20].fill(0));
    stage.expect(3, &["recover", "f"]);
    stage.check_whole();
}

/// One act of damage, by file, place and length.
fn hurts() -> impl Strategy<Value = Vec<(bool, u8, usize, usize)>> {
    prop::collection::vec((any::<bool>(), 0..4u8, any::<usize>(), 1..90_000usize), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_damage_the_answer_is_right_or_typed(body_len in 0..400_000usize, hurts in hurts()) {
        let stage = Stage::new(body_len, &[]);
        for (in_seal, kind, at, len) in hurts {
            stage.rot(if in_seal { "f.seal" } else { "f" }, |bytes| {
                let at = at % (bytes.len() + 1);
                let end = (at + len).min(bytes.len());
                match kind {
                    0 => bytes[at..end].fill(0),
                    1 => bytes.truncate(bytes.len() - (at % 70_000).min(bytes.len())),
                    2 => bytes[at..end].reverse(),
                    _ => bytes[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 8),
                }
            });
        }
        let seen = stage.read("f");
        let run = stage.run(&["recover", "f"]);
        match run.code {
            0 | 3 => stage.check_whole(),
            4 => prop_assert!(stage.read("f") == seen),
            code => prop_assert!(run.json["error"]["kind"] == "not_seal", "{code} {:#}", run.json),
        }
        // A file of which nothing is left may be another: it is kept.
        let mut names = vec!["f", "f.seal"];
        if let Some(kept) = run.json["kept"].as_str() {
            prop_assert!(stage.read(kept) == seen);
            names.insert(1, kept);
        }
        prop_assert_eq!(stage.names(), names);
    }
}

#[test]
fn a_hole_as_long_as_protect_promises_comes_back_wherever_it_is() {
    for scheme in ["standard", "light", "strong", "xor 9+1", "3+7"] {
        let stage = Stage::new(3_000_000, &["--scheme", scheme]);
        let run = stage.expect(0, &["protect", "f", "--scheme", scheme, "--seal", "s"]);
        let len = run.json["hole_len"].as_u64().unwrap();
        assert!(len > 0 && len.is_multiple_of(4096), "{len}");
        for offset in [0, 1, 4095, 4096 * 3 + 2048] {
            stage.expect(0, &["damage", "f", "--hole", &format!("{offset}:{}", len.min(2_900_000))]);
            let run = stage.expect(3, &["recover", "f"]);
            assert_eq!(run.json["state"], "correctable", "{scheme}: {offset}");
            stage.check_whole();
        }
    }
}
