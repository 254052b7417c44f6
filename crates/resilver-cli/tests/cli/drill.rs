//! The drill does what its lines say and says what it sees, no more.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use crate::stage::{Said, Stage, noise};

const OPTS: &str = "memtable=64K,table=64K,segment=256K";

fn apply(stage: &Stage, options: &[&str], ops: &str) -> Said {
    stage.feed(&[&["drill", "apply", "s", "--opts", OPTS], options].concat(), ops)
}

fn acks(count: usize) -> String {
    (1..=count).map(|number| format!("ACK {number}\n")).collect()
}

/// Applies `ops` to a fresh store, however that is asked for: the code, the acknowledgements, what is there then.
#[track_caller]
fn check(ops: &str, code: i32, acked: usize, left: &str) {
    for options in [&[][..], &["--threads", "4", "--no-close"]] {
        let stage = Stage::empty();
        let said = apply(&stage, options, ops);
        let said_so = (said.code, said.stdout.as_str());
        assert_eq!(said_so, (code, acks(acked).as_str()), "{ops:?} {options:?}: {}", said.stderr);
        assert_eq!(code == 0, said.stderr.is_empty(), "{ops:?}: {}", said.stderr);
        let dump = stage.feed(&["drill", "dump", "s"], "");
        assert_eq!((dump.code, dump.stdout.as_str()), (0, left), "{ops:?} {options:?}: {}", dump.stderr);
    }
}

#[test]
fn each_operation_does_what_its_line_says() {
    let rows = [
        ("", 0, ""),
        ("P a 1\nC\n", 1, "a 1\n"),
        ("P a 1\nP b 2\nP a 3\nc\n", 0, "a 3\nb 2\n"),
        ("P a 1\nC\nD a\nC\nD b\nC\n", 3, ""),
        ("P a 1\nP b 2\nP c 3\nC\nR a c\nc\n", 1, "c 3\n"),
        ("P a 1\nP b 2\nC\nR b a\nR a a\nC\n", 2, "a 1\nb 2\n"),
        ("P a 1\nR a b\nP a 2\nC\n", 1, "a 2\n"),
        ("P a 1\nF\nC\nF\nP a 2\nc\nK\nD b\nC\nW 1\nF\n", 2, "a 2\n"),
        ("C\n\nC\r\nP a b\r\nC\r\n", 3, "a b\n"),
        ("P %61%00%fF%20 %25%0a%0D\nP %7e ~\nP ü 1\nC\n", 1, "a%00%FF%20 %25%0A%0D\n~ ~\n%C3%BC 1\n"),
        ("P  empty-key\nP empty-value \nC\n", 1, " empty-key\nempty-value \n"),
        ("P a 1\nC\nP b 2\n", 1, "a 1\n"),
        ("P a 1\nC", 1, "a 1\n"),
    ];
    for (ops, acked, left) in rows {
        check(ops, 0, acked, left);
    }
}

#[test]
fn a_line_that_is_no_operation_ends_the_run_and_takes_back_nothing() {
    let wrong = [
        "Q", "P", "P b", "P b c d", "D", "D b c", "R b", "X", "X ", "W", "W soon", "CC", "p b c", "P %4 v",
        " ",
    ];
    for line in wrong {
        let stage = Stage::empty();
        let said = apply(&stage, &[], &format!("P a 1\nC\nP b 2\n{line}\nP c 3\nC\n"));
        assert_eq!((said.code, said.stdout.as_str()), (2, "ACK 1\n"), "{line:?}: {}", said.stderr);
        assert!(said.stderr.contains("line 4"), "{line:?}: {}", said.stderr);
        assert_eq!(stage.feed(&["drill", "dump", "s"], "").stdout, "a 1\n");
    }
}

#[test]
fn what_is_not_built_yet_is_said_to_be_unsupported() {
    for line in ["M a b", "Z"] {
        check(&format!("P a 1\nC\nP b 2\n{line}\nC\n"), 1, 1, "a 1\n");
    }
    let stage = Stage::empty();
    for arguments in [
        &["drill", "apply", "s", "--opts", "separate=1K"][..],
        &["drill", "apply", "s", "--opts", "key=file"],
    ] {
        let said = stage.feed(arguments, "");
        assert!(said.code == 1 && said.stderr.contains("unsupported"), "{arguments:?}: {said:?}");
    }
    assert!(stage.names().is_empty());
}

