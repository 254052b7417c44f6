//! The files of a manifest looked at on the medium, every page that was ever written.
//!
//! Invariant: nothing is written. What is wrong here is put right by a new [generation](super::Manifest::roll).

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, ByteLen, File, FileOffset, Fs, IoError, MediumRead};
use page_ecc::{PAGE_LEN, PageNo, PageRanges, Rung};

use super::{
    birth::Stated,
    edit_log::EditLog,
    error::ManifestError,
    names::{self, Part},
    recovery::Files,
};
use crate::{Examiner, Generation};

/// One file of a manifest, and which of its pages are wrong.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_core::{KeyOrders, Manifest, examine_manifest};
/// use lsm_io::{EpochWorker, Fs, Limits, MemFs};
/// use page_ecc::Uid;
///
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let (store, nonce) = (Uid::new([1; 16]), Uid::new([2; 16])); // random bits
/// Manifest::create(&fs, Path::new("/store"), &worker, &KeyOrders::default(), store, nonce)?;
/// let files = examine_manifest(&fs, Path::new("/store"))?;
/// assert!(files.iter().all(|file| file.bad.is_empty()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFile {
    /// Where it is, or should be.
    pub path: PathBuf,
    /// Of which generation.
    pub generation: Generation,
    /// Whether it is a snapshot; otherwise it holds edits.
    pub is_snapshot: bool,
    /// How many pages it has, or should have.
    pub pages: u64,
    /// How many bytes of it were read.
    pub bytes_read: u64,
    /// Pages that are wrong.
    pub bad: PageRanges,
}

/// Looks at every file of the manifest in `dir`.
///
/// # Errors
/// If the directory cannot be listed, or a file is of a later release.
pub fn examine_manifest(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Vec<ManifestFile>, ManifestError> {
    let mut examined = Vec::new();
    // Those above the newest that was born were never durable.
    let mut is_newest = true;
    for (generation, parts) in names::list(fs.as_ref(), dir)?.into_iter().rev() {
        let mut files = Files::open(fs.as_ref(), dir, generation)?;
        files.copies.iter_mut().for_each(|copy| copy.file = copy.file.take().map(from_medium));
        let Some(stated) = files.find_birth()? else { continue };
        // One pass over both copies says what is wrong with each.
        let log = EditLog::read(&files.copies, &stated);
        // An older one is on its way out, and may have lost files to that.
        let expected = Part::ALL.into_iter().filter(|part| is_newest || parts.contains(part));
        for part in expected {
            let path = part.path_in(dir, generation);
            let copy = Part::EDITS.iter().position(|edits| *edits == part);
            examined.push(match copy {
                None => examine_snapshot(fs.as_ref(), &stated, path),
                Some(copy) => examine_copy(&files, &stated, &log, copy, path),
            });
        }
        is_newest = false;
    }
    Ok(examined)
}

/// The newest generation that files in `dir` name, and how many pages all of them have; nothing is read of them.
///
/// ```
/// # use std::{path::Path, sync::Arc};
/// # use lsm_io::{Fs, MemFs};
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// assert_eq!(lsm_core::measure_manifest(&fs, Path::new("/"))?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the directory cannot be listed.
pub fn measure_manifest(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Option<(Generation, u64)>, ManifestError> {
    let listed = names::list(fs.as_ref(), dir)?;
    let newest = listed.keys().next_back().copied();
    let parts = listed
        .into_iter()
        .flat_map(|(generation, parts)| parts.into_iter().map(move |part| part.path_in(dir, generation)));
    // What goes meanwhile, or does not open, has no pages.
    let len = |path: PathBuf| fs.open(&path, Access::ReadOnly)?.len();
    let pages = parts.map(|path| len(path).map_or(0, |len| len.get().div_ceil(PAGE_LEN as u64)));
    let pages = pages.sum();
    Ok(newest.map(|newest| (newest, pages)))
}

fn examine_snapshot(fs: &dyn Fs, stated: &Stated, path: PathBuf) -> ManifestFile {
    let generation = stated.birth.generation;
    let pages = stated.descriptor.geometry().total_pages();
    let (bytes_read, bad) = match Examiner::open(fs, &path, &stated.descriptor) {
        Ok(mut examiner) => {
            let found = examiner.examine(0..pages).findings;
            let bad = found.iter().filter(|finding| finding.rung != Rung::Transient);
            (examiner.bytes_read(), bad.map(|finding| finding.page).collect())
        }
        Err(_) => (0, all(0..pages)),
    };
    ManifestFile { path, generation, is_snapshot: true, pages, bytes_read, bad }
}

fn examine_copy(files: &Files, stated: &Stated, log: &EditLog, copy: usize, path: PathBuf) -> ManifestFile {
    let generation = stated.birth.generation;
    let pages = u64::from(stated.birth.pages);
    let len = files.copies[copy].file.as_ref().map(|file| file.len().map_or(0, ByteLen::get));
    let bad = match len {
        None => all(0..pages),
        Some(len) => {
            let there = (len / PAGE_LEN as u64).min(pages);
            let bad = log.bad_pages(copy);
            bad.into_iter().filter(|page| page.get() < there).chain((there..pages).map(PageNo::new)).collect()
        }
    };
    let bytes_read = len.unwrap_or(0);
    ManifestFile { path, generation, is_snapshot: false, pages, bytes_read, bad }
}

fn all(pages: Range<u64>) -> PageRanges {
    pages.map(PageNo::new).collect()
}

fn from_medium(file: Arc<dyn File>) -> Arc<dyn File> {
    Arc::new(MediumFile(file))
}

/// A file whose every read goes past the caches.
#[derive(Debug)]
struct MediumFile(Arc<dyn File>);

impl File for MediumFile {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<usize, IoError> {
        self.0.read_medium_at(offset, buf).map(|read| read.len)
    }

    fn read_medium_at(&self, offset: FileOffset, buf: &mut [u8]) -> Result<MediumRead, IoError> {
        self.0.read_medium_at(offset, buf)
    }

    fn write_at(&self, offset: FileOffset, bytes: &[u8]) -> Result<(), IoError> {
        self.0.write_at(offset, bytes)
    }

    fn append(&self, bytes: &[u8]) -> Result<FileOffset, IoError> {
        self.0.append(bytes)
    }

    fn sync(&self) -> Result<(), IoError> {
        self.0.sync()
    }

    fn len(&self) -> Result<ByteLen, IoError> {
        self.0.len()
    }

    fn set_len(&self, len: ByteLen) -> Result<(), IoError> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: ByteLen) -> Result<(), IoError> {
        self.0.allocate(len)
    }
}
