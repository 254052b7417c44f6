//! Recovery: from segment files in any state to the one history they tell, and a log that goes on behind it.
//!
//! **Invariants**
//! * What is given is a run of whole groups in the order of their numbers; where durable groups are not there,
//!   a loss that names them stands in their place.
//! * The end of what was not proven durable is copied into a new, synced segment before anything is appended:
//!   after a failed sync the page cache shows what the disk does not hold.

mod resume;

use std::{path::PathBuf, sync::Arc};

use lsm_io::{EntryKind, Fs, IoError};
use page_ecc::Uid;

use crate::{
    DirectoryOnly, Finding, Loss, Registry, SegmentNo, SegmentRecord, SeqNo, Seqs,
    chain::{self, Fate, Found, Link, Listed, Outline},
    header,
    piece::Kind,
    segment::{EXTENT_PAGES_MAX, EXTENT_PAGES_MIN, Position},
    source::Source,
    survey::{Survey, Surveyed},
    walk::{Purpose, Step, Walker},
};

/// Where a log lies, and whose it is.
///
/// ```
/// use lsm_wal::{Uid, Whereabouts};
/// let at = Whereabouts::new(std::sync::Arc::new(lsm_io::MemFs::new()), "/store/log", Uid::new([7; 16]));
/// ```
#[derive(Clone, Debug)]
pub struct Whereabouts {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) store: Uid,
}

/// What segment files were found to tell.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{EpochWorker, Limits, MemFs};
/// use lsm_wal::{DirectoryOnly, Durability, LogOptions, Recovery, Replayed, Uid, Whereabouts};
///
/// let store = Uid::new([7; 16]);
/// let at = Whereabouts::new(Arc::new(MemFs::new()), "/", store);
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let registry = Arc::new(DirectoryOnly::new(store));
/// let log = Recovery::scan(at.clone(), &[])?.open(worker.clone(), registry.clone(), LogOptions::default())?;
/// log.append(&b"a group"[..], 1, Durability::Synced)?;
/// drop(log);
///
/// let recovery = Recovery::scan_dir(at)?;
/// recovery.replay(|what, _| match what {
///     Replayed::Changes { payload, .. } => Ok(assert_eq!(payload, b"a group")),
///     Replayed::Lost(loss) => Err(loss.to_string()),
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recovery {
    at: Whereabouts,
    found: Vec<Found>,
    links: Vec<Link>,
    outline: Outline,
    findings: Vec<Finding>,
    lost_ends: Vec<SegmentNo>,
    /// Changes below are durable elsewhere.
    floor: SeqNo,
    /// Where the history was cut off, if the last segment left of it had another behind it.
    cut: Option<SeqNo>,
    /// The highest number any segment file bears.
    highest: SegmentNo,
}

/// What replay gives, in order.
///
/// ```
/// let group = lsm_wal::Replayed::Changes { seqs: lsm_wal::Seqs::default(), payload: Vec::new() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// A group, as it was appended.
    Changes {
        /// Its numbers.
        seqs: Seqs,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// Durable changes that are not there. What follows is behind them.
    Lost(Loss),
}

/// How far a replay is.
///
/// ```
/// let half = lsm_wal::Progress { done: 5, total: 10 };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes behind.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Why a log cannot be read at all. Damage is no such reason.
///
/// ```
/// let error = lsm_wal::RecoveryError::Newer { segment: lsm_wal::SegmentNo::new(3) };
/// assert!(error.to_string().contains("newer version"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The directory or a file could not be opened.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A segment was written by a newer version.
    #[error("segment {segment} was written by a newer version; open the store with that")]
    Newer {
        /// Which.
        segment: SegmentNo,
    },
}

impl Whereabouts {
    /// The log of `store` in `dir`.
    pub fn new(fs: Arc<dyn Fs>, dir: impl Into<PathBuf>, store: Uid) -> Self {
        Self { fs, dir: dir.into(), store }
    }
}