#[test]
fn options_are_taken_or_refused_by_name() {
    let all = "memtable=64K,table=1M,segment=256K,cache=1M,block=4K,levels=7,io=sync";
    let choices =
        ["codec=none", "codec=lz4", "codec=zstd", "codec=dict", "protect=standard", "protect=light"];
    let more = ["protect=strong", "protect=none", "durability=buffered", "durability=sync", all, "", ","];
    for opts in choices.into_iter().chain(more) {
        let stage = Stage::empty();
        let opts = format!("{opts},segment=256K");
        let said = stage.feed(&["drill", "apply", "s", "--opts", &opts], "P a 1\nC\nF\n");
        assert_eq!((said.code, said.stdout.as_str()), (0, "ACK 1\n"), "{opts}: {}", said.stderr);
        let dump = stage.feed(&["drill", "dump", "s", "--opts", &opts], "");
        assert_eq!((dump.code, dump.stdout.as_str()), (0, "a 1\n"), "{opts}: {}", dump.stderr);
    }
    let stage = Stage::empty();
    for opts in ["memtable", "memtable=", "memtable=much", "color=red", "codec=rar", "levels=0", "levels=8"] {
        for command in ["apply", "dump"] {
            let said = stage.feed(&["drill", command, "s", "--opts", opts], "");
            assert!(said.code == 2 && !said.stderr.is_empty(), "{opts}: {said:?}");
        }
    }
    for arguments in [&["apply", "s", "--threads", "0"][..], &["apply"], &["dump"], &["juggle", "s"], &[]] {
        assert_eq!(stage.feed(&[&["drill"], arguments].concat(), "").code, 2, "{arguments:?}");
    }
    assert!(stage.names().is_empty());
}

#[test]
fn a_dump_shows_what_was_asked_for() {
    let stage = Stage::empty();
    assert_eq!(apply(&stage, &[], "P a 1\nP b%20 2\nP c 3\nF\nP d 4\nD e\nC\n").code, 0);
    fs::write(stage.path("names"), "d\nnone\na\nb%20\na").unwrap();
    fs::write(stage.path("half"), "a\n%4\n").unwrap();
    let rows: [(&[&str], i32, &str); 13] = [
        (&[], 0, "a 1\nb%20 2\nc 3\nd 4\n"),
        (&["--reverse"], 0, "d 4\nc 3\nb%20 2\na 1\n"),
        (&["--from", "b"], 0, "b%20 2\nc 3\nd 4\n"),
        (&["--from", "b%20", "--to", "d"], 0, "b%20 2\nc 3\n"),
        (&["--from", "b%20%00", "--to", "z"], 0, "c 3\nd 4\n"),
        (&["--to", "c", "--reverse"], 0, "b%20 2\na 1\n"),
        (&["--from", "c", "--to", "b"], 0, ""),
        (&["--from", "x", "--reverse"], 0, ""),
        (&["--by-get", "names"], 0, "d 4\na 1\nb%20 2\na 1\n"),
        (&["--by-get", "half"], 2, "a 1\n"),
        (&["--by-get", "gone"], 1, ""),
        (&["--from", "%"], 2, ""),
        (&["--to", "%G0"], 2, ""),
    ];
    for (options, code, shown) in rows {
        let said = stage.feed(&[&["drill", "dump", "s"], options].concat(), "");
        assert_eq!((said.code, said.stdout.as_str()), (code, shown), "{options:?}: {}", said.stderr);
        assert_eq!(code == 0, said.stderr.is_empty(), "{options:?}: {}", said.stderr);
    }
    assert_eq!(stage.feed(&["drill", "dump", "gone"], "").code, 1);
}

#[test]
fn a_store_is_continued_and_its_acknowledgements_count_anew() {
    let stage = Stage::empty();
    for number in 0..4 {
        let options = [&[][..], &["--no-close"], &["--threads", "8"], &[]][number];
        let said = apply(&stage, options, &format!("P k{number} v\nC\nP b {number}\nC\n"));
        assert_eq!((said.code, said.stdout.as_str()), (0, "ACK 1\nACK 2\n"), "{}", said.stderr);
    }
    assert_eq!(stage.feed(&["drill", "dump", "s"], "").stdout, "b 3\nk0 v\nk1 v\nk2 v\nk3 v\n");
}

#[test]
fn a_checkpoint_is_a_store_of_its_own() {
    let stage = Stage::empty();
    let said = apply(&stage, &[], "P a 1\nc\nP b 2\nX some copy\nP a 3\nC\n");
    assert_eq!((said.code, said.stdout.as_str()), (0, "ACK 1\n"), "{}", said.stderr);
    let dump = |store: &str| stage.feed(&["drill", "dump", store], "").stdout;
    assert_eq!((dump("s").as_str(), dump("some copy").as_str()), ("a 3\nb 2\n", "a 1\n"));
    let said = stage.feed(&["drill", "apply", "some copy", "--opts", OPTS], "D a\nP c 4\nC\n");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!((dump("s").as_str(), dump("some copy").as_str()), ("a 3\nb 2\n", "c 4\n"));
    let said = apply(&stage, &[], "P d 5\nC\nX some copy\nP e 6\nC\n");
    assert_eq!((said.code, said.stdout.as_str()), (1, "ACK 1\n"), "{}", said.stderr);
    assert_eq!((dump("s").as_str(), dump("some copy").as_str()), ("a 3\nb 2\nd 5\n", "c 4\n"));
}

