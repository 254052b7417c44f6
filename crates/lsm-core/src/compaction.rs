//! What a tree should rewrite next: plans as values.
//!
//! * [`CompactionStrategy`]: looks at a version, names one job or none. It reads nothing and changes nothing.
//! * [`CompactionJob`]: which tables become which run, and what may be left out on the way.
//! * [`BusySet`]: what running jobs hold, so that no two get into each other's way.
//! * [`Leveled`], [`Major`]: the strategies; healing's stands in `heal`.
//!
//! Invariant: a job that [`CompactionJob::prove`] accepts keeps every version of a key above the older ones,
//! whatever other claimed jobs do meanwhile. It relies on flushed runs joining level 0 in the order of their
//! numbers. How a job is run, and how its outputs are made durable, is left to others.

mod busy;
mod job;
mod leveled;
mod major;
mod soundness;

use sst_format::KeyOrder;

pub use self::busy::{BusySet, Claim};
pub use self::job::{CompactionJob, JobInput, JobKind, OlderRun, Place, Reason};
pub use self::leveled::Leveled;
pub use self::major::Major;
pub use self::soundness::UnsoundJob;
use crate::{TreeId, Version};

/// Decides what a tree should rewrite next.
///
/// Called again after each job it named, until it names none: it must come to an end on a store that nobody
/// writes to.
///
/// ```
/// use lsm_core::{CompactionJob, CompactionStrategy, PlanContext, Version};
///
/// #[derive(Debug)]
/// struct Never;
///
/// impl CompactionStrategy for Never {
///     fn name(&self) -> &'static str {
///         "Never"
///     }
///
///     fn choose(&self, _: &Version, _: &PlanContext<'_>) -> Option<CompactionJob> {
///         None
///     }
/// }
/// assert_eq!(Never.name(), "Never");
/// ```
pub trait CompactionStrategy: std::fmt::Debug + Send + Sync {
    /// What logs and statistics call it.
    fn name(&self) -> &'static str;

    /// The job to run next, if there is one that no running job stands in the way of.
    fn choose(&self, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob>;
}

/// What a strategy knows beside the version.
///
/// ```
/// use lsm_core::{BusySet, CompactionStrategy, Leveled, PlanContext, TreeId, Version};
/// use sst_format::KeyOrder;
/// let busy = BusySet::default();
/// let context = PlanContext { tree: TreeId::new(1), order: &KeyOrder::Bytes, busy: &busy };
/// assert!(Leveled::new().choose(&Version::default(), &context).is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PlanContext<'a> {
    /// The tree whose version it is.
    pub tree: TreeId,
    /// The order of its keys.
    pub order: &'a KeyOrder,
    /// What running jobs hold.
    pub busy: &'a BusySet,
}
