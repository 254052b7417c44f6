//! What a patrol walks over: the files of a store, opened one by one, and the owner who hears of findings.
//!
//! Reading past every cache, climbing the ladder and healing are the owner's; a patrol says which pages, when.

use std::{error, fmt, ops::Range, sync::Arc};

use lsm_core::KeyBounds;
use page_ecc::{Fault, PageNo, Region, Rung};

use crate::{Action, Finding, PatrolFile};

/// The store that is patrolled.
///
/// ```
/// use std::ops::Range;
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::*;
/// use page_ecc::PageNo;
///
/// /// A store of one file that is always right.
/// struct Sound;
///
/// impl Ground for Sound {
///     fn files(&self) -> Vec<PatrolFile> {
///         let of = FileRef { tree: TreeId::new(1), kind: FileKind::Table, file: FileId::new(1) };
///         vec![PatrolFile::new(of, 100)]
///     }
///     fn examiner(&self, _: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault> {
///         Ok(Some(Box::new(Sound)))
///     }
///     fn found(&self, _: &Finding) -> Action {
///         Action::Scheduled
///     }
/// }
///
/// impl Examiner for Sound {
///     fn examine(&mut self, pages: Range<PageNo>) -> Examined {
///         Examined { bytes: 4096 * (pages.end.get() - pages.start.get()), flaws: Vec::new() }
///     }
/// }
/// assert_eq!(Sound.files().len(), 1);
/// ```
pub trait Ground: Sync {
    /// Every file that is there now: tables, blob files, log segments, manifest copies, snapshots.
    fn files(&self) -> Vec<PatrolFile>;

    /// Opens one to be examined; None if it is gone meanwhile, which is no error.
    ///
    /// # Errors
    /// If it is there and cannot be opened. That is a finding.
    fn examiner(&self, file: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault>;

    /// Hears of a finding at once, and says what it did about it. Not called by a read-only patrol.
    fn found(&self, finding: &Finding) -> Action;
}

/// One open file.
///
/// ```
/// // See `Ground` for one that finds nothing.
/// fn is_sound(examiner: &mut dyn lsm_scrub::Examiner) -> bool {
///     use page_ecc::PageNo;
///     examiner.examine(PageNo::new(0)..PageNo::new(256)).flaws.is_empty()
/// }
/// ```
pub trait Examiner {
    /// Reads these pages from the medium, past every cache, in large sequential reads, and says which were not
    /// right at once. Flaws of other pages are left out: their own turn comes.
    fn examine(&mut self, pages: Range<PageNo>) -> Examined;
}

/// What an examination of some pages came to.
///
/// ```
/// let examined = lsm_scrub::Examined { bytes: 8192, flaws: Vec::new() };
/// assert!(examined.flaws.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Bytes read from the medium, siblings and second reads included.
    pub bytes: u64,
    /// The pages that were not right at once, in any order.
    pub flaws: Vec<Flaw>,
}

/// A page that was not right at once.
///
/// ```
/// use lsm_scrub::Flaw;
/// use page_ecc::{Fault, PageNo, Region, Rung};
/// let flaw = Flaw { page: PageNo::new(7), region: Region::Body, fault: Fault::Mismatch, rung: Rung::Rebuilt, keys: None };
/// assert_eq!(flaw.rung, Rung::Rebuilt);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Which page of the file.
    pub page: PageNo,
    /// What it is for; the body, in a file that is not sealed.
    pub region: Region,
    /// How it was wrong.
    pub fault: Fault,
    /// What helped.
    pub rung: Rung,
    /// The keys that lie there, if that is known; those of the file count otherwise.
    pub keys: Option<KeyBounds>,
}

/// Why the owner could not do what it was asked for.
///
/// ```
/// use lsm_scrub::IoFault;
/// let fault = IoFault::new(std::io::Error::other("the disk refused"));
/// assert_eq!(fault.to_string(), "the disk refused");
/// ```
#[derive(Clone)]
pub struct IoFault(Arc<dyn error::Error + Send + Sync>);

impl IoFault {
    /// The owner's own error.
    pub fn new(cause: impl error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

impl fmt::Display for IoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for IoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for IoFault {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}
