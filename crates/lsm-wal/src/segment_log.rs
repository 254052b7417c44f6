//! A log used alone: append, read from an index, truncate, purge. An index is the number of one entry.
//!
//! The directory is the only list of its segments, so a whole file that vanishes at its end is not missed; a
//! caller that knows how far it should reach compares.

use std::sync::Arc;

use bytes::Bytes;
use lsm_io::EpochWorker;
use parking_lot::RwLock;

use crate::{
    DirectoryOnly, Durability, Fault, Log, LogError, LogOptions, Loss, Recovery, RecoveryError, Replayed,
    SegmentRecord, SeqNo, Whereabouts,
};

/// A log of entries, each with an index, that needs no store around it.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{EpochWorker, Limits, MemFs};
/// use lsm_wal::{Durability, LogOptions, Replayed, SegmentLog, SeqNo, Uid, Whereabouts};
///
/// let at = Whereabouts::new(Arc::new(MemFs::new()), "/", Uid::new([7; 16]));
/// let worker = Arc::new(EpochWorker::start(Limits::default())?);
/// let log = SegmentLog::open(at, worker, LogOptions::default())?;
/// for entry in ["one", "two", "three"] {
///     log.append(entry, Durability::Synced)?;
/// }
/// log.truncate_after(SeqNo::new(2))?;
/// log.append("another three", Durability::Synced)?;
///
/// let mut read = Vec::new();
/// log.read_from(SeqNo::new(2), |index, entry| read.push((index.get(), entry)))?;
/// assert_eq!(read, [(2, b"two".to_vec()), (3, b"another three".to_vec())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SegmentLog {
    at: Whereabouts,
    worker: Arc<EpochWorker>,
    options: LogOptions,
    /// Held exclusively only while the log is cut; then for a moment there is none.
    log: RwLock<Option<Log>>,
    losses: Vec<Loss>,
}

/// Why a segment log did not do what was asked.
///
/// ```
/// let error = lsm_wal::SegmentLogError::Log(lsm_wal::LogError::Closed);
/// assert_eq!(error.to_string(), "the log is closed; open it again to go on");
/// ```
#[derive(Debug, thiserror::Error)]
pub enum SegmentLogError {
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The segments cannot be read.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// No segment can be put to use.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Entries that were asked for are lost.
    #[error("{0}; read on behind them, or restore them from elsewhere")]
    Lost(Loss),
}

impl SegmentLog {
    /// Opens the log in a directory that exists, and creates it if there is none.
    ///
    /// # Errors
    /// If the disk refuses. Damage is no error: see [`losses`](Self::losses).
    pub fn open(
        at: Whereabouts,
        worker: Arc<EpochWorker>,
        options: LogOptions,
    ) -> Result<Self, SegmentLogError> {
        let recovery = Recovery::scan_dir(at.clone())?;
        let losses = recovery.losses();
        let mut log = Self { at, worker, options, log: RwLock::new(None), losses };
        let opened = log.resume(&recovery)?;
        *log.log.get_mut() = Some(opened);
        Ok(log)
    }

    /// What was found lost when it was opened.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Appends an entry and says its index.
    ///
    /// # Errors
    /// If it is not in the log.
    pub fn append(&self, entry: impl Into<Bytes>, durability: Durability) -> Result<SeqNo, SegmentLogError> {
        let log = self.log.read();
        let log = log.as_ref().ok_or(LogError::Closed)?;
        Ok(log.append(entry, 1, durability)?.first)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// If it is not.
    pub fn sync(&self) -> Result<(), SegmentLogError> {
        Ok(self.log.read().as_ref().ok_or(LogError::Closed)?.sync()?)
    }

    /// The index the next entry will get.
    ///
    /// # Errors
    /// If the log is closed.
    pub fn next_index(&self) -> Result<SeqNo, SegmentLogError> {
        Ok(self.log.read().as_ref().ok_or(LogError::Closed)?.next_seq())
    }

    /// Gives every entry from `index` on, in order.
    ///
    /// # Errors
    /// If entries among them are lost, or the disk refuses.
    pub fn read_from(
        &self,
        index: SeqNo,
        mut visit: impl FnMut(SeqNo, Vec<u8>),
    ) -> Result<(), SegmentLogError> {
        let log = self.log.read();
        let log = log.as_ref().ok_or(LogError::Closed)?;
        let recovery = Recovery::scan(self.at.clone(), &log.segments_from(index))?.needed_from(index);
        recovery.replay(|what, _| match what {
            Replayed::Changes { seqs, payload } => {
                visit(seqs.first, payload);
                Ok(())
            }
            Replayed::Lost(loss) => Err(SegmentLogError::Lost(loss)),
        })
    }

    /// Drops every entry behind `index`; the next one appended is the one behind it. Durable when it returns.
    ///
    /// # Errors
    /// If the disk refuses; then nothing is dropped, and it is closed if it cannot go on.
    pub fn truncate_after(&self, index: SeqNo) -> Result<(), SegmentLogError> {
        let mut log = self.log.write();
        let records = log.as_ref().ok_or(LogError::Closed)?.segments();
        if let Some(old) = log.take() {
            let closed = old.close();
            if let Err(error) = closed {
                *log = Some(old);
                return Err(error.into());
            }
        }
        let recovery = Recovery::scan(self.at.clone(), &records)?.without(index.plus(1));
        let opened = self.resume(&recovery)?;
        self.delete(opened.trim(SeqNo::default()));
        *log = Some(opened);
        Ok(())
    }

    /// Lets go of segments that hold nothing behind `index`: entries up to there may be gone afterwards.
    ///
    /// # Errors
    /// If the log is closed. A file that cannot be deleted is left, and tried again at the next opening.
    pub fn purge_up_to(&self, index: SeqNo) -> Result<(), SegmentLogError> {
        let log = self.log.read();
        self.delete(log.as_ref().ok_or(LogError::Closed)?.trim(index.plus(1)));
        Ok(())
    }

    /// Makes everything durable, states that, and closes.
    ///
    /// # Errors
    /// If not everything is durable; it may be called again.
    pub fn close(&self) -> Result<(), SegmentLogError> {
        Ok(self.log.read().as_ref().ok_or(LogError::Closed)?.close()?)
    }

    fn resume(&self, recovery: &Recovery) -> Result<Log, Fault> {
        let registry = Arc::new(DirectoryOnly::new(self.at.store));
        recovery.open(self.worker.clone(), registry, self.options)
    }

    fn delete(&self, records: Vec<SegmentRecord>) {
        for record in records {
            if let Err(error) = self.at.fs.remove(&record.path(&self.at.dir)) {
                log::warn!("a segment that is not needed stays: {error}");
            }
        }
    }
}