impl Recovery {
    /// Reads the segments that are on record: each came into use, and is missed if nothing is found of it.
    ///
    /// # Errors
    /// If the directory cannot be listed or a file that is there not be opened, or one is of a newer version.
    /// Damage is no error: see [`losses`](Self::losses) and [`findings`](Self::findings).
    pub fn scan(at: Whereabouts, records: &[SegmentRecord]) -> Result<Self, RecoveryError> {
        Self::scan_listed(at, records, Listed::InUse)
    }

    fn scan_listed(
        at: Whereabouts,
        records: &[SegmentRecord],
        listed: Listed,
    ) -> Result<Self, RecoveryError> {
        let mut found = Vec::with_capacity(records.len());
        for &record in records {
            let surveyed = Survey::of(&at, record)?;
            if let Surveyed::Newer = surveyed {
                return Err(RecoveryError::Newer { segment: record.number });
            }
            found.push((record, surveyed));
        }
        let links = chain::links(&found);
        let outline = chain::outline(&found, &links);
        let lost_ends = chain::lost_ends(&found, &links, listed);
        let (findings, floor, highest) = (Vec::new(), SeqNo::default(), SegmentNo::new(0));
        let mut recovery = Self { at, found, links, outline, findings, lost_ends, floor, cut: None, highest };
        recovery.look_around(records)?;
        recovery.note_findings();
        Ok(recovery)
    }

