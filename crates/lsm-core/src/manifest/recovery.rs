//! From the files of a manifest to the catalog they mean, whatever has happened to them.
//!
//! Invariant: what comes out holds every edit that was ever acknowledged, or an error does. Nothing is
//! written.
//!
//! The newest generation whose birth is known decides. Its state is its snapshot, or what the generation
//! before it comes to at its birth; its edits follow as far as they are whole. Whatever states that more was
//! durable than is found (a later page, a successor) makes it an error instead.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, File, Fs, IoError};

use super::{
    birth::Stated,
    edit_bytes,
    edit_log::{Copy, EditLog},
    edit_page::{Chain, PageKind},
    error::ManifestError,
    finding::{ManifestFault, ManifestFinding},
    names::{self, Generation, Part},
    snapshot,
};
use crate::{Catalog, KeyOrders};

/// How often files that change while they are read are read again.
const READS_MAX: usize = 1000;

/// A store's manifest as it was read, before anything is written.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use lsm_core::{KeyOrders, Manifest, Recovered};
/// use lsm_io::{EpochWorker, Fs, Limits, MemFs};
/// use page_ecc::Uid;
///
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let (store, nonce) = (Uid::new([1; 16]), Uid::new([2; 16])); // random bits
/// Manifest::create(&fs, Path::new("/store"), &worker, &KeyOrders::default(), store, nonce)?;
///
/// let recovered = Recovered::read(&fs, Path::new("/store"), &KeyOrders::default())?;
/// assert_eq!(recovered.catalog().store, store);
/// assert!(recovered.findings().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recovered {
    pub(super) fs: Arc<dyn Fs>,
    pub(super) dir: PathBuf,
    pub(super) orders: KeyOrders,
    pub(super) at: State,
    /// The birth of the generation that says so.
    pub(super) born: Stated,
    /// The highest that any file names.
    pub(super) highest: Generation,
    findings: Vec<ManifestFinding>,
}

/// A catalog, and the last edit in it.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) catalog: Arc<Catalog>,
    pub(super) number: u64,
    pub(super) chain: Chain,
}

/// A generation's files, opened.
#[derive(Debug)]
pub(super) struct Files {
    generation: Generation,
    pub(super) copies: [Copy; 2],
    snapshot: PathBuf,
    snapshot_file: Option<Arc<dyn File>>,
    stated: Option<Stated>,
    /// What the disk said of those that did not open.
    refused: Vec<IoError>,
}

/// One reading of all files.
struct Reading<'a> {
    dir: &'a Path,
    orders: &'a KeyOrders,
    generations: BTreeMap<Generation, Files>,
    findings: Vec<ManifestFinding>,
}

impl Recovered {
    /// Reads the manifest in `dir`. Another process may be writing it.
    ///
    /// # Errors
    /// If there is none, it is of a later release, its comparators are not among `orders`, or more is lost than
    /// the copies make up for.
    pub fn read(fs: &Arc<dyn Fs>, dir: &Path, orders: &KeyOrders) -> Result<Self, ManifestError> {
        let mut names = names::list(fs.as_ref(), dir)?;
        for _ in 1..READS_MAX {
            let recovered = Self::read_files(fs, dir, orders, &names);
            let now = names::list(fs.as_ref(), dir)?;
            if recovered.is_ok() || now == names {
                return recovered;
            }
            names = now;
        }
        Self::read_files(fs, dir, orders, &names)
    }

