//! `inspect`: what is in the files of a store, whatever state they are in.

use std::process::Command;

use serde_json::Value;

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

#[track_caller]
fn text(stage: &Stage, arguments: &[&str]) -> String {
    String::from_utf8(stage.output(&[&["inspect"], arguments].concat()).stdout).unwrap()
}

#[test]
fn a_whole_table_is_told() {
    let stage = store();
    let name = file(&stage, ".table");
    let told = stage.expect(0, &["inspect", "table", &name]).json;
    assert_eq!(told["uid"].as_str().unwrap().len(), 32);
    assert_eq!((&told["kind"], &told["wrong"], &told["trouble"]), (&1.into(), &0.into(), &Value::Null));
    assert_eq!(told["descriptor_at_head"], true);
    assert_eq!(told["descriptor_at_tail"], true);
    let properties = &told["properties"];
    assert_eq!(properties["smallest"], "key00000", "{told:#}");
    assert_eq!(properties["comparator"], "resilver.bytes");
    assert!(properties["entries"].as_u64() > Some(0) && properties["data_blocks"].as_u64() > Some(0));
    assert!(told["first_codec"].is_string(), "{told:#}");
    let pages = stage.read(&name).len() as u64 / 4096;
    assert_eq!(told["pages"]["total"], pages);
    let said = text(&stage, &["table", &name]);
    assert!(said.contains("at head and tail") && said.contains("every page is right"), "{said}");
}

#[test]
fn a_hurt_table_says_the_same_of_itself() {
    let stage = store();
    let name = file(&stage, ".table");
    let before = stage.expect(0, &["inspect", "table", &name]).json;
    let last = (stage.read(&name).len() / 4096 - 1).to_string();
    for harm in [
        &["--zero-page", "3"][..],
        &["--zero-page", "0"],
        &["--zero-page", last.as_str()],
        &["--hole", "0:65536"],
    ] {
        let whole = stage.read(&name);
        stage.expect(0, &[&["damage", &name], harm].concat());
        let told = stage.expect(3, &["inspect", "table", &name]).json;
        assert_eq!(told["properties"], before["properties"], "{harm:?}");
        assert!(told["wrong"].as_u64() > Some(0) && told["lost"] == 0, "{told:#}");
        std::fs::write(stage.path(&name), whole).unwrap();
    }
    stage.expect(0, &["damage", &name, "--zero-page", "0", "--zero-page", &last]);
    let told = stage.expect(3, &["inspect", "table", &name]).json;
    assert_eq!(told["descriptor_at_head"], false);
    assert_eq!(told["descriptor_at_tail"], false);
    assert_eq!(told["properties"], before["properties"]);
    std::fs::copy(stage.path(&name), stage.path("apart")).unwrap();
    assert!(stage.expect(1, &["inspect", "table", "apart"]).stderr.contains("not a sealed file"));
}

#[test]
fn a_table_that_lost_too_much_names_the_pages() {
    let stage = store();
    let name = file(&stage, ".table");
    let pages = stage.read(&name).len() / 4096;
    stage.expect(0, &["damage", &name, "--hole", &format!("4096:{}", (pages / 2) * 4096)]);
    let told = stage.expect(4, &["inspect", "table", &name]).json;
    assert!(told["lost"].as_u64() > Some(0), "{told:#}");
    assert_eq!(told["lost_pages"][0][0], 1);
    stage.expect(0, &["damage", &name, "--truncate", "8192"]);
    assert!(stage.expect(1, &["inspect", "table", &name]).stderr.contains("too little is left"));
}

#[test]
fn a_segment_is_told_whole_and_hurt() {
    let stage = store();
    let name = file(&stage, ".wal");
    let told = stage.expect(0, &["inspect", "wal", &name]).json;
    assert!(told["groups"].as_u64() > Some(0), "{told:#}");
    assert_eq!(told["numbers"][0], told["header"]["first"]);
    let manifest = stage.expect(0, &["--db", "s", "inspect", "manifest"]).json;
    assert_eq!(told["header"]["store"], manifest["store"]);
    assert_eq!(told["uid"], manifest["segments"][0]["uid"]);

    let second = told["extent_pages"].as_u64().unwrap();
    stage.expect(0, &["damage", &name, "--zero-page", "1", "--zero-page", &second.to_string()]);
    let hurt = stage.expect(3, &["inspect", "wal", &name]).json;
    assert_eq!(hurt["wrong_pages"], serde_json::json!([[1, 1], [second, second]]));
    assert_eq!((&hurt["groups"], &hurt["numbers"]), (&told["groups"], &told["numbers"]));
    assert!(text(&stage, &["wal", &name]).contains("right in the other extent"));

    stage.expect(0, &["damage", &name, "--zero-page", "0", "--zero-page", &(second + 1).to_string()]);
    let hurt = stage.expect(4, &["inspect", "wal", &name]).json;
    assert_eq!(hurt["header"], Value::Null, "{hurt:#}");
    assert_eq!(hurt["lost_pages"][0], serde_json::json!([0, 1]));
}