    /// Reads whatever segments the directory holds: for logs that have no other list. What such a log loses
    /// with a whole file at its end is not missed.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    pub fn scan_dir(at: Whereabouts) -> Result<Self, RecoveryError> {
        let mut records = Vec::new();
        for (number, _) in segment_files(&at)? {
            records.extend(record_of(&at, number)?);
        }
        Self::scan_listed(at, &records, Listed::ByName)
    }

    /// Says that every change below `seq` is durable elsewhere: it is neither replayed nor missed.
    #[must_use]
    pub fn needed_from(mut self, seq: SeqNo) -> Self {
        self.floor = seq;
        self
    }

    /// Cuts the history off: nothing from `seq` on counts any more, and the log that is opened gives that number
    /// anew. It is cut when the log has been opened; until then the segments are as they were.
    #[must_use]
    pub fn without(mut self, seq: SeqNo) -> Self {
        if seq >= self.outline.next {
            return self;
        }
        let reaches = |link: &Link| link.limit.is_none_or(|(next, _)| next > seq);
        let last = self.links.iter().position(reaches).unwrap_or(0);
        self.links.truncate(last + 1);
        if let Some(link) = self.links.last_mut()
            && link.limit.take().is_some()
        {
            self.cut = Some(seq);
        }
        self.outline.cut(seq);
        self.lost_ends.clear();
        self
    }

    /// Durable changes that are not there, in order.
    #[must_use]
    pub fn losses(&self) -> Vec<Loss> {
        let known = self.outline.spans.iter().flat_map(|span| {
            let segment = self.found[span.index].0.number;
            let told = chain::survey(&self.found, span.index).map_or(&[][..], |survey| &survey.lost);
            let told = told.iter().filter(|seqs| span.seqs.contains(seqs.first)).copied();
            let seqs: Vec<_> = match span.fate {
                Fate::Lost => vec![span.seqs],
                Fate::Kept => told.collect(),
            };
            seqs.into_iter().map(move |seqs| Loss { segment, seqs })
        });
        let ends = self
            .lost_ends
            .iter()
            .map(|&segment| Loss { segment, seqs: Seqs::new(self.outline.next, SeqNo::new(u64::MAX)) });
        let needed = |loss: Loss| Some(Loss { seqs: self.needed(loss.seqs)?, ..loss });
        known.chain(ends).filter_map(needed).collect()
    }

    /// What was not right and cost nothing.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The number behind the last change that counts; none if there is no history.
    #[must_use]
    pub fn next_seq(&self) -> Option<SeqNo> {
        (!self.links.is_empty()).then_some(self.outline.next)
    }

    /// Every change of a segment below this number was durable, as far as anything that was found proves, and counts:
    /// both extents should have it. None if nothing of the segment counts.
    #[must_use]
    pub fn durable_in(&self, segment: SegmentNo) -> Option<SeqNo> {
        let link = self.links.iter().find(|link| self.found[link.index].0.number == segment)?;
        let survey = chain::survey(&self.found, link.index)?;
        Some(link.limit.map_or_else(|| survey.proven(), |(next, _)| next).min(self.outline.next))
    }

    /// Gives every group in order, and a loss where some are not there.
    ///
    /// # Errors
    /// What `visit` answers; then the replay ends.
    pub fn replay<E>(&self, mut visit: impl FnMut(Replayed, Progress) -> Result<(), E>) -> Result<(), E> {
        let total = self.links.iter().map(|link| self.end_of(link).0).sum();
        let mut before = 0;
        for link in &self.links {
            let end = self.end_of(link);
            self.replay_link(link, &mut |what, at: Position| match self.narrow(what) {
                Some(what) => visit(what, Progress { done: before + at.0.min(end.0), total }),
                None => Ok(()),
            })?;
            before += end.0;
        }
        for &segment in &self.lost_ends {
            let seqs = Seqs::new(self.outline.next, SeqNo::new(u64::MAX));
            visit(Replayed::Lost(Loss { segment, seqs }), Progress { done: total, total })?;
        }
        Ok(())
    }

    /// What is needed of some numbers.
    fn needed(&self, seqs: Seqs) -> Option<Seqs> {
        let needed = Seqs::new(seqs.first.max(self.floor), seqs.next);
        (!needed.is_empty()).then_some(needed)
    }

    /// What is needed of a step of the replay: a group is needed whole or not at all.
    fn narrow(&self, what: Replayed) -> Option<Replayed> {
        match what {
            Replayed::Changes { seqs, .. } => self.needed(seqs).map(|_| what),
            Replayed::Lost(loss) => Some(Replayed::Lost(Loss { seqs: self.needed(loss.seqs)?, ..loss })),
        }
    }

    fn replay_link<E>(
        &self,
        link: &Link,
        visit: &mut impl FnMut(Replayed, Position) -> Result<(), E>,
    ) -> Result<(), E> {
        let segment = self.found[link.index].0.number;
        let lost = |seqs| Replayed::Lost(Loss { segment, seqs });
        let end = self.end_of(link);
        let mut frames =
            self.walk(link, |survey| Purpose::CollectKnown(&survey.notes)).filter_map(|step| match step {
                Step::Frame(frame) if !frame.seqs.is_empty() => Some(frame),
                Step::Frame(_) | Step::Page(_) => None,
            });
        for span in self.outline.spans.iter().filter(|span| span.index == link.index) {
            if span.fate == Fate::Lost {
                visit(lost(span.seqs), end)?;
                continue;
            }
            let mut next = span.seqs.first;
            while next < span.seqs.next {
                // A second read that brings less than the first is a loss like any other.
                let Some(frame) = frames.find(|frame| frame.seqs.first >= next) else { break };
                if frame.seqs.first > next {
                    visit(lost(Seqs::new(next, frame.seqs.first)), frame.end)?;
                }
                next = frame.seqs.next;
                match frame.kind {
                    Kind::Changes => {
                        visit(Replayed::Changes { seqs: frame.seqs, payload: frame.payload }, frame.end)?;
                    }
                    Kind::Lost => visit(lost(frame.seqs), frame.end)?,
                    Kind::Void | Kind::Mark => {}
                }
            }
            if next < span.seqs.next {
                visit(lost(Seqs::new(next, span.seqs.next)), end)?;
            }
        }
        Ok(())
    }

    fn walk<'s>(
        &'s self,
        link: &Link,
        purpose: impl Fn(&'s Survey) -> Purpose<'s>,
    ) -> impl Iterator<Item = Step> {
        let survey = chain::survey(&self.found, link.index);
        let until = self.end_of(link);
        survey.into_iter().flat_map(move |survey| Walker::new(&survey.source, until, purpose(survey)))
    }

    /// Where reading a segment of the history ends.
    fn end_of(&self, link: &Link) -> Position {
        let survey = chain::survey(&self.found, link.index);
        let written = survey.and_then(|survey| survey.runs.last()).map(|run| run.end).unwrap_or_default();
        link.limit.map_or(written, |(_, end)| end.min(written))
    }

    /// Notes what else lies in the directory.
    fn look_around(&mut self, records: &[SegmentRecord]) -> Result<(), RecoveryError> {
        let recorded = records.iter().map(|record| record.number);
        self.highest = recorded.max().unwrap_or(self.highest);
        for (number, path) in segment_files(&self.at)? {
            self.highest = self.highest.max(number);
            if records.iter().all(|record| record.number != number) {
                self.findings.push(Finding::Unrecorded { path });
            }
        }
        Ok(())
    }

    fn note_findings(&mut self) {
        for link in &self.links {
            let Some(survey) = chain::survey(&self.found, link.index) else { continue };
            let limit = link.limit.map(|(next, _)| next);
            self.findings.extend(survey.findings(limit.unwrap_or(survey.proven())));
            let next = limit.unwrap_or(self.outline.next);
            let beyond = survey.runs.iter().filter(|run| run.seqs.next > next).map(|run| run.seqs);
            let doubtful = survey.last_doubt();
            let seqs = beyond.reduce(|all, run| Seqs::new(all.first, run.next));
            let first = seqs.map(|seqs| Seqs::new(seqs.first.max(next), seqs.next));
            if link.limit.is_none() && (first.is_some() || doubtful.is_some()) {
                let segment = survey.source.record.number;
                let page = doubtful.unwrap_or_else(|| self.end_of(link).page());
                let seqs = first.unwrap_or(Seqs::new(next, next));
                self.findings.push(Finding::Behind { segment, page, seqs });
            }
        }
        let gone = self.found.iter().enumerate().filter(|(index, (record, what))| {
            let linked = self.links.iter().any(|link| link.index == *index);
            matches!(what, Surveyed::Missing) && !linked && !self.lost_ends.contains(&record.number)
        });
        let gone = gone.map(|(_, (record, _))| Finding::Missing { segment: record.number });
        self.findings.extend(gone.collect::<Vec<_>>());
    }
}

