//! What a workload cost, and the figures people compare.
//!
//! A figure that the system did not give, or that has no meaning for a workload, is left out.

use std::time::Duration;

use super::histogram::Histogram;

/// What a workload cost.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) latencies: Histogram,
    pub(super) wall: Duration,
    /// Of the whole process, background work until the end of the settling included.
    pub(super) cpu: Duration,
    /// Handed to the system, until the end of the settling.
    pub(super) written: Option<u64>,
    /// Bytes of keys and values that the workload wrote.
    pub(super) wrote: u64,
    /// What the store takes on the disk, and the bytes of keys and values in it.
    pub(super) space: u64,
    pub(super) holds: u64,
    pub(super) peak_memory: Option<u64>,
    /// What a second kind of thread did meanwhile.
    pub(super) beside: Option<u64>,
}

impl Figures {
    pub(super) fn ops(&self) -> u64 {
        self.latencies.count()
    }

    pub(super) fn ops_per_sec(&self) -> f64 {
        self.ops() as f64 / self.wall.as_secs_f64()
    }

    pub(super) fn times(&self) -> [Duration; 4] {
        let latencies = &self.latencies;
        [latencies.permille(500), latencies.permille(990), latencies.permille(999), latencies.longest()]
    }

    pub(super) fn cpu_secs_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.ops() as f64
    }

    pub(super) fn written_per_byte(&self) -> Option<f64> {
        let written = self.written.filter(|_| self.wrote > 0)?;
        Some(written as f64 / self.wrote as f64)
    }

    pub(super) fn space_per_byte(&self) -> Option<f64> {
        (self.holds > 0).then(|| self.space as f64 / self.holds as f64)
    }
}
