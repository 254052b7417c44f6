//! From a directory to a store that is open: identity, manifest, log, and what crashes left behind.
//!
//! **Invariants**: a refused open changes nothing on the disk. A kill at any moment of the very first open
//! leaves something that the next one finishes. Nothing is removed before the manifest is settled and the log
//! goes on.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use lsm_core::{
    Catalog, Change, Edit, Error as TreeError, FileId, HintCause, Keeper, Leveled, Manifest, ManifestError,
    ManifestFault, ManifestFinding, Recovered, Soundness, Store, StoreOptions, TreeId, Witness,
};
use lsm_io::{EpochWorker, Fs, Limits, LockGuard};
use lsm_wal::{Finding, Log, LogOptions, Loss, Recovery, Whereabouts};
use page_ecc::{Evidence, Uid};
use sst_format::{KeyOrder, SeqNo, TableOptions};

use crate::{
    AutoHeal, Creation, Error, Event, EventKind, LogLoss, Options, Outcome,
    background::Bell,
    db::DEFAULT_KEYSPACE,
    engine::{Engine, Parts},
    journal::{Journal, record_of},
    ledger::Recorder,
    replay::{Excess, replay},
};

/// The file whose lock says that a store is open for writing.
pub(crate) const LOCK: &str = "LOCK";

/// Opens for writing.
pub(crate) fn open(path: &Path, options: Options) -> Result<Engine, Error> {
    let seen = look(path, &options)?;
    if let Seen::Nothing = seen {
        make_dir(&options.fs, path)?;
    }
    let lock = lock(path, &options)?;
    let worker = Arc::new(EpochWorker::start(Limits::default())?);
    // Somebody may have had the store open until now: only what is read under the lock counts.
    let (fs, orders) = (&options.fs, &options.orders);
    let recovered = match Recovered::read(fs, path, orders) {
        Ok(recovered) => Some(recovered),
        Err(ManifestError::NotAStore { .. } | ManifestError::Unfinished { .. }) => None,
        Err(error) => return Err(TreeError::from(error).into()),
    };
    // A log that is refused is refused before anything is written. A checkpoint has none.
    let catalog = recovered.as_ref().map(|recovered| recovered.catalog().clone());
    let scanned = catalog.filter(|catalog| !catalog.is_checkpoint);
    let scanned = scanned.map(|catalog| scan_log(&catalog, path, &options)).transpose()?;
    let (manifest, findings) = match recovered {
        Some(recovered) => {
            let findings = recovered.findings().to_vec();
            (Manifest::resume(recovered, &worker, random()?), findings)
        }
        None => Manifest::open_or_create(fs, path, &worker, orders, random()?, random()?)?,
    };
    if manifest.catalog().is_checkpoint {
        manifest.record(&Edit::new().and(Change::Rebirth { store: random()? }))?;
    }
    let bell = Arc::new(Bell::default());
    let recorder = Arc::new(Recorder::new(options.listener.clone(), options.witness.clone()));
    let store = Arc::new(Store::new(
        store_options(path, &options, &bell, recorder.clone()),
        worker.clone(),
        Keeper::Manifest(Box::new(manifest)),
    ));
    if store.tree_named(DEFAULT_KEYSPACE).is_none() {
        store.create_tree(DEFAULT_KEYSPACE, &KeyOrder::Bytes)?;
    }
    // Replay may flush, before anything that crashes left behind is gone.
    store.keep_off_orphans()?;
    if options.auto_heal == AutoHeal::Off {
        store.hints().disable();
    }
    let (log, lost) = take_up_log(scanned, &store, &worker, &recorder, &options)?;
    findings.iter().for_each(|finding| note_manifest(&recorder, finding));
    let is_damaged = findings.iter().any(|finding| finding.fault.is_damage());
    store.let_orphans_go(if is_damaged { Soundness::Damaged } else { Soundness::Sound })?;
    let durable = BTreeMap::new();
    let (log, lock) = (Some(log), Some(lock));
    let engine = Engine::new(Parts { options, store, log, worker, bell, recorder, lock, durable });
    if lost.is_empty() {
        engine.trim_log()?;
    } else {
        // What was given up is given up once no segment with a gap is needed any more.
        engine.flush()?;
    }
    engine.store.sweep()?;
    Ok(engine)
}

/// How often a store is read anew whose writer changed it meanwhile.
const ATTEMPTS_MAX: u32 = 64;

/// Segments of the log grow to so many times what the first is: their ends are what writers wait for.
const SEGMENT_GROWTH_MAX: u64 = 4;

