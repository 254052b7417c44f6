//! Older copies of files, from wherever the caller keeps some: another device, a backup, a replica.
//!
//! Invariant: what a source offers is believed only where the digests of the file at hand agree.

use std::{fmt, sync::Arc};

use page_ecc::{Descriptor, Page, PageNo, PageSource, ReadFrom, Uid, Unreadable};

/// Offers pages of older copies of a store's files.
///
/// It is asked on the thread that reads or heals, where parity does not bring a page back, and may take its
/// time. Whatever it gives is checked against the digests of the file, so a wrong page does no harm.
///
/// ```
/// use lsm_core::RepairSource;
/// use page_ecc::{Page, PageNo, Uid, Unreadable};
///
/// /// Files that lie in a backup under the names of their uids.
/// #[derive(Debug)]
/// struct Backup(std::path::PathBuf);
/// impl RepairSource for Backup {
///     fn read_page(&self, file: Uid, page: PageNo, into: &mut Page) -> Result<(), Unreadable> {
///         let bytes = std::fs::read(self.0.join(file.to_string())).map_err(|_| Unreadable)?;
///         let at = page.offset() as usize;
///         into.copy_from_slice(bytes.get(at..at + 4096).ok_or(Unreadable)?);
///         Ok(())
///     }
/// }
/// ```
pub trait RepairSource: Send + Sync + fmt::Debug {
    /// A page of the file with this uid.
    ///
    /// # Errors
    /// If there is no copy of it at hand.
    fn read_page(&self, file: Uid, page: PageNo, into: &mut Page) -> Result<(), Unreadable>;
}

/// The older copy of one file, if there is a source.
#[derive(Clone, Debug)]
pub(crate) struct OlderPages {
    source: Option<Arc<dyn RepairSource>>,
    file: Option<Uid>,
}

impl OlderPages {
    pub(crate) fn none() -> Self {
        Self { source: None, file: None }
    }

    pub(crate) fn new(source: Option<Arc<dyn RepairSource>>, descriptor: &Descriptor) -> Self {
        Self { source, file: Some(descriptor.uid()) }
    }
}

impl PageSource for OlderPages {
    fn read(&mut self, first: PageNo, pages: &mut [Page], _: ReadFrom) -> Result<(), Unreadable> {
        let (Some(source), Some(file)) = (&self.source, self.file) else { return Err(Unreadable) };
        let mut numbered = (0..).map(|at| first.plus(at)).zip(pages);
        numbered.try_for_each(|(number, page)| source.read_page(file, number, page))
    }

    fn has_pages(&self) -> bool {
        self.source.is_some()
    }
}
