//! Repair: a store that cannot be opened, or has lost something, is made usable again; nobody has it open meanwhile.
//!
//! **Invariants**: a store that is whole is not touched. Nothing is removed: what does not count is kept in
//! quarantine. No older version is answered where a newer one may be lost, unless the caller gives the loss up or names
//! a checkpoint to fill it from. Every step can be cut short and started again.

mod log;
mod rebuilding;
mod report;

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_core::{Catalog, CatalogError, FileId, ManifestError, Recovered, parse_table};

use self::rebuilding::Rebuilding;
pub use self::report::{
    Filled, LogFate, LogPart, ManifestState, RepairOutcome, RepairReport, RepairedKeyspace, SetAside,
    WhyAside,
};
use crate::{
    AutoHeal, Background, Creation, Db, Error, FileKind, HealMode, Healing, LogLoss, LostKeys, Options,
    PageState, PatrolOptions, ScrubControl, Verified, verifying,
};

/// A repair of a store that nobody has open.
///
/// ```
/// use resilver::{Db, Options, Repair, RepairOutcome};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Db::open(&path)?;
/// db.put(b"key", b"value")?;
/// db.flush()?;
/// db.close()?;
/// for entry in std::fs::read_dir(&path)? {
///     let file = entry?.path();
///     if file.file_name().is_some_and(|name| name != "LOCK" && !name.to_string_lossy().ends_with(".table")) {
///         std::fs::remove_file(file)?; // the manifest, and the log
///     }
/// }
/// let report = Repair::new(&path, Options::new()).run()?;
/// assert_eq!((report.outcome, report.losses.len()), (RepairOutcome::Repaired, 0));
/// assert_eq!(Db::open(&path)?.get(b"key")?.as_deref(), Some(&b"value"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repair {
    path: PathBuf,
    options: Options,
    losses: Losses,
}

/// What becomes of what is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Losses {
    /// Reads fail there.
    Stay,
    /// It is given up.
    GoAway,
}

impl Repair {
    /// Of the store at `path`, opened with these options where it is opened.
    #[must_use]
    pub fn new(path: impl AsRef<Path>, options: Options) -> Self {
        Self { path: path.as_ref().into(), options, losses: Losses::Stay }
    }

    /// Gives up what is lost, in tables and in the log: reads there answer as if it had never been written.
    #[must_use]
    pub fn accept_loss(mut self) -> Self {
        self.losses = Losses::GoAway;
        self
    }

    /// Says what [`run`](Self::run) would do, and changes nothing.
    ///
    /// # Errors
    /// As `run`.
    pub fn plan(&self) -> Result<RepairReport, Error> {
        let _lock = verifying::lock(&self.path, &self.options)?;
        let mut report = RepairReport::default();
        match self.manifest()? {
            Ok(catalog) => {
                drop(_lock);
                let verified = verifying::verify(&self.path, &self.options, |_| {})?;
                report.healed_pages = verified.count(PageState::Correctable) as u64;
                report.log_losses = verified.log_losses.clone();
                report.losses = self.losses(&catalog, &verified)?;
                let is_work = report.healed_pages > 0 || self.losses == Losses::GoAway && report.is_loss();
                report.outcome = if is_work { RepairOutcome::Planned } else { RepairOutcome::Untouched };
            }
            Err(why) => {
                Rebuilding::survey(&self.path, &self.options, &why, &mut report)?;
                report.outcome = RepairOutcome::Planned;
            }
        }
        Ok(report)
    }

