//! Compares Resilver with the stores that people would use instead, in one run:
//!
//! `cargo run --release --features rocksdb --manifest-path tests/bench/peers/Cargo.toml -- [--keys N]
//! [--value-bytes N,N] [--rounds N] [--memtable-bytes N] [--engines A,B] [--phases A,B] [--dir DIR] [--out DIR]`
//!
//! Every round runs every engine through each phase before the next one begins; medians count, with the spread
//! beside. The table goes to stdout, `peers.json` and `peers.html` to the directory of `--out`. Exit code 2 if
//! nothing could be measured. What stores survive is measured by `-- survival`, see src/survival.rs.

#[expect(dead_code, reason = "what the command measures with it is more than what is compared")]
#[path = "../../../../crates/resilver-cli/src/bench/content.rs"]
mod content;
mod coordinode;
mod engine;
mod fjall;
#[expect(dead_code, reason = "the same")]
#[path = "../../../../crates/resilver-cli/src/bench/meter.rs"]
mod meter;
mod page;
mod phases;
mod redb;
mod resilver;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod rows;
mod survival;
mod told;

use std::{fs, path::PathBuf, process::ExitCode};

use content::Content;
use engine::{Creation, Failure, KINDS, Kind, Settings};
use phases::{PHASES, Stage};
use told::Comparison;

/// What is asked for.
struct Asked {
    keys: u64,
    value_bytes: Vec<usize>,
    rounds: usize,
    memtable_bytes: u64,
    kinds: Vec<Kind>,
    phases: Vec<&'static str>,
    dir: Option<PathBuf>,
    out: PathBuf,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = survival::run(&words) {
        return code;
    }
    let asked = match Asked::parse(words.into_iter()) {
        Ok(asked) => asked,
        Err(what) => {
            eprintln!("{what}; usage is at the head of src/main.rs");
            return ExitCode::from(2);
        }
    };
    match compare_all(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

impl Asked {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut asked = Self {
            keys: 1_000_000,
            value_bytes: vec![100, 1000],
            rounds: 3,
            memtable_bytes: 16 << 20,
            kinds: KINDS.to_vec(),
            phases: PHASES.map(|phase| phase.0).to_vec(),
            dir: None,
            out: PathBuf::from("."),
        };
        while let Some(arg) = args.next() {
            let next = args.next().ok_or_else(|| format!("{arg} wants a value"))?;
            let has = |name: &str| next.split(',').any(|word| word == name);
            match arg.as_str() {
                "--keys" => asked.keys = next.parse()?,
                "--value-bytes" => {
                    asked.value_bytes = next.split(',').map(str::parse).collect::<Result<_, _>>()?
                }
                "--rounds" => asked.rounds = next.parse()?,
                "--memtable-bytes" => asked.memtable_bytes = next.parse()?,
                "--engines" => asked.kinds.retain(|kind| has(kind.name)),
                "--phases" => asked.phases.retain(|phase| has(phase)),
                "--dir" => asked.dir = Some(next.into()),
                "--out" => asked.out = next.into(),
                _ => return Err(format!("{arg} is no option").into()),
            }
        }
        let fits =
            asked.keys >= 1000 && asked.rounds > 0 && asked.value_bytes.iter().all(|&bytes| bytes >= 16);
        if fits && !asked.kinds.is_empty() { Ok(asked) } else { Err("there is nothing to compare".into()) }
    }
}

fn compare_all(asked: &Asked) -> Result<(), Failure> {
    let mut comparisons = Vec::new();
    for &value_bytes in &asked.value_bytes {
        let comparison = compare(asked, value_bytes)?;
        print!("{}", comparison.text());
        comparisons.push(comparison);
        // After each, so that an end before the last one leaves those before.
        fs::create_dir_all(&asked.out)?;
        let all: Vec<_> = comparisons.iter().map(Comparison::json).collect();
        fs::write(asked.out.join("peers.json"), format!("{:#}\n", serde_json::Value::from(all)))?;
        fs::write(asked.out.join("peers.html"), page::page(&comparisons))?;
    }
    Ok(())
}

fn compare(asked: &Asked, value_bytes: usize) -> Result<Comparison, Failure> {
    let content = Content::new(asked.keys, value_bytes, 1);
    let settings = Settings {
        cache_bytes: 64 << 20,
        memtable_bytes: asked.memtable_bytes,
        block_bytes: 4096,
        filter_bits: 10.0,
        workers: 2,
        creation: Creation::Allowed,
    };
    let mut comparison = Comparison::new(&asked.kinds, asked.keys, value_bytes, settings);
    for round in 0..asked.rounds {
        let dir = match &asked.dir {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        for (name, phase) in PHASES.iter().filter(|phase| asked.phases.contains(&phase.0)) {
            for turn in 0..asked.kinds.len() {
                // Each round another one begins.
                let at = (turn + round) % asked.kinds.len();
                let kind = asked.kinds[at];
                eprintln!("{value_bytes} B, round {} of {}: {name}, {}", round + 1, asked.rounds, kind.name);
                let (path, synced) =
                    (dir.path().join(kind.name), dir.path().join(format!("{}.synced", kind.name)));
                let stage = Stage { kind, path: &path, synced: &synced, content: &content, settings };
                let samples = phase(&stage).map_err(|failure| format!("{}, {name}: {failure}", kind.name))?;
                samples.into_iter().for_each(|sample| comparison.take(at, sample));
            }
        }
    }
    Ok(comparison)
}
