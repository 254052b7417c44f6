//! The store's statistics, told one by one to whoever measures.
//!
//! **Invariant**: names and labels are fixed words and names of keyspaces; what is told at one call is of one moment
//! as near as no lock over all of it makes it.

use page_ecc::Evidence;

use crate::{Db, Error, FileKind, Margin};

/// Is told every statistic of a store: for a metrics library, or a page that one scrapes.
///
/// ```
/// use resilver::{Db, Meter};
/// struct Print;
/// impl Meter for Print {
///     fn gauge(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
///         println!("{name} {labels:?} {value}");
///     }
/// }
/// # let dir = tempfile::tempdir()?;
/// let db = Db::open(dir.path().join("store"))?;
/// db.measure(&mut Print)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Meter {
    /// Something that only grows while the store is open.
    fn counter(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        let _ = (name, labels, value);
    }

    /// Something that grows and shrinks.
    fn gauge(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        let _ = (name, labels, value);
    }
}

/// Is told and forgets.
impl Meter for () {}

impl Db {
    /// Tells every statistic to a meter, on this thread and with no lock held.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn measure(&self, meter: &mut dyn Meter) -> Result<(), Error> {
        let (stats, health) = (self.stats(), self.health_at_a_glance()?);
        let ledger = self.ledger()?;
        meter.gauge("resilver_health", &[("verdict", health.verdict.name())], health.verdict as u64);
        meter.gauge("resilver_newest_seq", &[], stats.newest_seq);
        meter.gauge("resilver_log_bytes", &[], stats.log_bytes);
        meter.gauge("resilver_log_segments", &[], stats.log_segments);
        meter.gauge("resilver_cached_bytes", &[], stats.tables.cached_bytes);
        meter.gauge("resilver_open_files", &[], stats.tables.open_files);
        meter.gauge("resilver_files_to_heal", &[], stats.tables.hints);
        let Evidence { transient, corrected, bits, copied, rebuilt, supplied, lost } = stats.tables.repairs;
        for (rung, pages) in [
            ("transient", transient),
            ("corrected", corrected),
            ("copied", copied),
            ("rebuilt", rebuilt),
            ("supplied", supplied),
            ("lost", lost),
        ] {
            meter.counter("resilver_repaired_pages_total", &[("rung", rung)], pages);
        }
        meter.counter("resilver_repaired_bits_total", &[], bits);
        meter.gauge("resilver_ledger_events", &[], ledger.events.len() as u64);
        meter.counter("resilver_ledger_dropped_total", &[], ledger.dropped.events);
        meter.gauge("resilver_wrong_pages_last_week", &[], health.trend.last_week);
        let tables = health.margins.iter().filter(|margin| margin.kind == FileKind::Table);
        if let Some(Margin { left, .. }) = tables.min_by_key(|margin| margin.left) {
            meter.gauge("resilver_margin_pages_min", &[], u64::from(*left));
        }
        for keyspace in &stats.tables.keyspaces {
            let of = ("keyspace", &*keyspace.name);
            meter.gauge("resilver_memtable_bytes", &[of], keyspace.memtable_bytes);
            for (level, held) in keyspace.levels.iter().enumerate().filter(|(_, held)| held.tables > 0) {
                let level = level.to_string();
                let labels = [of, ("level", level.as_str())];
                meter.gauge("resilver_tables", &labels, held.tables);
                meter.gauge("resilver_entries", &labels, held.entries);
                meter.gauge("resilver_body_bytes", &labels, held.body_bytes);
                meter.gauge("resilver_file_bytes", &labels, held.file_bytes);
                meter.gauge("resilver_lost_ranges", &labels, held.losses);
            }
        }
        Ok(())
    }
}
