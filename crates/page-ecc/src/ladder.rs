//! The ladder: from a page that reads wrong to the right one, with evidence.
//!
//! In this order: read again from the medium, locate by digest, turn back flipped bits, rebuild
//! from the column, ask an older copy, name the loss. Each result counts only if the digests agree.
//! The ladder reads through a [`PageSource`] and writes nothing: what should be written it hands
//! back as patches. **Invariant**: bytes leave here proven or not at all.

mod columns;
mod digests;
mod reader;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use columns::Columns;
use digests::Digests;
use reader::Reader;

use crate::descriptor::Descriptor;
use crate::evidence::{Examination, Fault, Finding, Loss, Patch, Rung};
use crate::geometry::{Geometry, Region};
use crate::hsiao::{self, CHECKS_LEN};
use crate::page::{CodeNo, Page, PageNo, ZERO_PAGE};
use crate::seal::covered_by_word_page;
use crate::source::{NoOlderCopy, PageSource, ReadFrom};

/// Pages read at a time: 1 MiB.
const CHUNK_PAGES: u64 = 256;

/// Climbs for the pages of one sealed file.
///
/// ```
/// use page_ecc::{Descriptor, Ladder, PageNo, SealOptions, Uid};
/// let image = SealOptions::new(Uid::new([1; 16])).seal(&[42; 100_000])?;
/// let descriptor = image.descriptor().clone();
///
/// let mut file = image.clone().into_bytes();
/// file[5 * 4096..9 * 4096].fill(0); // four sectors gone
/// let mut ladder = Ladder::new(descriptor, &file[..]);
/// let body = ladder.read_body(0..25)?;
/// assert_eq!(&body.bytes[..100_000], image.body());
/// assert_eq!(body.examination.evidence().rebuilt, 4);
///
/// for patch in body.examination.patches {
///     file[patch.page.offset() as usize..][..4096].copy_from_slice(&patch.bytes[..]);
/// }
/// assert_eq!(file, image.as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ladder<S, O = NoOlderCopy> {
    descriptor: Descriptor,
    reader: Reader<S, O>,
    digests: Digests,
    columns: Columns,
}

/// Body pages as they were sealed, and what it took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveredBody {
    /// The pages' bytes; the last page of a body is filled up with zeros.
    pub bytes: Vec<u8>,
    /// What was wrong with them, and the patches that heal it.
    pub examination: Examination,
}

impl<S: PageSource> Ladder<S> {
    /// A ladder over the file of this descriptor.
    pub fn new(descriptor: Descriptor, source: S) -> Self {
        let geometry = descriptor.geometry;
        Self {
            reader: Reader::new(&descriptor, source, NoOlderCopy),
            digests: Digests::new(descriptor.root),
            columns: Columns::new(&geometry),
            descriptor,
        }
    }

    /// Lets an older copy of the same file (a checkpoint, a backup, a replica) offer pages where
    /// parity is not enough; the digests decide.
    pub fn with_older_copy<O: PageSource>(self, older: O) -> Ladder<S, O> {
        let Self { descriptor, reader, digests, columns } = self;
        Ladder { descriptor, reader: reader.with_older_copy(older), digests, columns }
    }
}

impl<S: PageSource, O: PageSource> Ladder<S, O> {
    /// What the file says of itself.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Gives the source back.
    #[must_use]
    pub fn into_source(self) -> S {
        self.reader.into_source()
    }

    /// Whether any digest page of the file bears this descriptor's uid: what decides between two
    /// descriptors found in one file.
    pub fn is_borne_out(&mut self) -> bool {
        digests::any_is_proven(&mut self.reader)
    }

    /// Reads body pages, whatever it takes.
    ///
    /// # Errors
    /// When pages among them are lost.
    ///
    /// # Panics
    /// When the body has no such pages.
    pub fn read_body(&mut self, pages: Range<u64>) -> Result<RecoveredBody, Loss> {
        assert!(pages.end <= self.geometry().body_pages(), "the body has fewer pages");
        let mut bytes = Vec::new();
        let mut examination = Examination::default();
        for chunk in chunks(pages) {
            let mut buffer = vec![ZERO_PAGE; (chunk.end - chunk.start) as usize];
            self.prove(CodeNo(chunk.start), &mut buffer, &mut examination);
            bytes.extend_from_slice(buffer.as_flattened());
        }
        self.loss(&examination).map_or(Ok(RecoveredBody { bytes, examination }), Err)
    }

    /// Looks at pages of any kind and works out how to heal those that are wrong.
    ///
    /// Pages behind the file's end are left out. Memory grows with what is found, not with what is
    /// looked at; give a bounded range to bound it.
    pub fn examine(&mut self, pages: Range<PageNo>) -> Examination {
        let mut examination = Examination::default();
        for region in Region::ALL {
            let all = self.geometry().region(region);
            let from = pages.start.max(all.start);
            let to = pages.end.min(all.end);
            for chunk in chunks(from.get()..to.get()) {
                self.examine_chunk(
                    region,
                    chunk.start - all.start.get()..chunk.end - all.start.get(),
                    &mut examination,
                );
            }
        }
        examination
    }

    /// The loss that an examination means, if it means one.
    #[must_use]
    pub fn loss(&self, examination: &Examination) -> Option<Loss> {
        let pages = examination.lost();
        let parity = self.geometry().scheme().parity();
        (!pages.is_empty()).then(|| Loss { uid: self.descriptor.uid, pages, parity })
    }

    const fn geometry(&self) -> &Geometry {
        &self.descriptor.geometry
    }

