//! The proven digests of a file, mended from whichever copy is good.
//!
//! **Invariant**: a digest leaves here only from a page that proved itself, or from one worked out
//! anew whose file then bears its root digest. Pages are kept up to a bound, so a file of any
//! length costs the same memory.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use twox_hash::XxHash3_128;

use super::reader::Reader;
use crate::digest::Digest;
use crate::digest_page::{self, DIGESTS_PER_PAGE};
use crate::evidence::{Fault, Rung};
use crate::geometry::Region;
use crate::page::{CodeNo, Page, PageNo, ZERO_PAGE};
use crate::source::{PageSource, ReadFrom};

/// Digest pages kept at a time: 2 MiB, the digests of 1 GiB.
const KEPT_PAGES: usize = 512;
/// Lost digest pages that are worked out anew at the most: 33 MiB of pages to read.
const RESCUED_PAGES: usize = 16;
/// Digest pages that are asked at the most whose file this is.
const ASKED_PAGES: u64 = 1024;

/// The digests of one file.
#[derive(Debug)]
pub(super) struct Digests {
    root: u128,
    kept: BTreeMap<u64, Option<Box<Page>>>,
    rescued: Option<BTreeMap<u64, Box<Page>>>,
}

impl Digests {
    pub(super) fn new(root: u128) -> Self {
        Self { root, kept: BTreeMap::new(), rescued: None }
    }

    /// The digest of a page; `None` when both its copies are gone.
    pub(super) fn of<S: PageSource, O: PageSource>(
        &mut self,
        number: CodeNo,
        reader: &mut Reader<S, O>,
    ) -> Option<Digest> {
        let (index, at) = digest_page::place_of(number);
        self.page(index, reader).map(|page| digest_page::digest_at(page, at))
    }

    /// The digests of neighbouring pages.
    pub(super) fn of_run<S: PageSource, O: PageSource>(
        &mut self,
        first: CodeNo,
        count: usize,
        reader: &mut Reader<S, O>,
    ) -> Vec<Option<Digest>> {
        let mut digests = Vec::with_capacity(count);
        while digests.len() < count {
            let (index, start) = digest_page::place_of(CodeNo(first.0 + digests.len() as u64));
            let here = (DIGESTS_PER_PAGE - start / Digest::LEN).min(count - digests.len());
            let page = self.page(index, reader);
            let places = (start..).step_by(Digest::LEN).take(here);
            digests.extend(places.map(|at| page.map(|page| digest_page::digest_at(page, at))));
        }
        digests
    }

    /// A digest page as it was sealed.
    pub(super) fn page<S: PageSource, O: PageSource>(
        &mut self,
        index: u64,
        reader: &mut Reader<S, O>,
    ) -> Option<&Page> {
        if !self.kept.contains_key(&index) {
            let found = load(index, reader).or_else(|| self.rescue(index, reader));
            if self.kept.len() >= KEPT_PAGES {
                self.kept.clear();
            }
            self.kept.insert(index, found);
        }
        self.kept.get(&index)?.as_deref()
    }

    /// Looks at the digest page of one copy: right at once, or how it was wrong and what helped.
    pub(super) fn inspect<S: PageSource, O: PageSource>(
        &mut self,
        (region, index): (Region, u64),
        reader: &mut Reader<S, O>,
        page: &mut Page,
    ) -> Option<(Fault, Rung)> {
        let page_no = reader.geometry.region(region).start.plus(index);
        let salter = reader.salter;
        if reader.read_page(page_no, page, ReadFrom::Anywhere) && digest_page::is_proven(page, index, salter)
        {
            return None;
        }
        let fault = match reader.read_page(page_no, page, ReadFrom::Medium) {
            true if digest_page::is_proven(page, index, salter) => {
                return Some((Fault::Mismatch, Rung::Transient));
            }
            true if digest_page::correct_flip(page, index, salter) => {
                return Some((Fault::Mismatch, Rung::Corrected { bits: 1 }));
            }
            true => Fault::Mismatch,
            false => Fault::Unreadable,
        };
        match self.page(index, reader) {
            Some(proven) => {
                *page = *proven;
                Some((fault, Rung::Copied))
            }
            None => Some((fault, Rung::Lost)),
        }
    }

