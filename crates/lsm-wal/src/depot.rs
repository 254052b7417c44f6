//! Makes segments ready before they are needed: zeros, reserved or written, and synced, under a name of their own.
//!
//! **Invariant**: a segment leaves the depot once, and only after its name and its zeros were durable. Segments
//! leave in the order of their numbers, so whichever has the highest came into use last. Nobody has recorded one
//! that stands ready: whatever befalls it, nothing is lost.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_io::{ByteLen, File, FileOffset, Fs, IoError};
use page_ecc::Uid;
use parking_lot::Mutex;

use crate::{Durability, Fault, LogOptions, Registry, SegmentNo, SegmentRecord};

/// Zeros handed to the disk at once.
///
/// Short, since the kernel caches them in pieces of that size and walks over a whole piece at each write into it.
const SLICE_LEN: usize = 64 << 10;

/// Zeros are synced each time so many were written, so that one sync never takes long.
const PACE_LEN: u64 = 4 << 20;

/// Where segments come from.
#[derive(Debug)]
pub(crate) struct Depot {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) store: Uid,
    options: LogOptions,
    registry: Arc<dyn Registry>,
    /// Whether somebody waited for a sync since the last segment was made.
    waited_for: AtomicBool,
    /// Held by whoever makes a segment, so that numbers leave in their order. Outside `stock`.
    making: Mutex<()>,
    /// A leaf lock.
    stock: Mutex<Stock>,
}

/// Where the zeros of a new segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeros {
    /// On the medium: a sync of what is written over them changes nothing but bytes.
    Written,
    /// Nowhere: the room is reserved and reads as zeros. Half the writing, for a log that nobody waits for.
    Holes,
}

#[derive(Debug)]
struct Stock {
    next: SegmentNo,
    /// Pages of one extent of each segment that was made, together.
    made: u64,
    /// Those of them that were zeroed ahead.
    zeroed: u64,
    ready: Option<Blank>,
}

/// A segment that was never used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blank {
    pub(crate) record: SegmentRecord,
    pub(crate) zeros: Zeros,
}

impl Depot {
    pub(crate) fn new(
        fs: Arc<dyn Fs>,
        dir: PathBuf,
        store: Uid,
        options: LogOptions,
        registry: Arc<dyn Registry>,
        next: SegmentNo,
    ) -> Self {
        let stock = Mutex::new(Stock { next, made: 0, zeroed: 0, ready: None });
        let waited_for = AtomicBool::new(options.expected() == Durability::Synced);
        Self { fs, dir, store, options, registry, waited_for, making: Mutex::default(), stock }
    }

    /// Says that somebody waits for a sync: the next segment is zeroed ahead, so that syncs write bytes alone and
    /// not where they stand. True if nobody said so since the last one was made.
    pub(crate) fn wait_for_syncs(&self) -> bool {
        !self.is_waited_for() && !self.waited_for.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.waited_for.load(Ordering::Relaxed)
    }

    pub(crate) fn wants_spare(&self) -> bool {
        let ready = self.stock.lock().ready;
        ready.is_none_or(|blank| blank.zeros == Zeros::Holes && self.is_waited_for())
    }

    /// Whether what stands ready is zeroed ahead.
    pub(crate) fn has_zeroed(&self) -> bool {
        self.stock.lock().ready.is_some_and(|blank| blank.zeros == Zeros::Written)
    }

    /// The segment that is ready, if there is one.
    pub(crate) fn spare(&self) -> Option<SegmentRecord> {
        self.stock.lock().ready.map(|blank| blank.record)
    }

    /// Makes a segment ready, unless one is.
    pub(crate) fn stock_up(&self) -> Result<(), Fault> {
        let _alone = self.making.lock();
        if self.wants_spare() {
            self.clear();
            let made = self.make(0)?;
            self.stock.lock().ready = Some(made);
        }
        Ok(())
    }