    /// What the store consists of.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.at.catalog
    }

    /// The generation that says so.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.born.birth.generation
    }

    /// What was wrong with the files and cost nothing.
    #[must_use]
    pub fn findings(&self) -> &[ManifestFinding] {
        &self.findings
    }

    fn read_files(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        orders: &KeyOrders,
        names: &BTreeMap<Generation, Vec<Part>>,
    ) -> Result<Self, ManifestError> {
        let Some((&highest, _)) = names.last_key_value() else {
            return Err(ManifestError::NotAStore { dir: dir.into() });
        };
        let open = |&generation| Ok((generation, Files::open(fs.as_ref(), dir, generation)?));
        let generations = names.keys().map(open).collect::<Result<_, ManifestError>>()?;
        let mut reading = Reading { dir, orders, generations, findings: Vec::new() };
        let state = reading.newest_born(highest).and_then(|generation| {
            reading.check_finished(generation)?;
            reading.state_after(generation)
        });
        let (at, born) = state.map_err(|error| reading.blame(error))?;
        let findings = reading.findings;
        let (fs, dir, orders) = (fs.clone(), dir.into(), orders.clone());
        Ok(Self { fs, dir, orders, at, born, highest, findings })
    }
}

impl Reading<'_> {
    /// The newest generation whose birth is known; those above were never durable.
    fn newest_born(&mut self, highest: Generation) -> Result<Generation, ManifestError> {
        let born = self.generations.values().rev().find(|files| files.stated.is_some());
        let born = born.map(|files| files.generation);
        for files in self.generations.values().rev().take_while(|files| Some(files.generation) > born) {
            if files.copies.iter().any(Copy::has_edits) {
                return Err(self.lost(files.generation));
            }
            let file = files.snapshot.clone();
            self.findings.push(ManifestFinding { file, fault: ManifestFault::Unfinished });
        }
        let Some(born) = born else { return Err(self.nothing_born(highest)) };
        Ok(born)
    }

    /// Creating ends with a second generation. Of a store that has but one nothing was acknowledged, and not even
    /// that one need be durable.
    fn check_finished(&self, newest: Generation) -> Result<(), ManifestError> {
        if newest > Generation::FIRST {
            return Ok(());
        }
        let files = self.born(newest)?;
        let log = EditLog::read(&files.copies, files.stated()?);
        let is_finished = log.has_edits() || files.successor().is_some();
        if is_finished { Ok(()) } else { Err(ManifestError::Unfinished { dir: self.dir.into() }) }
    }

    /// Why no birth is known: creating was cut short, as long as nothing speaks against that.
    fn nothing_born(&self, highest: Generation) -> ManifestError {
        let first = self.generations.get(&highest).filter(|_| highest == Generation::FIRST);
        let Some(first) = first else { return self.lost(highest) };
        match first.refused.is_empty() && first.copies.iter().all(Copy::is_new) {
            true => ManifestError::Unfinished { dir: self.dir.into() },
            false => self.lost(highest),
        }
    }

    /// The state of a generation with all its edits, and its birth.
    fn state_after(&mut self, generation: Generation) -> Result<(State, Stated), ManifestError> {
        let mut at = self.state_at_birth(generation)?;
        let files = self.born(generation)?;
        let log = EditLog::read(&files.copies, files.stated()?);
        while self.follow(&mut at, &log, generation)? {}
        if at.number < log.durable {
            let (dir, number) = (self.dir.into(), at.number + 1);
            return Err(ManifestError::EditLost { dir, generation, number });
        }
        let may_have_had_more = log.is_cut_behind(at.number) || files.is_blank(&log)?;
        if may_have_had_more && (self.was_durable(files, &log)? || self.is_unproven(files)?) {
            let (dir, number) = (self.dir.into(), at.number + 1);
            return Err(ManifestError::EditLost { dir, generation, number });
        }
        let successor = self.generations.values().filter_map(Files::successor).max();
        if let Some(successor) = successor.filter(|successor| *successor > generation) {
            return Err(self.lost(successor));
        }
        let stated = files.stated()?;
        let born = stated.clone();
        let mut findings = log.findings(&files.copies, stated, log.durable);
        findings.extend_from_slice(&self.findings);
        if findings.iter().any(|finding| finding.fault.is_damage()) && !self.was_durable(files, &log)? {
            findings.iter_mut().for_each(|finding| finding.fault = ManifestFault::Unfinished);
            findings.dedup();
        }
        self.findings = findings;
        Ok((at, born))
    }

    /// Whether anything proves that a generation was durable as a whole: an edit of its own, or the one before,
    /// which states its successor.
    fn was_durable(&self, files: &Files, log: &EditLog) -> Result<bool, ManifestError> {
        let previous = files.stated()?.birth.previous;
        let before = previous.and_then(|previous| self.generations.get(&previous));
        Ok(log.has_edits() || before.and_then(Files::successor) >= Some(files.generation))
    }

    /// Whether nothing is left that could prove it durable: the edits of the one before are gone. Those go by
    /// themselves only once there are two newer ones.
    fn is_unproven(&self, files: &Files) -> Result<bool, ManifestError> {
        let Some(previous) = files.stated()?.birth.previous else { return Ok(false) };
        let before = self.generations.get(&previous);
        Ok(before.is_none_or(|before| before.copies.iter().all(|copy| copy.file.is_none())))
    }

    /// The state that a generation starts from.
    fn state_at_birth(&mut self, generation: Generation) -> Result<State, ManifestError> {
        let mut replayed = Vec::new();
        let mut at = generation;
        // Each birth's `previous` is lower than itself, so this ends.
        let mut state = loop {
            let files = self.born(at)?;
            let stated = files.stated()?.clone();
            if let Some(state) = self.snapshot_of(at)? {
                break state;
            }
            replayed.push(stated.clone());
            match stated.birth.previous {
                Some(previous) => at = previous,
                None if stated.birth.number == 0 => {
                    let catalog = Arc::new(Catalog::new(stated.birth.origin));
                    break State { catalog, number: 0, chain: Chain::default() };
                }
                None => return Err(self.lost(at)),
            }
        };
        for stated in replayed.iter().rev() {
            if let Some(previous) = stated.birth.previous {
                self.follow_to(&mut state, previous, stated)?;
            }
        }
        Ok(state)
    }

    /// The snapshot's state, if it can be read.
    fn snapshot_of(&mut self, generation: Generation) -> Result<Option<State>, ManifestError> {
        let files = self.born(generation)?;
        let stated = files.stated()?;
        let file = files.snapshot.clone();
        let read = match &files.snapshot_file {
            Some(open) => snapshot::read(open, Some(&stated.descriptor))?,
            None => None,
        };
        let Some(found) = read.filter(|found| found.stated == *stated) else {
            self.findings.push(ManifestFinding { file, fault: ManifestFault::Replayed });
            return Ok(None);
        };
        if !found.evidence.is_clean() {
            let fault = ManifestFault::Mended { evidence: found.evidence };
            self.findings.push(ManifestFinding { file, fault });
        }
        let birth = found.stated.birth;
        let catalog = Arc::new(Catalog::new(birth.origin).with(self.orders, &found.edit)?);
        Ok(Some(State { catalog, number: birth.number, chain: birth.chain }))
    }

    /// Takes `state` through the edits of `generation` to the birth of the next, exactly.
    fn follow_to(
        &self,
        state: &mut State,
        generation: Generation,
        next: &Stated,
    ) -> Result<(), ManifestError> {
        let files = self.born(generation)?;
        let log = EditLog::read(&files.copies, files.stated()?);
        while state.number < next.birth.number && self.follow(state, &log, generation)? {}
        if state.number < next.birth.number {
            let (dir, number) = (self.dir.into(), state.number + 1);
            return Err(ManifestError::EditLost { dir, generation, number });
        }
        let arrived = (state.number, state.chain) == (next.birth.number, next.birth.chain);
        if arrived { Ok(()) } else { Err(self.lost(next.birth.generation)) }
    }

    /// Takes `state` one edit further, if that edit is there.
    fn follow(
        &self,
        state: &mut State,
        log: &EditLog,
        generation: Generation,
    ) -> Result<bool, ManifestError> {
        let Some(number) = state.number.checked_add(1) else { return Ok(false) };
        let Some(payload) = log.edit(number, state.chain) else { return Ok(false) };
        let edit = edit_bytes::decode(&payload).map_err(|cause| ManifestError::Bytes {
            file: Part::EditsA.path_in(self.dir, generation),
            cause,
        })?;
        state.catalog = Arc::new(state.catalog.with(self.orders, &edit)?);
        (state.number, state.chain) = (number, state.chain.and(number, &payload));
        Ok(true)
    }

    fn born(&self, generation: Generation) -> Result<&Files, ManifestError> {
        let files = self.generations.get(&generation).filter(|files| files.stated.is_some());
        files.ok_or_else(|| self.lost(generation))
    }

    /// Puts a loss down to a file that did not open, if there is one: that one may open later.
    fn blame(&mut self, error: ManifestError) -> ManifestError {
        if !matches!(error, ManifestError::EditLost { .. } | ManifestError::GenerationLost { .. }) {
            return error;
        }
        let refused = self.generations.values_mut().rev().find_map(|files| files.refused.pop());
        refused.map_or(error, ManifestError::Io)
    }

    fn lost(&self, generation: Generation) -> ManifestError {
        ManifestError::GenerationLost { dir: self.dir.into(), generation }
    }
}

