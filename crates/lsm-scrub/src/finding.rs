//! What a patrol found: neighbouring pages that were wrong in the same way, or a file that does not open.
//!
//! Invariant: every flaw of the pages that were asked for is in exactly one finding.

use std::{fmt, ops::Range};

use lsm_core::{KeyBounds, KeyEnd, Level};
use page_ecc::{Evidence, Fault, PageNo, Region};

use crate::{FileRef, Flaw, IoFault, PatrolFile, Protection};

/// Something that was not right at once, where, and what is at stake.
///
/// ```
/// use lsm_core::{FileId, TreeId};
/// use lsm_scrub::{FileKind, FileRef, Finding, PatrolFile, Severity, Trouble};
/// use page_ecc::{Evidence, Fault, PageNo, Region, Rung};
///
/// let of = FileRef { tree: TreeId::new(1), kind: FileKind::Table, file: FileId::new(9) };
/// let mut evidence = Evidence::default();
/// evidence.count(Rung::Rebuilt);
/// let trouble = Trouble::Pages {
///     pages: PageNo::new(7)..PageNo::new(8), region: Region::Body, fault: Fault::Mismatch, evidence,
/// };
/// let finding = Finding::new(&PatrolFile::new(of, 100), trouble);
/// assert_eq!(finding.severity(), Severity::Healable);
/// assert_eq!(finding.to_string(), "table 9 of tree 1, page 7 (body): wrong bytes; 1 rebuilt");
/// ```
#[derive(Clone, Debug)]
pub struct Finding {
    /// In which file.
    pub file: FileRef,
    /// In which level.
    pub level: Option<Level>,
    /// Whether the file can bring pages back.
    pub protection: Protection,
    /// The keys that are concerned, as narrow as is known.
    pub keys: Option<KeyBounds>,
    /// What was found.
    pub trouble: Trouble,
}

/// What was found.
///
/// ```
/// let trouble = lsm_scrub::Trouble::Unopened(lsm_scrub::IoFault::new(std::io::Error::other("refused")));
/// assert!(matches!(trouble, lsm_scrub::Trouble::Unopened(_)));
/// ```
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Neighbouring pages were not right at once.
    Pages {
        /// Which.
        pages: Range<PageNo>,
        /// What they are for.
        region: Region,
        /// How they were wrong.
        fault: Fault,
        /// What helped, for each of them the same kind of thing.
        evidence: Evidence,
    },
    /// The file is there and does not open: nothing of it could be examined.
    Unopened(IoFault),
}

/// How bad a finding is.
///
/// ```
/// use lsm_scrub::Severity;
/// assert!(Severity::Passing < Severity::Healable && Severity::Healable < Severity::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The medium is right; a cache, a bus or memory was not.
    Passing,
    /// The medium is wrong and can be put right.
    Healable,
    /// Nothing brings it back.
    Lost,
}

/// What the owner of the store did about a finding.
///
/// ```
/// use lsm_scrub::{Action, Reason};
/// assert_eq!(Action::Left(Reason::HealingOff).to_string(), "left as it is: healing is switched off");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It will be healed.
    Scheduled,
    /// It is healed.
    Healed,
    /// Nothing.
    Left(Reason),
}

/// Why nothing was done about a finding.
///
/// ```
/// assert_ne!(lsm_scrub::Reason::ReadOnly, lsm_scrub::Reason::Gone);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The medium is right.
    NothingToHeal,
    /// Healing is switched off.
    HealingOff,
    /// The store or the patrol writes nothing.
    ReadOnly,
    /// Nothing brings the pages back.
    BeyondHelp,
    /// The owner tried, and could not.
    Failed,
    /// The file was replaced meanwhile: nothing is wrong.
    Gone,
}

/// A finding and what was done about it.
///
/// ```
/// fn is_open(found: &lsm_scrub::Found) -> bool {
///     found.action != lsm_scrub::Action::Healed
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Found {
    /// What was found.
    pub finding: Finding,
    /// What was done.
    pub action: Action,
}

