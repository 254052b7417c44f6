//! Which versions of a key outlive a merge: garbage collection over many versions, one entry at a time.
//!
//! Entries come with keys ascending and, within a key, the newest first. Snapshots divide their sequence
//! numbers into stripes ([`LiveSnapshots`](crate::LiveSnapshots)); of each stripe only the newest version can
//! be seen.
//!
//! Invariants:
//! * What goes is covered by a range delete of its stripe, hidden by a newer entry of its stripe that is kept,
//!   or a delete in the oldest stripe with nothing older left anywhere; so nothing older ever comes back.
//! * A merge operand hides nothing. Whatever is not a merge operand hides the rest of its stripe.
//! * A single delete goes together with the one put that it deletes, if both are of one stripe and no
//!   further put, nor a merge, lies under them before the next delete; else it acts as a delete, and is written
//!   as one as soon as it stands for more than that put. For this to be safe later on, the newest delete under
//!   a put stays too, as long as older versions may lie below: a single delete that takes the put away must not
//!   bare them.
//! * Where a loss marker holds, nobody knows what was deleted: deletes stay. Where one lies below, a single
//!   delete stays as a delete, for it is what keeps readers from the loss.

use sst_format::{Entry, EntryKind, KeyOrder, SeqNo};

use crate::{
    LiveSnapshots,
    merge_ranges::MergeRanges,
    retention::{Floor, Retention},
};

/// Decides, entry by entry, what goes on. See the module.
#[derive(Debug)]
pub(crate) struct Survivors<'a> {
    order: &'a KeyOrder,
    retention: &'a Retention,
    ranges: &'a MergeRanges,
    /// The key under way; meaningless before the first entry.
    key: Vec<u8>,
    state: KeyState,
    places: Places,
    tally: Tally,
}

/// What became of the entries of a merge: each either went on or is counted under the reason why not.
///
/// ```
/// assert_eq!(lsm_core::Tally::default().read, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries that came in.
    pub read: u64,
    /// Entries that went on.
    pub kept: u64,
    /// Entries hidden by a newer one of their key.
    pub hidden: u64,
    /// Entries covered by a range delete.
    pub covered: u64,
    /// Deletes with nothing left to delete.
    pub spent: u64,
    /// Single deletes and puts that took each other away, both counted.
    pub annihilated: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            kept: self.kept + other.kept,
            hidden: self.hidden + other.hidden,
            covered: self.covered + other.covered,
            spent: self.spent + other.spent,
            annihilated: self.annihilated + other.annihilated,
        }
    }
}

/// What the newer versions of the key mean for the next one.
#[derive(Clone, Copy, Debug, Default)]
struct KeyState {
    hidden: Option<Hidden>,
    pending: Option<SingleDelete>,
}

/// A stripe whose remaining entries cannot be seen.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    stripe: usize,
    by: Hider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hider {
    /// A put: the newest delete beneath it stays, as a guard.
    Value,
    /// A delete.
    Delete,
}

/// A single delete whose fate the next entries decide.
#[derive(Clone, Copy, Debug)]
struct SingleDelete {
    seq: SeqNo,
    flags: u8,
    stripe: usize,
    partner: Partner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partner {
    Unseen,
    /// The put that it deletes has been met and held back.
    Met,
}

/// How far the ascending lists have been walked.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    fragment: usize,
    floor: usize,
    floor_loss: usize,
    loss: usize,
}

impl<'a> Survivors<'a> {
    pub(crate) fn new(order: &'a KeyOrder, retention: &'a Retention, ranges: &'a MergeRanges) -> Self {
        let (state, places, tally) = (KeyState::default(), Places::default(), Tally::default());
        Self { order, retention, ranges, key: Vec::new(), state, places, tally }
    }

