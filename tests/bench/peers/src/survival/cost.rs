//! What protection costs: processor time of a fill, and space on the disk.

use std::path::Path;

use super::subject::Subject;
use crate::{
    content::Content,
    engine::{Creation, Failure, Settings},
    meter,
    phases::{self, Stage},
    rows,
};

/// For each byte of keys and values, or for each put.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Microseconds of processor time for a put, flushes and compactions included.
    pub cpu_us: f64,
    /// Bytes written to files for a byte put.
    pub written: f64,
    /// Bytes on the disk for a byte put, once the store is closed.
    pub space: f64,
}

/// Of a fill in random order.
pub fn measure(subject: &Subject, dir: &Path, content: &Content) -> Result<Cost, Failure> {
    let settings = Settings {
        cache_bytes: 64 << 20,
        memtable_bytes: 16 << 20,
        block_bytes: 4096,
        filter_bits: 10.0,
        workers: 2,
        creation: Creation::Allowed,
    };
    let stage = Stage { kind: subject.kind, path: dir, synced: dir, content, settings };
    let samples = phases::fill(&stage)?;
    let of = |row: usize| samples.iter().find(|sample| sample.row == row).ok_or("a row is missing");
    let thousands = of(rows::FILL)?.by_cpu.ok_or("the system does not say what the processor did")?;
    Ok(Cost {
        cpu_us: 1e3 / thousands,
        written: of(rows::FILL_WRITTEN)?.value,
        space: meter::space_below(dir)? as f64 / stage.data_bytes() as f64,
    })
}

/// The middle of some rounds, each figure by itself.
pub fn middle(costs: &[Cost]) -> Option<Cost> {
    let of = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<_> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    };
    Some(Cost {
        cpu_us: of(|cost| cost.cpu_us)?,
        written: of(|cost| cost.written)?,
        space: of(|cost| cost.space)?,
    })
}
