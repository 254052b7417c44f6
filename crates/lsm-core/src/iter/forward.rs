//! Going forward: from the newest version of a key that is seen to that of the next.

use std::ops::Bound;

use sst_format::SeqNo;

use super::{Item, Iter, Next, Place, STEPS_BEFORE_SEEK, Seen, Side, Verdict, Wants, doubts::Way};
use crate::{Error, entry_cursor::EntryCursor, mem_source::MemSource};

/// Keys under one range delete before sources that it covers are taken behind it.
const COVERED_BEFORE_SKIP: u32 = 4;

impl<M: MemSource> Iter<M> {
    /// To the first entry of the range.
    ///
    /// # Errors
    /// [`Error::Lost`] where a loss begins, which the next step passes; others leave it where it can try
    /// again.
    pub(crate) fn seek_first(&mut self) -> Result<Option<Item<'_>>, Error> {
        self.place = Place::AtStart;
        self.start_forward()?;
        self.find_forward()
    }

    /// To the first entry that is not before `key`.
    ///
    /// # Errors
    /// See [`seek_first`](Self::seek_first).
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<Option<Item<'_>>, Error> {
        if self.range.starts_behind(self.order(), key) {
            return self.seek_first();
        }
        if self.range.ends_before(self.order(), key) {
            self.place = Place::AtEnd;
            return Ok(None);
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.start_at(Side::Before)?;
        self.find_forward()
    }

    /// To the next entry.
    ///
    /// # Errors
    /// See [`seek_first`](Self::seek_first).
    pub(crate) fn move_next(&mut self) -> Result<Option<Item<'_>>, Error> {
        match self.place {
            Place::OnForward => {
                self.place = Place::Adrift(Side::On);
                self.skip_key()?;
            }
            Place::BeforeLoss(_) => {}
            Place::AtEnd => return Ok(None),
            Place::Nowhere => return self.seek_first(),
            Place::AtStart | Place::BehindLoss(Next::End) => self.start_forward()?,
            Place::OnBack => self.start_at(Side::On)?,
            Place::BehindLoss(Next::Key) => self.start_at(Side::Behind)?,
            Place::Adrift(side) => {
                self.doubts.resume(&self.view.reader.order, Way::Forward);
                self.resume_at(side)?;
            }
        }
        self.find_forward()
    }

    /// If that fails, the place stays what it was: from none of those that lead here is anything told or shown
    /// by where the cursor is.
    fn start_forward(&mut self) -> Result<(), Error> {
        self.doubts.restart(&self.view.reader.order, Way::Forward, None);
        match &self.range.lower {
            Bound::Unbounded => self.cursor.seek_first(),
            Bound::Included(lower) => self.cursor.seek(lower, self.range.snapshot),
            Bound::Excluded(lower) => {
                self.key.clear();
                self.key.extend_from_slice(lower);
                self.leave_key()
            }
        }
    }

    /// From that side of `key`.
    fn start_at(&mut self, side: Side) -> Result<(), Error> {
        self.doubts.restart(&self.view.reader.order, Way::Forward, Some(&self.key));
        self.resume_at(side)
    }

    /// From that side of `key`, from wherever the cursor is.
    fn resume_at(&mut self, side: Side) -> Result<(), Error> {
        self.place = Place::Adrift(side);
        match side {
            Side::Before => self.cursor.seek(&self.key, self.range.snapshot),
            Side::On | Side::Behind => self.leave_key(),
        }
    }

    /// Behind every version of `key`, step by step if they are few.
    fn skip_key(&mut self) -> Result<(), Error> {
        for _ in 0..STEPS_BEFORE_SEEK {
            self.cursor.move_next()?;
            if !self.is_on_key() {
                return Ok(());
            }
        }
        self.leave_key()
    }

    /// Behind every version of `key`, from wherever the cursor is.
    fn leave_key(&mut self) -> Result<(), Error> {
        self.cursor.seek(&self.key, SeqNo::new(0))?;
        while self.is_on_key() {
            self.cursor.move_next()?;
        }
        Ok(())
    }

    /// To the next key that shows something, from the first version of it on.
    fn find_forward(&mut self) -> Result<Option<Item<'_>>, Error> {
        let is_shown = self.look_forward()?;
        self.take_losses();
        let key = is_shown.then_some(&self.key[..]);
        if let Some(loss) = self.doubts.next(&self.view.reader.order, Way::Forward, key) {
            self.place = Place::BeforeLoss(if is_shown { Next::Key } else { Next::End });
            return Err(loss.into());
        }
        if !is_shown {
            self.place = Place::AtEnd;
            return Ok(None);
        }
        if self.range.wants == Wants::Entries {
            self.value = self.cursor.share_value();
        }
        self.place = Place::OnForward;
        Ok(Some(self.item()))
    }

    /// Whether there is one; then the cursor is on what it shows.
    fn look_forward(&mut self) -> Result<bool, Error> {
        let (mut newer, mut covered) = (0, 0);
        loop {
            let Some(entry) = self.cursor.entry() else { return Ok(false) };
            if self.range.ends_before(&self.view.reader.order, entry.key) {
                return Ok(false);
            }
            if entry.seq > self.range.snapshot {
                newer += 1;
                self.pass_newer(newer)?;
                continue;
            }
            let seen = Seen { seq: entry.seq, kind: entry.kind, rank: self.cursor.rank() };
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            self.place = Place::Adrift(Side::On);
            newer = 0;
            match self.judge(seen)? {
                Verdict::Shown => return Ok(true),
                Verdict::Hidden => self.skip_key()?,
                Verdict::Covered(by, end) => {
                    self.skip_key()?;
                    covered += 1;
                    if let (0, Bound::Included(end) | Bound::Excluded(end)) =
                        (covered % COVERED_BEFORE_SKIP, end)
                    {
                        self.cursor.skip_to(&end, by)?;
                    }
                }
            }
        }
    }

    /// On from a version that the snapshot does not see; `nth` in a row.
    fn pass_newer(&mut self, nth: u32) -> Result<(), Error> {
        if !nth.is_multiple_of(STEPS_BEFORE_SEEK) {
            return self.cursor.move_next();
        }
        let key = self.cursor.entry().map(|entry| entry.key.to_vec()).unwrap_or_default();
        self.cursor.seek(&key, self.range.snapshot)
    }
}
