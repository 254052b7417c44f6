//! What the judges share: a plain model of a store, histories to run on both, and how to compare them.
#![forbid(unsafe_code)]

// What is done, and what must come of it.
mod history;
mod ledger;
mod model;
mod setup;

// What it is done to, and under whose eyes.
pub mod budget;
mod subject;
mod watchdog;
mod watched_fs;

pub use history::{Action, Counts, History, KEYSPACES, Value, Walk, Write, WriteKind, changes, history};
pub use ledger::{End, Ledger};
pub use model::{Contents, Keys, Life, Model, Spaces};
pub use setup::{Setup, setup};
pub use subject::{Dump, NAMES, Subject, dump_of};
pub use watchdog::Watchdog;
pub use watched_fs::{Change, Watch, WatchedFs};