#[test]
fn a_page_is_told_with_what_it_should_be() {
    let stage = store();
    for (end, page, helps) in [
        (".table", 0, "copied"),
        (".table", 3, "rebuilt"),
        (".wal", 0, "copied"),
        (".wal", 1, "copied"),
        ("SNAPSHOT-000002", 1, "rebuilt"),
        ("MANIFEST-000002-b", 0, "copied"),
    ] {
        let (name, number) = (file(&stage, end), page.to_string());
        let whole = stage.expect(0, &["inspect", "page", &name, &number]).json;
        assert_eq!((&whole["state"], &whole["right"]), (&"right".into(), &Value::Null), "{end}");
        let bytes = stage.read(&name);
        stage.expect(0, &["damage", &name, "--zero-page", &number]);
        let hurt = stage.expect(3, &["inspect", "page", &name, &number]).json;
        assert_eq!((&hurt["state"], &hurt["helps"]), (&"correctable".into(), &helps.into()), "{end} {page}");
        assert_eq!(hurt["right"], whole["on_medium"], "{end} {page}");
        assert_eq!(hurt["on_medium"], "00".repeat(4096));
        let said = text(&stage, &["page", &name, &number]);
        assert!(said.contains("0000  00 00") && said.contains("as it should be"), "{said}");
        std::fs::write(stage.path(&name), bytes).unwrap();
    }
    let name = file(&stage, ".table");
    stage.expect(0, &["damage", &name, "--flip-bit", "16388:3"]);
    let flipped = text(&stage, &["page", &name, "4"]);
    let differing: Vec<_> = flipped.split("where that differs:\n").nth(1).unwrap().lines().collect();
    assert!(differing.len() == 1 && differing[0].starts_with("0000  "), "{flipped}");
}

#[test]
fn looking_changes_nothing() {
    let stage = store();
    let (table, segment) = (file(&stage, ".table"), file(&stage, ".wal"));
    stage.expect(0, &["damage", &table, "--zero-page", "3"]);
    stage.expect(0, &["damage", &segment, "--zero-page", "1"]);
    let before = (stage.read(&table), stage.read(&segment));
    stage.expect(3, &["inspect", "table", &table]);
    stage.expect(3, &["inspect", "wal", &segment]);
    stage.expect(3, &["inspect", "page", &table, "3"]);
    stage.expect(0, &["--db", "s", "inspect", "manifest"]);
    assert!((stage.read(&table), stage.read(&segment)) == before);
}

#[test]
fn a_file_of_another_kind_is_said_to_be_that() {
    let stage = store();
    let (table, segment, snapshot) =
        (file(&stage, ".table"), file(&stage, ".wal"), file(&stage, "SNAPSHOT-000002"));
    std::fs::write(stage.path("text"), "just some words").unwrap();
    std::fs::write(stage.path("zeros"), [0; 20_000]).unwrap();
    let rows = [
        (&["table", &segment][..], "not a sealed file"),
        (&["table", &snapshot], "snapshot of a manifest"),
        (&["table", "text"], "not a sealed file"),
        (&["wal", &table], "no segment of a log"),
        (&["wal", "text"], "no segment of a log"),
        (&["wal", "zeros"], "not put to use"),
        (&["page", "text", "0"], "not a sealed file"),
        (&["page", &table, "99999999"], "has no page 99999999"),
        (&["page", &segment, "99999999"], "has no page 99999999"),
        (&["page", &snapshot, "18446744073709551615"], "has no page"),
    ];
    for (arguments, said) in rows {
        let run = stage.expect(1, &[&["inspect"], arguments].concat());
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.json["error"]["kind"], "inspect", "{arguments:?}");
    }
    assert!(Command::new("mkfifo").arg(stage.path("pipe")).status().unwrap().success());
    for (name, kind) in [("gone", "missing"), ("s", "not_regular"), ("pipe", "not_regular")] {
        for what in [&["table", name][..], &["wal", name], &["page", name, "0"]] {
            assert_eq!(
                stage.expect(1, &[&["inspect"], what].concat()).json["error"]["kind"],
                kind,
                "{what:?}"
            );
        }
    }
}

#[test]
fn hostile_bytes_are_answered() {
    let stage = store();
    let files = [file(&stage, ".table"), file(&stage, ".wal"), file(&stage, "SNAPSHOT-000002")];
    for (index, name) in files.iter().enumerate() {
        let whole = stage.read(name);
        for seed in 0..6 {
            let seed = (seed + 10 * index).to_string();
            let harm = ["--garble-page", "--swap-pages", "--flip-bit", "--count", "40", "--seed", &seed];
            stage.expect(0, &[&["damage", name.as_str()], &harm[..]].concat());
            for what in
                [&["table", name.as_str()][..], &["wal", name], &["page", name, "0"], &["page", name, "9"]]
            {
                let code = stage.run(&[&["inspect"], what].concat()).code;
                assert!([0, 1, 3, 4].contains(&code), "{what:?} ended with {code}");
            }
            std::fs::write(stage.path(name), &whole).unwrap();
        }
    }
}
