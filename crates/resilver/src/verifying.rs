//! Looks at every page of a store that is not open, and changes nothing.
//!
//! Tables, both copies of the manifest, its snapshots, and every page of the log that holds changes; past every
//! cache, each page once as long as nothing is wrong.

use std::{io::ErrorKind, path::Path, sync::Arc};

use bytes::Bytes;
use lsm_core::{Catalog, Examiner, Recovered, TableMeta, examine_manifest, table_name};
use lsm_io::{Access, IoError, LockGuard};
use page_ecc::{Examination, PAGE_LEN, Rung};

use crate::{
    Error, Options,
    journal::record_of,
    opening::{LOCK, scan_log},
    segments::Shelf,
};

/// Pages of a table looked at between two reports of progress: 16 MiB.
const STRETCH_PAGES: u64 = 4096;

/// What a file of a store is for.
///
/// ```
/// assert_eq!(resilver::FileKind::Table.to_string(), "table");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FileKind {
    /// Sorted keys and values.
    Table,
    /// A segment of the log.
    Log,
    /// A copy of the manifest's edits.
    Manifest,
    /// What the edits of a manifest start from.
    Snapshot,
}

/// What can be done for a page that is wrong.
///
/// ```
/// assert_ne!(resilver::PageState::Correctable, resilver::PageState::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageState {
    /// Its bytes are known: healing writes them.
    Correctable,
    /// Nothing that the store has brings them back.
    Lost,
}

/// A page that is wrong.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// let verified = resilver::verify(&path, &resilver::Options::new(), |_| {})?;
/// for bad in &verified.bad {
///     println!("{} page {}: {:?}", bad.file, bad.page, bad.state);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPage {
    /// The name of its file in the store's directory.
    pub file: Arc<str>,
    /// What the file is for.
    pub kind: FileKind,
    /// Which page of it.
    pub page: u64,
    /// What can be done for it.
    pub state: PageState,
    /// The first and the last key of the file, if it is a table.
    pub keys: Option<(Bytes, Bytes)>,
}

/// What looking at every page of a store came to.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// let verified = resilver::verify(&path, &resilver::Options::new(), |_| {})?;
/// assert!(verified.pages > 0 && verified.bad.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files looked at.
    pub files: u64,
    /// Their pages.
    pub pages: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// The pages that are wrong, file by file.
    pub bad: Vec<BadPage>,
    /// Acknowledged changes that the log lost.
    pub log_losses: Vec<lsm_wal::Loss>,
}

/// How far a long look at a store is.
///
/// ```
/// let progress = resilver::Progress { bytes_done: 3, bytes_total: 4 };
/// assert!(progress.bytes_done <= progress.bytes_total);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes looked at.
    pub bytes_done: u64,
    /// Bytes there are to look at.
    pub bytes_total: u64,
}

impl Verified {
    /// How many pages are in this state.
    #[must_use]
    pub fn count(&self, state: PageState) -> u64 {
        self.bad.iter().filter(|bad| bad.state == state).count() as u64
    }

    /// Whether nothing is lost.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.count(PageState::Lost) == 0 && self.log_losses.is_empty()
    }
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Log => "log",
            Self::Manifest => "manifest",
            Self::Snapshot => "snapshot",
        })
    }
}

/// Looks at every page of the store at `path`, which nobody has open, and changes nothing.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// assert!(resilver::verify(&path, &resilver::Options::new(), |_| {})?.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If it is not a store, is open elsewhere, is of a later release, or its manifest cannot be read. What is wrong
/// with other files is in the answer.
pub fn verify(
    path: impl AsRef<Path>,
    options: &Options,
    progress: impl FnMut(Progress),
) -> Result<Verified, Error> {
    let path = path.as_ref();
    let recovered = Recovered::read(&options.fs, path, &options.orders).map_err(lsm_core::Error::from)?;
    // Held until the end; where nothing may be written nobody else writes either.
    let _lock = lock(path, options)?;
    let catalog = recovered.catalog().clone();
    let total = bytes_of(&catalog);
    let done = Progress { bytes_done: 0, bytes_total: total };
    let mut walk = Walk { path, options, verified: Verified::default(), done, progress };
    walk.manifest()?;
    walk.log(&catalog)?;
    for state in catalog.trees.values() {
        for (_, _, table) in state.version.tables() {
            walk.table(table)?;
        }
    }
    Ok(walk.verified)
}

/// Keeps others from opening the store; none where there is nothing to lock, and so nobody who has it open.
fn lock(path: &Path, options: &Options) -> Result<Option<LockGuard>, Error> {
    let lock = path.join(LOCK);
    if options.fs.open(&lock, Access::ReadOnly).is_err() {
        return Ok(None);
    }
    match options.fs.lock(&lock) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Error::InUse { path: path.into() }),
        lock => Ok(lock.ok()),
    }
}

