//! A sealed file: its descriptor, from wherever it is left, and which of its pages are wrong.

use std::path::Path;

use lsm_core::{Examiner, table_name};
use lsm_io::{Access, File, FileOffset};
use page_ecc::{Descriptor, Evidence, PAGE_LEN, Page, PageRanges, Rung};

use super::{InspectError, segment::manifest_beside};
use crate::Options;

/// Pages looked at together.
const STRETCH_PAGES: u64 = 4096;

/// A file that states more than so many times the pages it has is not looked at.
const STATED_MAX: u64 = 4;

/// A sealed file as it lies there. See [`table`](super::table).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SealedFile {
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Whether its first page says so.
    pub at_head: bool,
    /// Whether its last page says so.
    pub at_tail: bool,
    /// Bytes of it now.
    pub len: u64,
    /// Pages that are wrong, those that are lost among them.
    pub wrong: PageRanges,
    /// Pages that nothing brings back.
    pub lost: PageRanges,
    /// What helps those that are wrong.
    pub evidence: Evidence,
}

/// A sealed file that is open.
pub(super) struct Found {
    pub(super) descriptor: Descriptor,
    pub(super) at_head: bool,
    pub(super) at_tail: bool,
    pub(super) len: u64,
    pub(super) examiner: Examiner,
}

/// Opens a sealed file by its ends, or else by what the manifest beside it says.
pub(super) fn open(path: &Path, options: &Options) -> Result<Found, InspectError> {
    let file = options.fs.open(path, Access::ReadOnly)?;
    let len = file.len()?.get();
    let pages = len / PAGE_LEN as u64;
    let head = read_page(&*file, 0);
    let tail = pages.checked_sub(1).and_then(|last| read_page(&*file, last));
    let ends: Vec<&Page> = [&head, &tail].into_iter().filter_map(Option::as_deref).collect();
    let candidates = match Descriptor::find(&ends) {
        Ok(found) => found,
        Err(cause) => vec![known(path, options).ok_or_else(|| not_sealed(path, cause))?],
    };
    let candidates: Vec<_> = candidates.into_iter().filter(|found| !found.is_detached()).collect();
    let first = candidates.first().ok_or_else(|| InspectError::Detached { path: path.into() })?;
    let stated = first.geometry().total_pages();
    let is_plausible =
        |found: &&Descriptor| found.geometry().total_pages() / STATED_MAX <= pages.saturating_add(1);
    let mut chosen = None;
    for candidate in candidates.iter().filter(is_plausible) {
        let mut examiner = Examiner::open(&*options.fs, path, candidate)?;
        let is_borne_out = candidates.len() == 1 || examiner.is_borne_out();
        if is_borne_out || chosen.is_none() {
            chosen = Some((candidate.clone(), examiner));
        }
        if is_borne_out {
            break;
        }
    }
    let cut_short = || InspectError::CutShort { path: path.into(), pages, stated };
    let (descriptor, examiner) = chosen.ok_or_else(cut_short)?;
    let says = |page: &Option<Box<Page>>| {
        page.as_deref()
            .is_some_and(|page| Descriptor::find(&[page]).is_ok_and(|all| all.contains(&descriptor)))
    };
    let (at_head, at_tail) = (says(&head), says(&tail));
    Ok(Found { descriptor, at_head, at_tail, len, examiner })
}

fn not_sealed(path: &Path, cause: page_ecc::DescriptorError) -> InspectError {
    InspectError::NotSealed { path: path.into(), cause }
}

/// What the manifest beside a table says of it.
fn known(path: &Path, options: &Options) -> Option<Descriptor> {
    let name = path.file_name()?.to_str()?;
    // Only a table's name is worth a look at the manifest.
    name.strip_suffix(".table")?;
    let manifest = manifest_beside(path, options)?;
    let mut tables = manifest.catalog().trees.values().flat_map(|tree| tree.version.tables());
    let (_, _, table) = tables.find(|(_, _, table)| table_name(table.id) == name)?;
    Some(table.descriptor.clone())
}

/// A page as the medium has it; `None` if it cannot be read.
pub(super) fn read_page(file: &dyn File, page: u64) -> Option<Box<Page>> {
    let mut bytes = Box::new([0; PAGE_LEN]);
    let offset = FileOffset::new(page.checked_mul(PAGE_LEN as u64)?);
    let read = file.read_medium_at(offset, &mut bytes[..]).ok()?;
    (read.len == PAGE_LEN).then_some(bytes)
}

impl Found {
    /// Looks at every page.
    pub(super) fn examine(mut self) -> SealedFile {
        let pages = self.examiner.pages();
        let (mut wrong, mut lost, mut evidence) =
            (PageRanges::default(), PageRanges::default(), Evidence::default());
        for start in (0..pages).step_by(STRETCH_PAGES as usize) {
            let examination = self.examiner.examine(start..(start + STRETCH_PAGES).min(pages));
            for finding in examination.findings {
                evidence.count(finding.rung);
                match finding.rung {
                    Rung::Transient => continue,
                    Rung::Lost => lost.push(finding.page),
                    _ => {}
                }
                wrong.push(finding.page);
            }
        }
        let Self { descriptor, at_head, at_tail, len, .. } = self;
        SealedFile { descriptor, at_head, at_tail, len, wrong, lost, evidence }
    }
}
