//! `losses` and `accept-loss`: what is lost is named wherever it is met, and given up only by name.

use serde_json::Value;

use crate::care::{file, store};
use crate::stage::Stage;

/// A store whose first table lost a stretch in its middle.
fn hurt() -> Stage {
    let stage = store();
    let name = file(&stage, ".table");
    let pages = stage.read(&name).len() / 4096;
    stage.expect(0, &["damage", &name, "--hole", &format!("{}:{}", 4096 * 4, (pages / 3) * 4096)]);
    stage
}

/// Everything that can be read, line by line.
fn scanned(stage: &Stage, code: i32) -> Vec<String> {
    let said = stage.feed(&["--db", "s", "scan", "--keys-only"], "");
    assert_eq!(said.code, code, "{}", said.stderr);
    said.stdout.lines().map(Into::into).collect()
}

fn key(loss: &Value, end: &str) -> String {
    loss[end].as_str().unwrap().to_owned()
}

#[test]
fn a_loss_is_named_listed_and_given_up() {
    let stage = hurt();
    let told = stage.expect(0, &["--db", "s", "losses"]);
    assert_eq!(told.json["losses"], serde_json::json!([]), "nobody has met it");
    let left = scanned(&stage, 4);
    assert!(left.len() > 1000 && left.len() < 4000 && left.last().unwrap() == "key03999", "{}", left.len());
    stage.expect(4, &["--db", "s", "scrub"]);

    let told = stage.expect(4, &["losses", "s"]);
    let losses = told.json["losses"].as_array().unwrap();
    assert!(!losses.is_empty() && losses[0]["keyspace"] == "default", "{:#}", told.json);
    assert!(losses[0]["seq_low"].as_u64() <= losses[0]["seq_high"].as_u64());
    let lost = format!("key{:05}", key(&losses[0], "from")[3..].parse::<u32>().unwrap() + 1);
    let said = stage.feed(&["--db", "s", "get", &lost], "");
    assert_eq!(said.code, 4);
    for word in ["keys from \"key", "up to", "resilver losses", "resilver accept-loss"] {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
    let health = stage.expect(4, &["--db", "s", "health"]);
    assert_eq!(health.json["verdict"], "data_loss");

    let refused = stage.expect(1, &["--db", "s", "accept-loss", "--from", "zebra"]);
    assert!(refused.stderr.contains("nothing is known to be lost in that range"), "{}", refused.stderr);
    assert_eq!(stage.expect(4, &["losses", "s"]).json, told.json, "nothing was changed");

    let one = stage.expect(0, &["--db", "s", "accept-loss", "--from", &lost, "--through", &lost]);
    assert!(one.json["left"].as_u64() >= Some(1), "{:#}", one.json);
    let said = stage.feed(&["--db", "s", "get", &lost], "");
    assert!(said.code == 1 && said.stderr.contains("there is no key"), "{}", said.stderr);

    let said = stage.feed(&["--db", "s", "accept-loss", "--all"], "");
    assert_eq!(said.code, 0, "{}", said.stderr);
    for word in ["given up: default: behind \"key", "kept: s/quarantine/", "resilver scrub"] {
        assert!(said.stdout.contains(word), "{word}: {}", said.stdout);
    }
    assert_eq!(scanned(&stage, 0), left, "what was there is there");
    stage.expect(0, &["--db", "s", "scrub"]);
    stage.expect(0, &["verify", "s"]);
    assert_eq!(stage.expect(0, &["losses", "s"]).json["losses"], serde_json::json!([]));
    let health = stage.expect(0, &["--db", "s", "health"]);
    assert_eq!(health.json["verdict"], "healed", "{:#}", health.json);
    let events = health.json["events"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["kind"] == "loss_accepted").count(), 2);
    let refused = stage.expect(1, &["--db", "s", "accept-loss", "--all"]);
    assert!(refused.stderr.contains("nothing is known to be lost"), "{}", refused.stderr);
}

#[test]
fn the_command_that_is_printed_with_a_loss_gives_it_up() {
    let stage = hurt();
    stage.expect(4, &["--db", "s", "scrub"]);
    let said = stage.feed(&["--db", "s", "losses"], "");
    assert_eq!(said.code, 4);
    let commands: Vec<_> = said.stdout.lines().filter_map(|line| line.split_once("resilver ")).collect();
    let (last, rest) = commands.split_last().unwrap();
    assert!(last.1.starts_with("accept-loss --all") && !rest.is_empty(), "{}", said.stdout);
    for (_, command) in rest {
        let words: Vec<_> = ["--db", "s"].into_iter().chain(command.split(' ')).collect();
        stage.expect(0, &words);
    }
    stage.expect(0, &["losses", "s"]);
}

#[test]
fn what_the_log_lost_is_listed_and_given_up_with_everything() {
    let stage = store();
    let name = file(&stage, ".wal");
    let len = stage.read(&name).len();
    stage.rot(&name, |bytes| bytes[8192..len / 2].fill(0));
    stage.rot(&name, |bytes| bytes[len / 2 + 8192..].fill(0));
    let refused = stage.expect(4, &["--db", "s", "get", "key00000"]);
    assert!(refused.stderr.contains("accept-loss --all"), "{}", refused.stderr);
    let listed = stage.expect(4, &["losses", "s"]);
    assert!(!listed.json["log"].as_array().unwrap().is_empty(), "{:#}", listed.json);
    let given_up = stage.expect(0, &["--db", "s", "accept-loss", "--all"]);
    assert!(!given_up.json["log"].as_array().unwrap().is_empty(), "{:#}", given_up.json);
    stage.expect(0, &["--db", "s", "get", "key00001"]);
    stage.expect(0, &["losses", "s"]);
    assert_eq!(stage.expect(0, &["--db", "s", "health"]).json["verdict"], "healed");
}

#[test]
fn what_is_to_be_given_up_must_be_named() {
    let stage = store();
    for words in [
        &["accept-loss"][..],
        &["accept-loss", "--all", "--from", "a"],
        &["accept-loss", "--to", "a", "--through", "b"],
        &["accept-loss", "--from", "6", "--hex"],
    ] {
        stage.expect(2, &[&["--db", "s"], words].concat());
    }
    stage.expect(2, &["accept-loss", "--all"]);
    stage.expect(1, &["--db", "s", "accept-loss", "--all"]);
    stage.expect(1, &["--db", "s", "--keyspace", "none", "accept-loss", "--from", "a"]);
    stage.expect(1, &["--db", "nowhere", "losses"]);
    assert!(!stage.path("nowhere").exists());
}
