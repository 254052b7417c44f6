//! One-shot access to a store: what is put is there, in every way of writing bytes, and each refusal has its code.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::stage::Stage;

/// Arguments, what stdin holds, the exit code, what stdout shows.
type Row<'a> = (&'a [&'a str], &'a str, i32, &'a str);

/// Runs the rows one after the other on the store `s`.
#[track_caller]
fn check(rows: &[Row<'_>]) -> Stage {
    let stage = Stage::empty();
    for (arguments, input, code, shown) in rows {
        let said = stage.feed(&[&["--db", "s"], *arguments].concat(), input);
        let told = (said.code, said.stdout.as_str());
        assert_eq!(told, (*code, *shown), "{arguments:?} {input:?}: {}", said.stderr);
        assert_eq!(*code == 0, said.stderr.is_empty(), "{arguments:?}: {}", said.stderr);
    }
    stage
}

#[test]
fn what_is_put_is_there_until_it_is_deleted() {
    check(&[
        (&["get", "a"], "", 1, ""),
        (&["delete", "a"], "", 1, ""),
        (&["delete-range", "a", "b"], "", 1, ""),
        (&["stats"], "", 1, ""),
        (&["put", "a", "1"], "", 0, ""),
        (&["put", "b", "2"], "", 0, ""),
        (&["put", "b", "two words"], "", 0, ""),
        (&["put", "", "empty key"], "", 0, ""),
        (&["put", "ab", ""], "", 0, ""),
        (&["get", "a"], "", 0, "1\n"),
        (&["get", "b"], "", 0, "two words\n"),
        (&["get", ""], "", 0, "empty key\n"),
        (&["get", "ab"], "", 0, "\n"),
        (&["get", "c"], "", 1, ""),
        (&["delete", "b"], "", 0, ""),
        (&["delete", "never there"], "", 0, ""),
        (&["get", "b"], "", 1, ""),
        (&["scan"], "", 0, "\tempty key\na\t1\nab\t\n"),
        (&["delete-range", "", "ab"], "", 0, ""),
        (&["delete-range", "b", "a"], "", 0, ""),
        (&["scan"], "", 0, "ab\t\n"),
        (&["put"], "", 2, ""),
        (&["put", "a"], "", 2, ""),
        (&["juggle"], "", 2, ""),
    ]);
}

#[test]
fn a_scan_shows_what_was_asked_for() {
    check(&[
        (&["load"], "a\t1\nb\t2\nba\t3\nbb\t4\nc\t5\n", 0, "5 keys were put\n"),
        (&["scan", "--from", "ba"], "", 0, "ba\t3\nbb\t4\nc\t5\n"),
        (&["scan", "--from", "b", "--to", "bb"], "", 0, "b\t2\nba\t3\n"),
        (&["scan", "--prefix", "b"], "", 0, "b\t2\nba\t3\nbb\t4\n"),
        (&["scan", "--prefix", "b", "--reverse", "--limit", "2"], "", 0, "bb\t4\nba\t3\n"),
        (&["scan", "--keys-only", "--limit", "2"], "", 0, "a\nb\n"),
        (&["scan", "--limit", "0"], "", 0, ""),
        (&["scan", "--from", "x"], "", 0, ""),
        (&["scan", "--from", "c", "--to", "a"], "", 0, ""),
        (&["scan", "--prefix", "b", "--from", "a"], "", 2, ""),
        (&["scan", "--limit", "-1"], "", 2, ""),
        (&["--hex", "scan", "--prefix", "62", "--limit", "1"], "", 0, "62\t32\n"),
        (&["--hex", "scan", "--prefix", "6"], "", 2, ""),
    ]);
}

#[test]
fn bytes_are_written_as_text_in_hexadecimal_or_in_base64() {
    check(&[
        (&["--hex", "put", "6100", "FFfe0a"], "", 0, ""),
        (&["--hex", "get", "6100"], "", 0, "fffe0a\n"),
        (&["--base64", "get", "YQA="], "", 0, "//4K\n"),
        (&["--base64", "put", "eg==", "Zm9v"], "", 0, ""),
        (&["get", "z"], "", 0, "foo\n"),
        (&["--hex", "scan"], "", 0, "6100\tfffe0a\n7a\t666f6f\n"),
        (&["--hex", "dump"], "", 0, "6100\tfffe0a\n7a\t666f6f\n"),
        (&["--base64", "dump"], "", 0, "YQA=\t//4K\neg==\tZm9v\n"),
        (&["--hex", "delete", "6100"], "", 0, ""),
        (&["--hex", "delete-range", "7a", "7a00"], "", 0, ""),
        (&["dump"], "", 0, ""),
        (&["--hex", "put", "0", "00"], "", 2, ""),
        (&["--hex", "put", "00", "0g"], "", 2, ""),
        (&["--base64", "put", "eg", "Zm9v"], "", 2, ""),
        (&["--hex", "get", "xx"], "", 2, ""),
        (&["--hex", "--base64", "get", "00"], "", 2, ""),
    ]);
}

#[test]
fn keyspaces_hold_their_own_keys() {
    let stage = check(&[
        (&["put", "a", "default"], "", 0, ""),
        (&["--keyspace", "one", "put", "a", "in one"], "", 0, ""),
        (&["--keyspace", "two", "load"], "a\tin two\n", 0, "1 keys were put\n"),
        (&["--keyspace", "default", "get", "a"], "", 0, "default\n"),
        (&["--keyspace", "one", "dump"], "", 0, "a\tin one\n"),
        (&["--keyspace", "two", "scan"], "", 0, "a\tin two\n"),
        (&["--keyspace", "one", "delete-range", "a", "b"], "", 0, ""),
        (&["--keyspace", "one", "get", "a"], "", 1, ""),
        (&["--keyspace", "two", "get", "a"], "", 0, "in two\n"),
        (&["--keyspace", "three", "get", "a"], "", 1, ""),
        (&["--keyspace", "", "put", "a", "b"], "", 1, ""),
    ]);
    let stats = stage.feed(&["--db", "s", "--json", "stats"], "");
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    let names: Vec<&Value> =
        stats["keyspaces"].as_array().unwrap().iter().map(|keyspace| &keyspace["name"]).collect();
    assert_eq!(names, ["default", "one", "two"], "reading makes none");
}

#[test]
fn lines_are_loaded_or_named() {
    let stage = check(&[
        (&["load"], "", 0, "0 keys were put\n"),
        (&["load"], "a\\tb\t1\\n2\n\nc\t\\\\\r\nd\twithout end", 0, "3 keys were put\n"),
        (&["dump"], "", 0, "a\\tb\t1\\n2\nc\t\\\\\nd\twithout end\n"),
        (
            &["dump", "--format", "jsonl"],
            "",
            0,
            concat!(
                r#"{"key":"a\tb","value":"1\n2"}"#,
                "\n",
                r#"{"key":"c","value":"\\"}"#,
                "\n",
                r#"{"key":"d","value":"without end"}"#,
                "\n"
            ),
        ),
        (&["load", "--format", "jsonl"], r#"{"value":"9","key":"a\tb","more":1}"#, 0, "1 keys were put\n"),
        (&["load", "--format", "jsonl"], r#"{"key":{"hex":"ff00"},"value":""}"#, 0, "1 keys were put\n"),
        (&["--hex", "load"], "63\t6364\n", 0, "1 keys were put\n"),
        (&["--hex", "scan"], "", 0, "610962\t39\n63\t6364\n64\t776974686f757420656e64\nff00\t\n"),
        (&["load", "gone"], "", 1, ""),
        (&["load", "--format", "xml"], "", 2, ""),
    ]);
    for (options, lines, at) in [
        (&[][..], "a\t1\nno tab\n", 2),
        (&[], "a\t1\n\n\nb\t\\x\n", 4),
        (&["--format", "jsonl"], "{\"key\":\"a\",\"value\":\"b\"}\n{\"key\":\"a\"}\n", 2),
        (&["--format", "jsonl"], "[]\n", 1),
        (&["--hex"], "00\t00\n00\t0\n", 2),
    ] {
        let said = stage.feed(&[&["--db", "s", "load"], options].concat(), lines);
        assert!(said.code == 2 && said.stderr.contains(&format!("line {at}:")), "{lines:?}: {said:?}");
    }
}

#[test]
fn what_is_dumped_makes_the_same_store() {
    let stage = Stage::empty();
    let strange = ["00", "0a", "09", "0d", "5c", "5c74", "ff", "c3bc", "", "e282"];
    let lines: String =
        strange.iter().zip(strange.iter().rev()).map(|(key, value)| format!("{key}\t{value}\n")).collect();
    let said = stage.feed(&["--db", "s", "--hex", "load"], &lines);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let hex = |store: &str| stage.feed(&["--db", store, "--hex", "dump"], "").stdout;
    for (at, options) in [
        &[][..],
        &["--hex"],
        &["--base64"],
        &["--format", "jsonl"],
        &["--format", "jsonl", "--hex"],
        &["--format", "jsonl", "--base64"],
    ]
    .into_iter()
    .enumerate()
    {
        let twin = format!("twin-{at}");
        // Not by way of text: the dump may be none.
        let dump = stage.output(&[&["--db", "s", "dump"], options].concat());
        fs::write(stage.path("lines"), dump.stdout).unwrap();
        let said = stage.feed(&[&["--db", &twin, "load", "lines"], options].concat(), "");
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, "10 keys were put\n"),
            "{options:?}: {}",
            said.stderr
        );
        assert_eq!(hex(&twin), hex("s"), "{options:?}");
    }
}

/// What a command prints for programs.
#[track_caller]
fn check_json(stage: &Stage, arguments: &[&str], code: i32, expected: Value) {
    let run = stage.expect(code, &[&["--db", "s"], arguments].concat());
    let command = arguments.iter().find(|word| !word.starts_with('-')).unwrap();
    assert_eq!(run.json["format"], json!({ "command": command, "version": 1 }), "{arguments:?}");
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&run.json[name], value, "{arguments:?}: {:#}", run.json);
    }
}

