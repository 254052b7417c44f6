//! Why a store is as it is, as a value, in plain words, and what to do about it.

use std::{fmt, sync::Arc, time::Duration};

use super::Verdict;

/// Why a verdict is what it is; printed, it says what is so, and [`advice`](Self::advice) what to do.
///
/// ```
/// use resilver::{Reason, Verdict};
/// let reason = Reason::Lost { file: "000007.table".into(), pages: 3 };
/// assert_eq!(reason.verdict(), Verdict::DataLoss);
/// assert_eq!(reason.to_string(), "3 pages of 000007.table are lost, and with them what they held");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Pages of a file are gone.
    Lost {
        /// Which file.
        file: Arc<str>,
        /// How many pages.
        pages: u64,
    },
    /// Acknowledged writes are gone from the log.
    LogLost {
        /// Which.
        what: Arc<str>,
    },
    /// Ranges of keys are lost.
    KeysLost {
        /// How many.
        ranges: u64,
        /// One of them, in words.
        first: Arc<str>,
    },
    /// What was lost was given up.
    GivenUp {
        /// How often.
        times: u64,
        /// What was given up last, in words.
        what: Arc<str>,
        /// When, since 1970.
        last: Duration,
        /// Now, since 1970.
        now: Duration,
    },
    /// Healing did not help.
    NotHealed {
        /// Which file.
        file: Arc<str>,
        /// How often it was tried.
        failures: u32,
    },
    /// More and more pages are found wrong.
    Growing {
        /// In the last seven days.
        last_week: u64,
        /// In each of the four weeks before, on average.
        weekly_before: u64,
    },
    /// A file cannot lose another page of a column.
    NoMargin {
        /// Which file.
        file: Arc<str>,
    },
    /// Files wait to be healed.
    Waiting {
        /// How many.
        files: u64,
        /// Their pages that are known to be wrong.
        pages: u64,
        /// Whether they are healed by themselves.
        heals_itself: bool,
    },
    /// Reads were wrong again and again though the medium is right.
    Unsteady {
        /// How many pages, in the last seven days.
        pages: u64,
    },
    /// The record of what happened is damaged itself.
    LedgerDamaged,
    /// Something was wrong and is right again.
    Healed {
        /// Pages that were wrong.
        pages: u64,
        /// When one was met last, since 1970.
        last: Duration,
        /// Now, since 1970.
        now: Duration,
    },
    /// Not every page was looked at for long.
    Unlooked,
}

impl Reason {
    /// What a store is for which this is so.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Lost { .. } | Self::LogLost { .. } | Self::KeysLost { .. } => Verdict::DataLoss,
            Self::NotHealed { .. }
            | Self::Growing { .. }
            | Self::NoMargin { .. }
            | Self::Waiting { .. }
            | Self::Unsteady { .. }
            | Self::LedgerDamaged => Verdict::Degraded,
            Self::Healed { .. } | Self::GivenUp { .. } => Verdict::Healed,
            Self::Unlooked => Verdict::Healthy,
        }
    }

    /// A word for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lost { .. } => "lost",
            Self::LogLost { .. } => "log_lost",
            Self::KeysLost { .. } => "keys_lost",
            Self::GivenUp { .. } => "given_up",
            Self::NotHealed { .. } => "not_healed",
            Self::Growing { .. } => "growing",
            Self::NoMargin { .. } => "no_margin",
            Self::Waiting { .. } => "waiting",
            Self::Unsteady { .. } => "unsteady",
            Self::LedgerDamaged => "ledger_damaged",
            Self::Healed { .. } => "healed",
            Self::Unlooked => "unlooked",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Lost { .. } => {
                "everything else is served; `resilver losses` names the keys once a read or a scrub has met the loss, \
                 `resilver verify` the pages"
            }
            Self::LogLost { .. } => {
                "restore from a checkpoint, or write again what came after the last backup"
            }
            Self::KeysLost { .. } => {
                "reads of them fail, everything else is served: `resilver losses` lists them; take them from a \
                 checkpoint or a backup, then give up what is lost with `resilver accept-loss`"
            }
            Self::GivenUp { .. } => "there is nothing to do, unless a backup has what was given up",

            Self::NotHealed { .. } => {
                "the medium may be failing there: run `resilver heal --mode rewrite`, and look at the disk"
            }
            Self::Growing { .. } => {
                "the device is getting worse: make a copy elsewhere with `resilver checkpoint --copy`, and replace it"
            }
            Self::NoMargin { .. } => "heal it now with `resilver scrub`: one more lost page may lose data",
            Self::Waiting { heals_itself: true, .. } => {
                "an open store heals them by itself; `resilver scrub` does it now"
            }
            Self::Waiting { .. } => "healing is switched off: run `resilver scrub`, or switch it on",
            Self::Unsteady { .. } => "the disk is right: test the memory, the cable and the controller",
            Self::LedgerDamaged => {
                "nothing else is concerned; what was on record there is gone, and new events are kept"
            }
            Self::Healed { .. } => {
                "there is nothing to do; scrub regularly, so that rot is found while it can be mended"
            }
            Self::Unlooked => "run `resilver scrub`, or open the store with `scrub_every`",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { file, pages } => {
                write!(f, "{} of {file} {} lost, and with them what they held", Pages(*pages), are(*pages))
            }
            Self::LogLost { what } => write!(f, "the log lost acknowledged writes: {what}"),
            Self::KeysLost { ranges: 1, first } => write!(f, "a range of keys is lost: {first}"),
            Self::KeysLost { ranges, first } => {
                write!(f, "{ranges} ranges of keys are lost, among them {first}")
            }
            Self::GivenUp { times, what, last, now } => {
                let times = if *times == 1 { "once".into() } else { format!("{times} times") };
                write!(f, "a loss was given up {times}, the last {}: {what}", super::ago(*now, *last))
            }
            Self::NotHealed { file, failures } => {
                write!(f, "{file} could not be healed, though it was tried {failures} times")
            }
            Self::Growing { last_week, weekly_before } => write!(
                f,
                "{} found wrong in the last seven days, {weekly_before} a week in the month before",
                Pages(*last_week)
            ),
            Self::NoMargin { file } => write!(f, "{file} has no parity left to spare where it is hurt most"),
            Self::Waiting { files, pages, .. } => {
                let files = if *files == 1 { "one file".into() } else { format!("{files} files") };
                write!(f, "{} of {files} {} wrong and can be put right", Pages(*pages), are(*pages))
            }
            Self::Unsteady { pages } => {
                write!(f, "{} read wrong and then right in the last seven days", Pages(*pages))
            }
            Self::LedgerDamaged => f.write_str("a part of the ledger cannot be read"),
            Self::Healed { pages, last, now } => {
                write!(f, "{} wrong, the last {}, and all right again", Were(*pages), super::ago(*now, *last))
            }
            Self::Unlooked => f.write_str("no scrub came to its end in the last thirty days"),
        }
    }
}

struct Pages(u64);

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("1 page") } else { write!(f, "{} pages", self.0) }
    }
}

struct Were(u64);

impl fmt::Display for Were {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Pages(self.0), if self.0 == 1 { "was" } else { "were" })
    }
}

const fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
