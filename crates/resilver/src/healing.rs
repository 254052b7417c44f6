//! Healing a store while it is open: which hint comes next, and by which way its file is healed.
//!
//! Tables are healed where they stand, and written anew where that does not help or is asked for. Segments of the
//! log are patched from their other extent; where both are wrong, what they hold is flushed and they go. The
//! manifest is written anew as a whole.
//!
//! **Invariant**: a hint that cannot be healed is tried a few times and left alone, so that every drain ends.

use std::sync::Arc;

use lsm_core::{EccHealCompaction, FileId, HealHint, Healed, Healing, HintClaim, TreeId};
use lsm_io::{Epoch, Lane, Target};
use lsm_wal::{Patch, SegmentRecord};
use page_ecc::{Evidence, PAGE_LEN, PageRanges};

use crate::{
    Error, Event, EventKind, Outcome,
    engine::Engine,
    ledger::Take,
    segments::{SegmentSeen, Shelf},
};

/// The number under which the manifest is healed; segments of the log have their own.
pub(crate) const MANIFEST: FileId = FileId::new(0);

/// How often healing one file is tried before it is left alone.
const FAILURES_MAX: u32 = 3;

/// Whether a store heals itself.
///
/// ```
/// assert_eq!(resilver::AutoHeal::default(), resilver::AutoHeal::On);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoHeal {
    /// What reads and scrubs found wrong on the medium is noted, and healed in the background.
    #[default]
    On,
    /// Reads correct what they can all the same; nothing is noted and nothing healed.
    Off,
}

/// How tables are healed.
///
/// ```
/// assert_eq!(resilver::HealMode::default(), resilver::HealMode::InPlace);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealMode {
    /// Their wrong pages get their own bytes again; where the medium does not take that, as below.
    #[default]
    InPlace,
    /// They are written anew; where something of them is lost, with loss markers for it.
    Rewrite,
}

/// Says who heals, where several could: on storage that is shared, for instance.
///
/// ```
/// use resilver::{HealGate, HealHint, Options};
/// #[derive(Debug)]
/// struct OnlyByNight(std::sync::atomic::AtomicBool);
/// impl HealGate for OnlyByNight {
///     fn may_heal(&self, _: &HealHint) -> bool {
///         self.0.load(std::sync::atomic::Ordering::Relaxed)
///     }
/// }
/// let options = Options::new().heal_gate(std::sync::Arc::new(OnlyByNight(false.into())));
/// ```
pub trait HealGate: Send + Sync + std::fmt::Debug {
    /// Whether this store may heal this file in the background now; it is asked again later.
    fn may_heal(&self, hint: &HealHint) -> bool;
}

/// What healing a store came to.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let db = resilver::Db::open(dir.path().join("store"))?;
/// let report = db.heal(resilver::HealMode::InPlace)?;
/// assert!(report.files.is_empty() && report.is_whole());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct HealReport {
    /// The files that were looked at, and what became of each.
    pub files: Vec<HealedFile>,
    /// Files that could not be healed, and why.
    pub failed: Vec<(Arc<str>, Error)>,
}

/// A file that was healed, or was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealedFile {
    /// Its name.
    pub name: Arc<str>,
    /// What became of it.
    pub healed: Healed,
}

impl HealReport {
    /// Whether nothing that was known to be wrong is wrong any more.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.files.iter().all(|file| file.healed.outcome.is_healed())
    }
}

/// The name of a file by its number.
pub(crate) fn file_name(tree: TreeId, file: FileId) -> Arc<str> {
    if tree != TreeId::STORE {
        lsm_core::table_name(file).into()
    } else if file == MANIFEST {
        "MANIFEST".into()
    } else {
        lsm_wal::SegmentNo::new(file.get()).file_name().into()
    }
}

impl Engine {
    /// Heals what is known to be wrong, each file by the way that `mode` says.
    pub(crate) fn heal_all(&self, mode: HealMode) -> Result<HealReport, Error> {
        self.log()?;
        self.store.forget_gone_hints()?;
        self.store.record_hints()?;
        let mut report = HealReport::default();
        // What somebody else works on is waited for, and what is found meanwhile is for the next call.
        for hint in self.store.hints().snapshot() {
            self.heal_hint(&hint, mode, &mut report)?;
        }
        self.store.sweep()?;
        self.trim_quarantine();
        self.write_ledger(Take::All);
        Ok(report)
    }

