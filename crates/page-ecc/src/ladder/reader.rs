//! Reads pages for the ladder, and climbs the rungs that need nothing but the page itself.

use crate::descriptor::Descriptor;
use crate::digest::{Digest, Salter};
use crate::evidence::{Fault, Rung};
use crate::flip;
use crate::geometry::{Geometry, PAGES_PER_WORD_PAGE};
use crate::hsiao::{CHECKS_LEN, WordCode};
use crate::page::{CodeNo, Page, PageNo, ZERO_PAGE};
use crate::scheme::InnerCode;
use crate::source::{PageSource, ReadFrom};

/// A page that its own rungs did not bring back, and how it was wrong.
pub(super) type Climbed = Result<Rung, Fault>;

/// The file as it can be read, and its older copy.
#[derive(Debug)]
pub(super) struct Reader<S, O> {
    pub(super) geometry: Geometry,
    pub(super) salter: Salter,
    source: S,
    older: O,
}

impl<S: PageSource, O: PageSource> Reader<S, O> {
    pub(super) fn new(descriptor: &Descriptor, source: S, older: O) -> Self {
        let salter = Salter::new(descriptor.uid);
        Self { geometry: descriptor.geometry, salter, source, older }
    }

    pub(super) fn with_older_copy<P: PageSource>(self, older: P) -> Reader<S, P> {
        Reader { geometry: self.geometry, salter: self.salter, source: self.source, older }
    }

    /// Whether there is an older copy to ask.
    pub(super) fn has_older(&self) -> bool {
        self.older.has_pages()
    }

    pub(super) const fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn into_source(self) -> S {
        self.source
    }

    /// Reads neighbouring pages; calls `failed` with each one that could not be read.
    pub(super) fn read_run(&mut self, first: PageNo, pages: &mut [Page], mut failed: impl FnMut(usize)) {
        if self.source.read(first, pages, ReadFrom::Anywhere).is_ok() {
            return;
        }
        for (index, page) in pages.iter_mut().enumerate() {
            let page = core::slice::from_mut(page);
            if self.source.read(first.plus(index as u64), page, ReadFrom::Anywhere).is_err() {
                failed(index);
            }
        }
    }

    /// Whether the source lends these pages and each of them matches its digest.
    pub(super) fn lends_right(&mut self, first: CodeNo, digests: &[Option<Digest>]) -> bool {
        let salter = self.salter;
        let Some(pages) = self.source.lend(self.geometry.page_of(first), digests.len()) else { return false };
        let mut numbered = (first.0..).zip(pages).zip(digests);
        numbered.all(|((number, page), digest)| *digest == Some(salter.digest(number, page)))
    }

    /// One page, from wherever `from` says; whether it could be read.
    pub(super) fn read_page(&mut self, page_no: PageNo, page: &mut Page, from: ReadFrom) -> bool {
        self.source.read(page_no, core::slice::from_mut(page), from).is_ok()
    }

    /// What the older copy holds for a page.
    pub(super) fn read_older(&mut self, page_no: PageNo, page: &mut Page) -> bool {
        self.older.read(page_no, core::slice::from_mut(page), ReadFrom::Medium).is_ok()
    }

    pub(super) fn matches(&self, number: CodeNo, digest: Digest, page: &Page) -> bool {
        self.salter.digest(number.0, page) == digest
    }

    /// Reads a page again and turns back flipped bits; `page` holds the right bytes if it worked.
    pub(super) fn climb(&mut self, number: CodeNo, digest: Option<Digest>, page: &mut Page) -> Climbed {
        let Some(digest) = digest else { return Err(Fault::Unprovable) };
        if !self.read_page(self.geometry.page_of(number), page, ReadFrom::Medium) {
            return Err(Fault::Unreadable);
        }
        if self.matches(number, digest, page) {
            return Ok(Rung::Transient);
        }
        if let Some(bits) = self.correct_words(number, digest, page) {
            return Ok(Rung::Corrected { bits });
        }
        match flip::correct(self.salter, number.0, digest, page) {
            true => Ok(Rung::Corrected { bits: 1 }),
            false => Err(Fault::Mismatch),
        }
    }

    /// Asks the older copy for a page.
    pub(super) fn supply(&mut self, number: CodeNo, digest: Option<Digest>, page: &mut Page) -> bool {
        let page_no = self.geometry.page_of(number);
        digest.is_some_and(|digest| self.read_older(page_no, page) && self.matches(number, digest, page))
    }

    /// Lets the inner code turn bits; says how many if that made the page right.
    fn correct_words(&mut self, number: CodeNo, digest: Digest, page: &mut Page) -> Option<u32> {
        if self.geometry.inner() == InnerCode::None || number.0 >= self.geometry.column_pages() {
            return None;
        }
        let word_page = self.geometry.column_pages() + number.0 / PAGES_PER_WORD_PAGE;
        let mut checks = ZERO_PAGE;
        if !self.read_page(self.geometry.page_of(CodeNo(word_page)), &mut checks, ReadFrom::Medium) {
            return None;
        }
        let at = (number.0 % PAGES_PER_WORD_PAGE) as usize * CHECKS_LEN;
        let mut corrected = *page;
        let bits = WordCode::correct(&mut corrected, &checks[at..at + CHECKS_LEN]);
        self.matches(number, digest, &corrected).then(|| {
            *page = corrected;
            bits
        })
    }
}
