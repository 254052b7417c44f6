//! Repair: a store that cannot be opened, or has lost something, is made usable again; nobody has it open meanwhile.
//!
//! **Invariants**: a store that is whole is not touched. Nothing is removed: what does not count is kept in
//! quarantine. No older version is answered where a newer one may be lost, unless the caller gives the loss up or names
//! a checkpoint to fill it from. Every step can be cut short and started again.

mod log;
mod names;
mod rebuilding;
mod report;
mod source;

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lsm_core::{
    Catalog, FileId, FillRange, GoneFiles, ManifestError, Recovered, is_outdated, parse_table, table_name,
};
use lsm_io::Access;
use lsm_wal::SegmentNo;

pub use self::report::{
    Filled, LogFate, LogPart, ManifestState, Renamed, RepairOutcome, RepairReport, RepairedKeyspace,
    SetAside, WhyAside, WhyRebuilt,
};
use self::{
    rebuilding::Rebuilding,
    source::{CheckpointSource, Ranges, as_slice},
};
use crate::{
    AutoHeal, Background, Creation, Db, Error, FileKind, HealMode, Healing, LogLoss, LostKeys, Options,
    PageState, PatrolOptions, Progress, ScrubControl, ScrubProgress, Verified, opening::lock, verifying,
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
    from: Option<PathBuf>,
}

/// How often a store is opened to put right what is still wrong with it.
const MENDS_MAX: u32 = 3;