impl Finding {
    /// A finding in `file`; the keys are those of the file.
    #[must_use]
    pub fn new(file: &PatrolFile, trouble: Trouble) -> Self {
        Self {
            file: file.of,
            level: file.level,
            protection: file.protection,
            keys: file.keys.clone(),
            trouble,
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match &self.trouble {
            Trouble::Unopened(_) => Severity::Lost,
            Trouble::Pages { evidence, .. } if evidence.lost > 0 => Severity::Lost,
            Trouble::Pages { evidence, .. } if evidence.healable() > 0 => Severity::Healable,
            Trouble::Pages { .. } => Severity::Passing,
        }
    }

    /// How many pages it names.
    #[must_use]
    pub const fn page_count(&self) -> u64 {
        match &self.trouble {
            Trouble::Pages { pages, .. } => pages.end.get() - pages.start.get(),
            Trouble::Unopened(_) => 0,
        }
    }
}

/// Gathers flaws of `asked` pages into findings, ascending; each page counts once, other pages not at all.
pub(crate) fn gather(file: &PatrolFile, asked: &Range<PageNo>, mut flaws: Vec<Flaw>) -> Vec<Finding> {
    flaws.retain(|flaw| asked.contains(&flaw.page));
    flaws.sort_by_key(|flaw| flaw.page);
    flaws.dedup_by_key(|flaw| flaw.page);
    let alike = |a: &Flaw, b: &Flaw| {
        a.page.plus(1) == b.page
            && (a.region, a.fault) == (b.region, b.fault)
            && std::mem::discriminant(&a.rung) == std::mem::discriminant(&b.rung)
            && a.keys == b.keys
    };
    flaws.chunk_by(alike).filter_map(|run| gather_run(file, run)).collect()
}

fn gather_run(file: &PatrolFile, run: &[Flaw]) -> Option<Finding> {
    let (first, last) = (run.first()?, run.last()?);
    let mut evidence = Evidence::default();
    run.iter().for_each(|flaw| evidence.count(flaw.rung));
    let pages = first.page..last.page.plus(1);
    let finding =
        Finding::new(file, Trouble::Pages { pages, region: first.region, fault: first.fault, evidence });
    let keys = first.keys.clone().or_else(|| finding.keys.clone());
    Some(Finding { keys, ..finding })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)?;
        if let Some(level) = self.level {
            write!(f, " in level {level}")?;
        }
        match &self.trouble {
            Trouble::Unopened(fault) => {
                write!(
                    f,
                    " does not open, so none of it is proven; mend what keeps it from opening: {fault}"
                )?;
            }
            Trouble::Pages { pages, region, fault, evidence } => {
                match self.page_count() {
                    1 => write!(f, ", page {}", pages.start)?,
                    _ => write!(f, ", pages {}-{}", pages.start, pages.end.get() - 1)?,
                }
                write!(f, " ({region}): {}; {}", Told(*fault), Counted(*evidence))?;
            }
        }
        if let (Some(keys), Severity::Lost) = (&self.keys, self.severity()) {
            write!(f, "; keys {}", Span(keys))?;
        }
        match (self.severity(), self.protection) {
            (Severity::Lost, Protection::ChecksumOnly) => f.write_str("; the file carries no parity"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduled => "to be healed",
            Self::Healed => "healed",
            Self::Left(Reason::NothingToHeal) => "nothing to heal",
            Self::Left(Reason::HealingOff) => "left as it is: healing is switched off",
            Self::Left(Reason::ReadOnly) => "left as it is: nothing is written",
            Self::Left(Reason::BeyondHelp) => {
                "beyond help: take the file from a checkpoint, or accept the loss"
            }
            Self::Left(Reason::Failed) => "healing it failed, and will be tried again",
            Self::Left(Reason::Gone) => "replaced meanwhile",
        })
    }
}

/// How a page was wrong, in words.
struct Told(Fault);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Fault::Unreadable => "unreadable",
            Fault::Mismatch => "wrong bytes",
            Fault::Unprovable => "without a digest",
        })
    }
}

