//! Where pages come from and go to, as the caller sees it. Nothing here opens a file.

use crate::page::{PAGE_LEN, Page, PageNo};

/// How fresh a read has to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFrom {
    /// From wherever is quickest, caches included.
    Anywhere,
    /// From the medium itself, past every cache.
    Medium,
}

/// The pages could not be read: an erasure like any other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreadable;

/// A sealed file to be read, whose reads may fail or lie.
///
/// A slice of bytes is one: the file's whole image, cut short where it ends early.
///
/// ```
/// use page_ecc::{PageNo, PageSource, ReadFrom};
/// let mut file: &[u8] = &[7; 3 * 4096];
/// let mut pages = [[0; 4096]; 2];
/// file.read(PageNo::new(1), &mut pages, ReadFrom::Anywhere).unwrap();
/// assert_eq!(pages[1][0], 7);
/// assert!(file.read(PageNo::new(2), &mut pages, ReadFrom::Anywhere).is_err());
/// ```
pub trait PageSource {
    /// Fills `pages` with those from `first` on: all of them, or it fails.
    ///
    /// # Errors
    /// When any of them could not be read or is behind the file's end. The caller then asks page by
    /// page, so that one bad page costs only itself.
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable>;

    /// Lends `count` pages from `first` on where the source has them in memory anyway, so that
    /// checking them copies nothing. What is lent may be as stale as [`ReadFrom::Anywhere`] is.
    ///
    /// By default nothing is lent, and every page is asked for by [`read`](Self::read).
    fn lend(&mut self, first: PageNo, count: usize) -> Option<&[Page]> {
        let _ = (first, count);
        None
    }

    /// Whether there is anything to read: an older copy without pages is not asked.
    fn has_pages(&self) -> bool {
        true
    }
}

impl PageSource for &[u8] {
    fn read(&mut self, first: PageNo, pages: &mut [Page], _: ReadFrom) -> Result<(), Unreadable> {
        pages.copy_from_slice(self.lend(first, pages.len()).ok_or(Unreadable)?);
        Ok(())
    }

    fn lend(&mut self, first: PageNo, count: usize) -> Option<&[Page]> {
        let (whole, _) = self.as_chunks::<PAGE_LEN>();
        whole.get(usize::try_from(first.get()).ok()?..)?.get(..count)
    }
}

impl<S: PageSource + ?Sized> PageSource for &mut S {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        (**self).read(first, pages, from)
    }

    fn lend(&mut self, first: PageNo, count: usize) -> Option<&[Page]> {
        (**self).lend(first, count)
    }

    fn has_pages(&self) -> bool {
        (**self).has_pages()
    }
}

/// The older copy of a file that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoOlderCopy;

impl PageSource for NoOlderCopy {
    fn read(&mut self, _: PageNo, _: &mut [Page], _: ReadFrom) -> Result<(), Unreadable> {
        Err(Unreadable)
    }

    fn has_pages(&self) -> bool {
        false
    }
}