/// How often a scrub is asked how far it is.
const TICK: Duration = Duration::from_millis(5);

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
        Self { path: path.as_ref().into(), options, losses: Losses::Stay, from: None }
    }

    /// Gives up what is lost, in tables and in the log: reads there answer as if it had never been written.
    #[must_use]
    pub fn accept_loss(mut self) -> Self {
        self.losses = Losses::GoAway;
        self
    }

    /// Brings back what is lost from a checkpoint of this store: pages of the same files, files that are gone, and of
    /// key ranges that are lost what the checkpoint has of them, which the report calls older where writes came later.
    #[must_use]
    pub fn from_checkpoint(mut self, path: impl AsRef<Path>) -> Self {
        self.from = Some(path.as_ref().into());
        self
    }

    /// Says what [`run`](Self::run) would do, and changes nothing.
    ///
    /// # Errors
    /// As `run`.
    pub fn plan(&self) -> Result<RepairReport, Error> {
        self.plan_watched(|_| {})
    }

    /// As [`plan`](Self::plan), and says how far it is in each pass over the store.
    ///
    /// # Errors
    /// As `run`.
    pub fn plan_watched(&self, mut watch: impl FnMut(Progress)) -> Result<RepairReport, Error> {
        let (source, options) = self.source()?;
        let manifest = self.manifest()?;
        let lock = verifying::lock(&self.path, &options)?;
        let mut report = RepairReport::default();
        match manifest {
            Ok(catalog) => {
                drop(lock);
                self.check_source(source.as_deref(), &catalog)?;
                let verified = verifying::verify(&self.path, &options, &mut watch)?;
                report.healed_pages = verified.count(PageState::Correctable);
                report.log_losses = verified.log_losses.clone();
                report.losses = self.losses(&catalog, &verified)?;
                report.outcome = match self.has_work(&verified, &report) {
                    true => RepairOutcome::Planned,
                    false => RepairOutcome::Untouched,
                };
            }
            Err(why) => {
                let rebuilding = Rebuilding::survey(&self.path, &options, why, &mut report, &mut watch)?;
                self.check_source(source.as_deref(), rebuilding.catalog())?;
                report.outcome = RepairOutcome::Planned;
            }
        }
        Ok(report)
    }

    /// Repairs the store. What cannot be brought back is in the report, and reads of it fail.
    ///
    /// # Errors
    /// [`Error::InUse`] if somebody has the store open, [`Error::NotAStore`] if there is nothing of one,
    /// [`Error::ForeignCheckpoint`] if it is to be repaired from a copy of another store. If a later release wrote it,
    /// a comparator is missing among the options, or the disk refuses: then it can be run again.
    pub fn run(&self) -> Result<RepairReport, Error> {
        self.run_watched(|_| {})
    }

    /// As [`run`](Self::run), and says how far it is in each pass over the store: there may be some, and each begins
    /// from nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("store");
    /// let db = resilver::Db::open(&path)?;
    /// db.put(b"key", b"value")?;
    /// db.flush()?;
    /// db.close()?;
    /// let mut seen = resilver::Progress::default();
    /// resilver::Repair::new(&path, resilver::Options::new()).run_watched(|progress| seen = progress)?;
    /// assert!(seen.bytes_total > 0 && seen.bytes_done == seen.bytes_total);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As `run`.
    pub fn run_watched(&self, mut watch: impl FnMut(Progress)) -> Result<RepairReport, Error> {
        let (source, options) = self.source()?;
        let mut report = RepairReport::default();
        self.manifest()?.ok();
        let held = lock(&self.path, &options)?;
        // Somebody may have had it open until now: only what is read under the lock counts.
        let catalog = match self.manifest()? {
            Ok(catalog) => {
                self.check_source(source.as_deref(), &catalog)?;
                catalog
            }
            Err(why) => {
                let rebuilding = Rebuilding::survey(&self.path, &options, why, &mut report, &mut watch)?;
                self.check_source(source.as_deref(), rebuilding.catalog())?;
                rebuilding.run(&self.path, &options)?;
                report.outcome = RepairOutcome::Repaired;
                self.recovered().map_err(lsm_core::Error::from)?
            }
        };
        if let Some(source) = &source {
            report.restored = restore_files(&options, &self.path, &catalog, source)?;
            if !report.restored.is_empty() {
                report.outcome = RepairOutcome::Repaired;
            }
        }
        drop(held);
        // What a crash left of a manifest goes with the second generation after it, so once may not be enough.
        for _ in 0..MENDS_MAX {
            let catalog = self.recovered().map_err(lsm_core::Error::from)?;
            let verified = verifying::verify(&self.path, &options, &mut watch)?;
            report.log_losses = verified.log_losses.clone();
            report.losses = self.losses(&catalog, &verified)?;
            let is_log_refused = !report.log_losses.is_empty() && self.losses == Losses::Stay;
            if is_log_refused || !self.has_work(&verified, &report) {
                break;
            }
            self.mend(options.clone(), source.as_deref(), &mut report, &mut watch)?;
            report.outcome = RepairOutcome::Repaired;
        }
        Ok(report)
    }

    /// The checkpoint, and options by which reads and healing ask it.
    fn source(&self) -> Result<(Option<Arc<CheckpointSource>>, Options), Error> {
        let source =
            self.from.as_ref().map(|from| CheckpointSource::open(from, &self.options)).transpose()?;
        let options = match &source {
            Some(source) => self.options.clone().repair_source(source.clone()),
            None => self.options.clone(),
        };
        Ok((source, options))
    }

    fn check_source(&self, source: Option<&CheckpointSource>, catalog: &Catalog) -> Result<(), Error> {
        source.map_or(Ok(()), |source| source.check(catalog))
    }

    /// Whether there is anything that a store opened for writing could put right.
    fn has_work(&self, verified: &Verified, report: &RepairReport) -> bool {
        let is_lost = !report.losses.is_empty() || verified.count(PageState::Lost) > 0;
        let goes_away = self.losses == Losses::GoAway && (is_lost || !report.log_losses.is_empty());
        verified.count(PageState::Correctable) > 0 || goes_away || (self.from.is_some() && is_lost)
    }

    /// The catalog, or why it is to be made anew.
    fn manifest(&self) -> Result<Result<Arc<Catalog>, WhyRebuilt>, Error> {
        let why = match self.recovered() {
            Ok(catalog) => {
                let ground = rebuilding::ground(&self.path, &self.options, Vec::new());
                let is_outdated = is_outdated(&ground, &catalog, &self.gone(&catalog)?)?;
                return Ok(if is_outdated { Err(WhyRebuilt::Outdated) } else { Ok(catalog) });
            }
            Err(why) => why,
        };
        match WhyRebuilt::of(&why) {
            Some(WhyRebuilt::Missing | WhyRebuilt::Unfinished) if !self.holds_anything()? => {
                Err(Error::NotAStore { path: self.path.clone() })
            }
            Some(why) => Ok(Err(why)),
            None => Err(lsm_core::Error::from(why).into()),
        }
    }

    fn recovered(&self) -> Result<Arc<Catalog>, ManifestError> {
        let recovered = Recovered::read(&self.options.fs, &self.path, &self.options.orders)?;
        Ok(recovered.catalog().clone())
    }

    /// What the catalog names and is not there.
    fn gone(&self, catalog: &Catalog) -> Result<GoneFiles, Error> {
        let listed = self.options.fs.list(&self.path)?;
        let there: BTreeSet<_> = listed.iter().map(|entry| entry.name.as_path()).collect();
        let is_gone = |name: &str| !there.contains(Path::new(name));
        let tables = catalog.trees.values().flat_map(|tree| tree.version.tables());
        let tables = tables.map(|(_, _, table)| table.id).filter(|table| is_gone(&table_name(*table)));
        let segments =
            catalog.segments.keys().filter(|number| is_gone(&SegmentNo::new(**number).file_name()));
        Ok(GoneFiles { tables: tables.collect(), segments: segments.count() })
    }

    /// Whether there are tables or segments of a log.
    fn holds_anything(&self) -> Result<bool, Error> {
        let listed = match self.options.fs.list(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            listed => listed?,
        };
        let mut names = listed.iter().map(|entry| Path::new(&entry.name));
        Ok(names.any(|name| parse_table(name).is_some() || SegmentNo::of_file(name).is_some()))
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

    /// Heals what can be healed, fills what can be filled, and gives up what is to be given up.
    fn mend(
        &self,
        options: Options,
        source: Option<&CheckpointSource>,
        report: &mut RepairReport,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let log_loss = if self.losses == Losses::GoAway { LogLoss::Accept } else { LogLoss::Refuse };
        let options = options.creation(Creation::Never).background(Background::Inline);
        let db = options.clone().auto_heal(AutoHeal::On).log_loss(log_loss).open(&self.path)?;
        scrub(&db, watch)?;
        let healed = db.heal(HealMode::InPlace)?;
        report.healed_pages +=
            healed.files.iter().map(|file| pages_healed(&file.healed.outcome)).sum::<u64>();
        let losses = db.losses()?;
        if let Some(source) = source.filter(|_| !losses.is_empty()) {
            fill(&db, &options, source, &losses, report)?;
        }
        if self.losses == Losses::GoAway {
            for name in db.keyspaces() {
                let lost = db.find_keyspace(&name)?.accept_loss(Bound::Unbounded, Bound::Unbounded);
                report.accepted.extend(unless_none(lost)?);
            }
        }
        report.losses = db.losses()?;
        db.close()
    }
}