/// Opens for reading alone: nothing is written, and nobody is kept from writing.
///
/// A writer may take away what the manifest named a moment ago. So something is missing only if the manifest
/// still names all that it named before.
pub(crate) fn open_read_only(path: &Path, options: Options) -> Result<Engine, Error> {
    let read = || Recovered::read(&options.fs, path, &options.orders).map_err(TreeError::from);
    let mut catalog = read()?.catalog().clone();
    if is_begun(&catalog) {
        return Err(TreeError::from(ManifestError::Unfinished { dir: path.into() }).into());
    }
    for _ in 1..ATTEMPTS_MAX {
        let attempt = read_as_of(&catalog, path, options.clone());
        if let Ok((engine, Whole::Yes)) = attempt {
            return Ok(engine);
        }
        let now = read()?.catalog().clone();
        if names_the_same(&catalog, &now) {
            return attempt.map(|(engine, _)| engine);
        }
        catalog = now;
    }
    read_as_of(&catalog, path, options).map(|(engine, _)| engine)
}

/// Whether everything that a manifest names was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

fn read_as_of(catalog: &Arc<Catalog>, path: &Path, options: Options) -> Result<(Engine, Whole), Error> {
    let worker = Arc::new(EpochWorker::start(Limits::default())?);
    let bell = Arc::new(Bell::default());
    let keeper = Keeper::Nobody(catalog.clone());
    let recorder = Arc::new(Recorder::new(options.listener.clone(), options.witness.clone()));
    let store_options = store_options(path, &options, &bell, recorder.clone());
    let store = Arc::new(Store::new(store_options, worker.clone(), keeper));
    let gone = store.hold_tables()?;
    let recovery = scan_log(catalog, path, &options)?;
    let is_whole = gone.is_empty() && recovery.losses().is_empty();
    for loss in recovery.losses() {
        let lost = Event::new(EventKind::Open, Outcome::Lost);
        recorder.record(lost.of_file(loss.segment.file_name()).with_note(loss.to_string()));
    }
    replay(&recovery, &store, Excess::StaysInMemory, &options)?;
    let durable = catalog.segments.values().map(record_of).map(|segment| segment.number);
    let durable = durable.filter_map(|segment| Some((segment, recovery.durable_in(segment)?))).collect();
    let (log, lock) = (None, None);
    let engine = Engine::new(Parts { options, store, log, worker, bell, recorder, lock, durable });
    Ok((engine, if is_whole { Whole::Yes } else { Whole::No }))
}

/// Whether two states of a manifest name the same tables and segments.
fn names_the_same(a: &Catalog, b: &Catalog) -> bool {
    let tables = |catalog: &Catalog| -> BTreeSet<_> {
        let trees = catalog.trees.values();
        trees.flat_map(|tree| tree.version.tables().map(|(_, _, table)| table.id)).collect()
    };
    a.segments.keys().eq(b.segments.keys()) && tables(a) == tables(b)
}

/// What stands at a path.
enum Seen {
    Nothing,
    Store,
    /// An empty directory, or what a kill inside the first open left.
    Beginnings,
}

fn look(path: &Path, options: &Options) -> Result<Seen, Error> {
    let seen = match Recovered::read(&options.fs, path, &options.orders) {
        Ok(recovered) if is_begun(recovered.catalog()) => Seen::Beginnings,
        Ok(_) => Seen::Store,
        // The first open makes no tables before the manifest is done: they are of a checkpoint that was cut short.
        Err(ManifestError::Unfinished { .. }) if holds_tables(path, options)? => {
            return Err(Error::NotEmpty { path: path.into() });
        }
        Err(ManifestError::Unfinished { .. }) => Seen::Beginnings,
        Err(ManifestError::NotAStore { .. }) => match options.fs.list(path) {
            Ok(entries) if entries.iter().all(|entry| entry.name == Path::new(LOCK)) => Seen::Beginnings,
            Ok(_) => return Err(Error::NotEmpty { path: path.into() }),
            Err(error) if error.kind() == ErrorKind::NotFound => Seen::Nothing,
            Err(error) => return Err(error.into()),
        },
        Err(error) => return Err(TreeError::from(error).into()),
    };
    match (&seen, options.creation) {
        (Seen::Store, Creation::Always) => Err(Error::Exists { path: path.into() }),
        (Seen::Nothing | Seen::Beginnings, Creation::Never) => Err(Error::NotAStore { path: path.into() }),
        _ => Ok(seen),
    }
}

/// Whether a kill inside the first open left this: the keyspace that is always there comes before any change.
fn is_begun(catalog: &Catalog) -> bool {
    catalog.tree_named(DEFAULT_KEYSPACE).is_none()
}

fn holds_tables(path: &Path, options: &Options) -> Result<bool, Error> {
    let entries = options.fs.list(path)?;
    Ok(entries.iter().any(|entry| entry.name.extension().is_some_and(|extension| extension == "table")))
}

fn make_dir(fs: &Arc<dyn Fs>, path: &Path) -> Result<(), Error> {
    match fs.create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

pub(crate) fn lock(path: &Path, options: &Options) -> Result<LockGuard, Error> {
    options.fs.lock(&path.join(LOCK)).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => Error::InUse { path: path.into() },
        _ => error.into(),
    })
}

