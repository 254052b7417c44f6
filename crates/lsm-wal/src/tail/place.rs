//! A segment in use: where its end is, and which bytes the second extent still lacks.

use std::sync::Arc;

use lsm_io::{Cause, Durability, Epoch, FileOffset, Image, Lane, Op, Target};

use super::{Context, SyncPlan};
use crate::{
    Fault, SegmentRecord, SeqNo,
    depot::{Blank, Zeros},
    frame::Strip,
    header::{Header, Predecessor},
    piece::Salter,
    segment::{Extent, Position},
};

/// Once the second extent lacks so many bytes it gets them, though nothing waits for a sync.
const LAG_MAX: u64 = 256 << 10;

/// Once so much was appended since the last sync, the next is due: who fills the segment syncs the rest of it, and
/// everybody waits for that.
const DUE_LEN: u64 = 1 << 20;

/// A segment in use.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Arc<Target>,
    pub(super) record: SegmentRecord,
    pub(super) zeros: Zeros,
    pub(super) generation: u64,
    /// Where the next frame goes.
    pub(super) end: Position,
    /// The highest watermark stated in it.
    pub(super) marked: SeqNo,
    salter: Salter,
    /// What extent A has, up to `handed`, and extent B has not, up to `end`.
    lag: Vec<u8>,
    lag_start: Position,
    /// Up to where extent A was handed over.
    handed: Position,
    /// Up to where a sync was asked for.
    asked: Position,
    /// What is not handed over yet and ends with a sync.
    held: Epoch,
}

impl Place {
    pub(super) fn open(cx: &Context, blank: Blank, generation: u64) -> Result<Self, Fault> {
        let Blank { record, zeros } = blank;
        let target = Target::open(cx.depot.fs.clone(), &record.path(&cx.depot.dir))
            .map_err(|cause| Fault::Prepare { record, cause })?;
        Ok(Self {
            target,
            record,
            zeros,
            generation,
            end: Position::FRAMES,
            marked: SeqNo::default(),
            salter: Salter::new(record.uid),
            lag: Vec::new(),
            lag_start: Position::FRAMES,
            handed: Position::FRAMES,
            asked: Position::FRAMES,
            held: Epoch::new(),
        })
    }

    /// This segment as the one before another, nothing behind `end` counting.
    pub(super) fn as_predecessor(&self, end: Position) -> Predecessor {
        Predecessor { number: self.record.number, uid: self.record.uid, end }
    }

    /// The run that ends at the end, to be continued up to `end` and given back to [`append`](Self::append).
    pub(super) fn strip(&mut self, end: Position) -> Strip {
        let mut bytes = std::mem::take(&mut self.lag);
        bytes.reserve((end.0 - self.end.0) as usize);
        Strip::new(self.salter, self.lag_start, bytes)
    }

    /// Takes the run back, longer than before. What was added is handed over with the next hand-over or sync.
    pub(super) fn append(&mut self, strip: Strip) {
        let end = strip.end();
        debug_assert!(self.end <= end && end.0 <= self.record.extent_len());
        (self.lag, self.end) = (strip.into_bytes(), end);
    }

    /// Hands over what was appended; the second extent's share once that is much.
    pub(super) fn hand_over(&mut self, cx: &Context) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            commit(cx, held.durability(Durability::Buffered))?;
        }
        if self.handed < self.end {
            write(cx, &self.target, self.offset(Extent::A, self.handed), self.unhanded())?;
            self.handed = self.end;
        }
        if self.lag.len() as u64 >= LAG_MAX { self.catch_up(cx) } else { Ok(()) }
    }

    /// Hands over to the second extent what it lacks of what the first was given.
    pub(super) fn catch_up(&mut self, cx: &Context) -> Result<(), Fault> {
        write(cx, &self.target, self.offset(Extent::B, self.lag_start), &self.lag)?;
        self.lag.clear();
        self.lag_start = self.end;
        Ok(())
    }

    /// Whether much was appended that no sync was asked for.
    pub(super) fn is_due(&self) -> bool {
        self.end.0 - self.asked.0 >= DUE_LEN
    }

    /// Ends the page, and gives extent B what it lacks.
    pub(super) fn seal(&mut self) {
        self.hold();
        self.end = self.end.round_up();
        (self.lag_start, self.handed, self.asked) = (self.end, self.end, self.end);
    }

    /// Ends the page, gives extent B what it lacks, and plans the sync of all of it.
    pub(super) fn plan_sync(&mut self) -> SyncPlan {
        self.seal();
        let epoch = std::mem::take(&mut self.held).sync(&self.target);
        SyncPlan { epoch, generation: self.generation, end: self.end }
    }

    /// Makes it the next segment of the history: what is carried over, then the header, each durable before
    /// what comes behind it.
    pub(super) fn found(&mut self, cx: &Context, carried: Strip, header: Header) -> Result<(), Fault> {
        self.append(carried);
        if self.end > Position::FRAMES {
            self.plan_sync().run(cx)?;
        }
        let page = Image::from(header.to_page().to_vec());
        let epoch = Extent::BOTH.into_iter().fold(Epoch::new(), |epoch, extent| {
            epoch.write(&self.target, self.offset(extent, Position::default()), page.clone())
        });
        commit(cx, epoch)
    }

    /// Puts what extent A has not yet, and what extent B lacks, into the epoch that a sync ends.
    fn hold(&mut self) {
        if self.lag.is_empty() {
            return;
        }
        let (offset_a, offset_b) =
            (self.offset(Extent::A, self.handed), self.offset(Extent::B, self.lag_start));
        let mut held = std::mem::take(&mut self.held);
        // Where extent A has nothing of it yet, both get the same image.
        let all = self.handed == self.lag_start;
        if !all && self.handed < self.end {
            held = held.write(&self.target, offset_a, self.unhanded().to_vec());
        }
        let image = Image::from(std::mem::take(&mut self.lag));
        if all {
            held = held.write(&self.target, offset_a, image.clone());
        }
        self.held = held.write(&self.target, offset_b, image);
    }

    fn unhanded(&self) -> &[u8] {
        &self.lag[(self.handed.0 - self.lag_start.0) as usize..]
    }

    fn offset(&self, extent: Extent, position: Position) -> FileOffset {
        FileOffset::new(self.record.offset(extent, position))
    }
}

/// Hands bytes over at once.
fn write(cx: &Context, target: &Arc<Target>, offset: FileOffset, bytes: &[u8]) -> Result<(), Fault> {
    cx.worker.write(Lane::Log, target, offset, bytes).map_err(Fault::Write)
}

/// Has an epoch done, and tells a failed write from a failed sync.
pub(super) fn commit(cx: &Context, epoch: Epoch) -> Result<(), Fault> {
    match cx.worker.commit(Lane::Log, epoch).map_err(|failed| failed.cause) {
        Ok(_) => Ok(()),
        Err(Cause::Io(error)) if matches!(error.op(), Op::Sync | Op::SyncDir) => {
            Err(Fault::Sync(Cause::Io(error)))
        }
        Err(cause) => Err(Fault::Write(cause)),
    }
}
