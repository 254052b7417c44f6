//! How a store is: one verdict, the reasons for it in plain words, and what to do.
//!
//! Facts are gathered here, from hints, the ledger and the files' geometry, or from a look at every page; what
//! follows from them is decided in [`judging`] alone. Nothing on the disk is read but the ledger, and tables that lost
//! something, so that it is named by its keys; [at a glance](Engine::health_at_a_glance) not even those.

mod judging;
mod reason;
mod trend;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use lsm_core::{FileId, HintCause, TreeId};
use page_ecc::{Geometry, PageNo};

pub(crate) use self::judging::{Facts, FileFacts, judge};
pub use self::{reason::Reason, trend::Trend};
use crate::{
    Error, Event, EventKind, FileKind, Ledger, LostKeys, Outcome, PageState, Verified,
    engine::Engine,
    healing::{MANIFEST, file_name},
    ledger::{now, union},
    system::SYSTEM_KEYSPACE,
};

/// How a store is, in a word.
///
/// ```
/// use resilver::Verdict;
/// assert!(Verdict::Healthy < Verdict::Healed && Verdict::Degraded < Verdict::DataLoss);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is wrong, and nothing was of late.
    #[default]
    Healthy,
    /// Something was wrong within the last thirty days, and is right again.
    Healed,
    /// Every answer is right; something is wrong that should be seen to.
    Degraded,
    /// Something that was acknowledged cannot be answered any more.
    DataLoss,
}

/// How a store is.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = resilver::Db::open(dir.path().join("store"))?;
/// let health = db.health()?;
/// println!("{}", health.verdict);
/// for reason in &health.reasons {
///     println!("{reason}; {}", reason.advice());
/// }
/// assert_eq!(health.verdict, resilver::Verdict::Healthy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// In a word: the worst that a reason says.
    pub verdict: Verdict,
    /// Why, the worst first.
    pub reasons: Vec<Reason>,
    /// How much more each file can lose, the weakest first.
    pub margins: Vec<Margin>,
    /// Whether corrections become more.
    pub trend: Trend,
}

/// How much more a file can lose before bytes of it are gone.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let db = resilver::Db::open(dir.path().join("store"))?;
/// for margin in db.health()?.margins {
///     println!("{}: {} of {}", margin.file, margin.left, margin.of);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Margin {
    /// Its name in the store's directory.
    pub file: Arc<str>,
    /// What it is for.
    pub kind: FileKind,
    /// Its pages that are known to be wrong.
    pub wrong: u64,
    /// How many more pages its weakest column can lose; of log and manifest, how many more copies.
    pub left: u16,
    /// How many when nothing is wrong.
    pub of: u16,
}

impl Verdict {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Healed => "healed",
            Self::Degraded => "degraded",
            Self::DataLoss => "data_loss",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Healed => "healed",
            Self::Degraded => "degraded",
            Self::DataLoss => "data loss",
        })
    }
}

/// A file, whose it is, and what it can lose.
struct Known {
    tree: TreeId,
    kind: FileKind,
    geometry: Option<Geometry>,
    /// Whether it is a table of a keyspace of a user's.
    is_of_user: bool,
}

/// What is known of lost keys.
enum Losses<'a> {
    Named(&'a [LostKeys]),
    /// No table was read for it.
    Counted,
}

impl Known {
    /// What is left with these pages wrong, and what there is in all.
    fn margin(&self, pages: &[(u64, u64)], is_wrong: bool) -> (u16, u16) {
        let Some(geometry) = self.geometry else { return (u16::from(!is_wrong), 1) };
        let end = geometry.total_pages();
        let pages = pages.iter().flat_map(|&(first, count)| first..first.saturating_add(count).min(end));
        (geometry.margin(pages.map(PageNo::new)), geometry.scheme().parity())
    }
}