fn take_up_log(
    scanned: Option<Recovery>,
    store: &Arc<Store>,
    worker: &Arc<EpochWorker>,
    recorder: &Recorder,
    options: &Options,
) -> Result<(Log, Vec<Loss>), Error> {
    let scan = || scan_log(&store.keeper().catalog(), store.dir(), options);
    let recovery = scanned.map_or_else(scan, Ok)?;
    let first = store.visible().get() + 1;
    let log_options = LogOptions::default()
        .segment_bytes(options.segment_bytes)
        .segment_bytes_max(options.segment_bytes.saturating_mul(SEGMENT_GROWTH_MAX))
        .first_seq(lsm_wal::SeqNo::new(first))
        .durability(options.durability.into());
    let journal = Arc::new(Journal::new(store.clone()));
    let log =
        recovery.open(worker.clone(), journal, log_options).map_err(|cause| Error::LogRefused { cause })?;
    replay(&recovery, store, Excess::BecomesTables, options)?;
    for finding in recovery.findings() {
        if let Finding::Unrecorded { path } = finding {
            store.let_file_go(path.clone());
        }
    }
    store.replayed(SeqNo::new(log.next_seq().get() - 1));
    note_findings(store, recorder, recovery.findings());
    let losses = recovery.losses();
    for loss in &losses {
        let accepted = Event::new(EventKind::LossAccepted, Outcome::Accepted);
        recorder.record(accepted.of_file(loss.segment.file_name()).with_note(loss.to_string()));
    }
    Ok((log, losses))
}

pub(crate) fn scan_log(catalog: &Catalog, path: &Path, options: &Options) -> Result<Recovery, Error> {
    let at = Whereabouts::new(options.fs.clone(), path, catalog.store);
    let records: Vec<_> = catalog.segments.values().map(record_of).collect();
    let recovery = Recovery::scan(at, &records)?;
    let losses = recovery.losses();
    match options.log_loss {
        LogLoss::Refuse if !losses.is_empty() => Err(Error::LogLost { losses }),
        _ => Ok(recovery),
    }
}

/// Notes what was wrong with the log and should be healed.
fn note_findings(store: &Store, recorder: &Recorder, findings: &[Finding]) {
    for finding in findings {
        let (segment, pages, cause) = match finding {
            Finding::Mended { segment, page, .. } => (segment, *page..*page + 1, HintCause::Redundancy),
            Finding::WrongLength { segment, .. } | Finding::HeaderLost { segment } => {
                (segment, 0..0, HintCause::Redundancy)
            }
            _ => continue,
        };
        log::warn!("{finding}");
        let copied = (pages.end - pages.start).max(1);
        let event = Event::new(EventKind::Open, Outcome::Noted)
            .of_file(segment.file_name())
            .with_pages([(pages.start, pages.end - pages.start)])
            .with_evidence(Evidence { copied, ..Evidence::default() });
        recorder.record(event);
        let _known = store.hints().record(TreeId::STORE, FileId::new(segment.get()), pages, cause);
    }
}

/// Notes what was wrong with the manifest, which opening has written anew.
fn note_manifest(recorder: &Recorder, finding: &ManifestFinding) {
    if !finding.fault.is_damage() {
        return;
    }
    let name = finding.file.file_name().unwrap_or_default().to_string_lossy();
    let event = Event::new(EventKind::Open, Outcome::Healed).of_file(&*name);
    let copied = |copied| Evidence { copied, ..Evidence::default() };
    recorder.record(match &finding.fault {
        ManifestFault::Copied { pages } => {
            let runs = pages.iter().map(|run| (run.start.get(), run.end.get() - run.start.get()));
            event.with_pages(runs).with_evidence(copied(pages.page_count()))
        }
        ManifestFault::Mended { evidence } => event.with_evidence(*evidence),
        fault => event.with_evidence(copied(1)).with_note(fault.to_string()),
    });
}

fn store_options(
    path: &Path,
    options: &Options,
    bell: &Arc<Bell>,
    witness: Arc<dyn Witness>,
) -> StoreOptions {
    let tables = TableOptions::new()
        .block_bytes(options.block_bytes)
        .codec(options.codec)
        .filter(options.filter)
        .scheme(options.protection);
    let leveled = Leveled::new().base_bytes(options.level_base_bytes).output_bytes(options.table_bytes);
    StoreOptions {
        fs: options.fs.clone(),
        dir: PathBuf::from(path),
        tables,
        table_bytes: options.table_bytes,
        cache_bytes: options.cache_bytes,
        pinned_bytes: options.pinned_bytes,
        open_files: options.open_files_max,
        leveled,
        orders: options.orders.clone(),
        witness,
        repair_source: options.repair_source.clone(),
        waker: bell.clone().into(),
        new_uid: Arc::new(|| random().expect("the system gave random bytes when the store was opened")),
        now: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
    }
}

/// 128 random bits.
pub(crate) fn random() -> Result<Uid, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| Error::NoRandomness { cause })?;
    Ok(Uid::new(bytes))
}