    /// Repairs the store. What cannot be brought back is in the report, and reads of it fail.
    ///
    /// # Errors
    /// [`Error::InUse`] if somebody has the store open, [`Error::NotAStore`] if there is nothing of one. If a later
    /// release wrote it, a comparator is missing among the options, or the disk refuses: then it can be run again.
    pub fn run(&self) -> Result<RepairReport, Error> {
        let mut report = RepairReport::default();
        {
            let _lock = verifying::lock(&self.path, &self.options)?;
            if let Err(why) = self.manifest()? {
                let rebuilding = Rebuilding::survey(&self.path, &self.options, &why, &mut report)?;
                drop(_lock);
                rebuilding.run(&self.path, &self.options)?;
                report.outcome = RepairOutcome::Repaired;
            }
        }
        let catalog = self.manifest()?.map_err(lsm_core::Error::from)?;
        let verified = verifying::verify(&self.path, &self.options, |_| {})?;
        report.log_losses = verified.log_losses.clone();
        report.losses = self.losses(&catalog, &verified)?;
        let is_log_refused = !report.log_losses.is_empty() && self.losses == Losses::Stay;
        let has_work = verified.count(PageState::Correctable) > 0
            || (self.losses == Losses::GoAway
                && (!report.losses.is_empty() || !report.log_losses.is_empty()));
        if has_work && !is_log_refused {
            self.mend(&mut report)?;
            report.outcome = RepairOutcome::Repaired;
        }
        Ok(report)
    }

    /// The catalog, or why there is none.
    fn manifest(&self) -> Result<Result<Arc<Catalog>, ManifestError>, Error> {
        let read = Recovered::read(&self.options.fs, &self.path, &self.options.orders);
        match read {
            Ok(recovered) => Ok(Ok(recovered.catalog().clone())),
            Err(
                why @ (ManifestError::EditLost { .. }
                | ManifestError::GenerationLost { .. }
                | ManifestError::Contradiction { .. }
                | ManifestError::Catalog(
                    CatalogError::NoTree { .. } | CatalogError::TreeTaken { .. } | CatalogError::Version(_),
                )),
            ) => Ok(Err(why)),
            Err(why @ (ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. })) => {
                if self.holds_anything()? {
                    Ok(Err(why))
                } else {
                    Err(Error::NotAStore { path: self.path.clone() })
                }
            }
            Err(error) => Err(lsm_core::Error::from(error).into()),
        }
    }

    /// Whether there are tables or segments of a log.
    fn holds_anything(&self) -> Result<bool, Error> {
        let listed = match self.options.fs.list(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            listed => listed?,
        };
        let mut names = listed.iter().map(|entry| Path::new(&entry.name));
        Ok(names.any(|name| parse_table(name).is_some() || lsm_wal::SegmentNo::of_file(name).is_some()))
    }

    /// What the tables that lost pages lost, by their keys; nothing is written.
    fn losses(&self, catalog: &Catalog, verified: &Verified) -> Result<Vec<LostKeys>, Error> {
        let lost =
            verified.bad.iter().filter(|bad| bad.state == PageState::Lost && bad.kind == FileKind::Table);
        let tables: BTreeSet<FileId> = lost.filter_map(|bad| parse_table(Path::new(&*bad.file))).collect();
        let mut named = catalog.trees.values().flat_map(|tree| tree.version.tables());
        if tables.is_empty() && !named.any(|(_, _, table)| table.losses > 0) {
            return Ok(Vec::new());
        }
        let options = self.options.clone().log_loss(LogLoss::Accept);
        let db = Db::open_read_only(&self.path, options)?;
        let losses = db.engine().losses_among(&tables)?;
        db.close()?;
        Ok(losses)
    }

    /// Heals what can be healed, and gives up what is to be given up.
    fn mend(&self, report: &mut RepairReport) -> Result<(), Error> {
        let log_loss = if self.losses == Losses::GoAway { LogLoss::Accept } else { LogLoss::Refuse };
        let options = self.options.clone().creation(Creation::Never).background(Background::Inline);
        let db = options.auto_heal(AutoHeal::On).log_loss(log_loss).open(&self.path)?;
        db.scrub(&PatrolOptions::new(), &ScrubControl::new())?;
        let healed = db.heal(HealMode::InPlace)?;
        report.healed_pages = healed.files.iter().map(|file| pages_healed(&file.healed.outcome)).sum();
        if self.losses == Losses::GoAway {
            for name in db.keyspaces() {
                match db.find_keyspace(&name)?.accept_loss(Bound::Unbounded, Bound::Unbounded) {
                    Ok(accepted) => report.accepted.extend(accepted),
                    Err(Error::NotLost { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        report.losses = db.losses()?;
        db.close()
    }
}

fn pages_healed(outcome: &Healing) -> u64 {
    match outcome {
        Healing::InPlace { pages } => *pages,
        Healing::Lost { healed, .. } => *healed,
        _ => 0,
    }
}
