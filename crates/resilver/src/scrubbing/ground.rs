//! A store as its patrol sees it: which files, how they are examined, and what becomes of findings.
//!
//! A generation of the manifest is one file here: the pages of its copies of edits and of its snapshot, one behind
//! the other.

use std::{io, ops::Range};

use lsm_core::{
    Error, FileId, HintCause, Keeper, ManifestFile, StoredTable, TreeId, examine_manifest, measure_manifest,
};
use lsm_scrub::{
    Action, Examined, Examiner, FileKind, FileRef, Finding, Flaw, Ground, IoFault, PatrolFile, Protection,
    Reason, Severity, Suspicion, Trouble,
};
use lsm_wal::SegmentRecord;
use page_ecc::{Fault, PAGE_LEN, PageNo, Region, Rung, Scheme};

use crate::{
    Event, EventKind, Outcome,
    engine::Engine,
    healing::{MANIFEST, file_name},
};

/// What a patrol of a store walks over.
pub(super) struct Beat<'a> {
    engine: &'a Engine,
}

impl<'a> Beat<'a> {
    pub(super) const fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    fn table(&self, stored: &StoredTable) -> PatrolFile {
        let table = &stored.table;
        let of = FileRef { tree: stored.tree, kind: FileKind::Table, file: table.id };
        let geometry = table.descriptor.geometry();
        let protection = match geometry.scheme() {
            Scheme::ChecksumOnly => Protection::ChecksumOnly,
            _ => Protection::Parity,
        };
        PatrolFile::new(of, geometry.total_pages())
            .at_level(stored.level)
            .with_keys(table.bounds.clone())
            .protected_by(protection)
            .suspected_of(self.suspicion(stored.tree, table.id))
    }

    fn segment(&self, segment: &SegmentRecord) -> PatrolFile {
        let file = FileId::new(segment.number.get());
        let of = FileRef { tree: TreeId::STORE, kind: FileKind::Log, file };
        let pages = segment.file_len() / PAGE_LEN as u64;
        PatrolFile::new(of, pages).suspected_of(self.suspicion(TreeId::STORE, file))
    }

    fn manifest(&self) -> Option<PatrolFile> {
        let (fs, dir) = (&self.engine.options.fs, self.engine.store.dir());
        let (newest, pages) = measure_manifest(fs, dir).ok()??;
        let of = FileRef { tree: TreeId::STORE, kind: FileKind::Manifest, file: FileId::new(newest.get()) };
        Some(PatrolFile::new(of, pages).suspected_of(self.suspicion(TreeId::STORE, MANIFEST)))
    }

    fn examine_manifest(&self) -> Result<Vec<ManifestFile>, Error> {
        match self.engine.store.keeper() {
            keeper @ Keeper::Manifest(_) => keeper.examine(),
            Keeper::Nobody(_) => Ok(examine_manifest(&self.engine.options.fs, self.engine.store.dir())?),
        }
    }

    fn suspicion(&self, tree: TreeId, file: FileId) -> Suspicion {
        let hints = self.engine.store.hints();
        if hints.is_empty() {
            return Suspicion::None;
        }
        match hints.snapshot().into_iter().find(|hint| (hint.tree, hint.file) == (tree, file)) {
            None => Suspicion::None,
            Some(hint) if hint.pages.is_empty() || tree == TreeId::STORE => Suspicion::Whole,
            Some(hint) => {
                let pages = hint
                    .pages
                    .iter()
                    .map(|&(first, count)| PageNo::new(first)..PageNo::new(first.saturating_add(count)));
                Suspicion::Pages(pages.collect())
            }
        }
    }

    fn segment_record(&self, file: FileId) -> Option<SegmentRecord> {
        self.engine.segments().into_iter().find(|segment| segment.number.get() == file.get())
    }
}

