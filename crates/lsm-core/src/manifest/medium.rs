//! Pages of an open file: from anywhere, and from the medium where that matters.

use std::sync::Arc;

use lsm_io::{File, FileOffset};
use page_ecc::{PAGE_LEN, Page, PageNo, PageSource, ReadFrom, Unreadable};

/// A sealed file for the ladder.
#[derive(Debug)]
pub(super) struct FilePages<'a>(pub(super) &'a Arc<dyn File>);

impl PageSource for FilePages<'_> {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        let offset = FileOffset::new(first.offset());
        let bytes = pages.as_flattened_mut();
        let read = match from {
            ReadFrom::Anywhere => self.0.read_at(offset, bytes),
            ReadFrom::Medium => self.0.read_medium_at(offset, bytes).map(|read| read.len),
        };
        if read.is_ok_and(|len| len == bytes.len()) { Ok(()) } else { Err(Unreadable) }
    }
}

/// One page; from the medium if anything else does not bring it.
pub(super) fn read_page(file: &Arc<dyn File>, page: u64) -> Result<Page, Unreadable> {
    let mut bytes = [[0; PAGE_LEN]];
    let mut source = FilePages(file);
    let page = PageNo::new(page);
    source
        .read(page, &mut bytes, ReadFrom::Anywhere)
        .or_else(|Unreadable| source.read(page, &mut bytes, ReadFrom::Medium))?;
    Ok(bytes[0])
}

/// One page from the medium.
pub(super) fn read_medium_page(file: &Arc<dyn File>, page: u64) -> Result<Page, Unreadable> {
    let mut bytes = [[0; PAGE_LEN]];
    FilePages(file).read(PageNo::new(page), &mut bytes, ReadFrom::Medium)?;
    Ok(bytes[0])
}
