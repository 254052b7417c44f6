//! One segment file told for people, without the manifest that names it: whose it is, what it holds, which of
//! its pages are wrong.
//!
//! **Invariant**: no more is read than the file has, whatever its header states, and memory does not grow with
//! the groups in it.

mod look;

use std::{path::Path, sync::Arc};

use lsm_io::{Access, File, FileOffset, Fs, IoError};
use page_ecc::{PAGE_LEN, Page, PageRanges, Uid};

use self::look::Look;

use crate::{
    Extent, SegmentNo, SegmentRecord, SeqNo,
    examine::follows,
    header::{Found, Header},
    merge::Merged,
    segment::Position,
    source::{HeaderFound, Source},
    walk::{Purpose, Step, Walker},
};

const PAGE: u64 = PAGE_LEN as u64;

/// What a segment file says of itself, and what is wrong with it. See [`inspect`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspected {
    /// Its number, uid and size.
    pub record: SegmentRecord,
    /// Bytes of the file now.
    pub len: u64,
    /// What its header says; none if neither extent has it.
    pub header: Option<StatedHeader>,
    /// What stands behind the header.
    pub held: Held,
    /// Pages of the file that are wrong, and whose bytes the other extent has.
    pub mendable: PageRanges,
    /// Pages of the file whose bytes neither extent has.
    pub lost: PageRanges,
    /// Pages of the first extent that the second does not have yet, and need not: nothing states that they were
    /// durable.
    pub not_yet_twice: u64,
    /// Pages behind the last group with something that does not prove itself: a write that was cut short.
    pub unproven: u64,
    /// Pages that the file is too short to have.
    pub cut_off: u64,
}

/// What a segment's header says.
///
/// See [`inspect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatedHeader {
    /// The store it is of.
    pub store: Uid,
    /// The higher, the later it was put to use.
    pub generation: u64,
    /// The first number in it.
    pub first: SeqNo,
    /// Numbers below this were carried over, and durable before the header.
    pub carried: SeqNo,
    /// The segment before: its number, its uid, and the byte of its extents behind which nothing counts.
    pub predecessor: Option<(SegmentNo, Uid, u64)>,
}

/// The groups of a segment.
///
/// ```
/// assert_eq!(lsm_wal::Held::default().groups, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Groups of changes.
    pub groups: u64,
    /// Groups of which nothing but their numbers is left: their writing failed, or they were lost.
    pub void: u64,
    /// The first number, and the one behind the last.
    pub numbers: Option<(SeqNo, SeqNo)>,
    /// How often numbers do not follow each other.
    pub gaps: u64,
    /// Every change below was durable when the last group was written.
    pub watermark: SeqNo,
    /// Bytes of each extent up to the end of the last group.
    pub used: u64,
}

/// Why nothing can be said of a segment file.
///
/// ```
/// assert!(lsm_wal::InspectError::NotASegment.to_string().starts_with("this is no segment"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// No header is where one should be, and something else is.
    #[error(
        "this is no segment of a log, or its header is gone from both extents; check which file was named"
    )]
    NotASegment,
    /// There are zeros, or nothing, where the headers should be.
    #[error("this segment was not put to use: there is no header; name one that the manifest names")]
    Unused,
    /// A newer release wrote it.
    #[error("this segment was written by a newer release; use that one")]
    Newer,
}

/// One page of a segment file. See [`inspect_page`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedPage {
    /// Of which extent it is.
    pub extent: Extent,
    /// Which page of that; 0 is the header.
    pub page: u64,
    /// What it should hold, if either extent proves that.
    pub right: Option<Box<Page>>,
}

/// Says what is in a segment file. `known` is what a manifest says of it, for a file whose own header is gone.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_io::{EpochWorker, Fs, Limits, MemFs};
/// use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, Uid, Whereabouts, inspect};
/// let (fs, store): (Arc<dyn Fs>, _) = (Arc::new(MemFs::new()), Uid::new([7; 16]));
/// let at = Whereabouts::new(fs.clone(), "/", store);
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let log = Recovery::scan(at, &[])?.open(worker, Arc::new(DirectoryOnly::new(store)), LogOptions::default())?;
/// log.append(&b"a group"[..], 2, Durability::Synced)?;
/// let told = inspect(&fs, Path::new("/000000000001.wal"), None)?;
/// assert_eq!((told.held.groups, told.header.map(|header| header.store)), (1, Some(store)));
/// assert!(told.mendable.is_empty() && told.lost.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If it cannot be opened, is none, was never used, or is of a newer release.
pub fn inspect(
    fs: &Arc<dyn Fs>,
    path: &Path,
    known: Option<SegmentRecord>,
) -> Result<Inspected, InspectError> {
    let (source, found) = open(fs, path, known)?;
    let record = source.record;
    let len = source.len()?;
    let header = match found.found {
        Found::Header(header) if header.record == record => Some(StatedHeader::of(&header)),
        Found::Newer => return Err(InspectError::Newer),
        Found::Header(_) | Found::Blank | Found::Bad => None,
    };
    let mut look = Look::new(record, len);
    look.add_header(&found);
    // What the file is too short to have is not asked for.
    let until = Position(record.extent_len().min(len));
    for step in Walker::new(&source, until, Purpose::Survey) {
        match step {
            Step::Frame(frame) => look.add_frame(&frame),
            Step::Page(note) => look.add_page(note),
        }
    }
    Ok(look.finish(header))
}

