//! One group on its way into the log, until it is durable.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Durability, Fault, SeqNo, Seqs,
    frame::{FrameHead, Strip},
    piece::{Kind, Origin},
    segment::Position,
    slot::{Slot, Verdict},
};

/// One group, a request for a sync, or a mark.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) seqs: Seqs,
    pub(crate) body: Body,
    /// Where it ends in the segment in use, once it is written there.
    pub(crate) end: Option<Position>,
    durability: Durability,
    waiter: Waiter,
}

/// Who waits for an entry.
#[derive(Debug)]
enum Waiter {
    /// Nobody any more: it was acknowledged, or it is void.
    Nobody,
    /// Whoever writes it, and is told by the writing itself.
    Writer,
    /// Whoever looks there.
    Slot(Arc<Slot>),
}

/// What an entry puts into the log.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Changes.
    Changes(Bytes),
    /// Numbers that no change has.
    Void,
    /// Numbers of changes that recovery did not find.
    Lost,
    /// A watermark.
    Mark,
    /// Nothing: somebody waits for a sync.
    Nothing,
}

impl Entry {
    pub(crate) fn changes(seqs: Seqs, payload: Bytes, durability: Durability, waiter: Arc<Slot>) -> Self {
        Self { seqs, body: Body::Changes(payload), end: None, durability, waiter: Waiter::Slot(waiter) }
    }

    /// Buffered changes that are written by the thread that waits for them.
    pub(crate) fn alone(seqs: Seqs, payload: Bytes) -> Self {
        let (body, durability) = (Body::Changes(payload), Durability::Buffered);
        Self { seqs, body, end: None, durability, waiter: Waiter::Writer }
    }

    /// Somebody waits until everything below `next` is durable.
    pub(crate) fn sync(next: SeqNo, waiter: Arc<Slot>) -> Self {
        let seqs = Seqs::new(next, next);
        let waiter = Waiter::Slot(waiter);
        Self { seqs, body: Body::Nothing, end: None, durability: Durability::Synced, waiter }
    }

    /// What was acknowledged before, from an earlier segment.
    pub(crate) fn carried(seqs: Seqs, body: Body) -> Self {
        Self { seqs, body, end: None, durability: Durability::Buffered, waiter: Waiter::Nobody }
    }

    pub(crate) fn mark(next: SeqNo) -> Self {
        let seqs = Seqs::new(next, next);
        Self::carried(seqs, Body::Mark)
    }

    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    pub(crate) fn waiter(&self) -> Option<&Arc<Slot>> {
        match &self.waiter {
            Waiter::Slot(slot) => Some(slot),
            Waiter::Nobody | Waiter::Writer => None,
        }
    }

    /// Whether nobody waits for it any more: it was acknowledged, or it is void.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.waiter, Waiter::Nobody)
    }

    /// Tells whoever waits, if anybody still does.
    pub(crate) fn settle(&mut self, verdict: Verdict) -> bool {
        match std::mem::replace(&mut self.waiter, Waiter::Nobody) {
            Waiter::Nobody => false,
            Waiter::Writer => true,
            Waiter::Slot(slot) => {
                slot.settle(verdict);
                true
            }
        }
    }

    /// Acknowledges it, if it is written and waits for `durability`.
    pub(crate) fn settle_if(&mut self, durability: Durability) {
        if self.end.is_some() && self.durability == durability {
            self.settle(Ok(()));
        }
    }

    /// Takes over the numbers of `other`, if both are void.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        let seqs = Seqs::new(self.seqs.first, other.seqs.next);
        let void = matches!((&self.body, &other.body), (Body::Void, Body::Void));
        let fits = void && seqs.count() <= u64::from(u32::MAX);
        if fits {
            self.seqs = seqs;
        }
        fits
    }

    /// Where it ends if it is put at `start` and states `watermark`.
    pub(crate) fn end_after(&self, start: Position, watermark: SeqNo) -> Position {
        self.head(Origin::Appended, watermark)
            .map_or(start, |head| head.end(start, self.body.payload().len() as u64))
    }

    pub(crate) fn encode(&self, strip: &mut Strip, origin: Origin, watermark: SeqNo) {
        if let Some(head) = self.head(origin, watermark) {
            strip.push(head, self.body.payload());
        }
    }

    /// What its frame says of itself, if it has one.
    fn head(&self, origin: Origin, watermark: SeqNo) -> Option<FrameHead> {
        let kind = match self.body {
            Body::Changes(_) => Kind::Changes,
            Body::Void => Kind::Void,
            Body::Lost => Kind::Lost,
            Body::Mark => Kind::Mark,
            Body::Nothing => return None,
        };
        Some(FrameHead { kind, origin, seqs: self.seqs, watermark })
    }
}

impl Body {
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Changes(payload) => payload,
            Self::Void | Self::Lost | Self::Mark | Self::Nothing => &[],
        }
    }
}

/// A group that a panic left behind is heard of all the same.
impl Drop for Entry {
    fn drop(&mut self) {
        if let Waiter::Slot(slot) = &self.waiter {
            slot.settle(Err(Arc::new(Fault::Write(lsm_io::Cause::Panicked))));
        }
    }
}
