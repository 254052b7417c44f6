//! A file that was written to after it was sealed: never put back silently.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, SystemTime};

use crate::stage::Stage;

fn touch(stage: &Stage) {
    let later = SystemTime::now() + Duration::from_secs(5);
    File::options().write(true).open(stage.path("f")).unwrap().set_modified(later).unwrap();
}

#[test]
fn an_edit_is_kept_aside_before_the_file_is_recovered() {
    let stage = Stage::new(300_000, &[]);
    for kept in ["f.before-recover", "f.before-recover-2"] {
        let mut edited = stage.body.clone();
        edited[5000..5005].copy_from_slice(b"hello");
        fs::write(stage.path("f"), &edited).unwrap();
        touch(&stage);
        let run = stage.expect(3, &["recover", "f", "--quiet"]);
        assert_eq!(run.json["changed_after_sealing"], true);
        assert_eq!(run.json["kept"], kept);
        assert!(run.stderr.contains(kept), "{}", run.stderr);
        assert!(stage.read(kept) == edited);
        stage.check_whole();
    }
    stage.rot("f", |bytes| bytes[..10].fill(0));
    touch(&stage);
    assert!(stage.expect(3, &["recover", "f", "--revert"]).json["kept"].is_null());
    stage.check_whole();
    assert_eq!(stage.names(), ["f", "f.before-recover", "f.before-recover-2", "f.seal"]);
}

#[test]
fn a_file_that_grew_is_refused_until_asked_for() {
    let stage = Stage::new(300_000, &[]);
    File::options().append(true).open(stage.path("f")).unwrap().write_all(b"more").unwrap();
    let run = stage.expect(3, &["verify", "f"]);
    assert_eq!(run.json["lengths"]["file"]["excess"], 4);
    let run = stage.expect(1, &["recover", "f"]);
    assert_eq!(run.json["error"]["kind"], "grown");
    assert_eq!(stage.read("f").len(), 300_004);
    stage.expect(3, &["recover", "f", "--out", "g"]);
    assert!(stage.read("g") == stage.body);
    stage.expect(3, &["recover", "f", "--revert"]);
    stage.check_whole();
}

#[test]
fn a_touched_file_is_clean() {
    let stage = Stage::new(300_000, &[]);
    touch(&stage);
    let run = stage.expect(0, &["verify", "f"]);
    assert_eq!(run.json["changed_after_sealing"], true);
    stage.expect(0, &["recover", "f"]);
    assert_eq!(stage.names(), ["f", "f.seal"]);
}

#[test]
fn a_seal_is_replaced_only_by_force() {
    let stage = Stage::new(10_000, &[]);
    let run = stage.expect(1, &["protect", "f"]);
    assert_eq!(run.json["error"]["kind"], "seal_there");
    assert!(stage.read("f.seal") == stage.seal);
    stage.expect(0, &["protect", "f", "--force", "--scheme", "strong"]);
    assert!(stage.read("f.seal") != stage.seal);
    stage.expect(2, &["protect", "f.seal"]);
    stage.expect(2, &["protect", "f", "--seal", "f", "--force"]);
    assert!(stage.read("f") == stage.body && stage.names() == ["f", "f.seal"]);
}

#[test]
fn the_seal_of_another_file_is_hinted_at() {
    let stage = Stage::new(300_000, &[]);
    fs::write(stage.path("g"), vec![1; 300_000]).unwrap();
    let run = stage.expect(4, &["recover", "g", "--seal", "f.seal"]);
    assert!(run.json["hint"].as_str().unwrap().contains("another file"));
    assert!(stage.read("g") == vec![1; 300_000]);
}

#[test]
fn another_file_with_the_time_of_the_sealed_one_is_kept_aside() {
    for other in ["a new file of the same length", "a shorter one"] {
        let stage = Stage::new(30, &[]);
        let other = &other.as_bytes()[..other.len().min(30)];
        stage.rot("f", |bytes| other.clone_into(bytes));
        let run = stage.expect(3, &["recover", "f"]);
        assert_eq!(run.json["kept"], "f.before-recover");
        assert!(run.stderr.contains("no page that was sealed"), "{}", run.stderr);
        assert!(stage.read("f.before-recover") == other);
        stage.check_whole();
    }
    let stage = Stage::new(30, &[]);
    stage.rot("f", |bytes| bytes[7] ^= 4);
    assert!(stage.expect(3, &["recover", "f"]).json["kept"].is_null(), "a flipped bit is rot");
}

#[test]
fn what_is_no_seal_is_never_replaced() {
    let stage = Stage::new(10_000, &[]);
    fs::write(stage.path("thesis"), b"no seal").unwrap();
    for arguments in
        [&["protect", "f", "--seal", "thesis"][..], &["protect", "f", "--seal", "thesis", "--force"]]
    {
        let run = stage.expect(1, arguments);
        assert_eq!(run.json["error"]["kind"], "not_replaced");
        assert!(stage.read("thesis") == b"no seal");
    }
    fs::write(stage.path("thesis"), b"").unwrap();
    stage.expect(0, &["protect", "f", "--seal", "thesis", "--force"]);
}
