//! The tree: what a store holds, at one moment and from one to the next.
//!
//! * [`Store`]: trees over one manifest, one sequence and one cache, written to and read from.
//! * [`Version`], [`TableMeta`]: the tables of one tree, immutable; [`Edit`], [`Catalog`], [`Manifest`]: what
//!   changes them, and what lasts.
//! * [`Memtable`], [`Batch`]: what was written and is not in a table yet.
//! * [`CompactionStrategy`], [`CompactionJob`]: what to rewrite next, as a value. [`Crew`]: who helps with a large one.
//! * [`HealHints`], [`EccHealCompaction`]: what to heal next.
//! * [`DeletionPause`]: files that must not go yet.
//! * [`PressureLimits`]: how much writers are held back.
//! * [`Version`], [`TableMeta`]: the tables of one tree, immutable.
//! * [`Snapshots`], [`Snapshot`]: moments that stay readable while tables are merged.
//! * [`Catalog`], [`Edit`]: everything a store consists of, and one step from a catalog to the next.
//! * [`Manifest`], [`Recovered`]: what makes edits last, and finds the catalog again whatever happened.
//!
//! No thread is started here, no clock read, no number drawn: jobs are values that others run, and time and
//! randomness are arguments. What is written goes through `lsm-io`'s worker.
#![forbid(unsafe_code)]

extern crate alloc;

// Words.
mod bounds;
mod error;
mod ids;
mod key_span;
mod names;

// What a tree is made of.
mod batch;
mod memtable;
mod pedigree;
mod table_meta;
mod version;

// What lasts.
mod catalog;
mod edit;
mod manifest;

// Reading.
mod answer;
mod block_cache;
mod covers;
mod entry_cursor;
mod examiner;
mod iter;
mod loss;
mod loss_index;
mod mem_source;
mod merge_cursor;
mod pins;
mod read_view;
mod reader;
mod repair_source;
mod run_cursor;
mod table_cursor;
mod table_file;
mod tables;
mod watch;
mod witness;

// What to rewrite, what to heal, what must wait.
mod compaction;
mod deletion_pause;
mod heal;
mod heal_hints;
mod pressure;

// Merging: what outlives it, cut into tables, made durable.
mod acceptance;
mod crew;
mod flush;
mod job;
mod loss_markers;
mod merge_ranges;
mod output_cuts;
mod pieces;
mod retention;
mod snapshots;
mod spare_memory;
mod survivors;
mod sweep;
mod table_sink;

// Making a catalog anew of tables alone.
mod rebuild;

// All of it together.
mod publication;
mod store;
mod tree;

#[cfg(test)]
mod merge_model;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod vec_cursor;

pub use answer::Visible;
pub use batch::{BATCH_LEN_MAX, Batch, BatchError, BatchOp, BatchRefused, BatchView, OpKind};
pub use bounds::{KeyBounds, KeyEnd};
pub use catalog::{Catalog, CatalogError, KeyOrders, TreeState};
pub use compaction::{
    BusySet, Claim, CompactionJob, CompactionStrategy, JobInput, JobKind, Leveled, Major, OlderRun, Place,
    PlanContext, Reason, UnsoundJob,
};
pub use crew::{Alone, Crew};
pub use deletion_pause::{DeletionPause, PauseGuard};
pub use edit::{Change, Edit, SegmentRef};
pub use error::Error;
pub use examiner::Examiner;
pub use heal::EccHealCompaction;
pub use heal_hints::{HealHint, HealHints, HintCause, HintClaim, Recorded};
pub use ids::{FileId, Level, RunNo, TreeId};
pub use key_span::clip_range;
pub use manifest::{
    FieldError, Generation, Manifest, ManifestError, ManifestFault, ManifestFile, ManifestFinding, Recovered,
    examine_manifest, is_manifest_file, measure_manifest,
};
pub use memtable::Memtable;
pub use names::{parse_table, table_name};
pub use pressure::{Debt, Pressure, PressureLimits};
pub use publication::Publication;
pub use rebuild::{GoneFiles, LogSeen, Rebuild, RebuildGround, SeenTable, TableFate, is_outdated};
pub use repair_source::RepairSource;
pub use snapshots::{LiveSnapshots, Snapshot, Snapshots};
pub use store::{
    AcceptStep, Accepting, Backlog, Checkpoint, Checkpointed, Compacted, Compaction, Copying, Fill,
    FillRange, FlushJob, Flushed, Healed, Healing, Keeper, KeyIter, KeyRange, KeyValue, KnownLoss,
    LevelStats, Pass, Store, StoreOptions, StoreStats, StoredTable, TreeStats,
};
pub use survivors::Tally;
pub use sweep::Soundness;
pub use table_meta::TableMeta;
pub use version::{Run, TableChange, Version, VersionError};
pub use witness::{NoWitness, Proof, Sighting, Witness};
