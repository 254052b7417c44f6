//! The damaged files that are kept: which, how many, and letting them go.
//!
//! **Invariant**: none is removed before the ledger durably says so. What the store does never waits for it: a quarantine
//! that cannot be looked through is said to be so, and looked through later.

use std::path::PathBuf;

use lsm_core::FileId;

use crate::{Error, Event, EventKind, Outcome, engine::Engine, ledger::Take};

impl Engine {
    /// The damaged files that are kept.
    pub(crate) fn quarantined(&self) -> Result<Vec<PathBuf>, Error> {
        self.check_open()?;
        let tables = self.store.quarantined()?;
        Ok(tables.into_iter().map(|table| self.store.quarantined_path(table)).collect())
    }

    /// Lets all damaged files go that are kept.
    pub(crate) fn release_quarantined(&self) -> Result<usize, Error> {
        self.log()?;
        let mut released = 0;
        for table in self.store.quarantined()? {
            released += usize::from(self.release(table, "somebody asked for it")?);
        }
        Ok(released)
    }

    /// Lets the oldest damaged files go if too many bytes of them are kept. What cannot be done now is done later.
    ///
    /// Not to be called by what runs within a write, which may be the ledger's.
    pub(crate) fn trim_quarantine(&self) {
        // The ledger cannot be written while writers are held back.
        if self.log().is_err() || !self.pacer.is_free() {
            return;
        }
        if let Err(error) = self.try_trim_quarantine() {
            log::warn!("the quarantine could not be looked through: {}", error.to_told());
        }
    }

    fn try_trim_quarantine(&self) -> Result<(), Error> {
        let Some(kept) = self.store.newly_quarantined()? else { return Ok(()) };
        let mut bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
        for (table, len) in kept {
            if bytes <= self.options.quarantine_bytes {
                return Ok(());
            }
            let why = format!("{bytes} bytes were kept, and {} may be", self.options.quarantine_bytes);
            self.release(table, &why)?;
            bytes -= len;
        }
        Ok(())
    }

    /// Removes a file from quarantine, once that is on record.
    fn release(&self, table: FileId, why: &str) -> Result<bool, Error> {
        let event = Event::new(EventKind::Quarantine, Outcome::Released);
        self.record(event.of_file(lsm_core::table_name(table)).with_note(why));
        self.write_ledger(Take::All);
        self.sync()?;
        Ok(self.store.release_quarantined(table)?)
    }
}