    fn heal_hint(&self, hint: &HealHint, mode: HealMode, report: &mut HealReport) -> Result<(), Error> {
        let name = file_name(hint.tree, hint.file);
        let healed = loop {
            self.check_open()?;
            // After a failed sync, a later one of the same file says nothing.
            let rewrites = (mode == HealMode::Rewrite || hint.is_stubborn()) && hint.tree != TreeId::STORE;
            if rewrites && let Some(healed) = self.rewrite(hint.file, mode).transpose() {
                break healed;
            }
            match self.store.hints().claim(hint.tree, hint.file) {
                Some(claim) => break self.heal_claimed(claim, hint),
                None if self.store.hints().snapshot().iter().all(|left| left.file != hint.file) => {
                    return Ok(());
                }
                None => _ = self.bell.rest(crate::engine::WAIT_FOR_JOBS),
            }
        };
        let healed = match healed {
            // The medium does not keep the pages: elsewhere it may.
            Ok(Healed { outcome: Healing::Refused, .. }) => match self.rewrite(hint.file, mode) {
                Ok(None) => healed,
                again => again.map(|again| again.unwrap_or_else(|| unreachable!("matched before"))),
            },
            healed => healed,
        };
        self.note_healing(hint, &healed);
        match healed {
            Ok(healed) => report.files.push(HealedFile { name, healed }),
            Err(error) => report.failed.push((name, error)),
        }
        Ok(())
    }

    /// Puts on record what became of a hint.
    fn note_healing(&self, hint: &HealHint, healed: &Result<Healed, Error>) {
        let event = |outcome| {
            let name = file_name(hint.tree, hint.file);
            Event::new(EventKind::Heal, outcome).of_file(name).with_pages(hint.pages.iter().copied())
        };
        let event = match healed {
            // It was told to stop.
            Err(_) if self.bell.is_over() => return,
            Err(error) => event(Outcome::Failed).with_note(error.to_string()),
            Ok(Healed { outcome: Healing::Gone | Healing::Clean, .. }) => return,
            Ok(Healed { outcome, evidence, .. }) => {
                let (outcome, lost) = match outcome {
                    Healing::Lost { pages, .. } => (Outcome::Lost, Some(pages)),
                    Healing::Rewritten => (Outcome::Rewritten, None),
                    Healing::Refused => (Outcome::Refused, None),
                    _ => (Outcome::Healed, None),
                };
                let runs = lost.into_iter().flat_map(PageRanges::iter);
                let lost: Vec<_> =
                    runs.map(|run| (run.start.get(), run.end.get() - run.start.get())).collect();
                let event = event(outcome).with_evidence(*evidence);
                if lost.is_empty() { event } else { event.with_pages(lost) }
            }
        };
        self.record(event);
    }

    /// From now on faults are noted and healed, or are not.
    pub(crate) fn set_auto_heal(&self, auto_heal: AutoHeal) {
        match auto_heal {
            AutoHeal::On => self.store.hints().enable(),
            AutoHeal::Off => self.store.hints().disable(),
        }
        self.bell.ring();
    }

    /// Heals one file in the background, if one waits and may be healed.
    pub(crate) fn heal_next(&self) -> Result<Option<Healed>, Error> {
        let hints = self.store.hints();
        if hints.is_empty() || !hints.is_enabled() {
            return Ok(None);
        }
        self.store.forget_gone_hints()?;
        self.store.record_hints()?;
        let gate = self.options.heal_gate.as_deref();
        for hint in hints.waiting() {
            let is_tried_enough = hint.failures >= FAILURES_MAX;
            if is_tried_enough || gate.is_some_and(|gate| !gate.may_heal(&hint)) {
                continue;
            }
            let rewrites = hint.is_stubborn() && hint.tree != TreeId::STORE;
            let healed = match rewrites {
                true => self.rewrite(hint.file, HealMode::InPlace).transpose(),
                false => None,
            };
            let claimed = || Some(self.heal_claimed(hints.claim(hint.tree, hint.file)?, &hint));
            if let Some(healed) = healed.or_else(claimed) {
                self.note_healing(&hint, &healed);
                return healed.map(Some);
            }
        }
        Ok(None)
    }

    /// Writes one hinted table anew, unless a job has it. One of which something is lost only if it was asked for.
    fn rewrite(&self, file: FileId, mode: HealMode) -> Result<Option<Healed>, Error> {
        let mut strategy = EccHealCompaction::new(self.store.hints(), u64::MAX).only(file);
        if mode == HealMode::Rewrite {
            strategy = strategy.with_losses();
        }
        let healed = self.store.heal_by_rewrite(&strategy, &|| self.bell.is_over())?;
        self.store.sweep()?;
        Ok(healed)
    }

