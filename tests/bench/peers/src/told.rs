//! How a comparison is told: a table for the terminal and an object for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    engine::{Kind, Settings},
    rows::{Better, Goal, ROWS, Sample},
};

/// What was measured of all engines with values of one size.
pub struct Comparison {
    pub kinds: Vec<Kind>,
    pub keys: u64,
    pub value_bytes: usize,
    settings: Settings,
    /// By engine and row.
    samples: Vec<[Vec<Sample>; ROWS.len()]>,
}

/// The middle of some samples, with the least and the most.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Figure {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), least, most })
    }
}

impl Comparison {
    pub fn new(kinds: &[Kind], keys: u64, value_bytes: usize, settings: Settings) -> Self {
        let samples = kinds.iter().map(|_| [const { Vec::new() }; ROWS.len()]).collect();
        Self { kinds: kinds.to_vec(), keys, value_bytes, settings, samples }
    }

    pub fn take(&mut self, engine: usize, sample: Sample) {
        self.samples[engine][sample.row].push(sample);
    }

    pub fn figure(&self, engine: usize, row: usize) -> Option<Figure> {
        Figure::of(self.samples[engine][row].iter().map(|sample| sample.value).collect())
    }

    pub fn by_cpu(&self, engine: usize, row: usize) -> Option<Figure> {
        Figure::of(self.samples[engine][row].iter().filter_map(|sample| sample.by_cpu).collect())
    }

    pub fn head(&self) -> String {
        let Settings { memtable_bytes, block_bytes, filter_bits, workers, .. } = self.settings;
        format!(
            "{} keys of 16 B, values of {} B; memtable {} MiB, blocks of {} KiB, filters of {filter_bits} bits, no \
             compression, {workers} workers",
            self.keys,
            self.value_bytes,
            memtable_bytes >> 20,
            block_bytes >> 10,
        )
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.name == name)
    }

    /// Resilver over the better of fjall and RocksDB, by the clock or the processor: above 1 is better.
    pub fn over_peers(&self, row: usize, by: fn(&Self, usize, usize) -> Option<Figure>) -> Option<f64> {
        let median = |name| Some(by(self, self.named(name)?, row)?.median);
        let ours = median("resilver")?;
        let peers = ["fjall", "rocksdb"].into_iter().filter_map(median);
        match ROWS[row].better {
            Better::More => Some(ours / peers.reduce(f64::max)?),
            Better::Less => Some(peers.reduce(f64::min)? / ours),
        }
    }

    fn on_over_off(&self, row: usize) -> Option<f64> {
        let median = |name| Some(self.figure(self.named(name)?, row)?.median);
        Some(median("resilver")? / median("resilver-off")?)
    }

    /// Whether a goal is reached, if it has one.
    pub fn is_met(&self, row: usize) -> Option<bool> {
        let median = |name| Some(self.figure(self.named(name)?, row)?.median);
        match ROWS[row].goal {
            Goal::Times(times) => Some(self.over_peers(row, Self::figure)? >= times),
            Goal::AtMost(most) => Some(median("resilver")? <= most),
            Goal::AtLeast(least) => Some(median("resilver")? >= least),
            Goal::RocksDb => Some(median("resilver")? <= median("rocksdb")?),
            Goal::None => None,
        }
    }

    pub fn text(&self) -> String {
        let mut text = format!("\n{}\nmedians, with the least and the most below\n\n", self.head());
        // A string takes everything.
        let _ = write!(text, "{:<24}{:>12}", "", "");
        for kind in &self.kinds {
            let _ = write!(text, "{:>16}", kind.name);
        }
        let _ = writeln!(text, "{:>9}{:>9}{:>9}{:>9}  met", "x peers", "by cpu", "on/off", "goal");
        for (row, shown) in ROWS.iter().enumerate() {
            if (0..self.kinds.len()).all(|engine| self.figure(engine, row).is_none()) {
                continue;
            }
            let _ = write!(text, "{:<24}{:>12}", shown.name, shown.unit);
            for engine in 0..self.kinds.len() {
                let median = self.figure(engine, row).map(|figure| figure.median);
                let _ = write!(text, "{:>16}", short(median));
            }
            let met = self.is_met(row).map_or("", |met| if met { "yes" } else { "NO" });
            let _ = writeln!(
                text,
                "{:>9}{:>9}{:>9}{:>9}  {met}",
                short(self.over_peers(row, Self::figure)),
                short(self.over_peers(row, Self::by_cpu)),
                short(self.on_over_off(row)),
                shown.goal.to_string(),
            );
            self.write_spread(&mut text, row);
        }
        text.push_str("\nx peers: resilver over the better of fjall and rocksdb, above 1 is better, also where less is\n");
        for kind in &self.kinds {
            let _ = writeln!(text, "{}: {}", kind.name, kind.note);
        }
        text
    }

    fn write_spread(&self, text: &mut String, row: usize) {
        let _ = write!(text, "{:<36}", "");
        for engine in 0..self.kinds.len() {
            let spread = self.figure(engine, row).map_or(String::new(), |Figure { least, most, .. }| {
                format!("{}..{}", short(Some(least)), short(Some(most)))
            });
            let _ = write!(text, "{spread:>16}");
        }
        text.push('\n');
    }

    pub fn json(&self) -> Value {
        let engines = self.kinds.iter().enumerate().map(|(engine, kind)| {
            let rows = ROWS.iter().enumerate().map(|(row, shown)| {
                let samples = &self.samples[engine][row];
                let values: Vec<_> = samples.iter().map(|sample| sample.value).collect();
                let by_cpu: Vec<_> = samples.iter().map(|sample| sample.by_cpu).collect();
                json!({
                    "row": shown.name.trim(), "unit": shown.unit, "rounds": values, "rounds_by_cpu": by_cpu,
                    "median": self.figure(engine, row).map(|figure| figure.median),
                    "median_by_cpu": self.by_cpu(engine, row).map(|figure| figure.median),
                })
            });
            json!({ "engine": kind.name, "note": kind.note, "rows": rows.collect::<Vec<_>>() })
        });
        let verdicts = ROWS.iter().enumerate().map(|(row, shown)| {
            json!({
                "row": shown.name.trim(), "over_peers": self.over_peers(row, Self::figure),
                "over_peers_by_cpu": self.over_peers(row, Self::by_cpu), "on_over_off": self.on_over_off(row),
                "goal": shown.goal.to_string(), "is_met": self.is_met(row),
            })
        });
        json!({
            "keys": self.keys, "key_bytes": 16, "value_bytes": self.value_bytes,
            "memtable_bytes": self.settings.memtable_bytes, "block_bytes": self.settings.block_bytes,
            "filter_bits": self.settings.filter_bits, "workers": self.settings.workers,
            "engines": engines.collect::<Vec<_>>(), "verdicts": verdicts.collect::<Vec<_>>(),
        })
    }
}

/// A figure of four digits or so; nothing where there is none.
pub fn short(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value >= 1000.0 => format!("{value:.0}"),
        Some(value) if value >= 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Times(times) => write!(f, "x {times}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::RocksDb => f.write_str("rocksdb"),
            Self::None => Ok(()),
        }
    }
}