    fn examine_chunk(&mut self, region: Region, chunk: Range<u64>, into: &mut Examination) {
        let start = self.geometry().region(region).start;
        match region {
            Region::Body | Region::Parity => {
                let number = self.geometry().code_no(start.plus(chunk.start));
                let number = number.expect("body and parity pages have digests");
                let mut buffer = vec![ZERO_PAGE; (chunk.end - chunk.start) as usize];
                self.prove(number, &mut buffer, into);
            }
            Region::Header | Region::Footer => self.examine_descriptor(region, into),
            Region::DigestsA | Region::DigestsB => {
                for index in chunk {
                    let mut page = ZERO_PAGE;
                    if let Some((fault, rung)) =
                        self.digests.inspect((region, index), &mut self.reader, &mut page)
                    {
                        into.add(Finding { page: start.plus(index), region, fault, rung }, &page);
                    }
                }
            }
            Region::WordChecks => chunk.for_each(|index| self.examine_word_page(index, into)),
        }
    }

    fn examine_descriptor(&mut self, region: Region, into: &mut Examination) {
        let page_no = self.geometry().region(region).start;
        let sealed = self.descriptor.encode_page();
        let mut page = ZERO_PAGE;
        let mut is_right = |from| self.reader.read_page(page_no, &mut page, from).then_some(page == sealed);
        let (fault, rung) = match (is_right(ReadFrom::Anywhere), is_right(ReadFrom::Medium)) {
            (Some(true), _) => return,
            (_, Some(true)) => (Fault::Mismatch, Rung::Transient),
            (_, Some(false)) => (Fault::Mismatch, Rung::Copied),
            (_, None) => (Fault::Unreadable, Rung::Copied),
        };
        into.add(Finding { page: page_no, region, fault, rung }, &sealed);
    }

    /// Reads body or parity pages from `first` on into `pages`; lost ones are left as zeros.
    fn prove(&mut self, first: CodeNo, pages: &mut [Page], into: &mut Examination) {
        let geometry = *self.geometry();
        let first_page = geometry.page_of(first);
        let (region, _) = geometry.locate(first_page).expect("the file has this page");
        let mut unread = BTreeSet::new();
        self.reader.read_run(first_page, pages, |index| {
            unread.insert(index);
        });
        let mut findings: BTreeMap<CodeNo, (Fault, Rung)> = BTreeMap::new();
        let mut wanted = BTreeSet::new();
        for (index, page) in pages.iter_mut().enumerate() {
            let number = CodeNo(first.0 + index as u64);
            let digest = self.digests.of(number, &mut self.reader);
            let is_read = !unread.contains(&index);
            if is_read && digest.is_some_and(|digest| self.reader.matches(number, digest, page)) {
                continue;
            }
            let seen = if is_read { Fault::Mismatch } else { Fault::Unreadable };
            let (fault, rung) = match self.reader.climb(number, digest, page) {
                Ok(rung) => (seen, rung),
                Err(fault) => {
                    wanted.insert(number);
                    (fault, Rung::Lost)
                }
            };
            findings.insert(number, (fault, rung));
        }
        self.columns.climb(&wanted, &mut self.reader, &mut self.digests, |number, result| {
            let page = &mut pages[(number.0 - first.0) as usize];
            let finding = findings.get_mut(&number).expect("every wanted page has a finding");
            match result {
                Some((rung, bytes)) => {
                    *page = *bytes;
                    finding.1 = rung;
                }
                None => *page = ZERO_PAGE,
            }
        });
        for (number, (fault, rung)) in findings {
            let page = geometry.page_of(number);
            into.add(Finding { page, region, fault, rung }, &pages[(number.0 - first.0) as usize]);
        }
    }

    fn examine_word_page(&mut self, index: u64, into: &mut Examination) {
        let geometry = *self.geometry();
        let number = CodeNo(geometry.column_pages() + index);
        let page_no = geometry.page_of(number);
        let digest = self.digests.of(number, &mut self.reader);
        let mut page = ZERO_PAGE;
        let is_read = self.reader.read_page(page_no, &mut page, ReadFrom::Anywhere);
        if is_read && digest.is_some_and(|digest| self.reader.matches(number, digest, &page)) {
            return;
        }
        let seen = if is_read { Fault::Mismatch } else { Fault::Unreadable };
        let (fault, rung) = match self.reader.climb(number, digest, &mut page) {
            Ok(rung) => (seen, rung),
            Err(fault) => {
                let covered = covered_by_word_page(&geometry, index);
                page = self.word_checks_of(covered);
                match digest.is_some_and(|digest| self.reader.matches(number, digest, &page)) {
                    true => (fault, Rung::Copied),
                    false if self.reader.supply(number, digest, &mut page) => (fault, Rung::Supplied),
                    false => (fault, Rung::Lost),
                }
            }
        };
        into.add(Finding { page: page_no, region: Region::WordChecks, fault, rung }, &page);
    }

    /// The word checks of body and parity pages, as far as these are not lost.
    fn word_checks_of(&mut self, covered: Range<u64>) -> Page {
        let mut checks = ZERO_PAGE;
        for (number, checks) in covered.zip(checks.chunks_exact_mut(CHECKS_LEN)) {
            let mut page = [ZERO_PAGE];
            self.prove(CodeNo(number), &mut page, &mut Examination::default());
            hsiao::encode(&page[0], checks);
        }
        checks
    }
}

impl Examination {
    /// Adds a finding, and the patch if the page is wrong on the medium and known.
    fn add(&mut self, finding: Finding, bytes: &Page) {
        self.findings.push(finding);
        if !matches!(finding.rung, Rung::Transient | Rung::Lost) {
            self.patches.push(Patch { page: finding.page, bytes: Box::new(*bytes) });
        }
    }
}

/// A range in pieces of [`CHUNK_PAGES`].
fn chunks(pages: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = pages.end;
    pages.step_by(CHUNK_PAGES as usize).map(move |start| start..(start + CHUNK_PAGES).min(end))
}
