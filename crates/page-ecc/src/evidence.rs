//! What a climb of the ladder found and what it can put right: evidence, never a yes or no.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::geometry::Region;
use crate::page::{Page, PageNo, PageRanges};

/// How a page was wrong when it was first read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// It could not be read.
    Unreadable,
    /// It is not what was sealed.
    Mismatch,
    /// Both copies of its digest are gone, so nothing can tell.
    Unprovable,
}

/// Which rung of the ladder helped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rung {
    /// A second read, from the medium, was right: there is nothing to heal.
    Transient,
    /// Flipped bits were turned back.
    Corrected {
        /// How many.
        bits: u32,
    },
    /// It came from its twin, or was worked out anew from pages that are right.
    Copied,
    /// Parity rebuilt it.
    Rebuilt,
    /// The caller's older copy had it.
    Supplied,
    /// None did.
    Lost,
}

/// A page that was not right at first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which page of the file.
    pub page: PageNo,
    /// What it is for.
    pub region: Region,
    /// How it was wrong.
    pub fault: Fault,
    /// What helped.
    pub rung: Rung,
}

/// The bytes that make a page of the file what was sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Patch {
    /// Which page of the file.
    pub page: PageNo,
    /// What it should hold.
    pub bytes: Box<Page>,
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patch(page {})", self.page)
    }
}

/// What an examination found, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Examination {
    /// The pages that were not right at first; every other page is clean.
    pub findings: Vec<Finding>,
    /// What to write so that no page is wrong any more, but for those that are lost.
    pub patches: Vec<Patch>,
}

impl Examination {
    /// Whether every page was right at once.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The pages that nothing brought back.
    #[must_use]
    pub fn lost(&self) -> PageRanges {
        let lost = self.findings.iter().filter(|finding| finding.rung == Rung::Lost);
        lost.map(|finding| finding.page).collect()
    }

    /// How many pages needed which rung.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let mut counts = Evidence::default();
        self.findings.iter().for_each(|finding| counts.count(finding.rung));
        counts
    }
}

/// How many pages needed which rung; all zero when everything was clean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// Pages right on a second read.
    pub transient: u64,
    /// Pages with flipped bits turned back.
    pub corrected: u64,
    /// Bits turned back in them.
    pub bits: u64,
    /// Pages taken from a twin or worked out anew.
    pub copied: u64,
    /// Pages rebuilt from parity.
    pub rebuilt: u64,
    /// Pages from an older copy.
    pub supplied: u64,
    /// Pages that nothing brought back.
    pub lost: u64,
}

impl Evidence {
    /// Counts one more page.
    pub fn count(&mut self, rung: Rung) {
        match rung {
            Rung::Transient => self.transient += 1,
            Rung::Corrected { bits } => {
                self.corrected += 1;
                self.bits += u64::from(bits);
            }
            Rung::Copied => self.copied += 1,
            Rung::Rebuilt => self.rebuilt += 1,
            Rung::Supplied => self.supplied += 1,
            Rung::Lost => self.lost += 1,
        }
    }

    /// Whether no page needed any rung.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// Pages that are wrong on the medium and can be put right.
    #[must_use]
    pub const fn healable(&self) -> u64 {
        self.corrected + self.copied + self.rebuilt + self.supplied
    }
}

/// Pages are gone beyond the parity that was kept for them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{} pages of sealed file {uid} are lost (pages {pages}): more of a column than the {parity} its parity \
     brings back; take them from an older copy, or do without their bytes",
    pages.page_count()
)]
pub struct Loss {
    /// Which file.
    pub uid: crate::Uid,
    /// Which of its pages.
    pub pages: PageRanges,
    /// Lost pages of a column that would have come back.
    pub parity: u16,
}
