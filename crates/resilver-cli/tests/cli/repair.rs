//! `repair`: a store without its manifest, or with losses, from outside.

use std::path::PathBuf;

use crate::{
    care::{file, store},
    stage::Stage,
};

fn dump(stage: &Stage) -> Vec<u8> {
    let output = stage.output(&["drill", "dump", "s"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn manifest_files(stage: &Stage) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(stage.path("s")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let is_of_it = |name: &str| name.starts_with("MANIFEST") || name.starts_with("SNAPSHOT");
    files.filter(|file| is_of_it(file.file_name().unwrap().to_str().unwrap())).collect()
}

fn lose_manifest(stage: &Stage) {
    manifest_files(stage).into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
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
    assert!(told.contains("\nthe manifest is made anew of the tables: there is none\n"), "{told}");
    assert!(output.stderr.is_empty(), "there is no terminal to show progress on");
    let again = stage.expect(0, &["repair", "s"]).json;
    assert_eq!(again["outcome"], "untouched", "{again:#}");
    assert!(before == dump(&stage));
}

#[test]
fn a_manifest_that_is_older_than_the_tables_is_called_so_and_nobody_is_sent_to_repair_again() {
    let stage = store();
    let old: Vec<_> =
        manifest_files(&stage).into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect();
    let churned = stage.feed(&["drill", "apply", "s", "--opts", "memtable=64K"], "K\nP key x\nC\nK\n");
    assert_eq!(churned.code, 0, "{churned:?}");
    lose_manifest(&stage);
    for (bytes, file) in old {
        std::fs::write(file, bytes).unwrap();
    }
    let output = stage.output(&["repair", "s"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let reason = told.lines().find(|line| line.starts_with("the manifest is made anew")).unwrap();
    assert!(reason.contains("it is older than they are") && !reason.contains("run `"), "{told}");
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