    /// Takes the next entry and hands what is certain to go on to `keep`.
    ///
    /// # Errors
    /// If `keep` fails; its error.
    pub(crate) fn take<E>(
        &mut self,
        entry: Entry<'_>,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Retention::Needed { live, floor } = self.retention else {
            self.tally.read += 1;
            self.tally.kept += 1;
            return keep(entry);
        };
        if self.tally.read == 0 || self.key != entry.key {
            self.end_key(keep)?;
            self.key.clear();
            self.key.extend_from_slice(entry.key);
        }
        self.tally.read += 1;
        let stripe = live.stripe(entry.seq);
        if self.is_covered(live, entry, stripe) {
            self.tally.covered += 1;
            return Ok(());
        }
        if self.is_partner(entry.kind, stripe) {
            return Ok(());
        }
        self.settle_pending(entry.kind, stripe, keep)?;
        match self.state.hidden {
            Some(hidden) if hidden.stripe == stripe => self.take_hidden(floor, entry, hidden, keep),
            _ => self.take_visible(floor, entry, stripe, keep),
        }
    }

    /// Says that there are no more entries.
    ///
    /// # Errors
    /// If `keep` fails; its error.
    pub(crate) fn finish<E>(mut self, keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>) -> Result<Tally, E> {
        self.end_key(keep)?;
        Ok(self.tally)
    }

    /// Whether a range delete of the entry's stripe is newer than it.
    fn is_covered(&mut self, live: &LiveSnapshots, entry: Entry<'_>, stripe: usize) -> bool {
        let deletes = self.ranges.over(self.order, &mut self.places.fragment, entry.key);
        let newer = deletes.partition_point(|delete| *delete > entry.seq);
        // Among those that are newer than the entry the oldest is the one of its stripe, if any is.
        newer.checked_sub(1).is_some_and(|at| live.stripe(deletes[at]) == stripe)
    }

    fn take_visible<E>(
        &mut self,
        floor: &Floor,
        entry: Entry<'_>,
        stripe: usize,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let by = match entry.kind {
            EntryKind::Merge => return self.keep(entry, keep),
            EntryKind::Put | EntryKind::Blob => Hider::Value,
            EntryKind::Delete | EntryKind::SingleDelete => Hider::Delete,
        };
        if by == Hider::Delete && stripe == 0 && self.is_bottom(floor) {
            self.tally.spent += 1;
        } else if entry.kind == EntryKind::SingleDelete && !self.may_hide_loss(floor) {
            let Entry { seq, flags, .. } = entry;
            self.state.pending = Some(SingleDelete { seq, flags, stripe, partner: Partner::Unseen });
            return Ok(());
        } else {
            self.keep(plain_delete(entry), keep)?;
        }
        self.state.hidden = Some(Hidden { stripe, by });
        Ok(())
    }

    fn take_hidden<E>(
        &mut self,
        floor: &Floor,
        entry: Entry<'_>,
        hidden: Hidden,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_delete = matches!(entry.kind, EntryKind::Delete | EntryKind::SingleDelete);
        if hidden.by == Hider::Value && is_delete {
            self.state.hidden = Some(Hidden { by: Hider::Delete, ..hidden });
            if !self.is_bottom(floor) {
                return self.keep(plain_delete(entry), keep);
            }
        }
        self.tally.hidden += 1;
        Ok(())
    }

    /// Whether the entry is the put that the single delete under way deletes: it goes, whatever comes next.
    fn is_partner(&mut self, older: EntryKind, stripe: usize) -> bool {
        match &mut self.state.pending {
            Some(pending) if pending.partner == Partner::Unseen && pending.stripe == stripe => {
                let is_value = matches!(older, EntryKind::Put | EntryKind::Blob);
                if is_value {
                    pending.partner = Partner::Met;
                }
                is_value
            }
            _ => false,
        }
    }

    /// Ends the single delete under way as an older entry demands that is not its partner.
    fn settle_pending<E>(
        &mut self,
        older: EntryKind,
        stripe: usize,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(pending) = self.state.pending.take() else { return Ok(()) };
        let is_delete = matches!(older, EntryKind::Delete | EntryKind::SingleDelete);
        match pending.partner {
            Partner::Unseen if stripe != pending.stripe => {
                self.keep_single_delete(pending, EntryKind::SingleDelete, keep)
            }
            Partner::Met if is_delete => {
                self.tally.annihilated += 2;
                Ok(())
            }
            partner => {
                self.tally.hidden += u64::from(partner == Partner::Met);
                self.state.hidden = Some(Hidden { stripe: pending.stripe, by: Hider::Delete });
                self.keep_single_delete(pending, EntryKind::Delete, keep)
            }
        }
    }

    fn end_key<E>(&mut self, keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>) -> Result<(), E> {
        match std::mem::take(&mut self.state).pending {
            Some(pending) if pending.partner == Partner::Unseen => {
                self.keep_single_delete(pending, EntryKind::SingleDelete, keep)
            }
            Some(_) => {
                self.tally.annihilated += 2;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn keep_single_delete<E>(
        &mut self,
        SingleDelete { seq, flags, .. }: SingleDelete,
        kind: EntryKind,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.tally.kept += 1;
        keep(Entry { key: &self.key, seq, kind, flags, value: &[] })
    }

    fn keep<E>(
        &mut self,
        entry: Entry<'_>,
        keep: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.tally.kept += 1;
        keep(entry)
    }

    /// Whether nothing older than the inputs has the key under way, as far as is known.
    fn is_bottom(&mut self, floor: &Floor) -> bool {
        !floor.holds(self.order, &mut self.places.floor, &self.key) && !self.has_losses()
    }

    /// Whether a single delete under way may be what keeps readers from a loss.
    fn may_hide_loss(&mut self, floor: &Floor) -> bool {
        self.has_losses() || floor.holds_loss(self.order, &mut self.places.floor_loss, &self.key)
    }

    fn has_losses(&mut self) -> bool {
        self.ranges.losses().holds(self.order, &mut self.places.loss, &self.key)
    }
}

/// The entry, a single delete as a delete.
const fn plain_delete(entry: Entry<'_>) -> Entry<'_> {
    match entry.kind {
        EntryKind::SingleDelete => Entry { kind: EntryKind::Delete, ..entry },
        _ => entry,
    }
}

#[cfg(test)]
mod tests;
