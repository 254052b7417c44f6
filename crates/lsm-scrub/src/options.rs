//! How a patrol goes: how fast, how wide, what of, and from where.

use std::{num::NonZeroUsize, time::Duration};

use page_ecc::PAGE_LEN;

use crate::FileRef;

/// How a patrol goes.
///
/// ```
/// use std::time::Duration;
/// use lsm_scrub::{PatrolOptions, Scope};
/// let options = PatrolOptions::new()
///     .parallelism(4)
///     .bytes_per_sec(100 << 20)
///     .foreground_latency_max(Duration::from_millis(20))
///     .scope(Scope::KnownDamage);
/// assert_ne!(options, PatrolOptions::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatrolOptions {
    pub(crate) parallelism: NonZeroUsize,
    pub(crate) bytes_per_sec: u64,
    pub(crate) read_pages: u64,
    pub(crate) keep_pages: u64,
    pub(crate) pause_between_files: Duration,
    pub(crate) foreground_latency_max: Option<Duration>,
    pub(crate) access: Access,
    pub(crate) scope: Scope,
    pub(crate) start: Start,
    pub(crate) findings_max: usize,
}

/// Whether anything may come of a patrol but its report.
///
/// ```
/// assert_eq!(lsm_scrub::Access::default(), lsm_scrub::Access::Healing);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// The owner hears of findings and may heal them; what was done is remembered.
    #[default]
    Healing,
    /// Nobody is told and nothing is remembered: a whole pass, beside the one that is remembered.
    ReadOnly,
}

/// Which pages are examined.
///
/// ```
/// assert_eq!(lsm_scrub::Scope::default(), lsm_scrub::Scope::Everything);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every page of every file.
    #[default]
    Everything,
    /// Pages that are suspected already, see [`Suspicion`](crate::Suspicion); not remembered.
    KnownDamage,
}

/// Where a patrol begins.
///
/// ```
/// assert_eq!(lsm_scrub::Start::default(), lsm_scrub::Start::Resume);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Where the last one was stopped; if it was not, with the file whose last clean pass is oldest.
    #[default]
    Resume,
    /// With the file whose last clean pass is oldest, whatever an unfinished pass has done.
    Over,
    /// With this file, or the next one by tree, kind and number; those before it come last.
    At(FileRef),
}

impl Default for PatrolOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl PatrolOptions {
    /// One worker, 64 MiB a second, 1 MiB a read, no pauses, everything, from where the last one stopped.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            parallelism: NonZeroUsize::MIN,
            bytes_per_sec: 64 << 20,
            read_pages: (1 << 20) / PAGE_LEN as u64,
            keep_pages: (64 << 20) / PAGE_LEN as u64,
            pause_between_files: Duration::ZERO,
            foreground_latency_max: None,
            access: Access::Healing,
            scope: Scope::Everything,
            start: Start::Resume,
            findings_max: 1000,
        }
    }

    /// How many files are examined at once; 0 counts as 1, the default. The crew must have the threads.
    #[must_use]
    pub const fn parallelism(mut self, workers: usize) -> Self {
        self.parallelism = match NonZeroUsize::new(workers) {
            Some(workers) => workers,
            None => NonZeroUsize::MIN,
        };
        self
    }

    /// How fast all workers read together; 0 is as fast as they can. By default 64 MiB a second, which is 5.5 TB
    /// a day. [`Control::set_bytes_per_sec`](crate::Control::set_bytes_per_sec) overrules it while a patrol goes.
    #[must_use]
    pub const fn bytes_per_sec(mut self, bytes: u64) -> Self {
        self.bytes_per_sec = bytes;
        self
    }

    /// How much is read in one go, rounded down to pages, at least one; by default 1 MiB. The rate is kept to
    /// within one such read of each worker.
    #[must_use]
    pub const fn read_bytes(mut self, bytes: u64) -> Self {
        self.read_pages = at_least_one(bytes / PAGE_LEN as u64);
        self
    }

    /// After how much of a file the place in it is remembered; by default 64 MiB. That much is read again at
    /// most after a kill, for each worker.
    #[must_use]
    pub const fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_pages = at_least_one(bytes / PAGE_LEN as u64);
        self
    }

    /// How long a worker rests after each file; by default not at all.
    #[must_use]
    pub const fn pause_between_files(mut self, pause: Duration) -> Self {
        self.pause_between_files = pause;
        self
    }

    /// Above which latency of the foreground workers step back, for longer each time; by default they do not
    /// look. They go on reading a little, so that a busy store is patrolled too.
    #[must_use]
    pub const fn foreground_latency_max(mut self, latency: Duration) -> Self {
        self.foreground_latency_max = Some(latency);
        self
    }

    /// Whether anything may come of it but the report; by default it may.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Which pages are examined; by default all.
    #[must_use]
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Where it begins; by default where the last one was stopped.
    #[must_use]
    pub const fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// How many findings a report lists; by default 1000. All of them are counted, told and logged.
    #[must_use]
    pub const fn findings_max(mut self, count: usize) -> Self {
        self.findings_max = count;
        self
    }

    /// Whether nothing may come of it but the report.
    ///
    /// ```
    /// use lsm_scrub::{Access, PatrolOptions};
    /// assert!(PatrolOptions::new().access(Access::ReadOnly).looks_only());
    /// ```
    #[must_use]
    pub const fn looks_only(&self) -> bool {
        matches!(self.access, Access::ReadOnly)
    }

    /// Whether this pass is the one that is remembered.
    pub(crate) fn is_remembered(&self) -> bool {
        self.access == Access::Healing && self.scope == Scope::Everything
    }
}

const fn at_least_one(pages: u64) -> u64 {
    if pages == 0 { 1 } else { pages }
}
