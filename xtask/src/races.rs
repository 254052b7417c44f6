//! Data races: the tests of many threads, run under the thread sanitizer of a nightly compiler.
//!
//! Invariant: what the sanitizer is told to leave out is in `.config/tsan.supp`, each line with its reason, and
//! names the standard library alone, which is not built with the sanitizer.

use crate::failure::Failure;
use crate::tool::Tool;
use crate::workspace::Workspace;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Without the second, nothing links to the standard library as it comes.
const FLAGS: &str = "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
const WORDS: &str = "run nightly cargo test --target-dir target/tsan --target x86_64-unknown-linux-gnu \
    -p resilver-tests --test laws stress::";
const LEFT_OUT: &str = ".config/tsan.supp";
const ADVICE: &str = "both stacks of the race are above; a false report of the standard library belongs, with its \
                      reason, into .config/tsan.supp";

/// Runs them, or says why it cannot.
pub(crate) fn run(workspace: &Workspace, seed: u64, minutes: u64) -> Result<(), Failure> {
    if let Err(why) = compiler() {
        println!("nightly: races was SKIPPED: {why}");
        return Ok(());
    }
    let left_out = workspace.root.join(LEFT_OUT);
    let options =
        format!("suppressions={} halt_on_error=1 second_deadlock_stack=1 history_size=4", left_out.display());
    let tool = Tool::new("rustup")
        .words(WORDS)
        .dir(&workspace.root)
        .env("RUSTFLAGS", FLAGS)
        .env("TSAN_OPTIONS", options)
        .env("RESILVER_SEED", seed.to_string())
        .env("RESILVER_MINUTES", minutes.to_string());
    tool.run().map_err(|failure| failure.advise(ADVICE))
}

/// Whether there is a nightly compiler for the one target this is known to work on.
fn compiler() -> Result<(), String> {
    let found = Tool::new("rustup").words("run nightly rustc -vV").capture();
    match found {
        Ok(found) if found.success && found.stdout.contains(&format!("host: {TARGET}")) => Ok(()),
        Ok(found) if found.success => Err(format!("the nightly compiler is not one for {TARGET}")),
        Ok(_) | Err(_) => Err("there is no nightly compiler; `rustup toolchain install nightly` gets one".into()),
    }
}