/// Bytes of the tables and segments that a catalog names.
fn bytes_of(catalog: &Catalog) -> u64 {
    let tables = catalog.trees.values().flat_map(|tree| tree.version.tables());
    let tables: u64 = tables.map(|(_, _, table)| table.file_bytes()).sum();
    tables + catalog.segments.values().map(|segment| record_of(segment).file_len()).sum::<u64>()
}

/// A store being looked at.
struct Walk<'a, P> {
    path: &'a Path,
    options: &'a Options,
    verified: Verified,
    done: Progress,
    progress: P,
}

impl<P: FnMut(Progress)> Walk<'_, P> {
    fn manifest(&mut self) -> Result<(), Error> {
        for file in examine_manifest(&self.options.fs, self.path).map_err(lsm_core::Error::from)? {
            let name: Arc<str> = file.path.file_name().unwrap_or_default().to_string_lossy().into();
            let kind = if file.is_snapshot { FileKind::Snapshot } else { FileKind::Manifest };
            self.verified.files += 1;
            self.verified.pages += file.pages;
            self.verified.bytes_read += file.bytes_read;
            for page in file.bad.iter().flat_map(|run| run.start.get()..run.end.get()) {
                let (file, state) = (name.clone(), PageState::Correctable);
                self.verified.bad.push(BadPage { file, kind, page, state, keys: None });
            }
        }
        Ok(())
    }

    fn log(&mut self, catalog: &Catalog) -> Result<(), Error> {
        if catalog.is_checkpoint {
            return Ok(());
        }
        let options = self.options.clone().log_loss(crate::LogLoss::Accept);
        let recovery = scan_log(catalog, self.path, &options)?;
        self.verified.log_losses = recovery.losses();
        let shelf = Shelf { fs: &self.options.fs, dir: self.path, store: catalog.store };
        for segment in catalog.segments.values().map(record_of) {
            let durable = recovery.durable_in(segment.number).unwrap_or_default();
            if let Some(seen) = shelf.examine(&segment, durable)? {
                let name: Arc<str> = segment.number.file_name().into();
                let bad = seen.bad().into_iter().map(|(page, state)| BadPage {
                    file: name.clone(),
                    kind: FileKind::Log,
                    page,
                    state,
                    keys: None,
                });
                self.verified.bad.extend(bad);
                self.verified.files += 1;
                self.verified.pages += seen.pages;
                self.verified.bytes_read += seen.pages * PAGE_LEN as u64;
            }
            self.tell(segment.file_len());
        }
        Ok(())
    }

    fn table(&mut self, table: &TableMeta) -> Result<(), Error> {
        let name: Arc<str> = table_name(table.id).into();
        let keys = Some((table.bounds.smallest.clone(), table.bounds.largest.clone()));
        let pages = table.descriptor.geometry().total_pages();
        self.verified.files += 1;
        self.verified.pages += pages;
        let bad = |page, state| BadPage {
            file: name.clone(),
            kind: FileKind::Table,
            page,
            state,
            keys: keys.clone(),
        };
        let mut examiner = match open(self.options, self.path, table)? {
            Some(examiner) => examiner,
            None => {
                self.verified.bad.extend((0..pages).map(|page| bad(page, PageState::Lost)));
                self.tell(table.file_bytes());
                return Ok(());
            }
        };
        for start in (0..pages).step_by(STRETCH_PAGES as usize) {
            let stretch = start..(start + STRETCH_PAGES).min(pages);
            let Examination { findings, .. } = examiner.examine(stretch.clone());
            let wrong = findings.iter().filter(|finding| finding.rung != Rung::Transient);
            self.verified.bad.extend(wrong.map(|finding| {
                let is_lost = finding.rung == Rung::Lost;
                let state = if is_lost { PageState::Lost } else { PageState::Correctable };
                bad(finding.page.get(), state)
            }));
            self.tell((stretch.end - stretch.start) * PAGE_LEN as u64);
        }
        self.verified.bytes_read += examiner.bytes_read();
        Ok(())
    }

    fn tell(&mut self, bytes: u64) {
        self.done.bytes_done += bytes;
        (self.progress)(self.done);
    }
}

/// None if the file is gone.
fn open(options: &Options, dir: &Path, table: &TableMeta) -> Result<Option<Examiner>, IoError> {
    let path = dir.join(table_name(table.id));
    match Examiner::open(&*options.fs, &path, &table.descriptor) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
