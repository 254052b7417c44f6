//! Every gate, in order, each announced and timed; the first failure stops the run.
//!
//! Cheap gates come first and tests last, so that a slip is told within seconds and the end of the
//! output is about behaviour.

mod gate;
mod gates;

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::failure::Failure;
use crate::workspace::Workspace;
use gate::{Gate, Verdict};

pub(crate) const HELP: &str = "cargo xtask ci [GATE]

Runs every gate, or the one named: formatting, tidy, clippy, docs, dependencies, the no_std proof, each
crate alone with and without its default features, the tests of the workspace, and the doc tests.
Tests read RESILVER_SEED and PROPTEST_CASES; both have fixed defaults here, and are printed.
--list names the gates.";

/// Fixed, so that a failure seen once is seen again; `nightly` is where new seeds are tried.
const SEED: &str = "1";
const CASES: &str = "64";

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<(), Failure> {
    let list = args.flag("--list");
    let only = args.word();
    args.finish()?;
    let mut gates = gates::all(workspace);
    if list {
        gates.iter().for_each(|gate| println!("{:<12} {}", gate.name, gate.holds));
        return Ok(());
    }
    if let Some(name) = only {
        gates.retain(|gate| gate.name == name);
        if gates.is_empty() {
            return Err(Failure::new(
                format!("there is no gate `{name}`"),
                "`cargo xtask ci --list` names them",
            ));
        }
    }
    let environment = environment();
    environment.iter().for_each(|(name, value)| println!("{name}={value}"));
    pass(workspace, &gates, &environment)
}

/// What the caller set stays; the rest gets its default. One seed serves proptest and our own plans.
fn environment() -> Vec<(&'static str, String)> {
    let set = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let seed = set("RESILVER_SEED", SEED);
    let proptest = ("PROPTEST_RNG_SEED", set("PROPTEST_RNG_SEED", &seed));
    vec![("RESILVER_SEED", seed), ("PROPTEST_CASES", set("PROPTEST_CASES", CASES)), proptest]
}

fn pass(workspace: &Workspace, gates: &[Gate], environment: &[(&str, String)]) -> Result<(), Failure> {
    let start = Instant::now();
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for gate in gates {
        println!("\n== {} == {} (at {})", gate.name, gate.holds, clock(start.elapsed()));
        let began = Instant::now();
        let verdict = gate.run(workspace, environment);
        let word = match &verdict {
            Ok(Verdict::Passed) => "passed".to_owned(),
            Ok(Verdict::Skipped { reason }) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        println!("== {} == {word} in {}", gate.name, clock(began.elapsed()));
        rows.push(format!("{:<12} {:>8}  {word}", gate.name, clock(began.elapsed())));
        if let Err(failure) = verdict {
            let again = format!("{}\n  again: `cargo xtask ci {}`", gate.next, gate.name);
            outcome = Err(failure.advise(again));
            break;
        }
    }
    println!("\n{}\n{:<12} {:>8}", rows.join("\n"), "in all", clock(start.elapsed()));
    outcome
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1}s", time.as_secs_f64())
    } else {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    }
}
