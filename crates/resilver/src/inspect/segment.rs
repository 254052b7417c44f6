//! A segment of the log.

use std::path::Path;

use lsm_core::Recovered;
use lsm_wal::{Inspected, SegmentNo, SegmentRecord};

use super::InspectError;
use crate::{Options, journal::record_of};

/// Says what is in a segment file of the log, through whichever extent is whole.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # let db = resilver::Db::open(&path)?;
/// # db.put(b"a", b"b")?;
/// # db.close()?;
/// let segment = std::fs::read_dir(&path)?.filter_map(Result::ok).map(|entry| entry.path());
/// let mut segment = segment.filter(|path| path.extension().is_some_and(|end| end == "wal")).collect::<Vec<_>>();
/// segment.sort();
/// let told = resilver::inspect::segment(&segment[0], &resilver::Options::new())?;
/// assert!(told.lost.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If it cannot be opened, is none, was never used, or is of a newer release.
pub fn segment(path: impl AsRef<Path>, options: &Options) -> Result<Inspected, InspectError> {
    let path = path.as_ref();
    lsm_wal::inspect(&options.fs, path, known(path, options)).map_err(|cause| error(path, cause))
}

pub(super) fn error(path: &Path, cause: lsm_wal::InspectError) -> InspectError {
    match cause {
        lsm_wal::InspectError::Io(error) => InspectError::Io(error),
        cause => InspectError::Segment { path: path.into(), cause },
    }
}

/// What the manifest beside a file says of it as a segment.
pub(super) fn known(path: &Path, options: &Options) -> Option<SegmentRecord> {
    let number = SegmentNo::of_file(path.file_name()?.as_ref())?;
    manifest_beside(path, options)?.catalog().segments.get(&number.get()).map(record_of)
}

/// The manifest in the directory of a file, if it can be read.
pub(super) fn manifest_beside(path: &Path, options: &Options) -> Option<Recovered> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Recovered::read(&options.fs, dir, &options.orders).ok()
}