#[test]
fn commands_are_served_line_by_line() {
    let stage = Stage::empty();
    let lines = "dump s\n\
        apply s --opts segment=256K\nP a 1\nC\nc\nP b 2\nC\nend\n\
        dump s --reverse\n\
        apply s\nP c 3\nC\nP d\nP e 5\nC\nend\n\
        \n\
        dump s --from b\n\
        juggle s\n\
        serve\n\
        heal nowhere\n\
        apply s --opts codec=rar\nP f 6\nC\nend\n\
        apply s --threads 0\nP f 6\nC\nend\r\n\
        apply f/g\nP f 6\nC\nend\n\
        apply s\nX s\nC\nend\n\
        apply s\nend\n\
        dump s --to b\n";
    let told = "end 1\n\
        ACK 1\nACK 2\nend 0\n\
        b 2\na 1\nend 0\n\
        ACK 1\nend 2\n\
        b 2\nc 3\nend 0\n\
        end 2\n\
        end 2\n\
        end 1\n\
        end 2\n\
        end 2\n\
        end 1\n\
        end 1\n\
        end 0\n\
        a 1\nend 0\n";
    let said = stage.feed(&["drill", "serve"], lines);
    assert_eq!((said.code, said.stdout.as_str()), (0, told), "{}", said.stderr);
    let said = stage.feed(&["drill", "serve"], "apply s\nP z 9\nC");
    assert_eq!((said.code, said.stdout.as_str()), (0, "ACK 1\nend 0\n"), "the end of the input ends all");
    assert_eq!(stage.feed(&["drill", "serve"], "").code, 0);
}

#[test]
fn a_store_in_use_is_read_and_not_written() {
    let stage = Stage::empty();
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilver"));
    command.args(["drill", "apply", "s", "--opts", OPTS]).current_dir(stage.dir.path());
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (holder.stdin.take().unwrap(), holder.stdout.take().unwrap());
    stdin.write_all(b"P a 1\nC\n").unwrap();
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line, "ACK 1\n");
    for arguments in [
        &["drill", "apply", "s"][..],
        &["--db", "s", "put", "a", "2"],
        &["--db", "s", "delete", "a"],
        &["--db", "s", "delete-range", "a", "b"],
        &["--db", "s", "load"],
        &["--db", "s", "checkpoint", "copy"],
    ] {
        let said = stage.feed(arguments, "P a 2\nC\n");
        assert!(said.code == 6 && said.stdout.is_empty(), "{arguments:?}: {said:?}");
    }
    assert_eq!(stage.feed(&["drill", "dump", "s"], "").stdout, "a 1\n");
    assert_eq!(stage.feed(&["--db", "s", "get", "a"], "").stdout, "1\n");
    drop(stdin);
    assert!(holder.wait().unwrap().success());
    assert_eq!(apply(&stage, &[], "P a 2\nC\n").code, 0);
    assert_eq!(stage.names(), ["s"]);
}

#[test]
fn lost_keys_are_named_and_all_others_are_shown() {
    let stage = Stage::empty();
    let lines: Vec<String> =
        (0..3000).map(|number| format!("k{number:04} {number}-{}", "v".repeat(60))).collect();
    let ops: String = lines.iter().map(|line| format!("P {line}\n")).collect();
    let opts = ["drill", "apply", "s", "--opts", "segment=256K,protect=none,codec=none"];
    assert_eq!(stage.feed(&opts, &format!("{ops}C\nF\n")).code, 0);
    let tables = fs::read_dir(stage.path("s")).unwrap().map(|entry| entry.unwrap().path());
    let table = tables.into_iter().find(|path| path.extension().is_some_and(|end| end == "table")).unwrap();
    let mut bytes = fs::read(&table).unwrap();
    bytes[60_000..70_000].copy_from_slice(&noise(10_000, 3));
    fs::write(&table, bytes).unwrap();
    fs::write(stage.path("names"), lines.iter().map(|line| format!("{}\n", &line[..5])).collect::<String>())
        .unwrap();
    for options in [&[][..], &["--reverse"], &["--by-get", "names"]] {
        let said = stage.feed(&[&["drill", "dump", "s"], options].concat(), "");
        assert_eq!(said.code, 4, "{options:?}: {}", said.stderr);
        let spans: Vec<(&str, &str)> = said
            .stderr
            .lines()
            .map(|line| line.strip_prefix("LOST ").unwrap().split_once(' ').unwrap())
            .collect();
        let is_lost = |key: &str| spans.iter().any(|(from, to)| *from <= key && key < *to);
        let mut shown: Vec<&str> = said.stdout.lines().collect();
        shown.sort_unstable();
        let right: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !is_lost(&line[..5])).collect();
        assert!(shown == right, "{options:?}: {} shown, {} right: {spans:?}", shown.len(), right.len());
        assert!((2000..3000).contains(&right.len()), "{options:?}: {} left: {spans:?}", right.len());
    }
}
