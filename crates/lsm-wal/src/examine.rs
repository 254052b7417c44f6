//! A segment looked at page by page on the medium: which pages are wrong, and the bytes that put them right.
//!
//! **Invariant**: a patch holds proven pieces only, and is given only where the pieces around it show that
//! nothing between them is missing.

use lsm_io::{FileOffset, IoError};
use page_ecc::{PAGE_LEN, Page};

use crate::{
    Extent, SegmentRecord, SeqNo, Whereabouts,
    merge::{Copy, Merged},
    piece::Piece,
    segment::Position,
    source::{HeaderFound, Pages, Source},
};

/// A page of a segment that is not right.
///
/// ```
/// let flaw = lsm_wal::Flaw::Lost { page: 7 };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// One extent is wrong, and this puts it right.
    Mendable(Patch),
    /// Neither extent has all of the page.
    Lost {
        /// Which page of the extents.
        page: u64,
    },
    /// Something stands behind the last group, where nobody wrote yet. It harms only what is written over it: a
    /// segment in use should be left for another, and with any other segment nothing is wrong.
    Ahead {
        /// Of which extent.
        extent: Extent,
        /// Which page of it.
        page: u64,
        /// Where that is in the file.
        offset: FileOffset,
    },
}

/// The right bytes for a page of a segment file. The segment in use is patched only once it is closed.
///
/// ```
/// use lsm_wal::{Extent, Patch};
/// let patch = Patch { extent: Extent::B, page: 7, offset: lsm_io::FileOffset::new(159_744), bytes: Box::new([0; 4096]) };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Of which extent.
    pub extent: Extent,
    /// Which page of it.
    pub page: u64,
    /// Where that is in the file.
    pub offset: FileOffset,
    /// What it should hold.
    pub bytes: Box<Page>,
}

/// Looks at all pages of a segment that hold changes below `durable`, on the medium, and says how many there
/// are; `visit` is told of each flaw. None if there is no such file.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{EpochWorker, Limits, MemFs};
/// use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, Uid, Whereabouts, examine};
/// let store = Uid::new([7; 16]);
/// let at = Whereabouts::new(Arc::new(MemFs::new()), "/", store);
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let log = Recovery::scan(at.clone(), &[])?.open(worker, Arc::new(DirectoryOnly::new(store)), LogOptions::default())?;
/// log.append(&b"a group"[..], 1, Durability::Synced)?;
/// let pages = examine(&at, log.segments()[0], log.durable(), |flaw| panic!("{flaw:?}"))?;
/// assert_eq!(pages, Some(3), "the header, the group, and what states that it is durable");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file is there and cannot be opened. Pages that cannot be read are flaws.
pub fn examine(
    at: &Whereabouts,
    record: SegmentRecord,
    durable: SeqNo,
    mut visit: impl FnMut(Flaw),
) -> Result<Option<u64>, IoError> {
    let Some(source) = Source::open(at.fs.as_ref(), &at.dir, record)? else { return Ok(None) };
    let mut patches = examine_header(&source);
    let mut pages = 1;
    // Patches and gaps wait here until the next good piece shows whether something is missing before it.
    let mut lost = Vec::new();
    let mut ahead = Vec::new();
    let mut last: Option<Piece> = None;
    let mut is_durable = true;
    let mut on_medium = Pages::on_medium(&source);
    for page in Position::FRAMES.page()..record.extent_pages {
        let merged = Merged::of(on_medium.read(page), source.salter, page);
        let wrong = Extent::BOTH.into_iter().zip(merged.extents).filter(|(_, copy)| *copy != Copy::Right);
        let (Some((first, _)), Some((end, _))) = (merged.pieces.first(), merged.pieces.last()) else {
            lost.push(page);
            ahead.extend(wrong.map(|(extent, _)| Flaw::Ahead {
                extent,
                page,
                offset: offset(&record, extent, page),
            }));
            continue;
        };
        ahead.clear();
        is_durable &= end.next() <= durable;
        if !is_durable {
            continue;
        }
        let runs_on = last.is_none_or(|last| follows(&last, first));
        settle(&mut patches, &mut lost, runs_on, &mut visit);
        pages = page + 1;
        patches.extend(wrong.map(|(extent, _)| patch(&record, extent, page, merged.bytes.clone())));
        if merged.pieces.windows(2).any(|pair| !follows(&pair[0].0, &pair[1].0)) {
            lost.push(page);
        }
        last = Some(*end);
    }
    // Behind the last piece there is nothing that could be missing, unless what is durable did not come.
    let runs_on = last.is_none_or(|last| is_whole(&last));
    lost.retain(|&page| page < pages);
    settle(&mut patches, &mut lost, runs_on, &mut visit);
    ahead.into_iter().for_each(visit);
    Ok(Some(pages))
}

/// Gives what has waited: as patches if nothing is missing, else as lost pages.
fn settle(patches: &mut Vec<Patch>, lost: &mut Vec<u64>, runs_on: bool, visit: &mut impl FnMut(Flaw)) {
    if !runs_on && lost.is_empty() {
        lost.extend(patches.last().map(|patch| patch.page));
    }
    for page in lost.drain(..) {
        patches.retain(|patch| patch.page != page);
        visit(Flaw::Lost { page });
    }
    patches.drain(..).map(Flaw::Mendable).for_each(visit);
}

fn examine_header(source: &Source) -> Vec<Patch> {
    let HeaderFound { page, lacking, .. } = source.header();
    let patches = lacking.into_iter().zip(std::iter::repeat(page));
    patches.filter_map(|(extent, page)| Some(patch(&source.record, extent, 0, page?))).collect()
}

fn patch(record: &SegmentRecord, extent: Extent, page: u64, bytes: Box<Page>) -> Patch {
    Patch { extent, page, offset: offset(record, extent, page), bytes }
}

fn offset(record: &SegmentRecord, extent: Extent, page: u64) -> FileOffset {
    FileOffset::new(record.offset(extent, Position(page * PAGE_LEN as u64)))
}

fn is_whole(piece: &Piece) -> bool {
    piece.at + u32::from(piece.len) == piece.frame_len
}

/// Whether nothing is missing between two pieces.
pub(crate) fn follows(before: &Piece, after: &Piece) -> bool {
    match is_whole(before) {
        true => after.at == 0 && after.first == before.next(),
        false => after.first == before.first && after.at == before.at + u32::from(before.len),
    }
}