impl Ground for Beat<'_> {
    fn files(&self) -> Vec<PatrolFile> {
        let tables = self.engine.store.tables();
        let tables = tables.iter().map(|table| self.table(table));
        let segments = self.engine.segments();
        let segments = segments.iter().map(|segment| self.segment(segment));
        tables.chain(segments).chain(self.manifest()).collect()
    }

    fn examiner(&self, file: &PatrolFile) -> Result<Option<Box<dyn Examiner + '_>>, IoFault> {
        match file.of.kind {
            FileKind::Table => {
                let stored = self.engine.store.table(file.of.tree, file.of.file);
                let Some(stored) = stored else { return Ok(None) };
                match self.engine.store.examiner(&stored.table).map_err(IoFault::new)? {
                    // It is still named, so this is no removal that was under way.
                    None => Err(gone()),
                    Some(examiner) => Ok(Some(Box::new(Sealed { _held: stored, examiner }))),
                }
            }
            FileKind::Log => {
                let Some(segment) = self.segment_record(file.of.file) else { return Ok(None) };
                let seen = self.engine.examine_segment(&segment).map_err(IoFault::new)?;
                let Some(seen) = seen else {
                    let is_gone = self.segment_record(file.of.file).is_none();
                    return if is_gone { Ok(None) } else { Err(gone()) };
                };
                // What neither extent has is in memory: flushed, it needs no log.
                let ahead = seen.ahead.iter().map(|&(_, page)| page);
                let flaws = seen.bad().into_keys().chain(ahead).map(|page| flaw(page, Rung::Copied));
                Ok(Some(Box::new(Whole { flaws: flaws.collect() })))
            }
            FileKind::Manifest => {
                let mut before = 0;
                let mut flaws = Vec::new();
                for part in self.examine_manifest().map_err(IoFault::new)? {
                    let bad = part.bad.iter().flat_map(|run| run.start.get()..run.end.get());
                    // What is missing of a file that was cut was not counted, and is told at the end.
                    let last = file.pages.saturating_sub(1);
                    flaws.extend(bad.map(|page| flaw((before + page).min(last), Rung::Copied)));
                    before += part.pages;
                }
                Ok(Some(Box::new(Whole { flaws })))
            }
            FileKind::Blob | FileKind::Snapshot => Ok(None),
        }
    }

    fn found(&self, finding: &Finding) -> Action {
        let action = self.act_on(finding);
        self.note(finding, action);
        action
    }
}

impl Beat<'_> {
    /// Puts a finding on record.
    fn note(&self, finding: &Finding, action: Action) {
        let outcome = match (finding.severity(), action) {
            (Severity::Passing, _) => Outcome::Answered,
            (_, Action::Scheduled) => Outcome::Noted,
            (_, Action::Healed) => Outcome::Healed,
            (Severity::Lost, _) => Outcome::Lost,
            (_, Action::Left(_)) => Outcome::Left,
        };
        let file = match finding.file.kind {
            FileKind::Manifest | FileKind::Snapshot => MANIFEST,
            _ => finding.file.file,
        };
        let event = Event::new(EventKind::Scrub, outcome).of_file(file_name(finding.file.tree, file));
        self.engine.record(match &finding.trouble {
            Trouble::Pages { pages, evidence, .. } => {
                let count = pages.end.get() - pages.start.get();
                event.with_pages([(pages.start.get(), count)]).with_evidence(*evidence)
            }
            Trouble::Unopened(fault) => event.with_note(format!("it does not open: {fault}")),
        });
    }

    /// Makes a finding a hint, unless that would help nobody.
    fn act_on(&self, finding: &Finding) -> Action {
        let severity = finding.severity();
        let (pages, evidence) = match &finding.trouble {
            Trouble::Pages { pages, evidence, .. } => (pages.start.get()..pages.end.get(), *evidence),
            Trouble::Unopened(_) => return Action::Left(Reason::BeyondHelp),
        };
        if severity == Severity::Passing {
            return Action::Left(Reason::NothingToHeal);
        }
        let hints = self.engine.store.hints();
        if !hints.is_enabled() {
            return Action::Left(Reason::HealingOff);
        }
        let (file, pages) = match finding.file.kind {
            FileKind::Manifest | FileKind::Snapshot => (MANIFEST, 0..0),
            _ => (finding.file.file, pages),
        };
        if hints.record(finding.file.tree, file, pages, HintCause::of(&evidence)).is_news() {
            self.engine.bell.ring();
        }
        match severity {
            // What else is wrong with the file is healed; a segment goes once its changes are in tables.
            Severity::Lost if finding.file.kind == FileKind::Table => Action::Left(Reason::BeyondHelp),
            _ => Action::Scheduled,
        }
    }
}

fn gone() -> IoFault {
    IoFault::new(io::Error::new(io::ErrorKind::NotFound, "its file is gone"))
}

fn flaw(page: u64, rung: Rung) -> Flaw {
    Flaw { page: PageNo::new(page), region: Region::Body, fault: Fault::Mismatch, rung, keys: None }
}

/// A sealed file, which stays for as long as it is examined.
struct Sealed {
    _held: StoredTable,
    examiner: lsm_core::Examiner,
}

impl Examiner for Sealed {
    fn examine(&mut self, pages: Range<PageNo>) -> Examined {
        let before = self.examiner.bytes_read();
        let examination = self.examiner.examine(pages.start.get()..pages.end.get());
        let flaws = examination.findings.iter().map(|finding| Flaw {
            page: finding.page,
            region: finding.region,
            fault: finding.fault,
            rung: finding.rung,
            keys: None,
        });
        Examined { bytes: self.examiner.bytes_read() - before, flaws: flaws.collect() }
    }
}

/// A file that was examined as a whole when it was opened.
struct Whole {
    flaws: Vec<Flaw>,
}

impl Examiner for Whole {
    fn examine(&mut self, pages: Range<PageNo>) -> Examined {
        let bytes = (pages.end.get() - pages.start.get()) * PAGE_LEN as u64;
        let flaws = self.flaws.iter().filter(|flaw| pages.contains(&flaw.page)).cloned();
        Examined { bytes, flaws: flaws.collect() }
    }
}
