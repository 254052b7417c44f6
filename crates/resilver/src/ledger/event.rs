//! What happened to a store's bytes, once: when, to which pages of which file, what helped, and what came of it.

use std::{fmt, sync::Arc, time::Duration};

use page_ecc::Evidence;

/// An event names at most so many ranges of pages; its evidence counts all of them.
pub(crate) const RANGES_MAX: usize = 32;

/// One line of the ledger.
///
/// ```
/// use resilver::{Event, EventKind, Evidence, Outcome};
/// let event = Event::new(EventKind::Read, Outcome::Answered)
///     .of_file("000007.table")
///     .with_pages([(3, 2)])
///     .with_evidence(Evidence { rebuilt: 2, ..Evidence::default() });
/// assert_eq!(event.rung(), Some("rebuilt"));
/// assert_eq!(event.to_string(), "read of 000007.table, pages 3-4: 2 rebuilt; right bytes were given");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it was first met, since 1970.
    pub at: Duration,
    /// What met it, or did it.
    pub kind: EventKind,
    /// What came of it.
    pub outcome: Outcome,
    /// The file, by its name in the store's directory; empty if it was no file in particular.
    pub file: Arc<str>,
    /// The pages of the file, first and count, ascending and apart, as far as they are known; at most 32 ranges.
    pub pages: Vec<(u64, u64)>,
    /// How many pages needed which rung.
    pub evidence: Evidence,
    /// How often the same was met.
    pub times: u32,
    /// What else there is to say; at most 255 bytes.
    pub note: Arc<str>,
}

/// What met something, or did it.
///
/// ```
/// assert_eq!(resilver::EventKind::Pass.to_string(), "scrub pass");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventKind {
    /// Opening the store.
    Open,
    /// A read: of a caller, a compaction or a checkpoint.
    Read,
    /// A scrub that came by.
    Scrub,
    /// Healing.
    Heal,
    /// A scrub that came to its end.
    Pass,
    /// A repair of the store as a whole.
    Repair,
    /// Somebody who decided to do without what is lost.
    LossAccepted,
    /// The quarantine, where damaged files are kept.
    Quarantine,
}

/// What came of it.
///
/// ```
/// assert!(resilver::Outcome::Lost.is_bad() && !resilver::Outcome::Healed.is_bad());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// The right bytes were given to whoever asked.
    Answered,
    /// Nothing brought the pages back.
    Lost,
    /// It will be healed.
    Noted,
    /// Nothing was done about it.
    Left,
    /// The pages have their own bytes again, where they stand.
    Healed,
    /// The file was written anew.
    Rewritten,
    /// The medium does not keep what is written there.
    Refused,
    /// It could not be done.
    Failed,
    /// It came to its end.
    Complete,
    /// It was ended early.
    Cancelled,
    /// What was lost was let go.
    Accepted,
    /// A file that was kept was removed.
    Released,
}

impl EventKind {
    /// Every kind, in the order of their tags from 1 on.
    pub(crate) const ALL: [Self; 8] = [
        Self::Open,
        Self::Read,
        Self::Scrub,
        Self::Heal,
        Self::Pass,
        Self::Repair,
        Self::LossAccepted,
        Self::Quarantine,
    ];

    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Scrub => "scrub",
            Self::Heal => "heal",
            Self::Pass => "pass",
            Self::Repair => "repair",
            Self::LossAccepted => "loss_accepted",
            Self::Quarantine => "quarantine",
        }
    }

    /// Whether each event of it is a line of its own, however many are alike: somebody did something.
    pub(crate) const fn is_deed(self) -> bool {
        matches!(self, Self::Pass | Self::Repair | Self::LossAccepted | Self::Quarantine)
    }
}

impl Outcome {
    /// Every outcome, in the order of their tags from 1 on.
    pub(crate) const ALL: [Self; 12] = [
        Self::Answered,
        Self::Lost,
        Self::Noted,
        Self::Left,
        Self::Healed,
        Self::Rewritten,
        Self::Refused,
        Self::Failed,
        Self::Complete,
        Self::Cancelled,
        Self::Accepted,
        Self::Released,
    ];

    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Lost => "lost",
            Self::Noted => "noted",
            Self::Left => "left",
            Self::Healed => "healed",
            Self::Rewritten => "rewritten",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
            Self::Accepted => "accepted",
            Self::Released => "released",
        }
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Lost | Self::Refused | Self::Failed)
    }

    /// Whether the file is whole again.
    #[must_use]
    pub const fn is_healed(self) -> bool {
        matches!(self, Self::Healed | Self::Rewritten)
    }
}

impl Event {
    /// An event of now, about the store as a whole.
    #[must_use]
    pub fn new(kind: EventKind, outcome: Outcome) -> Self {
        Self {
            at: super::now(),
            kind,
            outcome,
            file: Arc::default(),
            pages: Vec::new(),
            evidence: Evidence::default(),
            times: 1,
            note: Arc::default(),
        }
    }

    /// About this file.
    #[must_use]
    pub fn of_file(mut self, name: impl Into<Arc<str>>) -> Self {
        self.file = within(name.into());
        self
    }

    /// About these pages, first and count; in any order.
    #[must_use]
    pub fn with_pages(mut self, pages: impl IntoIterator<Item = (u64, u64)>) -> Self {
        self.pages = union(pages.into_iter().collect());
        self.pages.truncate(RANGES_MAX);
        self
    }