#[test]
fn programs_are_told_in_json() {
    let stage = Stage::empty();
    fs::write(stage.path("lines"), "b\t2\nc\t3\n").unwrap();
    let items = json!([{ "key": "a", "value": { "hex": "ff" } }, { "key": "b", "value": "2" }]);
    let rows = [
        (&["get", "a"][..], 1, json!({ "error": { "kind": "store", "message": null } })),
        (&["put", "a", "1"], 0, json!({})),
        (&["get", "a"], 0, json!({ "key": "a", "value": "1" })),
        (&["get", "x"], 1, json!({ "error": { "kind": "no_key", "message": null } })),
        (&["load", "lines"], 0, json!({ "keys": 2 })),
        (&["--hex", "put", "61", "ff"], 0, json!({})),
        (&["--hex", "get", "61"], 0, json!({ "key": "61", "value": "ff" })),
        (&["--base64", "get", "YQ=="], 0, json!({ "key": "YQ==", "value": "/w==" })),
        (&["--hex", "get", "6"], 2, json!({ "error": { "kind": "usage", "message": null } })),
        (&["scan", "--limit", "2"], 0, json!({ "items": items, "count": 2 })),
        (&["scan", "--prefix", "c", "--keys-only"], 0, json!({ "items": [{ "key": "c" }], "count": 1 })),
        (&["scan", "--prefix", "x"], 0, json!({ "items": [], "count": 0 })),
        (&["delete", "a"], 0, json!({})),
        (&["delete-range", "b", "c"], 0, json!({})),
        (&["stats"], 0, json!({ "newest_seq": 6 })),
        (&["checkpoint", "copy"], 0, json!({ "dest": "copy", "copied": false })),
        (&["checkpoint", "copy"], 1, json!({ "error": { "kind": "store", "message": null } })),
    ];
    for (arguments, code, mut expected) in rows {
        // Messages are for people.
        if let Some(error) = expected.get_mut("error").map(Value::take) {
            let run = stage.expect(code, &[&["--db", "s"], arguments].concat());
            assert_eq!(run.json["error"]["kind"], error["kind"], "{arguments:?}");
            assert!(!run.json["error"]["message"].as_str().unwrap().is_empty(), "{arguments:?}");
            expected = json!({});
        }
        check_json(&stage, arguments, code, expected);
    }
}

