//! The list of gates.

use super::gate::{Gate, Verdict, Work};
use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::{Package, Workspace};
use crate::{no_std, tidy};

/// All gates, in the order in which they run.
pub(super) fn all(workspace: &Workspace) -> Vec<Gate> {
    let mut gates = still_gates(workspace);
    gates.extend(test_gates(workspace));
    gates
}

/// Gates that read, compile and link, but run no test.
fn still_gates(workspace: &Workspace) -> Vec<Gate> {
    let gate = |name, holds, next, work| Gate { name, holds, next, work };
    vec![
        gate("fmt", "one way to lay out code", "run `cargo fmt`", cargo(["fmt --all --check".to_owned()])),
        gate("tidy", "the rules no compiler knows", "each finding says what to do", Work::Own(tidy)),
        gate("clippy", "no lint speaks, whatever the features", "mend what it names", clippy(workspace)),
        gate("doc", "every page of the docs builds", "mend the doc comment it names", doc()),
        gate(
            "deny",
            "licences, sources, versions and arrows",
            "see deny.toml; `.ci/run` sets cargo-deny up where it is missing",
            deny(),
        ),
        gate(
            "advisories",
            "no known hole in what we use",
            "update the crate it names",
            Work::Own(advisories),
        ),
        gate("no-std", "no_std means no std", "see `cargo xtask no-std --help`", Work::Own(no_std)),
    ]
}

fn test_gates(workspace: &Workspace) -> Vec<Gate> {
    let gate = |name, holds, next, lines: Vec<String>| Gate { name, holds, next, work: cargo(lines) };
    let bare = workspace.crates().filter(|package| package.has_features);
    let bare = bare.flat_map(|package| alone(package, " --no-default-features")).collect();
    let whole = workspace.crates().flat_map(|package| alone(package, "")).collect();
    let next = "run the line above with `-- --nocapture`, and the seed printed first";
    vec![
        gate("bare", "each crate alone, without default features", next, bare),
        gate("alone", "each crate alone, as it comes", next, whole),
        gate("test", "all tests of the workspace", next, vec!["test --workspace --tests".to_owned()]),
        gate("doctest", "every example of the docs runs", next, vec!["test --workspace --doc".to_owned()]),
    ]
}

fn cargo(lines: impl IntoIterator<Item = String>) -> Work {
    Work::Cargo { lines: lines.into_iter().collect(), env: &[] }
}

/// Built first: development dependencies may turn features on that a user does not have.
fn alone(package: &Package, features: &str) -> [String; 2] {
    ["build", "test"].map(|verb| format!("{verb} -p {}{features}", package.name))
}

fn clippy(workspace: &Workspace) -> Work {
    let all = "clippy --workspace --all-targets --all-features -- -D warnings".to_owned();
    let bare = |package: &Package| {
        format!("clippy -p {} --all-targets --no-default-features -- -D warnings", package.name)
    };
    cargo(std::iter::once(all).chain(workspace.crates().map(bare)))
}

fn doc() -> Work {
    let lines = vec!["doc --workspace --no-deps --all-features".to_owned()];
    Work::Cargo { lines, env: &[("RUSTDOCFLAGS", "-D warnings")] }
}

/// The arrows name crates that may not use each other yet; that is no fault.
fn deny() -> Work {
    cargo(["deny check --allow unused-wrapper --allow unnecessary-skip bans licenses sources".to_owned()])
}

fn tidy(workspace: &Workspace) -> Result<Verdict, Failure> {
    tidy::check(workspace).map(|()| Verdict::Passed)
}

fn no_std(workspace: &Workspace) -> Result<Verdict, Failure> {
    no_std::prove_all(workspace).map(|()| Verdict::Passed)
}

/// The list of advisories lives elsewhere: when it cannot be had, that is said and no more; what a list
/// that was had says is a failure.
fn advisories(workspace: &Workspace) -> Result<Verdict, Failure> {
    let fetched = Tool::cargo("deny fetch db").dir(&workspace.root).capture()?;
    if !fetched.success {
        println!("{}", fetched.stderr.trim_end());
        return Ok(Verdict::Skipped { reason: "the list of advisories cannot be fetched".to_owned() });
    }
    Tool::cargo("deny check --disable-fetch advisories").dir(&workspace.root).run()?;
    Ok(Verdict::Passed)
}