    /// With so many pages that needed which rung.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = evidence;
        self
    }

    /// With something else to say.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.note = within(note.into());
        self
    }

    /// The last rung of the ladder that was needed, in a word.
    #[must_use]
    pub const fn rung(&self) -> Option<&'static str> {
        match self.evidence {
            Evidence { lost: 1.., .. } => Some("lost"),
            Evidence { supplied: 1.., .. } => Some("supplied"),
            Evidence { rebuilt: 1.., .. } => Some("rebuilt"),
            Evidence { copied: 1.., .. } => Some("copied"),
            Evidence { corrected: 1.., .. } => Some("corrected"),
            Evidence { transient: 1.., .. } => Some("transient"),
            _ => None,
        }
    }

    /// Whether pages of the medium were wrong.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self.kind, EventKind::Open | EventKind::Read | EventKind::Scrub)
            && (self.evidence.healable() > 0 || self.evidence.lost > 0)
    }

    /// Whether all pages that it names are among these.
    pub(crate) fn says_no_more_than(&self, pages: &[(u64, u64)]) -> bool {
        let holds = |&(first, count): &(u64, u64)| {
            pages.iter().any(|&(start, len)| start <= first && first - start + count <= len)
        };
        self.pages.iter().all(holds)
    }

    /// Whether the other is this one, met as often or more often by now.
    pub(crate) fn is_earlier_state_of(&self, other: &Self) -> bool {
        let of = |event: &Self| (event.at, event.kind, event.outcome);
        of(self) == of(other) && self.file == other.file && self.times <= other.times
    }

    /// Takes in another event of the same kind, file and outcome. Pages that were known do not count again.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.times = self.times.saturating_add(other.times);
        if !other.pages.is_empty() && other.says_no_more_than(&self.pages) {
            return;
        }
        let pages = union([&self.pages[..], &other.pages].concat());
        let fresh = page_count(&pages) - page_count(&self.pages);
        let more = if other.pages.is_empty() { other.evidence } else { at_most(other.evidence, fresh) };
        self.evidence = sum(self.evidence, more);
        self.pages = pages;
        self.pages.truncate(RANGES_MAX);
        if self.note.is_empty() {
            self.note = other.note.clone();
        }
    }
}

/// Ranges, ascending and apart; ends that no file has are cut off.
pub(crate) fn union(mut pages: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    pages.retain(|(first, count)| *count > 0 && *first < u64::MAX);
    pages.sort_unstable();
    let mut apart: Vec<(u64, u64)> = Vec::with_capacity(pages.len());
    for (first, count) in pages {
        let count = count.min(u64::MAX - first);
        match apart.last_mut() {
            Some((start, len)) if first <= *start + *len => {
                *len = (*len).max(first - *start + count);
            }
            _ => apart.push((first, count)),
        }
    }
    apart
}

fn page_count(pages: &[(u64, u64)]) -> u64 {
    pages.iter().map(|(_, count)| count).sum()
}

/// So much of a count that no more than so many pages are wrong by it, the worst first.
fn at_most(evidence: Evidence, pages: u64) -> Evidence {
    let mut left = pages;
    let mut take = |count: u64| {
        let taken = count.min(left);
        left -= taken;
        taken
    };
    let (lost, supplied) = (take(evidence.lost), take(evidence.supplied));
    let (rebuilt, copied, corrected) =
        (take(evidence.rebuilt), take(evidence.copied), take(evidence.corrected));
    Evidence { lost, supplied, rebuilt, copied, corrected, ..evidence }
}

/// Two counts together.
pub(crate) const fn sum(a: Evidence, b: Evidence) -> Evidence {
    Evidence {
        transient: a.transient.saturating_add(b.transient),
        corrected: a.corrected.saturating_add(b.corrected),
        bits: a.bits.saturating_add(b.bits),
        copied: a.copied.saturating_add(b.copied),
        rebuilt: a.rebuilt.saturating_add(b.rebuilt),
        supplied: a.supplied.saturating_add(b.supplied),
        lost: a.lost.saturating_add(b.lost),
    }
}

/// As much of a text as an event keeps.
fn within(text: Arc<str>) -> Arc<str> {
    if text.len() <= usize::from(u8::MAX) {
        return text;
    }
    let end = (0..=usize::from(u8::MAX)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text[..end].into()
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "scrub pass",
            Self::LossAccepted => "loss accepted",
            kind => kind.name(),
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "right bytes were given",
            Self::Lost => "LOST",
            Self::Noted => "to be healed",
            Self::Left => "left as it is",
            Self::Healed => "healed where it stands",
            Self::Rewritten => "written anew",
            Self::Refused => "the medium does not keep what is written there",
            Self::Failed => "failed",
            Self::Complete => "complete",
            Self::Cancelled => "ended early",
            Self::Accepted => "let go",
            Self::Released => "removed",
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        if !self.file.is_empty() {
            write!(f, " of {}", self.file)?;
        }
        for (at, (first, count)) in self.pages.iter().enumerate() {
            f.write_str(match (at, self.pages.len(), count) {
                (0, 1, 1) => ", page ",
                (0, ..) => ", pages ",
                _ => ", ",
            })?;
            match count {
                1 => write!(f, "{first}")?,
                _ => write!(f, "{first}-{}", first + (count - 1))?,
            }
        }
        let mut mark = ":";
        for (count, rung) in counts(&self.evidence).into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{mark} {count} {rung}")?;
            mark = ",";
        }
        write!(f, "; {}", self.outcome)?;
        if !self.note.is_empty() {
            write!(f, " ({})", self.note)?;
        }
        if self.times > 1 { write!(f, ", met {} times", self.times) } else { Ok(()) }
    }
}

/// How many pages needed which rung, with the rung's name.
pub(crate) const fn counts(evidence: &Evidence) -> [(u64, &'static str); 6] {
    [
        (evidence.transient, "transient"),
        (evidence.corrected, "corrected"),
        (evidence.copied, "copied"),
        (evidence.rebuilt, "rebuilt"),
        (evidence.supplied, "supplied"),
        (evidence.lost, "lost"),
    ]
}