#[test]
fn a_checkpoint_is_as_of_its_making() {
    for options in [&[][..], &["--copy"]] {
        let stage = check(&[
            (&["checkpoint", "copy"], "", 1, ""),
            (&["put", "a", "1"], "", 0, ""),
            (&[&["checkpoint", "copy"], options].concat(), "", 0, "a store as of now is at copy\n"),
            (&["put", "a", "2"], "", 0, ""),
            (&["--db", "copy", "get", "a"], "", 2, ""),
            (&["checkpoint", "copy"], "", 1, ""),
            (&["checkpoint", "no/such/place"], "", 1, ""),
        ]);
        for (store, value) in [("copy", "1\n"), ("s", "2\n")] {
            assert_eq!(stage.feed(&["--db", store, "get", "a"], "").stdout, value);
        }
        assert_eq!(stage.feed(&["--db", "copy", "put", "a", "3"], "").code, 0);
        assert_eq!(stage.feed(&["--db", "s", "get", "a"], "").stdout, "2\n");
    }
}

#[test]
fn a_checkpoint_is_looked_at_when_that_is_asked() {
    let stage = check(&[(&["put", "a", "1"], "", 0, "")]);
    for (dest, option) in [("linked", "--quiet"), ("copied", "--copy")] {
        let made = stage.feed(&["--db", "s", "checkpoint", option, "--verify", dest][..], "");
        assert_eq!(made.code, 0);
        assert!(made.stdout.contains("every page is right"), "{}", made.stdout);
    }
}

