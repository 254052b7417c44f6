//! Looking after a store: `verify`, `scrub`, `heal` and `demo`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::stage::Stage;

/// A store with some tables and something in its log.
pub(crate) fn store() -> Stage {
    let stage = Stage::empty();
    let mut ops = String::new();
    for key in 0..4000 {
        ops.push_str(&format!("P key{key:05} {}\n", "x".repeat(key % 300)));
        if key % 50 == 49 {
            ops.push_str("c\n");
        }
        if key == 3000 {
            ops.push_str("F\n");
        }
    }
    ops.push_str("C\n");
    let mut apply = drill_apply(&stage);
    apply.stdin.take().unwrap().write_all(ops.as_bytes()).unwrap();
    assert!(apply.wait().unwrap().success());
    stage
}

fn drill_apply(stage: &Stage) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_resilver"))
        .args(["drill", "apply", "s", "--no-close", "--opts", "table=256K,memtable=4M,segment=1M"])
        .current_dir(stage.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A file of the store, by how its name ends.
pub(crate) fn file(stage: &Stage, end: &str) -> String {
    let entries = std::fs::read_dir(stage.path("s")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(end));
    names.sort();
    format!("s/{}", names[0])
}

fn dump(stage: &Stage) -> Vec<u8> {
    let output = stage.output(&["drill", "dump", "s"]);
    assert!(output.status.success());
    output.stdout
}

/// Hurts a file with `damage`, and goes through verify, scrub and verify.
#[track_caller]
fn check(end: &str, harm: &[&str]) {
    let stage = store();
    let before = dump(&stage);
    let name = file(&stage, end);
    stage.expect(0, &[&["damage", &name], harm].concat());
    let seen = stage.expect(3, &["verify", "s"]);
    assert!(seen.json["correctable"].as_u64() > Some(0), "{:#}", seen.json);
    assert_eq!(seen.json["lost"], 0);
    assert!(dump(&stage) == before, "{name}: other answers while hurt");
    let scrubbed = stage.expect(3, &["--db", "s", "scrub"]);
    assert_eq!(scrubbed.json["is_ok"], true, "{:#}", scrubbed.json);
    stage.expect(0, &["verify", "s"]);
    stage.expect(0, &["--db", "s", "scrub"]);
    assert!(dump(&stage) == before, "{name}: other answers once healed");
}

#[test]
fn a_hurt_table_is_seen_and_healed() {
    check(".table", &["--zero-page", "3"]);
    check(".table", &["--hole", "20000:65536"]);
    check(".table", &["--flip-bit", "9000:3"]);
    check(".table", &["--zero-page", "0"]);
}

#[test]
fn a_hurt_segment_of_the_log_is_seen_and_healed() {
    check(".wal", &["--zero-page", "1"]);
}

#[test]
fn a_hurt_snapshot_is_seen_and_healed_by_opening() {
    let stage = store();
    let before = dump(&stage);
    stage.expect(0, &["damage", &file(&stage, "SNAPSHOT-000002"), "--zero-page", "1"]);
    stage.expect(3, &["verify", "s"]);
    stage.expect(0, &["--db", "s", "heal"]);
    stage.expect(0, &["verify", "s"]);
    assert!(dump(&stage) == before);
}

#[test]
fn a_killed_store_that_nobody_hurt_has_nothing_wrong() {
    let stage = Stage::empty();
    let mut ops = String::new();
    for key in 0..3000 {
        ops.push_str(&format!(
            "P key{key:05} {}\n{}",
            "x".repeat(key % 300),
            if key % 10 == 9 { "c\n" } else { "" }
        ));
        ops.push_str(if key == 1500 { "C\n" } else { "" });
    }
    let mut apply = drill_apply(&stage);
    apply.stdin.take().unwrap().write_all(ops.as_bytes()).unwrap();
    assert!(apply.wait().unwrap().success());
    // What was not synced yet is in one extent of the log alone.
    stage.expect(0, &["verify", "s"]);
    stage.expect(0, &["--db", "s", "scrub", "--read-only"]);
    stage.expect(0, &["--db", "s", "scrub"]);
}

#[test]
fn a_scrub_that_only_looks_changes_nothing() {
    let stage = store();
    let name = file(&stage, ".table");
    stage.expect(0, &["damage", &name, "--zero-page", "3"]);
    let hurt = stage.read(&name);
    let looked = stage.expect(3, &["--db", "s", "scrub", "--read-only"]);
    assert_eq!(looked.json["findings"][0]["pages"], serde_json::json!([3, 3]));
    assert!(stage.read(&name) == hurt);
    stage.expect(3, &["drill", "verify", "s"]);
    stage.expect(3, &["drill", "heal", "s"]);
    stage.expect(0, &["drill", "verify", "s"]);
    stage.expect(0, &["--db", "s", "scrub", "--status"]);
}

#[test]
fn a_table_is_healed_by_writing_it_anew_if_asked() {
    let stage = store();
    let before = dump(&stage);
    let name = file(&stage, ".table");
    stage.expect(0, &["damage", &name, "--zero-page", "3"]);
    let healed = stage.expect(3, &["drill", "scrub", "s", "--rewrite"]);
    assert_eq!(healed.json["heal"]["files"][0]["outcome"], "rewritten", "{:#}", healed.json);
    assert!(!stage.path(&name).exists());
    stage.expect(0, &["verify", "s"]);
    assert!(dump(&stage) == before);
}

#[test]
fn what_is_lost_is_named_and_the_rest_healed() {
    let stage = store();
    let name = file(&stage, ".table");
    let pages = stage.read(&name).len() / 4096;
    stage.expect(0, &["damage", &name, "--hole", &format!("4096:{}", (pages / 2) * 4096)]);
    assert!(stage.expect(4, &["verify", "s"]).json["lost"].as_u64() > Some(0));
    stage.expect(4, &["--db", "s", "scrub"]);
    stage.expect(4, &["verify", "s"]);
    assert_eq!(stage.output(&["drill", "dump", "s"]).status.code(), Some(4));
}

#[test]
fn a_store_in_use_is_left_alone() {
    let stage = store();
    let mut other = drill_apply(&stage);
    let mut lines = other.stdin.take().unwrap();
    lines.write_all(b"P a b\nC\n").unwrap();
    lines.flush().unwrap();
    let mut acked = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut acked).unwrap();
    assert_eq!(acked, "ACK 1\n", "it has the store open");
    for command in
        [&["verify", "s"][..], &["--db", "s", "scrub"], &["--db", "s", "heal"], &["drill", "scrub", "s"]]
    {
        assert!(stage.expect(6, command).stderr.contains("open elsewhere"));
    }
    let name = file(&stage, ".table");
    let before = stage.read(&name);
    assert!(stage.expect(6, &["damage", &name, "--zero-page", "1"]).stderr.contains("open elsewhere"));
    assert!(stage.read(&name) == before);
    drop(lines);
    assert!(other.wait().unwrap().success());
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let stage = Stage::empty();
    std::fs::create_dir(stage.path("s")).unwrap();
    for command in
        [&["verify", "s"][..], &["--db", "s", "scrub"], &["--db", "s", "heal"], &["drill", "verify", "s"]]
    {
        assert!(stage.expect(1, command).stderr.contains("no store"), "{command:?}");
    }
    stage.expect(2, &["--db", "s", "scrub", "--rate", "fast"]);
    stage.expect(2, &["scrub"]);
}

#[test]
fn a_demonstration_comes_to_a_good_end() {
    let stage = Stage::empty();
    let told = stage.expect(0, &["demo", "--dir", "d", "--size", "12M"]);
    assert_eq!(told.json["is_right"], true);
    assert!(told.json["wounds"].as_array().unwrap().len() >= 5, "{:#}", told.json);
    stage.expect(0, &["verify", "d"]);
}
