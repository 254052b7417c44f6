//! How a bench is told: a line for each workload, or an object.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{BenchOptions, Outcome, Protection, content::KEY_BYTES};
use crate::{
    report::{Exit, Report},
    size::Bytes,
};

pub(super) fn report(options: &BenchOptions, outcomes: &[Outcome]) -> Report {
    Report { exit: Exit::Fine, text: text(options, outcomes), json: to_json(options, outcomes) }
}

fn text(options: &BenchOptions, outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    // A string takes everything.
    let _ = writeln!(
        text,
        "{} keys of {KEY_BYTES} and values of {} bytes, protection {}; per operation, its key and the check of its \
         answer included\n",
        options.keys,
        options.value_bytes,
        protection(options)
    );
    let _ = writeln!(
        text,
        "{:<20}{:>4}{:>9}{:>12}{:>9}{:>9}{:>9}{:>9}{:>11}{:>9}{:>9}{:>11}",
        "workload",
        "thr",
        "ops",
        "ops/s",
        "p50",
        "p99",
        "p99.9",
        "worst",
        "cpu s/Mop",
        "written",
        "space",
        "memory"
    );
    for Outcome { workload, threads, figures } in outcomes {
        let _ = write!(text, "{workload:<20}{threads:>4}{:>9}{:>12.0}", figures.ops(), figures.ops_per_sec());
        for time in figures.times() {
            let _ = write!(text, "{:>9}", short(time));
        }
        let ratio = |ratio: Option<f64>| ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"));
        let memory = figures.peak_memory.map_or("-".into(), |bytes| Bytes(bytes).to_string());
        let _ = writeln!(
            text,
            "{:>11.3}{:>9}{:>9}{memory:>11}{}",
            figures.cpu_secs_per_million(),
            ratio(figures.written_per_byte()),
            ratio(figures.space_per_byte()),
            figures.beside.map_or(String::new(), |puts| format!("  {puts} puts beside")),
        );
    }
    text.push_str("\nwritten, space: bytes for each byte of keys and values, once the store has settled\n");
    text
}

fn to_json(options: &BenchOptions, outcomes: &[Outcome]) -> Value {
    let workloads = outcomes.iter().map(|Outcome { workload, threads, figures }| {
        let [p50, p99, p999, worst] = figures.times().map(|time| time.as_nanos() as u64);
        json!({
            "workload": workload.to_string(), "threads": threads,
            "ops": figures.ops(), "seconds": figures.wall.as_secs_f64(), "ops_per_sec": figures.ops_per_sec(),
            "p50_nanos": p50, "p99_nanos": p99, "p999_nanos": p999, "worst_nanos": worst,
            "cpu_secs_per_million_ops": figures.cpu_secs_per_million(),
            "logical_bytes_written": figures.wrote, "bytes_written": figures.written,
            "written_per_logical_byte": figures.written_per_byte(),
            "space_bytes": figures.space, "space_per_logical_byte": figures.space_per_byte(),
            "peak_memory_bytes": figures.peak_memory, "puts_beside": figures.beside,
        })
    });
    json!({
        "keys": options.keys, "key_bytes": KEY_BYTES, "value_bytes": options.value_bytes,
        "protection": protection(options), "seed": options.seed, "workloads": workloads.collect::<Vec<_>>(),
    })
}

fn protection(options: &BenchOptions) -> &'static str {
    match options.protection {
        Protection::On => "on",
        Protection::Off => "off",
    }
}

/// A time in the unit that leaves it short.
fn short(time: Duration) -> String {
    match time.as_nanos() as f64 {
        nanos if nanos < 1e4 => format!("{:.2} us", nanos / 1e3),
        nanos if nanos < 1e6 => format!("{:.0} us", nanos / 1e3),
        nanos if nanos < 1e9 => format!("{:.1} ms", nanos / 1e6),
        nanos => format!("{:.2} s", nanos / 1e9),
    }
}
