//! The log beside tables that no manifest names: which segments are of this store, and what in them is needed.
//!
//! Nothing is written here. Invariant: every segment of the store that holds a change which no table has counts, and
//! one that holds such changes and cannot be read is named, so that the loss is told by the log itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use lsm_core::{BatchView, LogSeen, Rebuild, SegmentRef, TreeId};
use lsm_io::{EntryKind, Fs};
use lsm_wal::{
    InspectError, Inspected, Loss, Recovery, Replayed, SegmentNo, SegmentRecord, Whereabouts, inspect,
};
use page_ecc::{PAGE_LEN, Uid};
use sst_format::SeqNo;

use super::report::{LogFate, LogPart};
use crate::{Error, Options, journal::record_of, system::is_own_key};

/// The segments in a directory.
pub(super) struct Logs {
    segments: BTreeMap<SegmentNo, Told>,
    /// Segments under numbers that are not theirs, with what they are.
    astray: BTreeMap<SegmentNo, Inspected>,
}

/// What a file with the name of a segment turned out to be.
enum Told {
    Segment(Box<Inspected>),
    Unused,
    Unreadable { len: u64 },
}

/// What of the log counts.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) segments: Vec<SegmentRef>,
    pub(super) parts: Vec<LogPart>,
    pub(super) losses: Vec<Loss>,
    /// Trees that it writes to, and whether all their keys are like those of the store's own keyspace.
    pub(super) trees: BTreeMap<TreeId, IsOwn>,
}

/// Whether a tree looks like that of the store's own keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsOwn {
    Maybe,
    No,
}

