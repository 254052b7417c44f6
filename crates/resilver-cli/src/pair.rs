//! A sealed file as it lies on disk: a file and its seal, or one file that holds both.
//!
//! Of a detached seal, body page `p` (1 to n) is page `p - 1` of the file, page 0 is page 0 of the
//! seal, and every other page is page `p - n` of the seal. **Invariant**: bytes of the file behind
//! its sealed length are never read as part of it; the last page counts as filled up with zeros.

use std::ops::Range;

use page_ecc::{Descriptor, Geometry, PAGE_LEN, Page, PageNo, PageSource, ReadFrom, Region, Unreadable};

use crate::failure::Failure;
use crate::files::{Regular, State};
use crate::spans::Spans;

const PAGE: u64 = PAGE_LEN as u64;

/// Which of the two files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    File,
    Seal,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Seal => "seal",
        }
    }
}

/// One of the two files, if it is there, and its state when it was opened.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) file: Regular,
    pub(crate) state: State,
}

impl Half {
    pub(crate) fn new(file: Regular) -> Result<Self, Failure> {
        Ok(Self { state: file.state()?, file })
    }
}

/// A sealed file on disk.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) descriptor: Descriptor,
    /// The body, or everything when the seal is not detached.
    pub(crate) file: Option<Half>,
    pub(crate) seal: Option<Half>,
}

/// Consecutive pages of one of the two files.
struct Run {
    side: Side,
    offset: u64,
    pages: usize,
    /// Bytes that the file has of them.
    len: usize,
}

impl Pair {
    pub(crate) const fn geometry(&self) -> &Geometry {
        self.descriptor.geometry()
    }

    pub(crate) const fn is_detached(&self) -> bool {
        self.descriptor.is_detached()
    }

    pub(crate) const fn half(&self, side: Side) -> Option<&Half> {
        match side {
            Side::File => self.file.as_ref(),
            Side::Seal => self.seal.as_ref(),
        }
    }

    pub(crate) const fn half_mut(&mut self, side: Side) -> Option<&mut Half> {
        match side {
            Side::File => self.file.as_mut(),
            Side::Seal => self.seal.as_mut(),
        }
    }

    /// The file's length as sealed.
    pub(crate) fn sealed_len(&self, side: Side) -> u64 {
        match side {
            _ if !self.is_detached() => self.geometry().total_len(),
            Side::File => self.geometry().body_len(),
            Side::Seal => (self.geometry().total_pages() - self.geometry().body_pages()) * PAGE,
        }
    }

    /// The file's length now; 0 when it is not there.
    pub(crate) fn len(&self, side: Side) -> u64 {
        self.half(side).map_or(0, |half| half.state.len)
    }

    pub(crate) fn side_of(&self, region: Region) -> Side {
        match region {
            Region::Body => Side::File,
            _ if !self.is_detached() => Side::File,
            _ => Side::Seal,
        }
    }

    /// Where neighbouring pages of one region stand: which file, and which of its bytes.
    pub(crate) fn place(&self, pages: &Range<u64>) -> (Side, Range<u64>) {
        let first = self.run(pages.start, 1);
        let last = self.run(pages.end - 1, 1);
        (first.side, first.offset..last.offset + last.len as u64)
    }

    /// The pages that cannot be read because a file ends before them.
    pub(crate) fn cut_off(&self) -> Spans {
        let (total, body_end) = (self.geometry().total_pages(), 1 + self.geometry().body_pages());
        if !self.is_detached() {
            return Spans::one((self.len(Side::File) / PAGE).min(total)..total);
        }
        let body = match self.len(Side::File) {
            len if len >= self.geometry().body_len() => body_end,
            len => 1 + len / PAGE,
        };
        let (head, rest) = match self.len(Side::Seal) / PAGE {
            0 => (0..1, body_end..total),
            pages => (0..0, (body_end - 1).saturating_add(pages).min(total)..total),
        };
        Spans::of(vec![head, body..body_end, rest])
    }

    /// A source of pages over both files.
    pub(crate) const fn source(&self, always: Option<ReadFrom>) -> PairSource<'_> {
        PairSource { pair: self, always }
    }

    /// Writes a page where it belongs, as far as the file reaches when sealed.
    pub(crate) fn write(&self, page: PageNo, bytes: &Page) -> Result<(), Failure> {
        let run = self.run(page.get(), 1);
        let half = self.half(run.side).expect("only files that are there are healed");
        half.file.write_at(run.offset, &bytes[..run.len])
    }

    /// The first pages of a range that stand side by side in one file.
    fn run(&self, first: u64, pages: usize) -> Run {
        let body_pages = self.geometry().body_pages();
        let (side, index, end) = match first {
            _ if !self.is_detached() => (Side::File, first, self.geometry().total_pages()),
            0 => (Side::Seal, 0, 1),
            body if body <= body_pages => (Side::File, body - 1, 1 + body_pages),
            behind => (Side::Seal, behind - body_pages, self.geometry().total_pages()),
        };
        let pages = pages.min(usize::try_from(end.saturating_sub(first)).unwrap_or(usize::MAX));
        let offset = index * PAGE;
        let left = self.sealed_len(side).saturating_sub(offset);
        let len = (pages * PAGE_LEN).min(usize::try_from(left).unwrap_or(usize::MAX));
        Run { side, offset, pages, len }
    }
}

/// Reads pages of a pair.
#[derive(Debug)]
pub(crate) struct PairSource<'a> {
    pair: &'a Pair,
    /// How fresh every read is to be, whatever it asks for.
    always: Option<ReadFrom>,
}

impl PageSource for PairSource<'_> {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        let (mut at, mut rest) = (first.get(), pages);
        while !rest.is_empty() {
            let run = self.pair.run(at, rest.len());
            if run.pages == 0 {
                return Err(Unreadable);
            }
            let (now, later) = rest.split_at_mut(run.pages);
            self.read_run(&run, now.as_flattened_mut(), self.always.unwrap_or(from))?;
            at += run.pages as u64;
            rest = later;
        }
        Ok(())
    }
}

impl PairSource<'_> {
    fn read_run(&self, run: &Run, bytes: &mut [u8], from: ReadFrom) -> Result<(), Unreadable> {
        let half = self.pair.half(run.side).ok_or(Unreadable)?;
        if half.state.len < run.offset + run.len as u64 {
            return Err(Unreadable);
        }
        let (there, behind) = bytes.split_at_mut(run.len);
        let read = match from {
            ReadFrom::Anywhere => half.file.read_at(run.offset, there),
            ReadFrom::Medium => half.file.read_medium_at(run.offset, there),
        };
        behind.fill(0);
        read.map_err(|_| Unreadable)
    }
}
