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
use crate::hsiao::{CHECKS_LEN, WordCode};
use crate::page::{CodeNo, Page, PageNo, ZERO_PAGE};
use crate::seal::covered_by_word_page;
use crate::source::{NoOlderCopy, PageSource, ReadFrom};

/// Pages read at a time: 256 KiB, which a processor's own cache still holds when they are checked.
const CHUNK_PAGES: u64 = 64;

/// Body and parity pages that need their column, and how they were wrong.
type Suspects = BTreeMap<CodeNo, Fault>;

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

    /// What the pages come from.
    #[must_use]
    pub const fn source(&self) -> &S {
        self.reader.source()
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
        let first = pages.start;
        let mut buffer = vec![ZERO_PAGE; pages.end.saturating_sub(first) as usize];
        let mut examination = Examination::default();
        let mut suspects = Suspects::new();
        for chunk in chunks(pages) {
            let pages = &mut buffer[(chunk.start - first) as usize..(chunk.end - first) as usize];
            self.prove(CodeNo(chunk.start), pages, &mut suspects, &mut examination);
        }
        self.climb(&suspects, &mut examination, |number, page| buffer[(number.0 - first) as usize] = *page);
        let bytes = buffer.into_flattened();
        self.loss(&examination).map_or(Ok(RecoveredBody { bytes, examination }), Err)
    }

    /// Looks at pages of any kind and works out how to heal those that are wrong.
    ///
    /// Pages behind the file's end are left out. Memory grows with what is found, not with what is
    /// looked at; give a bounded range to bound it.
    pub fn examine(&mut self, pages: Range<PageNo>) -> Examination {
        let mut examination = Examination::default();
        let mut suspects = Suspects::new();
        for region in Region::ALL {
            let all = self.geometry().region(region);
            let from = pages.start.max(all.start);
            let to = pages.end.min(all.end);
            let within = from.get().saturating_sub(all.start.get())..to.get().saturating_sub(all.start.get());
            match region {
                Region::Body => self.examine_columns(within, &mut suspects, &mut examination),
                Region::Parity => {
                    let before = self.geometry().body_pages();
                    let numbers = before + within.start..before + within.end;
                    self.examine_columns(numbers, &mut suspects, &mut examination);
                }
                Region::Header | Region::Footer => {
                    within.for_each(|_| self.examine_descriptor(region, &mut examination));
                }
                Region::DigestsA | Region::DigestsB => {
                    within.for_each(|index| self.examine_digest_page(region, index, &mut examination));
                }
                Region::WordChecks => {
                    within.for_each(|index| self.examine_word_page(index, &mut examination));
                }
            }
        }
        self.climb(&suspects, &mut examination, |_, _| {});
        examination
    }

    /// The loss that an examination means, if it means one.
    #[must_use]
    pub fn loss(&self, examination: &Examination) -> Option<Loss> {
        let pages = examination.lost();
        let parity = self.geometry().scheme().parity();
        (!pages.is_empty()).then_some(Loss { uid: self.descriptor.uid, pages, parity })
    }

    const fn geometry(&self) -> &Geometry {
        &self.descriptor.geometry
    }

    /// Looks at body or parity pages by their numbers; none of them may be of another region.
    fn examine_columns(&mut self, numbers: Range<u64>, suspects: &mut Suspects, into: &mut Examination) {
        let mut buffer = Vec::new();
        for chunk in chunks(numbers) {
            let (first, count) = (CodeNo(chunk.start), (chunk.end - chunk.start) as usize);
            let digests = self.digests.of_run(first, count, &mut self.reader);
            if !self.reader.lends_right(first, &digests) {
                buffer.resize(count, ZERO_PAGE);
                self.prove(first, &mut buffer, suspects, into);
            }
        }
    }

    fn examine_digest_page(&mut self, region: Region, index: u64, into: &mut Examination) {
        let mut page = ZERO_PAGE;
        if let Some((fault, rung)) = self.digests.inspect((region, index), &mut self.reader, &mut page) {
            let page_no = self.geometry().region(region).start.plus(index);
            into.add(Finding { page: page_no, region, fault, rung }, &page);
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

    /// Reads body or parity pages from `first` on into `pages`; those that need their column are
    /// left as zeros and become suspects.
    fn prove(&mut self, first: CodeNo, pages: &mut [Page], suspects: &mut Suspects, into: &mut Examination) {
        let first_page = self.geometry().page_of(first);
        let (region, _) = self.geometry().locate(first_page).expect("the file has this page");
        let mut unread = BTreeSet::new();
        self.reader.read_run(first_page, pages, |index| {
            unread.insert(index);
        });
        let digests = self.digests.of_run(first, pages.len(), &mut self.reader);
        for (index, (page, digest)) in pages.iter_mut().zip(digests).enumerate() {
            let number = CodeNo(first.0 + index as u64);
            let is_read = unread.is_empty() || !unread.contains(&index);
            if is_read && digest.is_some_and(|digest| self.reader.matches(number, digest, page)) {
                continue;
            }
            let seen = if is_read { Fault::Mismatch } else { Fault::Unreadable };
            match self.reader.climb(number, digest, page) {
                Ok(rung) => {
                    let page_no = first_page.plus(index as u64);
                    into.add(Finding { page: page_no, region, fault: seen, rung }, page);
                }
                Err(fault) => {
                    suspects.insert(number, fault);
                    *page = ZERO_PAGE;
                }
            }
        }
    }

    /// Climbs for suspects by their columns, each column once; hands on the bytes of those that are
    /// right again.
    fn climb(&mut self, suspects: &Suspects, into: &mut Examination, mut put: impl FnMut(CodeNo, &Page)) {
        if suspects.is_empty() {
            return;
        }
        let geometry = *self.geometry();
        self.columns.climb(suspects, &mut self.reader, &mut self.digests, |number, result| {
            let page = geometry.page_of(number);
            let region = if number.0 < geometry.body_pages() { Region::Body } else { Region::Parity };
            let (rung, bytes) = result.unwrap_or((Rung::Lost, &ZERO_PAGE));
            put(number, bytes);
            into.add(Finding { page, region, fault: suspects[&number], rung }, bytes);
        });
        into.findings.sort_by_key(|finding| finding.page);
        into.patches.sort_by_key(|patch| patch.page);
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
            let (mut page, mut suspects) = ([ZERO_PAGE], Suspects::new());
            self.prove(CodeNo(number), &mut page, &mut suspects, &mut Examination::default());
            self.climb(&suspects, &mut Examination::default(), |_, bytes| page[0] = *bytes);
            WordCode::encode(&page[0], checks);
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