/// Looks at every segment in a directory.
pub(super) fn look(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Logs, Error> {
    let (mut segments, mut astray) = (BTreeMap::new(), BTreeMap::new());
    for entry in fs.list(dir)?.iter().filter(|entry| entry.kind == EntryKind::File) {
        let Some(number) = SegmentNo::of_file(&entry.name) else { continue };
        let path = dir.join(&entry.name);
        let told = match inspect(fs, &path, None) {
            Ok(found) if found.header.is_some() && found.record.number == number => {
                Told::Segment(Box::new(found))
            }
            Err(InspectError::Unused) => Told::Unused,
            Err(InspectError::Newer) => {
                return Err(lsm_wal::RecoveryError::Newer { segment: number }.into());
            }
            Err(InspectError::Io(cause)) => return Err(cause.into()),
            told => {
                if let Some(found) = told.ok().filter(|found| found.header.is_some()) {
                    astray.insert(number, found);
                }
                let len = fs.open(&path, lsm_io::Access::ReadOnly)?.len()?.get();
                Told::Unreadable { len }
            }
        };
        segments.insert(number, told);
    }
    Ok(Logs { segments, astray })
}

impl Logs {
    /// Whose logs there are, and from which number on.
    pub(super) fn stores(&self) -> Vec<LogSeen> {
        let mut stores = BTreeMap::<[u8; 16], LogSeen>::new();
        let astray = self.astray.values().filter_map(|found| found.header);
        for header in self.segments.values().filter_map(|told| told.header()).chain(astray) {
            let first = SeqNo::new(header.first.get());
            let seen =
                stores.entry(header.store.to_bytes()).or_insert(LogSeen { store: header.store, first });
            seen.first = seen.first.min(first);
        }
        stores.into_values().collect()
    }

    /// Segments of a store under numbers that are not theirs, while no file bears theirs and is right: where each
    /// stands, and where it belongs.
    pub(super) fn misnamed(&self, store: Uid) -> Vec<(SegmentNo, SegmentNo)> {
        let right =
            self.segments.iter().filter(|(_, told)| told.header().is_some_and(|of| of.store == store));
        let mut taken: BTreeSet<SegmentNo> = right.map(|(number, _)| *number).collect();
        let own = |found: &Inspected| found.header.is_some_and(|header| header.store == store);
        let astray = self.astray.iter().filter(|(_, found)| own(found));
        let astray = astray.filter(|(_, found)| taken.insert(found.record.number));
        astray.map(|(number, found)| (*number, found.record.number)).collect()
    }

    /// What of the log counts for a store whose tables are known.
    pub(super) fn count(&self, dir: &Path, options: &Options, rebuild: &Rebuild) -> Result<Counted, Error> {
        let store = rebuild.catalog().store;
        let flushed = rebuild.flushed_low().get();
        let known = self.known_uids(store, rebuild);
        let mut counted = Counted::default();
        for (&number, told) in &self.segments {
            let (fate, numbers) = match told {
                Told::Unused => (LogFate::Unused, None),
                Told::Unreadable { .. } if known.contains_key(&number.get()) => (LogFate::Replayed, None),
                Told::Unreadable { .. } => (LogFate::Unreadable, None),
                Told::Segment(found) => {
                    let numbers = found.held.numbers.map(|(first, next)| (first.get(), next.get()));
                    let is_own = found.header.is_some_and(|header| header.store == store);
                    // Its end may be gone; then the one that follows says how far it went.
                    let follower = self.follower_of(&found.record).map_or(0, |follower| follower.first.get());
                    let is_spent =
                        numbers.is_some_and(|(_, next)| next.max(follower) <= flushed.saturating_add(1));
                    let fate = match (is_own, is_spent && !self.is_last(number, store)) {
                        (false, _) => LogFate::Foreign,
                        (true, true) => LogFate::Spent,
                        (true, false) => LogFate::Replayed,
                    };
                    (fate, numbers)
                }
            };
            if fate == LogFate::Replayed {
                counted.segments.extend(self.record(number, &known));
            }
            counted.parts.push(LogPart { file: number.file_name().into(), fate, numbers });
        }
        counted.segments.extend(self.missed(store, rebuild.flushed_high().get()));
        let records: Vec<SegmentRecord> = counted.segments.iter().map(record_of).collect();
        let recovery = Recovery::scan(Whereabouts::new(options.fs.clone(), dir, store), &records)?;
        counted.losses = recovery.losses();
        recovery.replay(|what, _| {
            if let Replayed::Changes { payload, .. } = what {
                let batch = BatchView::parse(&payload).map_err(|cause| Error::LogForeign { cause })?;
                for op in batch.ops() {
                    let known = counted.trees.entry(op.tree).or_insert(IsOwn::Maybe);
                    if !is_own_key(op.key) {
                        *known = IsOwn::No;
                    }
                }
            }
            Ok::<(), Error>(())
        })?;
        Ok(counted)
    }

    /// What the segment says that came behind this one.
    fn follower_of(&self, segment: &SegmentRecord) -> Option<lsm_wal::StatedHeader> {
        let follows = |header: &lsm_wal::StatedHeader| {
            header.predecessor.is_some_and(|(number, uid, _)| (number, uid) == (segment.number, segment.uid))
        };
        self.segments.values().filter_map(Told::header).find(follows)
    }

    /// The segment before the oldest that is there, if its file is gone and the last write before that is in no table:
    /// a segment goes once each of its writes is in one.
    fn missed(&self, store: Uid, flushed: u64) -> Option<SegmentRef> {
        let own = self.segments.values().filter_map(|told| told.header());
        let oldest = own.filter(|header| header.store == store).min_by_key(|header| header.generation)?;
        let (number, uid, _) =
            oldest.predecessor.filter(|(number, ..)| !self.segments.contains_key(number))?;
        let is_missed = oldest.first.get() > flushed.saturating_add(1);
        is_missed.then_some(SegmentRef { number: number.get(), uid, extent_pages: lsm_wal::EXTENT_PAGES_MIN })
    }

    /// Whether no later segment of the store follows: where it goes on.
    fn is_last(&self, number: SegmentNo, store: Uid) -> bool {
        let generation = |told: &Told| {
            told.header().filter(|header| header.store == store).map(|header| header.generation)
        };
        let own = self.segments.get(&number).and_then(generation);
        self.segments.values().filter_map(generation).max() == own
    }

    /// The uids of segments, by what others, or the old manifest, say of them.
    fn known_uids(&self, store: Uid, rebuild: &Rebuild) -> BTreeMap<u64, Uid> {
        let mut known: BTreeMap<u64, Uid> =
            rebuild.known_segments().map(|segment| (segment.number, segment.uid)).collect();
        let headers = self.segments.values().filter_map(|told| told.header());
        for header in headers.filter(|header| header.store == store) {
            known.extend(header.predecessor.map(|(number, uid, _)| (number.get(), uid)));
        }
        known
    }

    fn record(&self, number: SegmentNo, known: &BTreeMap<u64, Uid>) -> Option<SegmentRef> {
        let told = self.segments.get(&number)?;
        let (uid, extent_pages) = match told {
            Told::Segment(found) => (found.record.uid, found.record.extent_pages),
            Told::Unreadable { len } => {
                let half = len / (2 * PAGE_LEN as u64);
                (*known.get(&number.get())?, half.max(lsm_wal::EXTENT_PAGES_MIN))
            }
            Told::Unused => return None,
        };
        Some(SegmentRef { number: number.get(), uid, extent_pages })
    }
}

impl Told {
    fn header(&self) -> Option<lsm_wal::StatedHeader> {
        match self {
            Self::Segment(found) => found.header,
            Self::Unused | Self::Unreadable { .. } => None,
        }
    }
}
