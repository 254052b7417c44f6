//! The laws of a manifest, tried on a disk in memory with files of a few pages.

mod beds;
mod crashes;
mod damages;
mod faults;
mod histories;
mod hook_fs;
mod round_trips;
