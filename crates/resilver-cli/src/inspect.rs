//! `inspect`: what is in the files of a store, for people.
//!
//! Each kind of file has a module that says it as text and as JSON; what reads the file is the store's own
//! code. Nothing is changed, and damage is told, not stumbled over.

mod manifest;
mod words;

use clap::Subcommand;
use resilver::Options;

use crate::{access::Store, failure::Failure, report::Report};

#[derive(Subcommand, Debug)]
pub(crate) enum What {
    /// Keyspaces with their tables, segments of the log, heal hints, and who the store is.
    Manifest,
}

pub(crate) fn run(store: &Store, what: &What) -> Result<Report, Failure> {
    let options = Options::new();
    match what {
        What::Manifest => manifest::report(store.path()?, &options),
    }
}
