//! `inspect`: what is in the files of a store, whatever state they are in.

use crate::care::{file, store};
use crate::stage::Stage;

#[test]
fn a_manifest_is_told_with_its_keyspaces_and_segments() {
    let stage = store();
    let told = stage.expect(0, &["--db", "s", "inspect", "manifest"]).json;
    assert_eq!(told["store"].as_str().unwrap().len(), 32);
    assert!(told["generation"].as_u64() >= Some(2), "{told:#}");
    assert_eq!(told["keyspaces"][0]["name"], "default");
    assert_eq!(told["keyspaces"][0]["comparator"], "resilver.bytes");
    let table = &told["keyspaces"][0]["tables"][0];
    assert_eq!(table["from"], "key00000", "{told:#}");
    assert!(table["entries"].as_u64() > Some(0) && table["bytes"].as_u64() > Some(0), "{told:#}");
    assert!(!told["segments"].as_array().unwrap().is_empty());
    assert!(told["findings"].as_array().unwrap().is_empty() && told["hints"].as_array().unwrap().is_empty());
    let text = stage.output(&["--db", "s", "inspect", "manifest"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("keyspace default (tree "), "{text}");
}

#[test]
fn a_hurt_manifest_is_told_all_the_same() {
    let stage = store();
    let before = stage.expect(0, &["--db", "s", "inspect", "manifest"]).json;
    let snapshot = file(&stage, "SNAPSHOT-000002");
    stage.expect(0, &["damage", &snapshot, "--zero-page", "1"]);
    let told = stage.expect(3, &["--db", "s", "inspect", "manifest"]).json;
    assert_eq!(told["keyspaces"], before["keyspaces"]);
    assert_eq!(told["findings"][0]["is_damage"], true, "{told:#}");
    assert!(snapshot.ends_with(told["findings"][0]["file"].as_str().unwrap()), "{told:#}");
}

#[test]
fn where_there_is_no_manifest_that_is_said() {
    let stage = Stage::empty();
    std::fs::create_dir(stage.path("s")).unwrap();
    assert!(stage.expect(1, &["--db", "s", "inspect", "manifest"]).stderr.contains("no store"));
    stage.expect(2, &["inspect", "manifest"]);
}