/// What helped, in words; what did not occur is left out.
struct Counted(Evidence);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.0.transient, "right on a second read"),
            (self.0.corrected, "corrected"),
            (self.0.copied, "copied"),
            (self.0.rebuilt, "rebuilt"),
            (self.0.supplied, "supplied"),
            (self.0.lost, "lost"),
        ];
        let mut comma = "";
        for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{comma}{count} {word}")?;
            comma = ", ";
        }
        Ok(())
    }
}

/// Keys, in bytes that can be printed.
struct Span<'a>(&'a KeyBounds);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let close = match self.0.end {
            KeyEnd::Included => "]",
            KeyEnd::Excluded => ")",
        };
        write!(f, "[{}, {}{close}", self.0.smallest.escape_ascii(), self.0.largest.escape_ascii())
    }
}

/// Whether a page with this region and rung is damaged redundancy: the data is there without it.
pub(crate) const fn is_redundancy(region: Region) -> bool {
    !matches!(region, Region::Body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileKind;
    use lsm_core::{FileId, TreeId};
    use page_ecc::Rung;

    fn file() -> PatrolFile {
        let of = FileRef { tree: TreeId::new(1), kind: FileKind::Table, file: FileId::new(9) };
        PatrolFile::new(of, 100).with_keys(KeyBounds::closed("a", "z"))
    }

    fn flaw(page: u64, rung: Rung) -> Flaw {
        Flaw { page: PageNo::new(page), region: Region::Body, fault: Fault::Mismatch, rung, keys: None }
    }

    #[track_caller]
    fn check(flaws: &[Flaw], expected: &[(u64, u64)]) {
        let found = gather(&file(), &(PageNo::new(10)..PageNo::new(20)), flaws.to_vec());
        let ranges: Vec<_> = found
            .iter()
            .map(|finding| match &finding.trouble {
                Trouble::Pages { pages, .. } => (pages.start.get(), pages.end.get()),
                Trouble::Unopened(_) => unreachable!("only pages were given"),
            })
            .collect();
        assert_eq!(ranges, expected);
    }

    #[test]
    fn neighbours_alike_are_one_finding() {
        let bits = |bits| Rung::Corrected { bits };
        check(
            &[flaw(11, Rung::Rebuilt), flaw(10, Rung::Rebuilt), flaw(13, Rung::Rebuilt)],
            &[(10, 12), (13, 14)],
        );
        check(&[flaw(11, Rung::Rebuilt), flaw(12, Rung::Lost)], &[(11, 12), (12, 13)]);
        check(&[flaw(11, bits(1)), flaw(12, bits(2))], &[(11, 13)]);
        let keys = Some(KeyBounds::closed("b", "c"));
        check(&[flaw(11, Rung::Lost), Flaw { keys, ..flaw(12, Rung::Lost) }], &[(11, 12), (12, 13)]);
        check(
            &[Flaw { region: Region::Parity, ..flaw(11, Rung::Lost) }, flaw(12, Rung::Lost)],
            &[(11, 12), (12, 13)],
        );
    }

    #[test]
    fn a_page_counts_once_and_only_if_asked_for() {
        check(
            &[flaw(9, Rung::Lost), flaw(11, Rung::Lost), flaw(11, Rung::Lost), flaw(20, Rung::Lost)],
            &[(11, 12)],
        );
    }

    #[test]
    fn a_loss_names_its_keys_as_narrowly_as_they_are_known() {
        let keys = Some(KeyBounds { end: KeyEnd::Excluded, ..KeyBounds::closed("b", vec![0xFF]) });
        let flaws = vec![flaw(11, Rung::Lost), Flaw { keys, ..flaw(13, Rung::Lost) }];
        let bare = file().protected_by(Protection::ChecksumOnly).at_level(Level::new(2));
        let told: Vec<_> = gather(&bare, &bare.all_pages(), flaws).iter().map(ToString::to_string).collect();
        let head = "table 9 of tree 1 in level 2, page";
        let tail = "the file carries no parity";
        assert_eq!(
            told,
            [
                format!("{head} 11 (body): wrong bytes; 1 lost; keys [a, z]; {tail}"),
                format!("{head} 13 (body): wrong bytes; 1 lost; keys [b, \\xff); {tail}"),
            ]
        );
    }
}
