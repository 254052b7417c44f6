//! One page of a file: what it is for, whether it is right, and what it should hold.

use std::{ffi::OsStr, path::Path};

use lsm_core::examine_manifest;
use lsm_io::Access;
use lsm_wal::SegmentNo;
use page_ecc::{PAGE_LEN, Page, PageNo, PageRanges, Rung};

use super::{
    InspectError, sealed,
    segment::{self, manifest_beside},
};
use crate::Options;

/// One page of a file. See [`page`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectedPage {
    /// What the page is for, and which of those it is.
    pub place: String,
    /// Whether it is right.
    pub verdict: PageVerdict,
    /// What the medium gives for it; none if that cannot be read.
    pub on_medium: Option<Box<Page>>,
    /// What it should hold, if that is known and is something else.
    pub right: Option<Box<Page>>,
}

/// Whether a page is right.
///
/// ```
/// use resilver::inspect::PageVerdict;
/// assert_ne!(PageVerdict::Right, PageVerdict::Unproven);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageVerdict {
    /// It is what was written.
    Right,
    /// It is not, and this helps, or nothing.
    Wrong(Rung),
    /// It is behind all that counts, and does not prove itself.
    Unproven,
}

/// Looks at one page of a table, a snapshot, a segment of the log, or a manifest's edits.
///
/// ```
/// use resilver::{Options, inspect};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// # resilver::Db::open(&path)?.close()?;
/// let page = inspect::page(path.join("MANIFEST-000002-a"), 0, &Options::new())?;
/// assert_eq!(page.verdict, inspect::PageVerdict::Right);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be opened, is none of these, or has no such page.
pub fn page(path: impl AsRef<Path>, number: u64, options: &Options) -> Result<InspectedPage, InspectError> {
    let path = path.as_ref();
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let mut inspected = match name.to_str() {
        Some(name) if name.starts_with("MANIFEST-") => of_edits(path, name, number, options)?,
        Some(name) if SegmentNo::of_file(name.as_ref()).is_some() => of_segment(path, number, options)?,
        _ => of_sealed(path, number, options)?,
    };
    let is_same = inspected.right.is_some() && inspected.right == inspected.on_medium;
    inspected.right = inspected.right.filter(|_| !is_same);
    Ok(inspected)
}

fn of_sealed(path: &Path, number: u64, options: &Options) -> Result<InspectedPage, InspectError> {
    let mut found = sealed::open(path, options)?;
    let geometry = *found.descriptor.geometry();
    let no_page = || InspectError::NoPage { path: path.into(), page: number, pages: geometry.total_pages() };
    let (region, index) = geometry.locate(PageNo::new(number)).ok_or_else(no_page)?;
    let examination = found.examiner.examine(number..number + 1);
    let is_it = |page: PageNo| page.get() == number;
    let finding = examination.findings.iter().find(|finding| is_it(finding.page));
    let verdict = finding.map_or(PageVerdict::Right, |finding| PageVerdict::Wrong(finding.rung));
    let right = examination.patches.into_iter().find(|patch| is_it(patch.page)).map(|patch| patch.bytes);
    let pages = geometry.region(region);
    let place = format!("{region}, page {index} of {}", pages.end.get() - pages.start.get());
    Ok(InspectedPage { place, verdict, on_medium: on_medium(path, number, options)?, right })
}

fn of_segment(path: &Path, number: u64, options: &Options) -> Result<InspectedPage, InspectError> {
    let known = segment::known(path, options);
    let told = segment::segment(path, options)?;
    let page = lsm_wal::inspect_page(&options.fs, path, known, number);
    let page = page.map_err(|cause| segment::error(path, cause))?;
    let pages = told.record.file_len() / PAGE_LEN as u64;
    let page = page.ok_or_else(|| InspectError::NoPage { path: path.into(), page: number, pages })?;
    let place = match page.page {
        0 => format!("header of {}", page.extent),
        index if index * PAGE_LEN as u64 >= told.held.used => {
            format!("{}, page {index} of {}, behind all groups", page.extent, told.record.extent_pages)
        }
        index => format!("{}, page {index} of {}", page.extent, told.record.extent_pages),
    };
    let on_medium = on_medium(path, number, options)?;
    let (verdict, right) = match page.right {
        _ if holds(&told.lost, number) => (PageVerdict::Wrong(Rung::Lost), None),
        Some(right) if on_medium.as_ref() == Some(&right) => (PageVerdict::Right, None),
        Some(right) => (PageVerdict::Wrong(Rung::Copied), Some(right)),
        None => (PageVerdict::Unproven, None),
    };
    Ok(InspectedPage { place, verdict, on_medium, right })
}

fn of_edits(path: &Path, name: &str, number: u64, options: &Options) -> Result<InspectedPage, InspectError> {
    let none = || InspectError::NoManifest { path: path.into() };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = examine_manifest(&options.fs, dir).map_err(|_| none())?;
    let find = |name: &str| files.iter().find(|file| file.path.file_name() == Some(OsStr::new(name)));
    let file = find(name).ok_or_else(none)?;
    if number >= file.pages {
        return Err(InspectError::NoPage { path: path.into(), page: number, pages: file.pages });
    }
    let on_medium = on_medium(path, number, options)?;
    let is_newest = manifest_beside(path, options).is_some_and(|now| now.generation() == file.generation);
    let place = format!(
        "edits of generation {}{}, page {number} of {}",
        file.generation,
        if is_newest { "" } else { ", which is not the newest" },
        file.pages
    );
    if !holds(&file.bad, number) {
        return Ok(InspectedPage { place, verdict: PageVerdict::Right, on_medium, right: None });
    }
    let twin = match name.strip_suffix("-a") {
        Some(stem) => format!("{stem}-b"),
        None => format!("{}-a", name.trim_end_matches("-b")),
    };
    let twin = find(&twin).filter(|twin| !holds(&twin.bad, number));
    let right = twin.map(|twin| self::on_medium(&twin.path, number, options)).transpose()?.flatten();
    let rung = if right.is_some() { Rung::Copied } else { Rung::Lost };
    Ok(InspectedPage { place, verdict: PageVerdict::Wrong(rung), on_medium, right })
}

fn holds(pages: &PageRanges, page: u64) -> bool {
    pages.iter().any(|range| range.contains(&PageNo::new(page)))
}

fn on_medium(path: &Path, page: u64, options: &Options) -> Result<Option<Box<Page>>, InspectError> {
    match options.fs.open(path, Access::ReadOnly) {
        Ok(file) => Ok(sealed::read_page(&*file, page)),
        // A copy that is gone is a page that cannot be read.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
