//! A sealed file looked at page by page on the medium: what is wrong, and the bytes that put it right.
//!
//! It reads past every cache, in large pieces and each page once, as long as nothing is wrong. Nothing is
//! written here. Which files there are, and what becomes of what was found, is left to others.

use std::{ops::Range, path::Path, sync::Arc};

use lsm_io::{Access, File, FileOffset, Fs, IoError};
use page_ecc::{
    Descriptor, Examination, Geometry, Ladder, PAGE_LEN, Page, PageNo, PageSource, ReadFrom, Region,
    Unreadable,
};

use crate::{Proof, repair_source::OlderPages};

/// Pages read at once: 1 MiB.
const WINDOW_PAGES: u64 = 256;

/// One sealed file on the medium.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_core::Examiner;
/// use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
/// use page_ecc::{SealOptions, Uid};
///
/// let fs = Arc::new(FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(1)));
/// let image = SealOptions::new(Uid::new([1; 16])).seal(&[42; 100_000])?;
/// let path = Path::new("/sealed");
/// fs.create(path)?.append(image.as_bytes())?;
/// fs.damage(path, Damage::new(FileOffset::new(3 * 4096), ByteLen::new(4096), Rot::Zero))?;
///
/// let mut examiner = Examiner::open(&*fs, path, image.descriptor())?;
/// let examination = examiner.examine(0..examiner.pages());
/// assert_eq!(examination.patches.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Examiner {
    ladder: Ladder<MediumPages, OlderPages>,
}

impl Examiner {
    /// Opens the file that this descriptor describes.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(fs: &dyn Fs, path: &Path, descriptor: &Descriptor) -> Result<Self, IoError> {
        let file = fs.open(path, Access::ReadOnly)?;
        Ok(Self::of(file, descriptor, OlderPages::none()))
    }

    /// Of an open file, with an older copy to ask.
    pub(crate) fn of(file: Arc<dyn File>, descriptor: &Descriptor, older: OlderPages) -> Self {
        let source = MediumPages::new(file, descriptor.geometry());
        Self { ladder: Ladder::new(descriptor.clone(), source).with_older_copy(older) }
    }

    /// How many pages the file has.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.geometry().total_pages()
    }

    /// Looks at pages of the file, those behind its end left out.
    pub fn examine(&mut self, pages: Range<u64>) -> Examination {
        self.ladder.examine(PageNo::new(pages.start)..PageNo::new(pages.end))
    }

    /// Reads pages of the body, whatever it takes; the last one is filled up with zeros.
    ///
    /// # Errors
    /// If some of them are lost.
    ///
    /// # Panics
    /// If the body has no such pages.
    pub fn read_body(&mut self, pages: Range<u64>) -> Result<Vec<u8>, page_ecc::Loss> {
        Ok(self.ladder.read_body(pages)?.bytes)
    }

    /// Whether the file's digest pages bear out its descriptor: what decides between two found in one file.
    pub fn is_borne_out(&mut self) -> bool {
        self.ladder.is_borne_out()
    }

    /// How many bytes it read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.ladder.source().bytes_read
    }

    /// What every read so far reached.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.ladder.source().proof
    }

    fn geometry(&self) -> &Geometry {
        self.ladder.descriptor().geometry()
    }
}

/// A file read from the medium: ahead where it is gone through, page by page elsewhere.
#[derive(Debug)]
struct MediumPages {
    file: Arc<dyn File>,
    /// What is read ahead ends here.
    end: u64,
    /// The first copy of the digests, which are asked for all the time.
    digests: Window,
    ahead: Window,
    proof: Proof,
    bytes_read: u64,
}

/// Pages in memory.
#[derive(Debug, Default)]
struct Window {
    first: u64,
    pages: Vec<Page>,
}

impl Window {
    fn lend(&self, first: u64, count: u64) -> Option<&[Page]> {
        let from = first.checked_sub(self.first)?;
        self.pages.get(usize::try_from(from).ok()?..)?.get(..usize::try_from(count).ok()?)
    }
}

impl MediumPages {
    fn new(file: Arc<dyn File>, geometry: &Geometry) -> Self {
        let digests = geometry.region(Region::DigestsA);
        let end = geometry.total_pages();
        let (ahead, proof) = (Window::default(), Proof::Medium);
        let mut source = Self { file, end, digests: Window::default(), ahead, proof, bytes_read: 0 };
        let count = (digests.end.get() - digests.start.get()).min(WINDOW_PAGES);
        source.digests = source.window(Vec::new(), digests.start.get(), count).unwrap_or_default();
        source
    }

    /// Reads pages into a window, in memory that is used again.
    fn window(&mut self, mut pages: Vec<Page>, first: u64, count: u64) -> Option<Window> {
        pages.resize(usize::try_from(count).ok()?, [0; PAGE_LEN]);
        self.read_medium(first, &mut pages).ok()?;
        Some(Window { first, pages })
    }

    fn read_medium(&mut self, first: u64, pages: &mut [Page]) -> Result<(), Unreadable> {
        let buffer = pages.as_flattened_mut();
        let offset = FileOffset::new(first * PAGE_LEN as u64);
        let read = self.file.read_medium_at(offset, buffer).map_err(|_| Unreadable)?;
        self.bytes_read += read.len as u64;
        if !read.route.bypasses_cache() {
            self.proof = Proof::Cache;
        }
        if read.len == buffer.len() { Ok(()) } else { Err(Unreadable) }
    }

    /// Whether these pages are in memory, or could be read ahead now.
    fn is_ahead(&mut self, first: u64, count: u64) -> bool {
        if self.digests.lend(first, count).is_some() || self.ahead.lend(first, count).is_some() {
            return true;
        }
        let whole = WINDOW_PAGES.min(self.end.saturating_sub(first)).max(count);
        // Where a large piece cannot be read, a small one may.
        let used = std::mem::take(&mut self.ahead).pages;
        let read = self.window(used, first, whole).or_else(|| self.window(Vec::new(), first, count));
        self.ahead = read.unwrap_or_default();
        !self.ahead.pages.is_empty()
    }
}

impl PageSource for MediumPages {
    fn read(&mut self, first: PageNo, pages: &mut [Page], from: ReadFrom) -> Result<(), Unreadable> {
        let (at, count) = (first.get(), pages.len() as u64);
        let lent = self.digests.lend(at, count).or_else(|| self.ahead.lend(at, count));
        match lent {
            Some(lent) if from == ReadFrom::Anywhere => {
                pages.copy_from_slice(lent);
                Ok(())
            }
            _ => self.read_medium(at, pages),
        }
    }

    fn lend(&mut self, first: PageNo, count: usize) -> Option<&[Page]> {
        let (first, count) = (first.get(), count as u64);
        if !self.is_ahead(first, count) {
            return None;
        }
        self.digests.lend(first, count).or_else(|| self.ahead.lend(first, count))
    }
}