    /// A segment whose extents have at least `pages` pages.
    pub(crate) fn take(&self, pages: u64) -> Result<Blank, Fault> {
        if let Some(ready) = self.take_ready(pages) {
            return Ok(ready);
        }
        // One that is being made stands ready sooner than another would.
        let _alone = self.making.lock();
        if let Some(ready) = self.take_ready(pages) {
            return Ok(ready);
        }
        // One that is too short would come into use behind a higher number.
        self.clear();
        self.make(pages)
    }

    fn take_ready(&self, pages: u64) -> Option<Blank> {
        let mut stock = self.stock.lock();
        stock.ready.take_if(|spare| spare.record.extent_pages >= pages)
    }

    /// Deletes the segment that stands ready.
    pub(crate) fn clear(&self) {
        self.discard(|_| true);
    }

    /// Deletes the segment that stands ready if it is of a kind; whether it was.
    pub(crate) fn discard(&self, is_meant: impl FnOnce(&SegmentRecord) -> bool) -> bool {
        let spare = self.stock.lock().ready.take_if(|spare| is_meant(&spare.record));
        if let Some(spare) = spare {
            // What is left behind is an unrecorded file, which recovery reports.
            let _ = self.fs.remove(&spare.record.path(&self.dir));
        }
        spare.is_some()
    }

    /// Has it remembered that a segment comes into use.
    pub(crate) fn record(&self, record: SegmentRecord) -> Result<(), Fault> {
        self.registry.record(&record).map_err(|cause| Fault::Record { record, cause })
    }

    /// Makes a segment whose extents have at least `pages` pages: a longer one where the disk has room for it.
    fn make(&self, pages: u64) -> Result<Blank, Fault> {
        let zeros =
            if self.waited_for.swap(false, Ordering::Relaxed) { Zeros::Written } else { Zeros::Holes };
        let usual = {
            let stock = self.stock.lock();
            match zeros {
                Zeros::Written => self.options.next_zeroed_pages(stock.zeroed),
                Zeros::Holes => self.options.next_extent_pages(stock.made),
            }
        };
        let least = pages.max(usual.min(self.options.extent_pages()));
        match self.make_with(pages.max(usual), zeros) {
            Err(_) if usual > least => self.make_with(least, zeros),
            made => made,
        }
    }

    fn make_with(&self, extent_pages: u64, zeros: Zeros) -> Result<Blank, Fault> {
        let number = {
            let mut stock = self.stock.lock();
            let number = stock.next;
            stock.next = number.next();
            number
        };
        let record = SegmentRecord { number, uid: self.registry.uid(number), extent_pages };
        if let Err(cause) = self.make_file(&record, zeros) {
            // What is left behind is an unrecorded file, which recovery reports.
            let _ = self.fs.remove(&record.path(&self.dir));
            return Err(Fault::Prepare { record, cause });
        }
        let mut stock = self.stock.lock();
        stock.made += extent_pages;
        stock.zeroed += if zeros == Zeros::Written { extent_pages } else { 0 };
        drop(stock);
        Ok(Blank { record, zeros })
    }

    fn make_file(&self, record: &SegmentRecord, zeros: Zeros) -> Result<(), IoError> {
        let file = self.fs.create(&record.path(&self.dir))?;
        let len = record.file_len();
        file.allocate(ByteLen::new(len))?;
        if zeros == Zeros::Written {
            write_zeros(&*file, len)?;
        }
        file.sync()?;
        self.fs.sync_dir(&self.dir)
    }
}

fn write_zeros(file: &dyn File, len: u64) -> Result<(), IoError> {
    let zeros = vec![0; SLICE_LEN.min(len as usize)];
    let mut at = 0;
    while at < len {
        let slice = &zeros[..zeros.len().min((len - at) as usize)];
        file.write_at(FileOffset::new(at), slice)?;
        at += slice.len() as u64;
        if at % PACE_LEN == 0 {
            file.sync()?;
        }
    }
    Ok(())
}
