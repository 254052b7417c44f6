//! Parts too long for every commit: chosen by name, steered by a seed and a number of minutes.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::args::Args;
use crate::counts::{self, Counted};
use crate::failure::Failure;
use crate::races;
use crate::tool::Tool;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "cargo xtask nightly [PART] [--seed N] [--minutes M]

Runs one long part, or all of them one after the other. The seed (today's day number when none is given)
is printed and reaches the tests as RESILVER_SEED; the minutes (10) as RESILVER_MINUTES, and as
PROPTEST_CASES in proportion. --list names the parts. With --write, `counts` writes the record it is
compared to. RESILVER_NIGHTLY names another toolchain for `races` than `nightly`; it needs rust-src.";

/// A long part: its name, what it proves, and the words for cargo, or none if it is [`counts`] or [`races`].
struct Part {
    name: &'static str,
    proves: &'static str,
    words: &'static str,
}

/// One row a part.
const PARTS: &[Part] = &[
    Part {
        name: "page-law",
        proves: "under any damage: the right bytes, or a typed loss",
        words: "test --release -p page-ecc --test law",
    },
    Part {
        name: "format-law",
        proves: "tables and blob files answer like their models, and hostile bytes give typed errors",
        words: "test --release -p sst-format --tests",
    },
    Part {
        name: "worker-law",
        proves: "nothing acknowledged is lost, whatever operation fails or the power does",
        words: "test --release -p lsm-io --tests",
    },
    Part {
        name: "cli-law",
        proves: "the command restores a damaged file, or names what is lost and touches nothing",
        words: "test --release -p resilver-cli --tests -- --skip kill::",
    },
    Part {
        name: "store-model",
        proves: "whatever is done to a store, every read agrees with a plain model",
        words: "test --release -p resilver-tests --test laws model::",
    },
    Part {
        name: "store-crash",
        proves: "a store comes back from a kill or a power cut at any moment with what it acknowledged",
        words: "test --release -p resilver-tests --test laws crash::",
    },
    Part {
        name: "store-damage",
        proves: "under damage to log and manifest: right answers, or a loss that names its sequence numbers",
        words: "test --release -p resilver-tests --test laws log_damage::",
    },
    Part {
        name: "store-kill",
        proves: "a process killed at any moment, on a real file system, leaves what it acknowledged",
        words: "test --release -p resilver-cli --test cli kill::",
    },
    Part {
        name: "store-faults",
        proves: "whatever operation fails, errors are typed, nothing acknowledged is lost, nothing hangs",
        words: "test --release -p resilver-tests --test laws faults::",
    },
    Part {
        name: "store-heal",
        proves: "what is wrong on the medium is read right and healed, whatever happens meanwhile",
        words: "test --release -p resilver-tests --test laws heal::",
    },
    Part {
        name: "store-stress",
        proves: "many threads on one store see and leave what was written, all of each batch or nothing",
        words: "test --release -p resilver-tests --test laws stress::",
    },
    Part {
        name: "shuttle",
        proves: "the small lock-free parts hold in every schedule that a scheduler tries",
        words: "run --manifest-path tests/shuttle/Cargo.toml",
    },
    Part {
        name: "store-rot",
        proves: "damage within the promise is made good in every file; beyond it nothing wrong is answered",
        words: "test --release -p resilver-tests --test laws rot:: -- --test-threads=1",
    },
    Part {
        name: "counts",
        proves: "fixed small workloads take no more instructions than those on record",
        words: "",
    },
    Part {
        name: "races",
        proves: "the thread sanitizer sees no data race while many threads use one store",
        words: "",
    },
    Part {
        name: "store-repair",
        proves: "without a manifest, with strange and stale files, cut short anywhere: repair loses nothing it could read",
        words: "test --release -p resilver-tests --test laws repair::",
    },
    Part {
        name: "store-loss",
        proves: "whatever is lost, nothing wrong is answered, a million operations go on, and what is given up stays gone",
        words: "test --release -p resilver-tests --test laws loss::",
    },
];

const MINUTES: u64 = 10;
const CASES_PER_MINUTE: u64 = 4_096;

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<(), Failure> {
    let seed = args.value("--seed")?.unwrap_or_else(today);
    let minutes = args.value("--minutes")?.unwrap_or(MINUTES);
    let list = args.flag("--list");
    let counted = if args.flag("--write") { Counted::Written } else { Counted::Compared };
    let name = args.word();
    args.finish()?;
    if list {
        PARTS.iter().for_each(|part| println!("{:<12} {}", part.name, part.proves));
        return Ok(());
    }
    let chosen: Vec<&Part> =
        PARTS.iter().filter(|part| name.as_deref().is_none_or(|name| name == part.name)).collect();
    if chosen.is_empty() {
        let what = format!("there is no part `{}`", name.unwrap_or_default());
        return Err(Failure::new(what, "`cargo xtask nightly --list` names them"));
    }
    chosen.into_iter().try_for_each(|part| match part.name {
        "counts" => counts::run(workspace, counted),
        "races" => races::run(workspace, seed, minutes),
        _ => part.run(workspace, seed, minutes),
    })
}

impl Part {
    fn run(&self, workspace: &Workspace, seed: u64, minutes: u64) -> Result<(), Failure> {
        println!("nightly: {} with seed {seed} for {minutes} minutes: {}", self.name, self.proves);
        let tool = Tool::cargo(self.words)
            .dir(&workspace.root)
            .env("RESILVER_SEED", seed.to_string())
            .env("RESILVER_MINUTES", minutes.to_string())
            .env("PROPTEST_RNG_SEED", seed.to_string())
            .env("PROPTEST_CASES", (minutes * CASES_PER_MINUTE).to_string());
        let again =
            format!("to see it again: `cargo xtask nightly {} --seed {seed} --minutes {minutes}`", self.name);
        tool.run().map_err(|failure| failure.advise(again))
    }
}

/// A new seed each day, the same all day long.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / (24 * 60 * 60))
}
