//! `bench`: every workload does what it is named after, and says what it cost.

use crate::stage::Stage;

const KEYS: &str = "1000";
/// Each with the threads it has when asked for two, and the operations of a thousand keys.
const ROWS: [(&str, u64, u64); 14] = [
    ("fillseq", 1, 1000),
    ("fillrandom", 1, 1000),
    ("fillsync", 1, 50),
    ("fillsync", 2, 100),
    ("overwrite", 1, 1000),
    ("readrandom-cached", 1, 1000),
    ("readrandom-cached", 2, 2000),
    ("readrandom-8x", 1, 1000),
    ("readrandom-disk", 1, 20),
    ("readmissing", 1, 1000),
    ("seekrandom", 1, 20),
    ("prefixscan", 1, 20),
    ("readwhilewriting", 2, 1000),
    ("deleterandom", 1, 500),
];

#[test]
fn every_workload_says_what_it_cost() {
    let stage = Stage::empty();
    let told = stage.expect(0, &["bench", "b", "--keys", KEYS, "--threads", "2"]).json;
    let workloads = told["workloads"].as_array().unwrap();
    let rows = workloads.iter().map(|row| {
        let number = |name: &str| row[name].as_u64().unwrap();
        (row["workload"].as_str().unwrap(), number("threads"), number("ops"))
    });
    assert_eq!(rows.collect::<Vec<_>>(), ROWS);
    for row in workloads {
        let times = ["p50_nanos", "p99_nanos", "p999_nanos", "worst_nanos"];
        assert!(times.map(|name| row[name].as_u64().unwrap()).is_sorted(), "{row:#}");
        assert!(row["ops_per_sec"].as_f64() > Some(0.0) && row["space_bytes"].as_u64() > Some(0), "{row:#}");
        let (logical, written) = (row["logical_bytes_written"].as_u64(), row["bytes_written"].as_u64());
        assert!(logical == Some(0) || written >= logical, "{row:#}");
    }
    assert_eq!(workloads[0]["logical_bytes_written"], 116_000);
    // What is left is the store without half of its keys.
    let left = stage.output(&["--db", "b/filled", "scan", "--keys-only"]).stdout;
    assert_eq!(left.iter().filter(|&&byte| byte == b'\n').count(), 500);
}

#[test]
fn chosen_workloads_run_alone_and_leave_nothing_unless_told_where() {
    let stage = Stage::empty();
    let arguments = ["bench", "--keys", KEYS, "--protection", "off", "--only", "prefixscan,fillseq"];
    let text = String::from_utf8(stage.output(&arguments).stdout).unwrap();
    let at = |name: &str| text.lines().position(|line| line.starts_with(name));
    assert!(at("fillseq").unwrap() < at("prefixscan").unwrap(), "{text}");
    assert!(at("overwrite").is_none() && text.contains("protection off"), "{text}");
    assert!(stage.names().is_empty());
}

#[test]
fn a_place_that_is_taken_and_a_workload_that_is_none_are_refused() {
    let stage = Stage::empty();
    std::fs::create_dir(stage.path("b")).unwrap();
    assert!(stage.expect(1, &["bench", "b"]).stderr.contains("is there already"));
    assert!(stage.expect(2, &["bench", "--only", "fillsideways"]).stderr.contains("fillrandom"));
    assert!(stage.expect(2, &["bench", "--keys", "0"]).stderr.contains("--keys"));
}
