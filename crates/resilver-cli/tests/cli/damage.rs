//! The fire drill: the same from the same seed, and nothing by halves.

use std::fs;

use crate::stage::Stage;

#[test]
fn a_drill_is_drawn_from_its_seed() {
    let (one, other) = (Stage::new(200_000, &[]), Stage::new(200_000, &[]));
    let drill = ["damage", "f", "--flip-bit", "--garble-page", "--swap-pages", "--count", "2", "--seed", "9"];
    let modified = fs::metadata(one.path("f")).unwrap().modified().unwrap();
    let run = one.expect(0, &drill);
    assert_eq!(run.json["seed"], 9);
    assert_eq!(run.json["done"].as_array().unwrap().len(), 6);
    assert_eq!(run.json, other.expect(0, &drill).json);
    assert!(one.read("f") == other.read("f") && one.read("f") != one.body);
    assert_eq!(fs::metadata(one.path("f")).unwrap().modified().unwrap(), modified);
    one.expect(3, &["recover", "f"]);
    one.check_whole();
}

#[test]
fn named_places_are_hit() {
    let stage = Stage::new(20_000, &[]);
    stage.expect(
        0,
        &[
            "damage",
            "f",
            "--flip-bit",
            "3:7",
            "--zero-page=4",
            "--hole",
            "5000:10",
            "--swap-pages",
            "2:3",
            "--truncate",
            "19999",
        ],
    );
    let mut expected = stage.body.clone();
    expected[3] ^= 128;
    expected[16384..].fill(0);
    expected[5000..5010].fill(0);
    let (front, back) = expected.split_at_mut(12288);
    front[8192..].swap_with_slice(&mut back[..4096]);
    expected.truncate(19_999);
    assert!(stage.read("f") == expected);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_hurt() {
    let stage = Stage::new(20_000, &[]);
    let rows: [(i32, &[&str]); 9] = [
        (1, &["--zero-page", "0", "--flip-bit", "20000:0"]),
        (1, &["--zero-page", "5"]),
        (1, &["--hole", "19999:2"]),
        (1, &["--hole", "18446744073709551615:18446744073709551615"]),
        (1, &["--truncate", "20001"]),
        (1, &["--swap-pages", "0:4"]),
        (2, &["--flip-bit", "3:8"]),
        (2, &["--hole", "x"]),
        (2, &[]),
    ];
    for (code, options) in rows {
        stage.expect(code, &[&["damage", "f"], options].concat());
        stage.check_whole();
    }
    fs::write(stage.path("empty"), "").unwrap();
    stage.expect(1, &["damage", "empty", "--flip-bit"]);
    stage.expect(1, &["damage", "gone", "--flip-bit"]);
}