    fn heal_claimed(&self, claim: HintClaim, hint: &HealHint) -> Result<Healed, Error> {
        let mode = if hint.is_stubborn() { HealMode::Rewrite } else { HealMode::InPlace };
        let healed = match (claim.tree(), claim.file()) {
            (TreeId::STORE, file) if file != MANIFEST => self.heal_segment_of(claim, file, mode)?,
            _ => self.store.heal_in_place(claim, &|| self.bell.is_over())?,
        };
        let name = file_name(healed.tree, healed.file);
        match &healed.outcome {
            Healing::Lost { pages, .. } => log::error!("{name}: pages {pages} are lost"),
            Healing::Refused => log::warn!("{name}: the medium does not keep the pages that were healed"),
            outcome => log::info!("{name}: {outcome:?}"),
        }
        Ok(healed)
    }

    fn heal_segment_of(&self, claim: HintClaim, file: FileId, mode: HealMode) -> Result<Healed, Error> {
        match self.heal_segment(file.get(), mode) {
            Ok((evidence, outcome)) => {
                self.store.forget_hint(TreeId::STORE, file)?;
                claim.replaced();
                Ok(Healed { tree: TreeId::STORE, file, evidence, outcome })
            }
            Err(error) => {
                claim.failed();
                Err(error)
            }
        }
    }

    /// Heals a segment of the log: by patches, or by making it needless.
    fn heal_segment(&self, number: u64, mode: HealMode) -> Result<(Evidence, Healing), Error> {
        let log = self.log()?;
        let find = || self.segments().into_iter().find(|segment| segment.number.get() == number);
        let Some(segment) = find() else { return Ok((Evidence::default(), Healing::Gone)) };
        if log.discard_spare(segment.number) {
            return Ok((Evidence::default(), Healing::Rewritten));
        }
        let mut ahead = Vec::new();
        if log.current().is_some_and(|current| current.number == segment.number) {
            ahead = self.examine_segment(&segment)?.unwrap_or_default().ahead;
            log.rotate()?;
        }
        let Some(seen) = self.examine_segment(&segment)? else {
            return Ok((Evidence::default(), Healing::Gone));
        };
        let evidence = Evidence {
            copied: seen.patches.len() as u64,
            rebuilt: seen.lost.len() as u64,
            ..Evidence::default()
        };
        let is_patchable = seen.lost.is_empty() && seen.missing.is_empty() && mode == HealMode::InPlace;
        if is_patchable {
            let pages = seen.patches.len() as u64;
            if self.patch_segment(&segment, seen.patches)? {
                let outcome = match pages {
                    // The log goes on elsewhere, which is all that helps behind its end.
                    0 if !ahead.is_empty() => Healing::Rewritten,
                    0 => Healing::Clean,
                    pages => Healing::InPlace { pages },
                };
                return Ok((evidence, outcome));
            }
        }
        // Everything in it is in memory too: once that is in tables, the segment goes.
        self.flush()?;
        let outcome = if find().is_none() { Healing::Rewritten } else { Healing::Clean };
        Ok((evidence, outcome))
    }

    /// Looks at a segment of the log, up to what was written last; none if it is gone.
    pub(crate) fn examine_segment(&self, segment: &SegmentRecord) -> Result<Option<SegmentSeen>, Error> {
        let log = self.log().ok();
        let written = || log?.pages_written_in(segment.number);
        if let (Some(log), Some(_)) = (log, written()) {
            // What is not durable cannot be judged. Of a disk that refuses, the log itself takes care.
            let _ = log.sync();
        }
        let (store, durable) = (self.store.keeper().catalog().store, self.durable_in(segment.number));
        let shelf = Shelf { fs: &self.options.fs, dir: self.store.dir(), store };
        let mut seen = shelf.examine(segment, durable)?;
        if let Some(seen) = &mut seen {
            // What was written meanwhile may have been seen half.
            let end = written().unwrap_or(u64::MAX);
            seen.ahead.retain(|&(page, _)| page >= end);
        }
        Ok(seen)
    }

    /// Writes patches into a closed segment and syncs it; whether the medium shows them.
    fn patch_segment(&self, segment: &SegmentRecord, patches: Vec<Patch>) -> Result<bool, Error> {
        let target = Target::open(self.options.fs.clone(), &segment.path(self.store.dir()))?;
        let epoch = patches.iter().fold(Epoch::new().sync(&target), |epoch, patch| {
            epoch.write(&target, patch.offset, patch.bytes.to_vec())
        });
        let written = self.worker.commit(Lane::Bulk, epoch);
        target.retire();
        written.map_err(lsm_core::Error::NotDurable)?;
        let shows = |patch: &Patch| {
            let mut page = [0; PAGE_LEN];
            let read = target.file().read_medium_at(patch.offset, &mut page);
            read.is_ok_and(|read| read.len == PAGE_LEN) && page == *patch.bytes
        };
        Ok(patches.iter().all(shows))
    }
}
