//! Resilver: an embedded key-value store that gives back the right bytes after the medium has not.
//!
//! ```
//! use resilver::Db;
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("store");
//! let db = Db::open(&path)?;
//! db.put(b"key", b"value")?;
//! assert_eq!(db.get(b"key")?.as_deref(), Some(&b"value"[..]));
//! db.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * [`Db`], [`Keyspace`], [`WriteBatch`], [`Snapshot`], [`Scan`]: what is in a store, and how it changes.
//! * [`Options`]: how it is opened; everything is automatic unless said otherwise.
//! * [`Error`]: damage, a disk that refuses, or misuse; each message says what to do.
//!
//! The layers below can be used alone: `page_ecc`, `sst_format`, `lsm_io`, `lsm_wal`, `lsm_core`.
#![forbid(unsafe_code)]

// What a user holds.
mod batch;
mod db;
mod error;
mod health;
pub mod inspect;
mod keyspace;
mod ledger;
mod meter;
mod options;
mod repair;
mod scan;
mod snapshot;
mod verified;
mod verifying;

// What is behind it.
mod background;
mod crew;
mod engine;
mod healing;
mod journal;
mod latency;
mod losing;
mod opening;
mod pacing;
mod quarantine;
mod replay;
mod scrubbing;
mod segments;
mod system;

pub use batch::WriteBatch;
pub use db::{Db, Stats};
pub use error::{Error, Loss};
pub use healing::{AutoHeal, HealGate, HealMode, HealReport, HealedFile};
pub use health::{Health, Margin, Reason, Trend, Verdict};
pub use keyspace::Keyspace;
pub use ledger::{Event, EventKind, Ledger, LedgerDamage, Listener, NoListener, Outcome, Tally};
pub use losing::LostKeys;
pub use lsm_core::{
    CompactionStrategy, FileId, HealHint, Healed, Healing, HintCause, LevelStats, Leveled, Major, NoWitness,
    Proof, RepairSource, Sighting, StoreStats, TableFate, TreeId, TreeStats, Witness,
};
pub use lsm_scrub::{
    Access as ScrubAccess, Action as ScrubAction, Control as ScrubControl, End as ScrubEnd, Finding, Found,
    PatrolOptions, Progress as ScrubProgress, Report as ScrubReport, Scope as ScrubScope, Severity,
    Start as ScrubStart, Trouble,
};
pub use meter::Meter;
pub use options::{Background, Creation, Durability, LogLoss, Options};
pub use page_ecc::{Evidence, Geometry, Page, PageNo, PageRanges, Region, Rung, Scheme, Uid, Unreadable};
pub use repair::{
    Filled, LogFate, LogPart, ManifestState, Renamed, Repair, RepairOutcome, RepairReport, RepairedKeyspace,
    SetAside, WhyAside, WhyRebuilt,
};
pub use scan::{Items, Scan};
pub use scrubbing::ScrubStatus;
pub use snapshot::Snapshot;
pub use sst_format::{Codec, Comparator, FalsePositiveRate, FilterPolicy, KeyOrder, ZstdLevel};
pub use verified::{BadPage, FileKind, PageState, Progress, SeenFile, Verified};
pub use verifying::verify;
