//! Looks at every page of a store that is not open, and changes nothing.
//!
//! Tables, both copies of the manifest, its snapshots, and every page of the log that holds changes; past every
//! cache, each page once as long as nothing is wrong.

use std::{io::ErrorKind, path::Path, sync::Arc};

use lsm_core::{Catalog, Examiner, Level, Recovered, TableMeta, examine_manifest, table_name};
use lsm_io::{Access, IoError, LockGuard};
use page_ecc::{Examination, PAGE_LEN, PageNo, Region, Rung};

use crate::{
    BadPage, Error, FileKind, Options, PageState, Progress, SeenFile, Verified,
    journal::record_of,
    opening::{LOCK, scan_log},
    segments::Shelf,
};

/// Pages of a table looked at between two reports of progress: 16 MiB.
const STRETCH_PAGES: u64 = 4096;

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
        for (level, _, table) in state.version.tables() {
            walk.saw_table(table, &state.name, level);
            walk.table(table)?;
        }
    }
    Ok(walk.verified)
}

/// Keeps others from opening the store; none where there is nothing to lock, and so nobody who has it open.
pub(crate) fn lock(path: &Path, options: &Options) -> Result<Option<LockGuard>, Error> {
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
            self.saw(&name, kind, file.pages);
            self.verified.bytes_read += file.bytes_read;
            let bad = file.bad.iter().flat_map(|run| run.start.get()..run.end.get());
            self.verified.bad.extend(bad.map(|page| bare(&name, kind, page, PageState::Correctable)));
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
                let bad = seen.bad().into_iter().map(|(page, state)| bare(&name, FileKind::Log, page, state));
                self.verified.bad.extend(bad);
                self.saw(&name, FileKind::Log, seen.pages);
                self.verified.bytes_read += seen.pages * PAGE_LEN as u64;
            }
            self.tell(segment.file_len());
        }
        Ok(())
    }

    fn table(&mut self, table: &TableMeta) -> Result<(), Error> {
        let name: Arc<str> = table_name(table.id).into();
        let keys = Some((table.bounds.smallest.clone(), table.bounds.largest.clone()));
        let geometry = table.descriptor.geometry();
        let pages = geometry.total_pages();
        let bad = |page, state, rung| {
            let region = geometry.locate(PageNo::new(page)).map_or(Region::Body, |(region, _)| region);
            BadPage { keys: keys.clone(), region, rung, ..bare(&name, FileKind::Table, page, state) }
        };
        let mut examiner = match open(self.options, self.path, table)? {
            Some(examiner) => examiner,
            None => {
                self.verified.bad.extend((0..pages).map(|page| bad(page, PageState::Lost, Rung::Lost)));
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
                bad(finding.page.get(), state, finding.rung)
            }));
            self.tell((stretch.end - stretch.start) * PAGE_LEN as u64);
        }
        self.verified.bytes_read += examiner.bytes_read();
        Ok(())
    }

    fn saw(&mut self, name: &Arc<str>, kind: FileKind, pages: u64) {
        self.verified.files += 1;
        self.verified.pages += pages;
        let (keyspace, level, geometry) = (None, None, None);
        self.verified.seen.push(SeenFile { name: name.clone(), kind, pages, keyspace, level, geometry });
    }

    fn saw_table(&mut self, table: &TableMeta, keyspace: &Arc<str>, level: Level) {
        let geometry = table.descriptor.geometry();
        self.saw(&table_name(table.id).into(), FileKind::Table, geometry.total_pages());
        if let Some(seen) = self.verified.seen.last_mut() {
            seen.keyspace = Some(keyspace.clone());
            (seen.level, seen.geometry) = (Some(level.get()), Some(*geometry));
        }
    }

    fn tell(&mut self, bytes: u64) {
        self.done.bytes_done += bytes;
        (self.progress)(self.done);
    }
}

/// A wrong page of a file of which no more is known.
fn bare(file: &Arc<str>, kind: FileKind, page: u64, state: PageState) -> BadPage {
    let rung = match state {
        PageState::Correctable => Rung::Copied,
        PageState::Lost => Rung::Lost,
    };
    BadPage { file: file.clone(), kind, page, state, keys: None, region: Region::Body, rung }
}

/// None if the file is gone.
fn open(options: &Options, dir: &Path, table: &TableMeta) -> Result<Option<Examiner>, IoError> {
    let path = dir.join(table_name(table.id));
    match Examiner::open(&*options.fs, &path, &table.descriptor) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}
