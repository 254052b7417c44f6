//! What this process has cost so far: processor, bytes written, memory; and what a directory takes.
//!
//! What the system does not say is not made up: it is left out.

use std::{fs, path::Path, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// What a process has cost so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    cpu: Duration,
    written: Option<u64>,
}

impl Meter {
    /// Begins, and forgets the peak of memory before.
    pub(super) fn start() -> Self {
        // Where it may not, the peak is that of all workloads so far.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { cpu: cpu(), written: written() }
    }

    pub(super) fn cpu(&self) -> Duration {
        cpu().saturating_sub(self.cpu)
    }

    pub(super) fn written(&self) -> Option<u64> {
        Some(written()?.saturating_sub(self.written?))
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Bytes this process handed to the system to be written.
pub(super) fn written() -> Option<u64> {
    field("/proc/self/io", "wchar:")
}

/// The most memory this process had resident.
pub(super) fn peak_memory() -> Option<u64> {
    Some(field("/proc/self/status", "VmHWM:")? << 10)
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What the files below a directory take on the disk.
pub(super) fn space_below(dir: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut space = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        space += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => space_below(&entry.path())?,
            Ok(metadata) => metadata.blocks() * 512,
            // A file that goes meanwhile takes nothing.
            Err(_) => 0,
        };
    }
    Ok(space)
}