/// Scrubs, and says how far it is.
fn scrub(db: &Db, watch: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    let control = ScrubControl::new();
    std::thread::scope(|scope| {
        let scrubbing = scope.spawn(|| db.scrub(&PatrolOptions::new(), &control));
        while !scrubbing.is_finished() {
            let ScrubProgress { bytes_done, bytes_total, .. } = control.progress();
            watch(Progress { bytes_done, bytes_total });
            std::thread::sleep(TICK);
        }
        scrubbing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(())
}

/// Brings tables back whose files are gone, and that the checkpoint has.
fn restore_files(
    options: &Options,
    dir: &Path,
    catalog: &Catalog,
    source: &CheckpointSource,
) -> Result<Vec<Arc<str>>, Error> {
    let (fs, mut restored) = (&options.fs, Vec::new());
    for (_, _, table) in catalog.trees.values().flat_map(|tree| tree.version.tables()) {
        let name = table_name(table.id);
        let to = dir.join(&name);
        let is_gone =
            matches!(fs.open(&to, Access::ReadOnly), Err(error) if error.kind() == ErrorKind::NotFound);
        if let Some(from) = source.table(table.descriptor.uid()).filter(|_| is_gone) {
            let made = dir.join(format!("{name}.restoring"));
            fs.copy(from, &made)?;
            fs.open(&made, Access::ReadWrite)?.sync()?;
            fs.rename(&made, &to)?;
            fs.sync_dir(dir)?;
            restored.push(name.into());
        }
    }
    Ok(restored)
}

/// Puts what a checkpoint has of lost keys in their place.
fn fill(
    db: &Db,
    options: &Options,
    source: &CheckpointSource,
    losses: &[LostKeys],
    report: &mut RepairReport,
) -> Result<(), Error> {
    db.flush()?;
    // What is put on top has a lower place than the next flush: that has a later number.
    db.engine().take_a_number()?;
    let (trees, as_of) = source.keys(options, losses)?;
    for (tree, Ranges { ranges, fill, keys }) in trees {
        let Some(keyspace) = db.engine().tree_names().get(&tree).cloned() else { continue };
        db.engine().store.fill(tree, &ranges, fill)?;
        let space = db.find_keyspace(&keyspace)?;
        for (range, keys) in ranges.into_iter().zip(keys) {
            unless_none(space.accept_loss(as_slice(&range.lower), as_slice(&range.upper)))?;
            let (keyspace, lost_upto) = (keyspace.clone(), range.upto.get());
            let FillRange { lower, upper, .. } = range;
            report.filled.push(Filled { keyspace, lower, upper, keys, as_of, lost_upto });
        }
    }
    Ok(())
}

fn unless_none(accepted: Result<Vec<LostKeys>, Error>) -> Result<Vec<LostKeys>, Error> {
    match accepted {
        Err(Error::NotLost { .. }) => Ok(Vec::new()),
        accepted => accepted,
    }
}

fn pages_healed(outcome: &Healing) -> u64 {
    match outcome {
        Healing::InPlace { pages } => *pages,
        Healing::Lost { healed, .. } => *healed,
        _ => 0,
    }
}