#[test]
fn the_environment_names_the_store_unless_an_argument_does() {
    let stage = check(&[(&["put", "a", "of s"], "", 0, "")]);
    assert_eq!(stage.feed(&["--db", "t", "put", "a", "of t"], "").code, 0);
    let rows =
        [(&["get", "a"][..], 0, "of s\n"), (&["--db", "t", "get", "a"], 0, "of t\n"), (&["get", "b"], 1, "")];
    for (arguments, code, shown) in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
        command.args(arguments).current_dir(stage.dir.path()).env("RESILVER_DB", "s");
        let output = command.output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(code), shown.as_bytes()),
            "{arguments:?}"
        );
    }
    assert_eq!(stage.feed(&["get", "a"], "").code, 2);
}

#[test]
fn a_directory_that_is_no_store_is_left_alone() {
    let stage = Stage::empty();
    fs::create_dir(stage.path("s")).unwrap();
    fs::write(stage.path("s").join("letter"), "dear").unwrap();
    fs::write(stage.path("file"), "f").unwrap();
    for store in ["s", "file", "no/such/place"] {
        for arguments in [&["put", "a", "b"][..], &["load"], &["get", "a"], &["stats"], &["checkpoint", "c"]]
        {
            let said = stage.feed(&[&["--db", store], arguments].concat(), "");
            assert!(said.code == 1 && !said.stderr.is_empty(), "{store} {arguments:?}: {said:?}");
        }
    }
    assert_eq!(stage.names(), ["file", "s"]);
    assert_eq!(fs::read_dir(stage.path("s")).unwrap().count(), 1);
    assert_eq!(stage.read("file"), b"f");
}