/// Says what a page of a segment file, counted from the file's start, should hold; `None` behind its end.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_io::{EpochWorker, Fs, Limits, MemFs};
/// use lsm_wal::{DirectoryOnly, Extent, LogOptions, Recovery, Uid, Whereabouts, inspect_page};
/// let (fs, store): (Arc<dyn Fs>, _) = (Arc::new(MemFs::new()), Uid::new([7; 16]));
/// let at = Whereabouts::new(fs.clone(), "/", store);
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let log = Recovery::scan(at, &[])?.open(worker, Arc::new(DirectoryOnly::new(store)), LogOptions::default())?;
/// let header = inspect_page(&fs, Path::new("/000000000001.wal"), None, 0)?.ok_or("it has a header")?;
/// assert_eq!((header.extent, header.page), (Extent::A, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`inspect`].
pub fn inspect_page(
    fs: &Arc<dyn Fs>,
    path: &Path,
    known: Option<SegmentRecord>,
    number: u64,
) -> Result<Option<InspectedPage>, InspectError> {
    let (source, found) = open(fs, path, known)?;
    let pages = source.record.extent_pages;
    let (extent, page) = match number.checked_sub(pages) {
        None => (Extent::A, number),
        Some(page) if page < pages => (Extent::B, page),
        Some(_) => return Ok(None),
    };
    let right = if page == 0 { found.page } else { right_page(&source, page) };
    Ok(Some(InspectedPage { extent, page, right }))
}

/// A page of frames as both extents tell it, if nothing can be missing from it.
fn right_page(source: &Source, page: u64) -> Option<Box<Page>> {
    let merge = |page| {
        let copies = Extent::BOTH.map(|extent| source.reread_page(extent, page));
        Merged::of(copies.each_ref().map(|copy| copy.as_deref()), source.salter, page)
    };
    let merged = merge(page);
    let runs_on = || {
        let behind = (page + 1 < source.record.extent_pages).then(|| merge(page + 1))?;
        let ((last, _), (next, _)) = (merged.pieces.last()?, behind.pieces.first()?);
        Some(follows(last, next))
    };
    (merged.doubt.is_none() || runs_on() == Some(true)).then_some(merged.bytes)
}

/// Opens a segment by what its headers say, or else by what is known of it.
fn open(
    fs: &Arc<dyn Fs>,
    path: &Path,
    known: Option<SegmentRecord>,
) -> Result<(Source, HeaderFound), InspectError> {
    let file = fs.open(path, Access::ReadOnly)?;
    let len = file.len()?.get();
    let stated = find_record(&file, len);
    let known = known.filter(SegmentRecord::is_sane);
    let record = match (stated, known) {
        (Ok(record), _) | (Err(InspectError::NotASegment | InspectError::Unused), Some(record)) => record,
        (Err(error), _) => return Err(error),
    };
    let source = Source::of(file, record);
    let found = source.header();
    Ok((source, found))
}

/// What either header says the segment is; the second stands in the middle of a file of full length.
fn find_record(file: &Arc<dyn File>, len: u64) -> Result<SegmentRecord, InspectError> {
    let mut is_blank = true;
    for offset in [0, len / 2] {
        let mut page = [0; PAGE_LEN];
        let read = file.read_at(FileOffset::new(offset), &mut page).unwrap_or(0);
        match Header::find(&page) {
            _ if read < PAGE_LEN => is_blank &= page.iter().all(|&byte| byte == 0),
            Found::Header(header) => return Ok(header.record),
            Found::Newer => return Err(InspectError::Newer),
            Found::Bad => is_blank = false,
            Found::Blank => {}
        }
    }
    Err(if is_blank { InspectError::Unused } else { InspectError::NotASegment })
}

impl StatedHeader {
    fn of(header: &Header) -> Self {
        Self {
            store: header.store,
            generation: header.generation,
            first: header.first,
            carried: header.carried,
            predecessor: header.predecessor.map(|before| (before.number, before.uid, before.end.0)),
        }
    }
}
