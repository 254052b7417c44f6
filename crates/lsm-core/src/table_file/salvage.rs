//! A view over a table whose index, or a part of it, is lost: its blocks are found by walking the body.

use bytes::Bytes;
use page_ecc::PAGE_LEN;
use sst_format::{ReadError, ReadOptions, Salvage, TableRoot, TableView};

use super::ladder::{Sealed, read_pages};

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
            None => chunk.for_each(|page| match read_pages(sealed, page..page + 1) {
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
