//! Everything of a tree, or of a range of it, as one run.

use std::ops::Bound;

use bytes::Bytes;
use sst_format::KeyOrder;

use super::{CompactionJob, CompactionStrategy, JobInput, Place, PlanContext, Reason, job::hull};
use crate::{FileId, KeyBounds, Level, Run, RunNo, TableMeta, Version};

/// Merges what was there when it was asked for into the last used level, leaving out what no reader can see.
///
/// One job does it, and needs room for its outputs beside its inputs; a range asks for less at a time.
///
/// ```
/// use lsm_core::{FileId, Major, Version};
/// use sst_format::KeyOrder;
/// // `upto`: the catalog's next file.
/// let major = Major::new(FileId::new(100)).output_bytes(64 << 20);
/// assert!(major.is_done(&KeyOrder::Bytes, &Version::default()));
/// ```
#[derive(Clone, Debug)]
pub struct Major {
    upto: FileId,
    lower: Bound<Bytes>,
    upper: Bound<Bytes>,
    output_bytes: u64,
}

impl Major {
    /// Of the tables whose numbers come before `upto`: what it writes itself is not taken again.
    #[must_use]
    pub const fn new(upto: FileId) -> Self {
        Self { upto, lower: Bound::Unbounded, upper: Bound::Unbounded, output_bytes: 64 << 20 }
    }

    /// Only of tables with keys in this range.
    #[must_use]
    pub fn range(mut self, lower: Bound<Bytes>, upper: Bound<Bytes>) -> Self {
        (self.lower, self.upper) = (lower, upper);
        self
    }

    /// Bytes of a table.
    #[must_use]
    pub const fn output_bytes(mut self, bytes: u64) -> Self {
        self.output_bytes = bytes;
        self
    }

    /// Whether every table it was asked to merge is merged; if not, and it names no job, another is in the
    /// way.
    #[must_use]
    pub fn is_done(&self, order: &KeyOrder, version: &Version) -> bool {
        !version.tables().any(|(_, _, table)| self.is_meant(order, table))
    }

    fn is_meant(&self, order: &KeyOrder, table: &TableMeta) -> bool {
        let (lower, upper) =
            (self.lower.as_ref().map(|key| &key[..]), self.upper.as_ref().map(|key| &key[..]));
        table.id < self.upto && table.bounds.meet(order, lower, upper)
    }
}

impl CompactionStrategy for Major {
    fn name(&self) -> &'static str {
        "Major"
    }

    fn choose(&self, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob> {
        let meant: Vec<_> =
            version.tables().filter(|(_, _, table)| self.is_meant(context.order, table)).collect();
        let bounds = hull(context.order, meant.iter().map(|(_, _, table)| *table))?;
        let inputs = closure(version, context.order, bounds);
        let level = Level::all()
            .skip(1)
            .filter(|level| !version.runs(*level).is_empty())
            .last()
            .unwrap_or(Level::LAST);
        let run = version.runs(level).first().map_or(RunNo::new(0), Run::no);
        let job = CompactionJob::new(version, context, inputs, Place { level, run }, Reason::Asked)
            .with_outputs(self.output_bytes, u64::MAX);
        context.busy.admits(context.order, &job).then_some(job)
    }
}

/// Every table within the bounds, and within the wider bounds of those, and so on.
fn closure(version: &Version, order: &KeyOrder, mut bounds: KeyBounds) -> Vec<JobInput> {
    let mut count = 0;
    // Each turn takes at least one table more, or is the last.
    loop {
        let runs = version.all_runs().map(|(level, run)| (Place { level, run: run.no() }, run));
        let inputs = runs.flat_map(|(place, run)| {
            run.overlapped(order, &bounds).iter().map(move |table| JobInput::new(place, table))
        });
        let inputs: Vec<_> = inputs.collect();
        if inputs.len() == count {
            return inputs;
        }
        count = inputs.len();
        let wider = hull(order, inputs.iter().map(|input| &input.table));
        bounds = wider.map_or_else(|| bounds.clone(), |wider| bounds.union(order, &wider));
    }
}
