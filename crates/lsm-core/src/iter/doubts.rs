//! The losses that a scan knows of: which entries they make doubtful, and which are still to be told.
//!
//! A loss is told once on each way through it, where it begins: before the first key in it or behind it.

use std::{cmp::Ordering, ops::Bound};

use bytes::Bytes;
use sst_format::{KeyOrder, SeqNo};

use super::ScanRange;
use super::Seen;
use crate::{
    covers::{Cover, Covers},
    loss::{LossLog, Rank, TableLoss, bound_key},
};

#[derive(Debug, Default)]
pub(super) struct Doubts {
    known: Vec<Doubt>,
    /// How many of the log's are known.
    seen: usize,
    /// Of what was told: on the way where.
    way: Way,
}

#[derive(Debug)]
struct Doubt {
    rank: Rank,
    loss: TableLoss,
    is_told: bool,
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Forward,
    Back,
}

impl Doubts {
    /// Takes what was logged since; leaves out what a newer range delete covers, or what the scan never sees.
    #[inline]
    pub(super) fn take(&mut self, log: &LossLog, range: &ScanRange, order: &KeyOrder, covers: &Covers) {
        if log.len() > self.seen {
            self.take_new(log, range, order, covers);
        }
    }

    #[cold]
    fn take_new(&mut self, log: &LossLog, range: &ScanRange, order: &KeyOrder, covers: &Covers) {
        let losses = log.since(self.seen);
        self.seen += losses.len();
        for (rank, loss) in losses {
            // What of the loss lies in the range: from the later start to the earlier end.
            let is_decided = |Cover { rank: newer, range: cover }: &Cover| {
                let starts = [&loss.lost.lower, &range.lower];
                let ends = [&loss.lost.upper, &range.upper];
                (*newer < rank || cover.seq_high > loss.lost.seq_high)
                    && starts.iter().any(|start| starts_by(order, &cover.lower, start))
                    && ends.iter().any(|end| ends_behind(order, &cover.upper, end))
            };
            let concerns = loss.is_visible(range.snapshot, None) && range.meets(order, &loss);
            if concerns && !covers.iter().any(is_decided) {
                self.known.push(Doubt { rank, loss, is_told: false });
            }
        }
    }

    /// Whether `key`, of which `decisive` is the newest put or delete, may have a newer one that is lost: in
    /// the same source or in a newer one.
    #[inline]
    pub(super) fn obscure(&self, order: &KeyOrder, key: &[u8], snapshot: SeqNo, decisive: Seen) -> bool {
        let mut as_new = self.known.iter().filter(|doubt| doubt.rank <= decisive.rank);
        as_new.any(|doubt| doubt.loss.obscures(order, key, snapshot, Some(decisive.seq)))
    }

    /// A scan starts anew at `from`: what lies behind it that way is not to be told.
    pub(super) fn restart(&mut self, order: &KeyOrder, way: Way, from: Option<&[u8]>) {
        self.way = way;
        for Doubt { loss, is_told, .. } in &mut self.known {
            *is_told = from.is_some_and(|from| match way {
                Way::Forward => loss.is_before(order, from),
                Way::Back => loss.is_behind(order, from),
            });
        }
    }

    /// A scan goes on that way after an error, which may have kept it from telling what it had passed: that is still
    /// to be told. If it turns round, everything is, as the place of the error is not one that it showed.
    pub(super) fn resume(&mut self, order: &KeyOrder, way: Way) {
        if self.way != way {
            self.restart(order, way, None);
        }
    }

    /// The next loss to be told before a scan stands on `key`, or at its end.
    #[inline]
    pub(super) fn next(&mut self, order: &KeyOrder, way: Way, key: Option<&[u8]>) -> Option<TableLoss> {
        let is_due = |doubt: &&mut Doubt| {
            !doubt.is_told
                && key.is_none_or(|key| match way {
                    Way::Forward => !doubt.loss.is_behind(order, key),
                    Way::Back => !doubt.loss.is_before(order, key),
                })
        };
        let doubt = self.known.iter_mut().find(is_due)?;
        doubt.is_told = true;
        Some(doubt.loss.clone())
    }
}

/// Whether what starts at `lower` holds the first key of what starts at `start`.
fn starts_by(order: &KeyOrder, lower: &Bound<Bytes>, start: &Bound<Bytes>) -> bool {
    match (lower, bound_key(start)) {
        (Bound::Unbounded, _) => true,
        (_, None) => false,
        (Bound::Included(lower), Some(key)) => order.compare(lower, key) != Ordering::Greater,
        (Bound::Excluded(lower), Some(key)) => order.compare(lower, key) == Ordering::Less,
    }
}

/// Whether what ends at `upper` holds the last key of what ends at `end`.
fn ends_behind(order: &KeyOrder, upper: &Bound<Bytes>, end: &Bound<Bytes>) -> bool {
    match (upper, end) {
        (Bound::Unbounded, _) => true,
        (_, Bound::Unbounded) => false,
        (Bound::Excluded(upper), Bound::Included(key)) => order.compare(key, upper) == Ordering::Less,
        (Bound::Included(upper) | Bound::Excluded(upper), Bound::Included(key) | Bound::Excluded(key)) => {
            order.compare(key, upper) != Ordering::Greater
        }
    }
}
