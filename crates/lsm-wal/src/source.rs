//! Reading a segment file, some pages of both extents at a time, whatever state it is in.

use std::{io, path::Path, sync::Arc};

use lsm_io::{Access, File, FileOffset, Fs, IoError};
use page_ecc::{PAGE_LEN, Page};

use crate::{
    Extent, SegmentRecord,
    header::{Found, Header},
    piece::Salter,
    segment::Position,
};

/// Pages read at once, of each extent.
const WINDOW_PAGES: u64 = 64;

/// A segment file to be read.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<dyn File>,
    pub(crate) record: SegmentRecord,
    pub(crate) salter: Salter,
}

/// By which way pages are read.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Through the page cache.
    Cache,
    /// From the medium.
    Medium,
}

/// What the two header pages tell together.
#[derive(Debug)]
pub(crate) struct HeaderFound {
    pub(crate) found: Found,
    /// The header page as it was written.
    pub(crate) page: Option<Box<Page>>,
    /// The extents that have something else.
    pub(crate) lacking: Vec<Extent>,
}

/// Some neighbouring pages of one extent.
#[derive(Debug)]
struct Window {
    extent: Extent,
    way: Way,
    first: u64,
    bytes: Vec<u8>,
    /// For each page, whether it could be read.
    readable: Vec<bool>,
}

/// Both extents of a segment, from any page on.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    source: &'a Source,
    windows: [Window; 2],
}

impl Source {
    /// None if there is no such file, or the record is none this crate made.
    pub(crate) fn open(fs: &dyn Fs, dir: &Path, record: SegmentRecord) -> Result<Option<Self>, IoError> {
        if !record.is_sane() {
            return Ok(None);
        }
        match fs.open(&record.path(dir), Access::ReadOnly) {
            Ok(file) => Ok(Some(Self::of(file, record))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An open file; the record's sizes are sane.
    pub(crate) fn of(file: Arc<dyn File>, record: SegmentRecord) -> Self {
        Self { file, record, salter: Salter::new(record.uid) }
    }

    pub(crate) fn len(&self) -> Result<u64, IoError> {
        Ok(self.file.len()?.get())
    }

    /// The header, from whichever extent has it, and what is wrong with the other.
    pub(crate) fn header(&self) -> HeaderFound {
        let pages = Extent::BOTH.map(|extent| {
            let cached = self.read_page(extent, 0);
            let whole = cached.as_ref().is_some_and(|page| Header::mend(page).as_ref() == Some(page));
            cached.filter(|_| whole).or_else(|| self.reread_page(extent, 0))
        });
        let best =
            pages.iter().flatten().map(|page| (Header::find(page), page)).max_by_key(
                |(found, _)| match found {
                    Found::Header(header) => (3, header.generation),
                    Found::Newer => (2, 0),
                    Found::Bad => (1, 0),
                    Found::Blank => (0, 0),
                },
            );
        let (found, page) = best.map_or((Found::Bad, None), |(found, page)| (found, Header::mend(page)));
        let wrong = |extent: &Extent| page.is_none() || pages[*extent as usize] != page;
        let lacking = Extent::BOTH.into_iter().filter(wrong).collect();
        HeaderFound { found, page, lacking }
    }

    /// A page by way of the page cache.
    pub(crate) fn read_page(&self, extent: Extent, page: u64) -> Option<Box<Page>> {
        self.one_page(Way::Cache, extent, page)
    }

    /// A page from the medium.
    pub(crate) fn reread_page(&self, extent: Extent, page: u64) -> Option<Box<Page>> {
        self.one_page(Way::Medium, extent, page)
    }

    fn one_page(&self, way: Way, extent: Extent, page: u64) -> Option<Box<Page>> {
        let mut bytes = Box::new([0; PAGE_LEN]);
        self.fill(way, extent, page, &mut bytes[..]).then_some(bytes)
    }

    /// Reads from a page on; whether all of it came.
    fn fill(&self, way: Way, extent: Extent, page: u64, bytes: &mut [u8]) -> bool {
        let offset = self.offset(extent, page);
        let read = match way {
            Way::Cache => self.file.read_at(offset, bytes),
            Way::Medium => self.file.read_medium_at(offset, bytes).map(|read| read.len),
        };
        read.is_ok_and(|read| read == bytes.len())
    }

    fn offset(&self, extent: Extent, page: u64) -> FileOffset {
        FileOffset::new(self.record.offset(extent, Position(page * PAGE_LEN as u64)))
    }
}

impl Window {
    const fn empty(extent: Extent, way: Way) -> Self {
        Self { extent, way, first: 0, bytes: Vec::new(), readable: Vec::new() }
    }

    fn holds(&self, page: u64) -> bool {
        page >= self.first && page - self.first < self.readable.len() as u64
    }

    fn load(&mut self, source: &Source, first: u64) {
        let count = WINDOW_PAGES.min(source.record.extent_pages.saturating_sub(first)) as usize;
        self.first = first;
        self.bytes.clear();
        self.bytes.resize(count * PAGE_LEN, 0);
        self.readable.clear();
        if source.fill(self.way, self.extent, first, &mut self.bytes) {
            self.readable.resize(count, true);
            return;
        }
        // Page by page, so that one bad sector hides no other page.
        for (page, bytes) in (first..).zip(self.bytes.chunks_exact_mut(PAGE_LEN)) {
            self.readable.push(source.fill(self.way, self.extent, page, bytes));
        }
    }

    fn page(&self, page: u64) -> Option<&Page> {
        let index = (page - self.first) as usize;
        let readable = *self.readable.get(index)?;
        self.bytes[index * PAGE_LEN..].first_chunk().filter(|_| readable)
    }
}

impl<'a> Pages<'a> {
    pub(crate) fn of(source: &'a Source) -> Self {
        Self { source, windows: Extent::BOTH.map(|extent| Window::empty(extent, Way::Cache)) }
    }

    /// The same, past the page cache.
    pub(crate) fn on_medium(source: &'a Source) -> Self {
        Self { source, windows: Extent::BOTH.map(|extent| Window::empty(extent, Way::Medium)) }
    }

    /// Page `page` of extent A; none if it cannot be read.
    pub(crate) fn read_first(&mut self, page: u64) -> Option<&Page> {
        let [a, _] = &mut self.windows;
        if !a.holds(page) {
            a.load(self.source, page);
        }
        a.page(page)
    }

    /// Page `page` of both extents; none where it cannot be read.
    pub(crate) fn read(&mut self, page: u64) -> [Option<&Page>; 2] {
        for window in &mut self.windows {
            if !window.holds(page) {
                window.load(self.source, page);
            }
        }
        let [a, b] = &self.windows;
        [a.page(page), b.page(page)]
    }
}
