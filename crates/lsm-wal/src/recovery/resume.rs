//! From what was recovered to a log that goes on.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicBool},
};

use bytes::Bytes;
use lsm_io::EpochWorker;

use super::Recovery;
use crate::{
    Fault, Log, LogOptions, Registry, SegmentRecord, SeqNo, Seqs,
    chain::{self, Fate, Link},
    depot::Depot,
    header::Predecessor,
    piece::Kind,
    segment::Position,
    tail::{Base, Body, Context, Entry, Tail},
    walk::{Purpose, Step},
};

/// Where the new segment takes up.
struct Seam {
    base: Base,
    /// What is not proven durable, to be carried over.
    carried: VecDeque<Entry>,
    /// How many segments of the history the new one stands behind.
    kept: usize,
}

impl Recovery {
    /// Puts a new segment behind the history, copies into it what was not proven durable, and goes on there.
    ///
    /// Segments that hold nothing of the history are given back by the first [`Log::trim`].
    ///
    /// # Errors
    /// If the disk or the registry refuses. The segments are as they were, so it may be tried again.
    pub fn open(
        &self,
        worker: Arc<EpochWorker>,
        registry: Arc<dyn Registry>,
        options: LogOptions,
    ) -> Result<Log, Fault> {
        let at = self.at.clone();
        let depot = Depot::new(at.fs, at.dir, at.store, options, registry, self.highest.next());
        let cx = Context { depot, worker, wants_care: AtomicBool::new(false) };
        let Seam { base, mut carried, kept } = self.seam(options);
        let behind = carried.back().map_or(base.next, |entry| entry.seqs.next);
        let told = behind.max(self.outline.next);
        let next = told.max(options.first());
        fill(&mut carried, &Body::Lost, Seqs::new(behind, told));
        let passed = if self.lost_ends.is_empty() { Body::Void } else { Body::Lost };
        fill(&mut carried, &passed, Seqs::new(told, next));
        let closed: Vec<_> = self.links[..kept].iter().map(|link| self.closed(link, base.next)).collect();
        let dead = self.found.iter().map(|(record, _)| *record);
        let dead = dead.filter(|record| !is_in(record, &closed)).collect();
        let generation = self.generation();
        let mut tail = Tail::new(base, generation, carried).behind(closed, dead);
        tail.settle_in(&cx)?;
        Ok(Log::new(cx, tail, next))
    }

    fn seam(&self, options: LogOptions) -> Seam {
        let Some(last) = self.links.last() else {
            let base = Base { predecessor: None, next: options.first() };
            return Seam { base, carried: VecDeque::new(), kept: 0 };
        };
        let survey = chain::survey(&self.found, last.index);
        let header = survey.and_then(|survey| survey.header);
        match (survey, header) {
            // Its header was never proven durable, so the history goes on from the one before it.
            (Some(survey), Some(header)) if !survey.appended && self.cut.is_none() => {
                let base = Base { predecessor: header.predecessor, next: header.first };
                Seam { base, carried: self.carried(last, header.first).0, kept: self.links.len() - 1 }
            }
            _ => {
                let proven = self.cut.or(survey.map(|survey| survey.proven())).unwrap_or_default();
                let next = proven.max(survey.and_then(|survey| survey.first()).unwrap_or_default());
                let next = next.min(self.outline.next);
                let (carried, end) = self.carried(last, next);
                let record = self.found[last.index].0;
                let predecessor = Some(Predecessor { number: record.number, uid: record.uid, end });
                Seam { base: Base { predecessor, next }, carried, kept: self.links.len() }
            }
        }
    }

    /// What the last segment holds from `from` on, and the end of what stands before it.
    fn carried(&self, last: &Link, from: SeqNo) -> (VecDeque<Entry>, Position) {
        let mut carried: VecDeque<Entry> = VecDeque::new();
        let mut end = Position::FRAMES;
        let mut next = from;
        let kept = |seqs: Seqs| {
            let spans = self.outline.spans.iter().filter(|span| span.index == last.index);
            spans.filter(|span| span.fate == Fate::Kept).any(|span| span.seqs.contains(seqs.first))
        };
        for step in self.walk(last, |_| Purpose::Collect) {
            let Step::Frame(frame) = step else { continue };
            if frame.seqs.next <= from {
                end = frame.end.round_up();
            }
            if frame.seqs.is_empty() || frame.seqs.first < next || !kept(frame.seqs) {
                continue;
            }
            fill(&mut carried, &Body::Lost, Seqs::new(next, frame.seqs.first));
            next = frame.seqs.next;
            let body = match frame.kind {
                Kind::Changes => Body::Changes(Bytes::from(frame.payload)),
                Kind::Lost => Body::Lost,
                Kind::Void | Kind::Mark => Body::Void,
            };
            carried.push_back(Entry::carried(frame.seqs, body));
        }
        (carried, end)
    }

    fn closed(&self, link: &Link, end: SeqNo) -> (SegmentRecord, SeqNo) {
        (self.found[link.index].0, link.limit.map_or(end, |(next, _)| next))
    }

    fn generation(&self) -> u64 {
        let surveys = (0..self.found.len()).filter_map(|index| chain::survey(&self.found, index));
        surveys.filter_map(|survey| survey.header).map(|header| header.generation).max().unwrap_or(0)
    }
}

fn is_in(record: &SegmentRecord, closed: &[(SegmentRecord, SeqNo)]) -> bool {
    closed.iter().any(|(other, _)| other == record)
}

/// Gives numbers that no change has a frame, so that they run on.
fn fill(carried: &mut VecDeque<Entry>, body: &Body, mut seqs: Seqs) {
    while !seqs.is_empty() {
        let count = seqs.count().min(u64::from(u32::MAX));
        let part = Seqs::new(seqs.first, seqs.first.plus(count));
        carried.push_back(Entry::carried(part, body.clone()));
        seqs = Seqs::new(part.next, seqs.next);
    }
}
