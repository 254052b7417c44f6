//! Instructions of fixed small workloads, beside those on record: a guard that works on a noisy machine.
//!
//! Invariant: a workload that takes more than the tolerance over its record fails, one that is not on record fails,
//! and without the tool that counts nothing passes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::Workspace;

/// The record: a line a workload, its name and the instructions an operation took.
const RECORD: &str = "tests/bench/counts.txt";
const HEAD: &str = "# Instructions an operation, counted by `cargo xtask nightly counts` on x86_64 with AVX2.
# `cargo xtask nightly counts --write` writes them anew.
";
/// How many per cent more than on record pass.
const TOLERANCE: u64 = 5;
/// Rounds of each workload; the uids of files differ from run to run, and some rounds even that out.
const ROUNDS: u64 = 5;
const WRITE: &str = "if that is meant, write it down: `cargo xtask nightly counts --write`";

/// What becomes of what was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counted {
    /// It is held against the record.
    Compared,
    /// It is the record from now on.
    Written,
}

/// Instructions an operation, by workload.
type Counts = BTreeMap<String, u64>;

pub(crate) fn run(workspace: &Workspace, counted: Counted) -> Result<(), Failure> {
    if Tool::new("valgrind").words("--version").capture().is_err() {
        let next = "install it (Debian's package `valgrind`); nothing was counted, so nothing is known";
        return Err(Failure::new("instructions are counted by valgrind, which is not here", next));
    }
    Tool::cargo("build --release -p resilver --example counts").dir(&workspace.root).run()?;
    let program = workspace.root.join("target/release/examples/counts");
    let list = Tool::new(&program).capture()?.stdout;
    let mut found = Counts::new();
    for line in list.lines() {
        let Some((name, operations)) = parse(line) else { continue };
        found.insert(name.clone(), count(&program, &name)? / (ROUNDS * operations.max(1)));
    }
    let record = workspace.root.join(RECORD);
    if counted == Counted::Written {
        let lines: String = found.iter().map(|(name, count)| format!("{name} {count}\n")).collect();
        print!("{lines}");
        return std::fs::write(&record, format!("{HEAD}{lines}")).map_err(|cause| Failure::io(RECORD, cause));
    }
    let record = std::fs::read_to_string(&record).map_err(|cause| Failure::io(RECORD, cause))?;
    compare(&record.lines().filter_map(parse).collect(), &found)
}

/// A name and a number.
fn parse(line: &str) -> Option<(String, u64)> {
    let (name, number) = line.split_once(' ')?;
    Some((name.to_owned(), number.trim().parse().ok()?))
}

/// All instructions of a workload's rounds.
fn count(program: &PathBuf, name: &str) -> Result<u64, Failure> {
    let words = "--tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=*work_that_is_counted*";
    let tool = Tool::new("valgrind").words(words).arg(program).arg(name).arg(ROUNDS.to_string());
    let ran = tool.capture()?;
    let line = ran.stderr.lines().find_map(|line| line.split_once("Collected :"));
    let counted = line.and_then(|(_, number)| number.trim().parse().ok()).filter(|count| *count > 0);
    match counted {
        Some(count) if ran.success => Ok(count),
        _ => {
            Err(Failure::new(format!("`{name}` was not counted: {}", ran.stderr), "run it without valgrind"))
        }
    }
}

/// Says how every workload stands to the record.
fn compare(record: &Counts, found: &Counts) -> Result<(), Failure> {
    let mut worse = Vec::new();
    for (name, &now) in found {
        let Some(&before) = record.get(name).filter(|before| **before > 0) else {
            worse.push(format!("{name} is not on record"));
            continue;
        };
        println!(
            "{name:<12} {now:>8} instructions, {before:>8} on record: {:.3}",
            now as f64 / before as f64
        );
        if now * 100 > before * (100 + TOLERANCE) {
            worse.push(format!("{name} takes {now} instructions instead of {before}"));
        } else if now * (100 + TOLERANCE) < before * 100 {
            println!("{name:<12} takes less: write it down, so that it stays so");
        }
    }
    if worse.is_empty() { Ok(()) } else { Err(Failure::new(worse.join("; "), WRITE)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lines: &str) -> Counts {
        lines.lines().filter_map(parse).collect()
    }

    #[test]
    fn a_few_per_cent_pass_and_more_or_what_is_not_on_record_do_not() {
        let record = counts("# a comment\nget 1000\nput 200\n");
        assert_eq!(record.len(), 2);
        assert!(compare(&record, &counts("get 1050\nput 100\n")).is_ok());
        assert!(compare(&record, &counts("get 1051\n")).is_err());
        assert!(compare(&record, &counts("scan 1\n")).is_err());
    }
}
