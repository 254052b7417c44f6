//! Data races: the tests of many threads, run under the thread sanitizer of a nightly compiler.
//!
//! Invariant: everything is built with the sanitizer, the standard library too. As it comes it is not, and then each
//! `Arc`, channel and `Once` looks like a race; what would have to be left out for that hides whole threads.

use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::Workspace;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const WORDS: &str = "cargo test -Zbuild-std --target x86_64-unknown-linux-gnu --target-dir target/tsan \
    -p resilver-tests --test laws stress::";
/// Another toolchain than the newest there is, by its name.
const TOOLCHAIN: &str = "RESILVER_NIGHTLY";
const ADVICE: &str = "both stacks of the race are above";

/// Runs them, or says why it cannot.
pub(crate) fn run(workspace: &Workspace, seed: u64, minutes: u64) -> Result<(), Failure> {
    let toolchain = std::env::var(TOOLCHAIN).unwrap_or_else(|_| "nightly".into());
    if let Err(why) = complete(&toolchain) {
        println!("nightly: races was SKIPPED: {why}");
        return Ok(());
    }
    println!("nightly: races with seed {seed} for {minutes} minutes, by {toolchain}");
    let tool = Tool::new("rustup")
        .words("run")
        .arg(&toolchain)
        .words(WORDS)
        .dir(&workspace.root)
        .env("RUSTFLAGS", "-Zsanitizer=thread")
        .env("TSAN_OPTIONS", "halt_on_error=1 second_deadlock_stack=1")
        .env("RESILVER_SEED", seed.to_string())
        .env("RESILVER_MINUTES", minutes.to_string());
    tool.run().map_err(|failure| failure.advise(ADVICE))
}

/// Whether there is such a compiler, for the one target this is known to work on, with the standard library's source.
fn complete(toolchain: &str) -> Result<(), String> {
    let asked = |words: &str| {
        let found = Tool::new("rustup").words("run").arg(toolchain).words(words).capture();
        found.ok().filter(|found| found.success).map(|found| found.stdout)
    };
    let install = format!("`rustup toolchain install {toolchain} --component rust-src` gets it");
    let Some(version) = asked("rustc -vV") else { return Err(format!("there is no {toolchain}; {install}")) };
    if !version.contains(&format!("host: {TARGET}")) {
        return Err(format!("{toolchain} is not for {TARGET}"));
    }
    let sysroot = asked("rustc --print sysroot").unwrap_or_default();
    let source = std::path::Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    if source.exists() { Ok(()) } else { Err(format!("{toolchain} has no rust-src; {install}")) }
}
