//! A view over a table whose index, or a part of it, is lost: its blocks are found by walking the body.
//!
//! A page that nothing brings back may still hold whole blocks beside the bytes that are wrong. So it is walked as
//! the file shows it, as every block there has to prove itself; only what cannot be read at all is left out.

use bytes::Bytes;
use page_ecc::PAGE_LEN;
use sst_format::{ReadError, ReadOptions, Salvage, TableRoot, TableView};

use super::{
    ladder::{Sealed, read_pages},
    offset_of,
};

/// Pages that climb together; where one of them is lost, each climbs alone.
const CHUNK_PAGES: u64 = 64;

#[cold]
#[inline(never)]
pub(super) fn view(
    options: ReadOptions,
    sealed: Sealed<'_>,
    root: TableRoot,
) -> Result<TableView, ReadError> {
    let geometry = sealed.meta.descriptor.geometry();
    let (len, pages) = (sealed.meta.body_bytes(), geometry.body_pages());
    let mut body = Vec::new();
    let mut bad = Vec::new();
    for start in (0..pages).step_by(CHUNK_PAGES as usize) {
        let chunk = start..(start + CHUNK_PAGES).min(pages);
        match read_pages(sealed, chunk.clone()) {
            Some(bytes) => body.extend_from_slice(&bytes),
            None => chunk.for_each(|page| match page_bytes(sealed, page) {
                Some(bytes) => body.extend_from_slice(&bytes),
                None => {
                    bad.push(page * PAGE_LEN as u64..((page + 1) * PAGE_LEN as u64).min(len));
                    body.resize(body.len() + PAGE_LEN, 0);
                }
            }),
        }
    }
    body.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    let salvage = Salvage::new(sealed.meta.descriptor.uid(), options).root(root);
    salvage.walk(&Bytes::from(body), &bad)?.into_view()
}

/// A page of the body; if nothing brings it back, as the file shows it.
fn page_bytes(sealed: Sealed<'_>, page: u64) -> Option<Vec<u8>> {
    let as_it_is = || sealed.file.read_to_vec(offset_of(page * PAGE_LEN as u64), PAGE_LEN).ok();
    read_pages(sealed, page..page + 1).or_else(as_it_is)
}
