//! The only door between a store and its disk.
//!
//! * [`Fs`] and [`File`] name what a store asks of a file system, no more. [`StdFs`] is the real one;
//!   [`MemFs`] knows what a power cut would leave; [`FaultFs`] breaks any other by a seeded plan;
//!   [`CountingFs`] counts.
//! * [`File::read_medium_at`] reads the medium instead of the page cache and says how it got there.
//! * [`EpochWorker`] makes bytes durable: many small jobs share one write round and one sync, and each is
//!   told exactly what became of it.
//!
//! **Invariant**: nothing is reported durable unless a sync that began after its last byte was written
//! returned success, and no later sync of a file is believed once one has failed.
//!
//! Blocks, keys and error correction are unknown here.
//!
//! ```
//! use std::{path::Path, sync::Arc};
//! use lsm_io::{Crash, Epoch, EpochWorker, FileOffset, Fs, Lane, Limits, MemFs, Target};
//!
//! let fs = Arc::new(MemFs::new());
//! let worker = EpochWorker::start(Limits::default())?;
//! let log = Target::create(fs.clone(), Path::new("/log"))?;
//! worker.commit(Lane::Log, Epoch::new().write(&log, FileOffset::ZERO, b"hello".to_vec()))?;
//!
//! let after_power_cut = fs.crash(Crash::LoseUnsynced);
//! let file = after_power_cut.open(Path::new("/log"), lsm_io::Access::ReadOnly)?;
//! assert_eq!(file.read_to_vec(FileOffset::ZERO, 5)?, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod fs;
mod offset;
mod op;
mod rng;

mod aligned;
mod std_fs;

mod counting_fs;
mod fault_fs;
mod mem_fs;

mod backlog;
mod debts;
mod epoch;
mod executor;
mod planner;
mod queue;
mod report;
mod target;
mod turn;
mod worker;

pub use backlog::Backlog;
pub use counting_fs::{CountingFs, Tally};
pub use epoch::{Deletion, Durability, Epoch, EpochSeq, Image, Recycler, TurnId, Write};
pub use error::IoError;
pub use fault_fs::{Damage, Fate, FaultFs, FaultPlan, Lasts, Mishap, Ops, Reach, Rot, Traced, Trigger};
pub use fs::{Access, Copied, DirEntry, EntryKind, File, Fs, LockGuard, MediumRead, Route};
pub use mem_fs::{Crash, MemFs, Piece};
pub use offset::{ByteLen, FileOffset};
pub use op::Op;
pub use planner::Limits;
pub use queue::Ticket;
pub use report::{Cause, Count, Done, Failed};
pub use rng::Rng;
pub use std_fs::StdFs;
pub use target::{Standing, Target};
pub use worker::{EpochWorker, Lane, Refused};
