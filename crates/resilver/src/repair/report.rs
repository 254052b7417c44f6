//! What a repair found, did, and could not do.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use lsm_core::{CatalogError, ManifestError, TableFate};

use crate::LostKeys;

/// What a repair found, did, and could not do; of a dry run, what one would do.
///
/// See [`Repair`](crate::Repair).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RepairReport {
    /// What it came to.
    pub outcome: RepairOutcome,
    /// How the manifest was.
    pub manifest: ManifestState,
    /// What the store holds, if its manifest was made anew.
    pub keyspaces: Vec<RepairedKeyspace>,
    /// Files that bore the names of others and get their own back; what stood in the way gets one that was free.
    pub renamed: Vec<Renamed>,
    /// Files that are kept in quarantine from now on.
    pub set_aside: Vec<SetAside>,
    /// The segments of the log, if the manifest was made anew; and those of other stores.
    pub log: Vec<LogPart>,
    /// Acknowledged writes that the log lost.
    pub log_losses: Vec<lsm_wal::Loss>,
    /// Pages that were put right.
    pub healed_pages: u64,
    /// Tables that were gone and came back from the checkpoint whole.
    pub restored: Vec<Arc<str>>,
    /// Key ranges that the checkpoint filled.
    pub filled: Vec<Filled>,
    /// What is lost, and answered with an error.
    pub losses: Vec<LostKeys>,
    /// What was given up.
    pub accepted: Vec<LostKeys>,
}

/// What a repair came to.
///
/// ```
/// assert_eq!(resilver::RepairOutcome::default(), resilver::RepairOutcome::Untouched);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepairOutcome {
    /// There was nothing to do, and not a byte was changed.
    #[default]
    Untouched,
    /// It was a dry run, and there is something to do.
    Planned,
    /// The store was repaired, as far as that goes.
    Repaired,
}

/// How the manifest was.
///
/// ```
/// assert_eq!(resilver::ManifestState::default(), resilver::ManifestState::Sound);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ManifestState {
    /// It says everything.
    #[default]
    Sound,
    /// It could not be used, and is made anew of the tables.
    Rebuilt {
        /// Why it could not.
        why: WhyRebuilt,
    },
}

/// Why a manifest cannot be used and is made anew.
///
/// ```
/// assert_eq!(resilver::WhyRebuilt::Missing.to_string(), "there is none");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyRebuilt {
    /// There is none.
    Missing,
    /// One was begun, and nothing was ever recorded in it.
    Unfinished,
    /// It can be read, and is older than the tables.
    Outdated,
    /// An edit that was durable cannot be read from either copy.
    EditLost {
        /// Which.
        number: u64,
    },
    /// Too little is left of its last two generations.
    GenerationLost,
    /// What it says contradicts itself.
    Contradiction {
        /// What does not fit the rest.
        field: &'static str,
    },
    /// An edit does not fit those before it.
    Misfit,
}

impl WhyRebuilt {
    /// Why a manifest is made anew that cannot be used for this reason; none if that would not do.
    pub(super) const fn of(why: &ManifestError) -> Option<Self> {
        Some(match why {
            ManifestError::NotAStore { .. } => Self::Missing,
            ManifestError::Unfinished { .. } => Self::Unfinished,
            ManifestError::EditLost { number, .. } => Self::EditLost { number: *number },
            ManifestError::GenerationLost { .. } => Self::GenerationLost,
            ManifestError::Contradiction { field, .. } => Self::Contradiction { field },
            ManifestError::Catalog(
                CatalogError::NoTree { .. } | CatalogError::TreeTaken { .. } | CatalogError::Version(_),
            ) => Self::Misfit,
            _ => return None,
        })
    }
}

/// A keyspace as a rebuilt manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedKeyspace {
    /// Its name.
    pub name: Arc<str>,
    /// Whether the name was made up, since nothing tells the right one.
    pub is_made_up: bool,
    /// How many tables it has.
    pub tables: usize,
    /// How many entries they have.
    pub entries: u64,
    /// Everything of it up to this sequence number is in its tables.
    pub flushed: u64,
}

/// A file that gets another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The one it had.
    pub from: Arc<str>,
    /// The one it gets.
    pub to: Arc<str>,
}

/// A file that is kept in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its name in the store's directory.
    pub file: Arc<str>,
    /// Why it does not count.
    pub why: WhyAside,
}

/// Why a file does not count.
///
/// ```
/// use resilver::{TableFate, WhyAside};
/// assert!(WhyAside::Table(TableFate::Replaced).to_string().starts_with("others took its place"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WhyAside {
    /// It bears the name of a table, and none that lives: this is what became of it.
    Table(TableFate),
    /// It is of the manifest that could not be used.
    OldManifest,
    /// It is of a log, and everything in it is in tables, or it is of another store.
    Log,
}

/// A segment of a log beside the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Its name in the store's directory.
    pub file: Arc<str>,
    /// What becomes of it.
    pub fate: LogFate,
    /// The sequence numbers in it, the first and the one behind the last.
    pub numbers: Option<(u64, u64)>,
}

/// What becomes of a segment of a log.
///
/// ```
/// assert_ne!(resilver::LogFate::Replayed, resilver::LogFate::Foreign);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFate {
    /// It is of this store, and read by the next open.
    Replayed,
    /// Everything in it is in tables.
    Spent,
    /// It is of another store: its numbers would have to be replayed there.
    Foreign,
    /// It was made ahead and never used.
    Unused,
    /// Nothing tells what is in it.
    Unreadable,
}

/// A key range that was lost and filled from the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The keyspace.
    pub keyspace: Arc<str>,
    /// From which key.
    pub lower: Bound<Bytes>,
    /// To which key.
    pub upper: Bound<Bytes>,
    /// How many keys came back.
    pub keys: u64,
    /// The range is as of this sequence number.
    pub as_of: u64,
    /// Writes up to this one were lost in it; what came behind `as_of` is not there.
    pub lost_upto: u64,
}

impl Filled {
    /// Whether writes that came after the checkpoint are lost in the range.
    #[must_use]
    pub const fn is_older(&self) -> bool {
        self.lost_upto > self.as_of
    }
}

impl RepairReport {
    /// Whether acknowledged writes are lost, given up or replaced by older ones.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        let are_lost = !self.losses.is_empty() || !self.log_losses.is_empty() || !self.accepted.is_empty();
        are_lost || self.filled.iter().any(Filled::is_older)
    }
}

impl std::fmt::Display for WhyRebuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Unfinished => f.write_str("one was begun, and nothing was ever recorded in it"),
            Self::Outdated => f.write_str(
                "it is older than they are: what it names is gone, and newer ones tell that they took its place",
            ),
            Self::EditLost { number } => write!(f, "edit {number} of it is lost in both copies"),
            Self::GenerationLost => f.write_str("too little is left of its last two generations"),
            Self::Contradiction { field } => write!(f, "it contradicts itself in its {field}"),
            Self::Misfit => f.write_str("an edit of it does not fit those before"),
        }
    }
}

impl std::fmt::Display for WhyAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(fate) => fate.fmt(f),
            Self::OldManifest => f.write_str("it is of the manifest that could not be used"),
            Self::Log => f.write_str("nothing in it is needed, or it is of another store"),
        }
    }
}
