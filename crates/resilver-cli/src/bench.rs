//! `bench`: what a store costs, workload by workload. Every answer is checked while it is measured.

mod content;
mod figures;
mod histogram;
mod meter;
mod reads;
mod stage;
mod told;
mod workload;
mod writes;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::{content::Content, figures::Figures, stage::Stage, workload::Workload};
use crate::{failure::Failure, files, report::Report, size::Bytes, voice::Voice};

#[derive(Args, Debug)]
pub(crate) struct BenchOptions {
    /// Where the stores are made and left; it may not be there yet. A temporary place that goes at the end if not
    /// said.
    dir: Option<PathBuf>,
    /// How many keys of 16 bytes.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..=1_000_000_000_000))]
    keys: u64,
    /// How large each value is.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(16..=1 << 20))]
    value_bytes: u32,
    /// How many threads the workloads of several have.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// The block cache, where a workload names none of its own; large enough for everything if not said.
    #[arg(long, value_name = "BYTES")]
    cache_bytes: Option<Bytes>,
    /// Parity over tables and logs, or checksums alone.
    #[arg(long, value_enum, default_value = "on")]
    protection: Protection,
    /// These workloads alone, with commas between them.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    only: Vec<Workload>,
    /// What keys and their order are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    On,
    Off,
}

/// A workload and what it cost.
#[derive(Debug)]
struct Outcome {
    workload: Workload,
    threads: usize,
    figures: Figures,
}

pub(crate) fn run(options: &BenchOptions, voice: &Voice) -> Result<Report, Failure> {
    let (dir, is_kept) = match &options.dir {
        Some(dir) if files::is_there(dir) => return Err(Failure::Occupied(dir.clone())),
        Some(dir) => (dir.clone(), true),
        None => (files::free_name(&std::env::temp_dir().join("resilver-bench")), false),
    };
    let outcomes = measure(&dir, options, voice);
    if !is_kept {
        files::remove_all(&dir)?;
    }
    let mut report = told::report(options, &outcomes?);
    if is_kept {
        report.text.push_str(&format!("The stores are at {}.\n", dir.display()));
    }
    Ok(report)
}

fn measure(dir: &Path, options: &BenchOptions, voice: &Voice) -> Result<Vec<Outcome>, Failure> {
    files::make_all(dir)?;
    let content = Content::new(options.keys, options.value_bytes as usize, options.seed);
    let stage = Stage::new(dir, options, content);
    let chosen =
        Workload::value_variants().iter().filter(|it| options.only.is_empty() || options.only.contains(it));
    let mut outcomes = Vec::new();
    for &workload in chosen {
        for threads in workload.thread_counts(options.threads.into()) {
            voice.say(format_args!("{workload}, threads: {threads} ..."));
            outcomes.push(Outcome { workload, threads, figures: workload.run(&stage, threads)? });
        }
    }
    Ok(outcomes)
}