impl Files {
    pub(super) fn open(fs: &dyn Fs, dir: &Path, generation: Generation) -> Result<Self, ManifestError> {
        let mut refused = Vec::new();
        let mut open = |part: Part| {
            let path = part.path_in(dir, generation);
            let file = match fs.open(&path, Access::ReadOnly) {
                Ok(file) => Some(file),
                // Says nothing of the file, and may be put right.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => {
                    refused.push(error);
                    None
                }
            };
            Ok(Copy { path, file })
        };
        let copies = [open(Part::EditsA)?, open(Part::EditsB)?];
        let Copy { path: snapshot, file: snapshot_file } = open(Part::Snapshot)?;
        let mut files = Self { generation, copies, snapshot, snapshot_file, stated: None, refused };
        files.stated = files.find_birth()?;
        Ok(files)
    }

    pub(super) fn stated(&self) -> Result<&Stated, ManifestError> {
        self.stated
            .as_ref()
            .ok_or(ManifestError::Contradiction { file: self.snapshot.clone(), field: "birth" })
    }

    /// Whether neither copy shows anything that was ever written to it.
    fn is_blank(&self, log: &EditLog) -> Result<bool, ManifestError> {
        if log.has_edits() {
            return Ok(false);
        }
        for copy in &self.copies {
            if copy.page(0)?.is_some_and(|page| page.generation == self.generation) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The newer generation that either copy states to be durable.
    fn successor(&self) -> Option<Generation> {
        let stated = self.stated.as_ref()?;
        let last = stated.birth.pages - 1;
        let pages = self.copies.iter().filter_map(|copy| copy.page(last).ok()?);
        pages.filter_map(|page| page.successor_in(stated)).max()
    }

    /// The birth that either copy states, or the snapshot itself. If they are of two minds, the snapshot
    /// decides.
    pub(super) fn find_birth(&self) -> Result<Option<Stated>, ManifestError> {
        let mut found: Vec<Stated> = Vec::new();
        for copy in &self.copies {
            let page = copy.page(0)?.filter(|page| page.kind == PageKind::Birth && page.page == 0);
            let Some(page) = page.filter(|page| page.generation == self.generation) else { continue };
            let stated = Stated::of(&page).map_err(|cause| cause.of(&copy.path))?;
            if !found.contains(&stated) {
                found.push(stated);
            }
        }
        if found.len() == 1 {
            return Ok(found.pop());
        }
        let snapshot = match &self.snapshot_file {
            Some(file) => snapshot::read(file, None)?.map(|snapshot| snapshot.stated),
            None => None,
        };
        match snapshot.filter(|stated| stated.birth.generation == self.generation) {
            Some(stated) if found.is_empty() || found.contains(&stated) => Ok(Some(stated)),
            _ if found.is_empty() => Ok(None),
            _ => Err(ManifestError::Contradiction { file: self.copies[0].path.clone(), field: "birth" }),
        }
    }
}
