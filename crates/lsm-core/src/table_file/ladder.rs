//! The cold path of a read: from bytes that do not prove themselves to the right ones, or to none.
//!
//! First the medium is asked for the block's own bytes; then the pages under the block climb the ladder of
//! `page-ecc`. Whatever is found is told to the witness, and nothing is written here.

use lsm_io::File;
use page_ecc::{
    Evidence, Examination, Ladder, PAGE_LEN, Page, PageNo, PageRanges, PageSource, ReadFrom, Rung, Unreadable,
};
use sst_format::{BlockAddr, RawBlock};

use super::offset_of;
use crate::{Proof, Sighting, TableMeta, TreeId, reader::ReadEnv, repair_source::OlderPages};

/// A table's file for the ladder.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'a> {
    pub(super) tree: TreeId,
    pub(super) meta: &'a TableMeta,
    pub(super) file: &'a dyn File,
    pub(super) env: &'a ReadEnv,
}

/// The bytes of a block, whatever it takes; `None` if they are lost.
#[cold]
#[inline(never)]
pub(super) fn climb(sealed: Sealed<'_>, addr: BlockAddr) -> Option<RawBlock> {
    if let Some(raw) = reread(sealed, addr) {
        return Some(raw);
    }
    let span = addr.span;
    if span.end() > sealed.meta.body_bytes() {
        return None;
    }
    let first = span.offset / PAGE_LEN as u64;
    let body = read_pages(sealed, first..span.end().div_ceil(PAGE_LEN as u64))?;
    let start = (span.offset - first * PAGE_LEN as u64) as usize;
    let raw = RawBlock::new(body.get(start..start + span.len as usize)?.to_vec());
    raw.clone().verify(addr).is_ok().then_some(raw)
}

/// The block's own bytes from the medium, if they prove themselves there.
pub(super) fn reread(sealed: Sealed<'_>, addr: BlockAddr) -> Option<RawBlock> {
    if addr.span.end() > sealed.meta.body_bytes() {
        return None;
    }
    let raw = read_medium(sealed.file, addr)?;
    sealed.tell(Evidence { transient: 1, ..Evidence::default() }, PageRanges::default(), Proof::Medium);
    Some(raw)
}

/// Pages of the body, whatever it takes; `None` if any of them is lost.
pub(super) fn read_pages(sealed: Sealed<'_>, pages: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let source = Pages { file: sealed.file, proof: Proof::Medium };
    let descriptor = &sealed.meta.descriptor;
    let older = OlderPages::new(sealed.env.repair_source.clone(), descriptor);
    let mut ladder = Ladder::new(descriptor.clone(), source).with_older_copy(older);
    let recovered = ladder.read_body(pages);
    let proof = ladder.into_source().proof;
    match recovered {
        Ok(recovered) => {
            let bad = wrong_pages(&recovered.examination);
            sealed.tell(recovered.examination.evidence(), bad, proof);
            Some(recovered.bytes)
        }
        Err(loss) => {
            let evidence = Evidence { lost: loss.pages.page_count(), ..Evidence::default() };
            sealed.tell(evidence, loss.pages, proof);
            None
        }
    }
}

impl Sealed<'_> {
    fn tell(&self, evidence: Evidence, pages: PageRanges, proof: Proof) {
        if !evidence.is_clean() {
            self.env.witness.sighted(&Sighting {
                tree: self.tree,
                table: self.meta.id,
                evidence,
                pages,
                proof,
            });
        }
    }
}

/// The bytes of a block from the medium, if they prove themselves.
fn read_medium(file: &dyn File, addr: BlockAddr) -> Option<RawBlock> {
    let mut bytes = vec![0; addr.span.len as usize];
    let read = file.read_medium_at(offset_of(addr.span.offset), &mut bytes).ok()?;
    let raw = RawBlock::new(bytes);
    (read.len == addr.span.len as usize && raw.clone().verify(addr).is_ok()).then_some(raw)
}

/// The pages that are wrong on the medium.
fn wrong_pages(examination: &Examination) -> PageRanges {
    let wrong = examination.findings.iter().filter(|finding| finding.rung != Rung::Transient);
    wrong.map(|finding| finding.page).collect()
}

/// A file as the ladder reads it.
struct Pages<'a> {
    file: &'a dyn File,
    /// Whether every read of the medium reached it.
    proof: Proof,
}

impl PageSource for Pages<'_> {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        let offset = lsm_io::FileOffset::new(first.offset());
        let buffer = pages.as_flattened_mut();
        let read = match from {
            ReadFrom::Anywhere => self.file.read_at(offset, buffer).map_err(|_| Unreadable)?,
            ReadFrom::Medium => {
                let read = self.file.read_medium_at(offset, buffer).map_err(|_| Unreadable)?;
                if !read.route.bypasses_cache() {
                    self.proof = Proof::Cache;
                }
                read.len
            }
        };
        if read == buffer.len() { Ok(()) } else { Err(Unreadable) }
    }
}
