//! How long jobs run that make tables: below which number everything is settled.
//!
//! Invariant: a table below the [settled](Store::settled) number is named by the catalog that is read afterwards, or
//! will never be. For whoever makes tables holds a term from before the first of them got its number until the edit
//! that names them is recorded.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use parking_lot::Mutex;

use super::Store;
use crate::{FileId, pedigree::Living};

/// The jobs that run, by the first number that may be theirs. A leaf.
#[derive(Debug, Default)]
pub(super) struct Terms(Mutex<BTreeMap<FileId, usize>>);

/// One job's time.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub(super) struct Term<'a> {
    terms: &'a Terms,
    since: FileId,
}

impl Store {
    /// Begins the time of a job that makes tables.
    pub(super) fn begin_term(&self) -> Term<'_> {
        let mut running = self.terms.0.lock();
        let since = FileId::new(self.next_file.load(Ordering::Relaxed));
        *running.entry(since).or_default() += 1;
        Term { terms: &self.terms, since }
    }

    /// Every table with a lower number is named by now, or never will be.
    fn settled(&self) -> FileId {
        let running = self.terms.0.lock();
        let next = FileId::new(self.next_file.load(Ordering::Relaxed));
        running.first_key_value().map_or(next, |(since, _)| *since)
    }

    /// Which tables live, for those that are written now to tell.
    pub(super) fn living(&self) -> Living {
        // In this order: a job that ends in between has its tables in the catalog.
        let settled = self.settled();
        Living::of(&self.keeper.catalog(), settled)
    }
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        let mut running = self.terms.0.lock();
        if let Some(count) = running.get_mut(&self.since) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.since);
            }
        }
    }
}