    /// Works out every lost digest page anew, once, and believes the result if the root agrees.
    fn rescue<S: PageSource, O: PageSource>(
        &mut self,
        index: u64,
        reader: &mut Reader<S, O>,
    ) -> Option<Box<Page>> {
        let root = self.root;
        let rescued = self.rescued.get_or_insert_with(|| work_out(root, reader).unwrap_or_default());
        rescued.get(&index).cloned()
    }
}

/// Whether a digest page of the file bears the reader's uid: looks at some from all over the file,
/// so that a descriptor that states an absurd length costs no more than a sound one.
pub(super) fn any_is_proven<S: PageSource, O: PageSource>(reader: &mut Reader<S, O>) -> bool {
    let mut page = ZERO_PAGE;
    let step = reader.geometry.digest_pages().div_ceil(ASKED_PAGES);
    (0..reader.geometry.digest_pages()).step_by(step as usize).any(|index| {
        copies(index, reader).into_iter().any(|page_no| {
            reader.read_page(page_no, &mut page, ReadFrom::Anywhere)
                && digest_page::is_proven(&page, index, reader.salter)
        })
    })
}

fn copies<S: PageSource, O: PageSource>(index: u64, reader: &Reader<S, O>) -> [PageNo; 2] {
    [Region::DigestsA, Region::DigestsB].map(|region| reader.geometry.region(region).start.plus(index))
}

/// A digest page from whichever copy proves itself, with a flipped bit turned back if need be.
fn load<S: PageSource, O: PageSource>(index: u64, reader: &mut Reader<S, O>) -> Option<Box<Page>> {
    let mut page = Box::new(ZERO_PAGE);
    let salter = reader.salter;
    let copies = copies(index, reader);
    for from in [ReadFrom::Anywhere, ReadFrom::Medium] {
        for copy in copies {
            if reader.read_page(copy, &mut page, from) && digest_page::is_proven(&page, index, salter) {
                return Some(page);
            }
        }
    }
    for copy in copies {
        let is_read = reader.read_page(copy, &mut page, ReadFrom::Medium);
        if is_read && digest_page::correct_flip(&mut page, index, salter) {
            return Some(page);
        }
    }
    for copy in copies {
        if reader.read_older(copy, &mut page) && digest_page::is_proven(&page, index, salter) {
            return Some(page);
        }
    }
    None
}

/// The lost digest pages, made from the pages they speak of; nothing unless the root then agrees.
fn work_out<S: PageSource, O: PageSource>(
    root: u128,
    reader: &mut Reader<S, O>,
) -> Option<BTreeMap<u64, Box<Page>>> {
    let mut made = BTreeMap::new();
    let mut found = XxHash3_128::new();
    for index in 0..reader.geometry.digest_pages() {
        let page = match load(index, reader) {
            Some(page) => page,
            None if made.len() < RESCUED_PAGES => {
                let page = make(index, reader)?;
                made.insert(index, page.clone());
                page
            }
            None => return None,
        };
        found.write(&page[..]);
    }
    (found.finish_128() == root).then_some(made)
}

/// The digest page that the file would have if the pages under it are right as they are.
fn make<S: PageSource, O: PageSource>(index: u64, reader: &mut Reader<S, O>) -> Option<Box<Page>> {
    let mut digests = Box::new(ZERO_PAGE);
    let mut page = ZERO_PAGE;
    let first = index * DIGESTS_PER_PAGE as u64;
    let end = (first + DIGESTS_PER_PAGE as u64).min(reader.geometry.code_pages());
    for number in first..end {
        if !reader.read_page(reader.geometry.page_of(CodeNo(number)), &mut page, ReadFrom::Medium) {
            return None;
        }
        let (_, at) = digest_page::place_of(CodeNo(number));
        digests[at..at + Digest::LEN].copy_from_slice(&reader.salter.digest(number, &page).encode());
    }
    digest_page::close(&mut digests, index, reader.salter);
    Some(digests)
}
