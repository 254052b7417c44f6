//! `inspect`: what is in the files of a store, for people.
//!
//! Each kind of file has a module that says it as text and as JSON; what reads the file is the store's own
//! code. Nothing is changed, and damage is told, not stumbled over.

mod manifest;
mod page;
mod segment;
mod table;
mod words;

use std::path::PathBuf;

use clap::Subcommand;
use resilver::Options;

use crate::{
    access::Store,
    failure::Failure,
    files::{Access, Regular},
    report::Report,
};

#[derive(Subcommand, Debug)]
pub(crate) enum What {
    /// Keyspaces with their tables, segments of the log, heal hints, and who the store is.
    Manifest,
    /// Descriptor, properties, blocks, and pages that are wrong.
    Table {
        /// A table's file.
        file: PathBuf,
    },
    /// Header, groups, and pages that are wrong in either extent of a segment of the log.
    Wal {
        /// A segment's file.
        file: PathBuf,
    },
    /// What a page is for, whether it is right, and its bytes as they are and should be.
    Page {
        /// A table, a snapshot, a segment of the log, or a manifest's edits.
        file: PathBuf,
        /// Which page of the file, from 0 on.
        page: u64,
    },
}

pub(crate) fn run(store: &Store, what: &What) -> Result<Report, Failure> {
    let options = Options::new();
    if let What::Table { file } | What::Wal { file } | What::Page { file, .. } = what {
        // A pipe would be waited for.
        Regular::open(file, Access::Read)?;
    }
    match what {
        What::Manifest => manifest::report(store.path()?, &options),
        What::Table { file } => table::report(file, &options),
        What::Wal { file } => segment::report(file, &options),
        What::Page { file, page } => page::report(file, *page, &options),
    }
}