impl Engine {
    /// How the store is, by what is known of it: of tables that lost something, by the keys that are lost.
    pub(crate) fn health(&self) -> Result<Health, Error> {
        let ledger = self.ledger()?;
        let losses = self.losses_if_readable()?;
        self.health_by(&ledger, &losses.as_deref().map_or(Losses::Counted, Losses::Named))
    }

    /// As [`health`](Self::health), and no table is read for it.
    pub(crate) fn health_at_a_glance(&self) -> Result<Health, Error> {
        self.health_by(&self.ledger()?, &Losses::Counted)
    }

    /// What is lost by its keys; none if a table cannot be read for it, which is no reason to say nothing at all.
    fn losses_if_readable(&self) -> Result<Option<Vec<LostKeys>>, Error> {
        match self.losses() {
            Err(Error::Closed) => Err(Error::Closed),
            Err(error) => {
                log::warn!("what is lost cannot be named by its keys: {}", error.to_told());
                Ok(None)
            }
            losses => losses.map(Some),
        }
    }

    fn health_by(&self, ledger: &Ledger, losses: &Losses<'_>) -> Result<Health, Error> {
        let mut facts = self.facts(ledger, losses);
        let mut files = self.known_files();
        let on_record = lost_on_record(&ledger.events);
        let lost_of = |name: &Arc<str>, file: &Known, is_noted: bool| match losses {
            Losses::Named(losses) if file.is_of_user => lost_pages(losses, name),
            _ => on_record.get(name).copied().unwrap_or_default().max(u64::from(is_noted)),
        };
        for hint in self.store.hints().snapshot() {
            let name = file_name(hint.tree, hint.file);
            let Some(file) = files.remove(&name) else { continue };
            let lost = lost_of(&name, &file, hint.causes.contains(&HintCause::Lost));
            let (left, of) = file.margin(&hint.pages, true);
            let wrong = hint.pages.iter().map(|(_, count)| count).sum::<u64>().max(1);
            facts.files.push(FileFacts {
                lost,
                wrong,
                failures: hint.failures,
                ..self.file_facts(name, &file, (left, of))
            });
        }
        for (name, file) in files {
            // Healing may be off, and nothing noted; what a read could not have is on record all the same.
            let lost = lost_of(&name, &file, false);
            let margin = file.margin(&[], lost > 0);
            facts.files.push(FileFacts { lost, wrong: lost, ..self.file_facts(name, &file, margin) });
        }
        Ok(judge(facts))
    }

    /// How the store is, by a look at every page of it.
    pub(crate) fn health_as_verified(&self, verified: &Verified) -> Result<Health, Error> {
        let (ledger, losses) = (self.ledger()?, self.losses_if_readable()?);
        let losses = losses.as_deref().map_or(Losses::Counted, Losses::Named);
        let mut facts = self.facts(&ledger, &losses);
        facts.log_losses = verified.log_losses.iter().map(|loss| loss.to_string().into()).collect();
        facts.is_every_page_seen = true;
        let mut wrong = BTreeMap::<&str, (Vec<(u64, u64)>, u64)>::new();
        for bad in &verified.bad {
            let (pages, lost) = wrong.entry(&bad.file).or_default();
            pages.push((bad.page, 1));
            *lost += u64::from(bad.state == PageState::Lost);
        }
        let system = self.store.tree_named(SYSTEM_KEYSPACE).map(|(tree, _)| tree);
        for seen in &verified.seen {
            let is_own = seen.keyspace.as_deref() == Some(SYSTEM_KEYSPACE);
            let tree = system.filter(|_| is_own).unwrap_or(TreeId::STORE);
            let file = Known { tree, kind: seen.kind, geometry: seen.geometry, is_of_user: !is_own };
            let (pages, lost) = wrong.remove(&*seen.name).unwrap_or_default();
            let margin = file.margin(&pages, !pages.is_empty());
            let wrong = pages.len() as u64;
            facts.files.push(FileFacts { lost, wrong, ..self.file_facts(seen.name.clone(), &file, margin) });
        }
        Ok(judge(facts))
    }

