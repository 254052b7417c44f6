//! `repair`: a store without its manifest, or with losses, from outside.

use crate::{
    care::{file, store},
    stage::Stage,
};

fn dump(stage: &Stage) -> Vec<u8> {
    let output = stage.output(&["drill", "dump", "s"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn lose_manifest(stage: &Stage) {
    for entry in std::fs::read_dir(stage.path("s")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("MANIFEST") || name.starts_with("SNAPSHOT") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_store_without_a_manifest_is_whole_again_and_a_second_repair_has_nothing_to_do() {
    let stage = store();
    let before = dump(&stage);
    lose_manifest(&stage);
    let planned = stage.expect(3, &["repair", "s", "--dry-run"]).json;
    assert_eq!((&planned["outcome"], &planned["rebuilt"]), (&"planned".into(), &true.into()), "{planned:#}");
    let output = stage.output(&["repair", "s"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("repaired, and nothing is lost") && told.contains("keyspace default"), "{told}");
    let again = stage.expect(0, &["repair", "s"]).json;
    assert_eq!(again["outcome"], "untouched", "{again:#}");
    assert!(before == dump(&stage));
}

#[test]
fn a_place_without_a_store_and_a_checkpoint_of_another_are_refused() {
    let stage = store();
    stage.expect(1, &["repair", "nowhere"]);
    stage.expect(0, &["put", "--db", "other", "key", "value"]);
    stage.expect(0, &["checkpoint", "--db", "other", "foreign"]);
    let refused = stage.output(&["repair", "s", "--from", "foreign"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("of another store"), "{told}");
}

#[test]
fn a_table_that_is_gone_comes_back_from_a_checkpoint_or_is_listed() {
    let stage = store();
    stage.expect(0, &["checkpoint", "--db", "s", "copy", "--copy"]);
    let before = dump(&stage);
    let table = file(&stage, ".table");
    std::fs::remove_file(stage.path(&table)).unwrap();
    let listed = stage.expect(4, &["repair", "s"]).json;
    assert!(listed["lost"][0]["seq_high"].is_u64(), "{listed:#}");
    let told = stage.expect(3, &["repair", "s", "--from", "copy"]).json;
    assert_eq!(told["restored"].as_array().map(Vec::len), Some(1), "{told:#}");
    assert!(before == dump(&stage));
}
