//! What looking at every page of a store came to: files, wrong pages, and what can be done for them.

use std::sync::Arc;

use bytes::Bytes;
use page_ecc::{Geometry, Region, Rung};

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
    /// What part of its file it is; pages of log and manifest count as body.
    pub region: Region,
    /// What brings it back.
    pub rung: Rung,
}

/// A file that was looked at.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// let verified = resilver::verify(&path, &resilver::Options::new(), |_| {})?;
/// assert_eq!(verified.seen.len() as u64, verified.files);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFile {
    /// Its name in the store's directory.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: FileKind,
    /// The pages of it that were looked at.
    pub pages: u64,
    /// Its keyspace, if it is a table.
    pub keyspace: Option<Arc<str>>,
    /// The level, if it is a table.
    pub level: Option<u8>,
    /// How it is protected, if it is a table.
    pub geometry: Option<Geometry>,
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
    /// The files, in the order they were looked at.
    pub seen: Vec<SeenFile>,
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