    fn facts(&self, ledger: &Ledger, losses: &Losses<'_>) -> Facts {
        let lost_keys = match losses {
            Losses::Named(losses) => {
                (losses.len() as u64, losses.first().map(|loss| loss.to_string().into()).unwrap_or_default())
            }
            Losses::Counted => {
                let stats = self.store.stats();
                let others = stats.keyspaces.iter().filter(|keyspace| *keyspace.name != *SYSTEM_KEYSPACE);
                let marked = others.flat_map(|keyspace| &keyspace.levels).map(|level| level.losses).sum();
                (marked, "`losses` names it".into())
            }
        };
        Facts {
            now: now(),
            events: ledger.events.clone(),
            is_ledger_whole: ledger.damage.is_none(),
            lost_keys,
            log_losses: log_losses(&ledger.events),
            heals_itself: self.store.hints().is_enabled(),
            ..Facts::default()
        }
    }

    fn file_facts(&self, name: Arc<str>, file: &Known, (left, of): (u16, u16)) -> FileFacts {
        let system = self.store.tree_named(SYSTEM_KEYSPACE).map(|(tree, _)| tree);
        let is_own = system == Some(file.tree);
        FileFacts { name, kind: file.kind, is_own, wrong: 0, lost: 0, left, of, failures: 0 }
    }

    /// Every file of the store by its name; the manifest as one.
    fn known_files(&self) -> BTreeMap<Arc<str>, Known> {
        let system = self.store.tree_named(SYSTEM_KEYSPACE).map(|(tree, _)| tree);
        let tables = self.store.tables().into_iter().map(|stored| {
            let geometry = Some(*stored.table.descriptor.geometry());
            let is_of_user = system != Some(stored.tree);
            let known = Known { tree: stored.tree, kind: FileKind::Table, geometry, is_of_user };
            (file_name(stored.tree, stored.table.id), known)
        });
        let of_store = |file: FileId, kind| {
            let known = Known { tree: TreeId::STORE, kind, geometry: None, is_of_user: false };
            (file_name(TreeId::STORE, file), known)
        };
        let segments = self.segments().into_iter().map(|segment| FileId::new(segment.number.get()));
        let segments = segments.map(|file| of_store(file, FileKind::Log));
        tables.chain(segments).chain([of_store(MANIFEST, FileKind::Manifest)]).collect()
    }
}

/// What the log lost that opening for reading met; opening for writing has somebody decide.
fn log_losses(events: &[Event]) -> Vec<Arc<str>> {
    let met = events.iter().filter(|event| (event.kind, event.outcome) == (EventKind::Open, Outcome::Lost));
    met.map(|event| event.note.clone()).collect()
}

/// Of each file of which pages are lost by what was last said of it: how many nothing brought back.
pub(crate) fn lost_on_record(events: &[Event]) -> BTreeMap<Arc<str>, u64> {
    let mut last = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind != EventKind::Open) {
        if event.outcome == Outcome::Lost {
            last.insert(event.file.clone(), event.evidence.lost.max(1));
        } else if event.outcome.is_healed() {
            last.remove(&event.file);
        }
    }
    last
}

/// Pages of a file that hold keys which are lost.
fn lost_pages(losses: &[LostKeys], file: &str) -> u64 {
    let pages = losses.iter().filter(|loss| *loss.file == *file).flat_map(|loss| loss.pages.iter());
    union(pages.map(|run| (run.start.get(), run.end.get() - run.start.get())).collect())
        .iter()
        .map(|(_, count)| count)
        .sum()
}

/// Time between two moments since 1970, in words.
pub(crate) fn ago(now: Duration, then: Duration) -> String {
    let secs = now.saturating_sub(then).as_secs();
    let (count, unit) = match secs {
        0..=59 => return "moments ago".into(),
        60..=3599 => (secs / 60, "minute"),
        3600..=86_399 => (secs / 3600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}
