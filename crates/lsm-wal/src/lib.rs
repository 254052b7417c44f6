//! A write-ahead log that never ends in silence.
//!
//! * [`Log`] numbers groups of opaque bytes without a gap and makes them as durable as each asks for, many
//!   threads' in one write and one sync. [`Registry`] is told of each segment as it comes into use.
//! * A segment file holds every durable byte in two extents; each page proves itself. Frames state what was
//!   durable before them, so what is missing later is a [`Loss`] with its numbers, never a shorter history.
//! * After a failed write or sync another segment takes over: its header says how much of the old one counts.
//! * [`Recovery`] reads segments in any state, replays them, and opens a log that goes on behind them.
//! * [`examine`] finds the wrong pages of a segment and what puts them right; [`inspect`] tells what a
//!   segment file holds; [`SegmentLog`] is a log used alone.
//!
//! **Invariant**: whatever was acknowledged at its durability is replayed, whole and in order, or named as lost;
//! nothing else is, except the last groups whose caller never heard.
//!
//! What the bytes mean, when to trim and when to sync are others' decisions.
//!
//! ```
//! use std::sync::Arc;
//! use lsm_io::{EpochWorker, Limits, MemFs};
//! use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, Replayed, Uid, Whereabouts};
//!
//! let store = Uid::new([7; 16]); // 128 random bits
//! let at = Whereabouts::new(Arc::new(MemFs::new()), "/", store);
//! let worker = Arc::new(EpochWorker::start(Limits::default())?);
//! let registry = Arc::new(DirectoryOnly::new(store));
//!
//! let log = Recovery::scan_dir(at.clone())?.open(worker.clone(), registry.clone(), LogOptions::default())?;
//! log.append(&b"set a=1, b=2"[..], 2, Durability::Synced)?;
//! log.append(&b"set c=3"[..], 1, Durability::Buffered)?;
//! log.close()?;
//!
//! let recovery = Recovery::scan_dir(at)?;
//! let mut numbers = Vec::new();
//! recovery.replay(|what, _| match what {
//!     Replayed::Changes { seqs, .. } => Ok(numbers.push(seqs.to_string())),
//!     Replayed::Lost(loss) => Err(loss.to_string()),
//! })?;
//! assert_eq!(numbers, ["1-2", "3"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

// The formats.
mod frame;
mod header;
mod piece;
mod segment;
mod seq;

// Writing.
mod depot;
mod error;
mod log;
mod options;
mod queue;
mod registry;
mod slot;
mod tail;

// Reading.
mod chain;
mod findings;
mod merge;
mod recovery;
mod source;
mod survey;
mod walk;

// Looking after one, and using one alone.
mod examine;
mod inspect;
mod segment_log;

pub use segment_log::{SegmentLog, SegmentLogError};

pub use self::log::{Log, Pending};
pub use error::{Fault, LogError, RegistryError};
pub use examine::{Flaw, Patch, examine};
pub use findings::{Finding, Loss};
pub use inspect::{Held, InspectError, Inspected, InspectedPage, StatedHeader, inspect, inspect_page};
pub use options::{Durability, LogOptions};
pub use page_ecc::Uid;
pub use recovery::{Progress, Recovery, RecoveryError, Replayed, Whereabouts};
pub use registry::{DirectoryOnly, Registry};
pub use segment::{EXTENT_PAGES_MIN, Extent, SegmentNo, SegmentRecord};
pub use seq::{SeqNo, Seqs};
