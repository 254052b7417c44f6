//! Going back: over all versions of a key, from the oldest on, to the newest that is seen.

use std::ops::Bound;

use sst_format::SeqNo;

use super::{Item, Iter, Next, Place, STEPS_BEFORE_SEEK, Seen, Side, Verdict, Wants, doubts::Way};
use crate::{Error, entry_cursor::EntryCursor, mem_source::MemSource};

impl<M: MemSource> Iter<M> {
    /// To the last entry of the range.
    ///
    /// # Errors
    /// See [`seek_first`](Self::seek_first).
    pub(crate) fn seek_last(&mut self) -> Result<Option<Item<'_>>, Error> {
        self.place = Place::AtEnd;
        self.start_back()?;
        self.find_back()
    }

    /// To the last entry that is not behind `key`.
    ///
    /// # Errors
    /// See [`seek_first`](Self::seek_first).
    pub(crate) fn seek_for_prev(&mut self, key: &[u8]) -> Result<Option<Item<'_>>, Error> {
        if self.range.ends_before(self.order(), key) {
            return self.seek_last();
        }
        if self.range.starts_behind(self.order(), key) {
            self.place = Place::AtStart;
            return Ok(None);
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.start_back_at(Side::Behind)?;
        self.find_back()
    }

    /// To the entry before.
    ///
    /// # Errors
    /// See [`seek_first`](Self::seek_first).
    pub(crate) fn move_prev(&mut self) -> Result<Option<Item<'_>>, Error> {
        match self.place {
            Place::OnBack => {}
            Place::BehindLoss(next) => return self.stand_back(next),
            Place::AtStart => return Ok(None),
            Place::Nowhere => return self.seek_last(),
            Place::AtEnd | Place::BeforeLoss(Next::End) => self.start_back()?,
            Place::OnForward => self.start_back_at(Side::On)?,
            Place::BeforeLoss(Next::Key) => self.start_back_at(Side::Before)?,
            Place::Adrift(side) => {
                self.doubts.resume(&self.view.reader.order, Way::Back);
                self.resume_back_at(side)?;
            }
        }
        self.find_back()
    }

    /// Back from that side of `key`.
    fn start_back_at(&mut self, side: Side) -> Result<(), Error> {
        self.doubts.restart(&self.view.reader.order, Way::Back, Some(&self.key));
        self.resume_back_at(side)
    }

    /// Back from that side of `key`, from wherever the cursor is.
    fn resume_back_at(&mut self, side: Side) -> Result<(), Error> {
        self.place = Place::Adrift(side);
        match side {
            Side::Before | Side::On => self.cursor.seek_before(&self.key, SeqNo::MAX),
            Side::Behind => self.cursor.seek_before(&self.key, SeqNo::new(0)),
        }
    }

    /// If that fails, the place stays what it was, as in [`start_forward`](Self::start_forward).
    ///
    /// No entry has the sequence number 0, so what is before that of a key is every version of it.
    fn start_back(&mut self) -> Result<(), Error> {
        self.doubts.restart(&self.view.reader.order, Way::Back, None);
        match &self.range.upper {
            Bound::Unbounded => self.cursor.seek_last(),
            Bound::Included(upper) => self.cursor.seek_before(upper, SeqNo::new(0)),
            Bound::Excluded(upper) => self.cursor.seek_before(upper, SeqNo::MAX),
        }
    }

    /// To the next key before that shows something, from the last version of it on.
    fn find_back(&mut self) -> Result<Option<Item<'_>>, Error> {
        let next = if self.look_back()? { Next::Key } else { Next::End };
        self.stand_back(next)
    }

    /// Stands on what was found, unless a loss is to be told before.
    fn stand_back(&mut self, next: Next) -> Result<Option<Item<'_>>, Error> {
        self.take_losses();
        let key = (next == Next::Key).then_some(&self.key[..]);
        if let Some(loss) = self.doubts.next(&self.view.reader.order, Way::Back, key) {
            self.place = Place::BehindLoss(next);
            return Err(loss.into());
        }
        if next == Next::End {
            self.place = Place::AtStart;
            return Ok(None);
        }
        self.place = Place::OnBack;
        Ok(Some(self.item()))
    }

    /// Whether there is one; then `key` and `value` are its, and the cursor is before all its versions.
    fn look_back(&mut self) -> Result<bool, Error> {
        loop {
            let Some(entry) = self.cursor.entry() else { return Ok(false) };
            if self.range.starts_behind(&self.view.reader.order, entry.key) {
                return Ok(false);
            }
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            self.place = Place::Adrift(Side::Behind);
            let Some(seen) = self.newest_seen()? else { continue };
            self.place = Place::Adrift(Side::On);
            if let Verdict::Shown = self.judge(seen)? {
                return Ok(true);
            }
        }
    }

    /// The newest version of `key` that the snapshot sees, from its oldest; leaves the cursor before all.
    fn newest_seen(&mut self) -> Result<Option<Seen>, Error> {
        let mut newest = None;
        for _ in 0..STEPS_BEFORE_SEEK {
            match self.seen() {
                None => return Ok(newest),
                Some(seen) if seen.seq > self.range.snapshot => break,
                seen => newest = seen,
            }
            self.take_value();
            self.cursor.move_prev()?;
        }
        self.cursor.seek(&self.key, self.range.snapshot)?;
        if let Some(seen) = self.seen() {
            newest = Some(seen);
            self.take_value();
        }
        self.cursor.seek_before(&self.key, SeqNo::MAX)?;
        Ok(newest)
    }

    /// The version of `key` that the cursor is on.
    fn seen(&self) -> Option<Seen> {
        let entry = self.cursor.entry().filter(|entry| entry.key == self.key)?;
        Some(Seen { seq: entry.seq, kind: entry.kind, rank: self.cursor.rank() })
    }

    fn take_value(&mut self) {
        if self.range.wants == Wants::Entries {
            self.value = self.cursor.share_value();
        }
    }
}
