//! Makes segments ready before they are needed: zeros, written and synced, under a recorded name.
//!
//! **Invariant**: a segment leaves the depot once, and only after its name and its zeros were durable and its
//! record was taken by the registry.

use std::{path::PathBuf, sync::Arc};

use lsm_io::{ByteLen, FileOffset, Fs, IoError};
use page_ecc::Uid;
use parking_lot::Mutex;

use crate::{Fault, LogOptions, Registry, SegmentNo, SegmentRecord};

/// Zeros handed to the disk at once.
const SLICE_LEN: usize = 1 << 20;

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
    /// A leaf lock.
    stock: Mutex<Stock>,
}

#[derive(Debug)]
struct Stock {
    next: SegmentNo,
    ready: Option<SegmentRecord>,
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
        Self { fs, dir, store, options, registry, stock: Mutex::new(Stock { next, ready: None }) }
    }

    pub(crate) fn wants_spare(&self) -> bool {
        self.stock.lock().ready.is_none()
    }

    /// The segment that is ready, if there is one.
    pub(crate) fn spare(&self) -> Option<SegmentRecord> {
        self.stock.lock().ready
    }

    /// Makes a segment ready, unless one is.
    pub(crate) fn stock_up(&self) -> Result<(), Fault> {
        if !self.wants_spare() {
            return Ok(());
        }
        let made = self.make(self.options.extent_pages())?;
        let mut stock = self.stock.lock();
        // Where two made one at once, the later stands ready and the other is only a recorded, unused file.
        stock.ready = Some(made);
        Ok(())
    }

    /// A segment whose extents have at least `pages` pages.
    pub(crate) fn take(&self, pages: u64) -> Result<SegmentRecord, Fault> {
        let ready = {
            let mut stock = self.stock.lock();
            let fits = stock.ready.is_some_and(|spare| spare.extent_pages >= pages);
            if fits { stock.ready.take() } else { None }
        };
        match ready {
            Some(record) => Ok(record),
            None => self.make(pages.max(self.options.extent_pages())),
        }
    }

    fn make(&self, extent_pages: u64) -> Result<SegmentRecord, Fault> {
        let number = {
            let mut stock = self.stock.lock();
            let number = stock.next;
            stock.next = number.next();
            number
        };
        let record = SegmentRecord { number, uid: self.registry.uid(number), extent_pages };
        if let Err(cause) = self.write_zeros(&record) {
            // What is left behind is an unrecorded file, which recovery reports.
            let _ = self.fs.remove(&record.path(&self.dir));
            return Err(Fault::Prepare { record, cause });
        }
        self.registry.record(&record).map_err(|cause| Fault::Record { record, cause })?;
        Ok(record)
    }

    fn write_zeros(&self, record: &SegmentRecord) -> Result<(), IoError> {
        let file = self.fs.create(&record.path(&self.dir))?;
        let len = record.file_len();
        file.allocate(ByteLen::new(len))?;
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
        file.sync()?;
        self.fs.sync_dir(&self.dir)
    }
}
