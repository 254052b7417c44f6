//! A segment in use: where its end is, and which bytes the second extent still lacks.

use std::sync::Arc;

use lsm_io::{Cause, Durability, Epoch, FileOffset, Image, Lane, Op, Target};

use super::{Context, SyncPlan};
use crate::{
    Fault, SegmentRecord, SeqNo,
    frame::Strip,
    header::{Header, Predecessor},
    piece::Salter,
    segment::{Extent, Position},
};

/// Once the second extent lacks so many bytes it gets them, though nothing waits for a sync.
const LAG_MAX: u64 = 256 << 10;

/// A segment in use.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Arc<Target>,
    pub(super) record: SegmentRecord,
    pub(super) generation: u64,
    /// Where the next frame goes.
    pub(super) end: Position,
    /// The highest watermark stated in it.
    pub(super) marked: SeqNo,
    salter: Salter,
    /// What extent A has and extent B has not, in order and without a gap up to `end`.
    lagging: Vec<(Position, Image)>,
    /// What is not handed over yet.
    held: Epoch,
}

impl Place {
    pub(super) fn open(cx: &Context, record: SegmentRecord, generation: u64) -> Result<Self, Fault> {
        let target = Target::open(cx.depot.fs.clone(), &record.path(&cx.depot.dir))
            .map_err(|cause| Fault::Prepare { record, cause })?;
        let (salter, end, lagging) = (Salter::new(record.uid), Position::FRAMES, Vec::new());
        let (marked, held) = (SeqNo::default(), Epoch::new());
        Ok(Self { target, record, generation, end, marked, salter, lagging, held })
    }

    /// This segment as the one before another, nothing behind `end` counting.
    pub(super) fn as_predecessor(&self, end: Position) -> Predecessor {
        Predecessor { number: self.record.number, uid: self.record.uid, end }
    }

    /// An empty run at the end, with room up to `end`.
    pub(super) fn strip(&self, end: Position) -> Strip {
        Strip::new(self.salter, self.end, (end.round_up().0 - self.end.0) as usize)
    }

    /// Puts a run of frames behind the end, into extent A. It is handed over with the next hand-over or sync.
    pub(super) fn append(&mut self, mut strip: Strip) {
        let (start, end) = (strip.start(), strip.end());
        if end == start {
            return;
        }
        debug_assert!(start == self.end && end.0 <= self.record.extent_len());
        // A page that is written for the first time is written whole, so that the kernel need not read it.
        if start.round_up() < end || start.in_page() == 0 {
            strip.fill_page();
        }
        let image = Image::from(strip.into_bytes());
        let held = std::mem::take(&mut self.held);
        self.held = held.write(&self.target, self.offset(Extent::A, start), image.clone());
        self.lagging.push((start, image));
        self.end = end;
        if end.0 - self.lagging[0].0.0 >= LAG_MAX {
            self.mirror();
        }
    }

    /// Hands over what was appended.
    pub(super) fn hand_over(&mut self, cx: &Context) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.held);
        match held.is_empty() {
            true => Ok(()),
            false => commit(cx, held.durability(Durability::Buffered)),
        }
    }

    /// Ends the page, and gives extent B what it lacks.
    pub(super) fn seal(&mut self) {
        self.end = self.end.round_up();
        self.mirror();
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

    fn mirror(&mut self) {
        let lagging = std::mem::take(&mut self.lagging);
        let Some((start, first)) = lagging.first() else { return };
        let image = match &lagging[..] {
            [_] => first.clone(),
            _ => Image::from(joined(&lagging, *start)),
        };
        let held = std::mem::take(&mut self.held);
        self.held = held.write(&self.target, self.offset(Extent::B, *start), image);
    }

    fn offset(&self, extent: Extent, position: Position) -> FileOffset {
        FileOffset::new(self.record.offset(extent, position))
    }
}

/// Runs that follow each other as one: each may have zeros behind its frames, where the next one stands.
fn joined(runs: &[(Position, Image)], start: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(runs.iter().map(|(_, image)| image.as_slice().len()).sum());
    for (position, image) in runs {
        bytes.resize((position.0 - start.0) as usize, 0);
        bytes.extend_from_slice(image.as_slice());
    }
    bytes
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