/// The segment files of a directory, by number.
fn segment_files(at: &Whereabouts) -> Result<Vec<(SegmentNo, PathBuf)>, IoError> {
    let entries = at.fs.list(&at.dir)?;
    let files = entries.into_iter().filter(|entry| entry.kind == EntryKind::File);
    Ok(files.filter_map(|entry| Some((SegmentNo::of_file(&entry.name)?, at.dir.join(&entry.name)))).collect())
}

/// What a segment file says of itself, or what [`DirectoryOnly`] named it.
fn record_of(at: &Whereabouts, number: SegmentNo) -> Result<Option<SegmentRecord>, IoError> {
    let uid = DirectoryOnly::new(at.store).uid(number);
    let guess = SegmentRecord { number, uid, extent_pages: EXTENT_PAGES_MIN };
    let Some(source) = Source::open(at.fs.as_ref(), &at.dir, guess)? else { return Ok(None) };
    let half = (source.len()? / (2 * page_ecc::PAGE_LEN as u64)).clamp(EXTENT_PAGES_MIN, EXTENT_PAGES_MAX);
    let at_half = Source::open(at.fs.as_ref(), &at.dir, SegmentRecord { extent_pages: half, ..guess })?;
    for source in [Some(source), at_half].into_iter().flatten() {
        if let header::Found::Header(header) = source.header().found
            && header.record.number == number
        {
            return Ok(Some(header.record));
        }
    }
    Ok(Some(SegmentRecord { extent_pages: half, ..guess }))
}
