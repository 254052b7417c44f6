//! What failed epochs gave back: dirty stays dirty, pending stays pending, and a newer state wins.
//!
//! A plain value of the planner that owns the files; it touches no disk.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
    sync::Arc,
};

use crate::{Deletion, Epoch, EpochSeq, Failed, FileOffset, Target, Write, target::TargetId};

/// Collects what failed epochs gave back, for one epoch that tries again.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Backlog, ByteLen, Epoch, EpochWorker, FaultFs, FaultPlan, FileOffset, Lane, Limits, MemFs, Mishap, Op, Target, Trigger};
/// let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Write, 1), Mishap::Fail(std::io::ErrorKind::Other));
/// let worker = EpochWorker::start(Limits::default())?;
/// let page = Target::create(Arc::new(FaultFs::new(Arc::new(MemFs::new()), plan)), "/a".as_ref())?;
/// let mut backlog = Backlog::default();
/// if let Err(failed) = worker.commit(Lane::Bulk, Epoch::new().write(&page, FileOffset::ZERO, b"new".to_vec())) {
///     backlog.give_back(*failed);
/// }
/// page.resume();
/// worker.commit(Lane::Bulk, backlog.take())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Backlog {
    /// By place, the latest that is known of it.
    places: BTreeMap<(TargetId, FileOffset), (EpochSeq, Place)>,
    /// By file system (which `Arc`) and path.
    deletions: BTreeMap<(usize, PathBuf), Deletion>,
}

#[derive(Debug)]
enum Place {
    Dirty(Write),
    Durable,
}

impl Backlog {
    /// Takes what a failed epoch gave back, except where a later epoch is known to have written.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Backlog, Epoch, EpochWorker, Lane, Limits, MemFs, FaultFs, FaultPlan, Fs};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// let (fs, mut backlog) = (Arc::new(MemFs::new()), Backlog::default());
    /// worker.stop()?;
    /// let late = worker.commit(Lane::Bulk, Epoch::new().delete(fs, "/old".as_ref()));
    /// backlog.give_back(*late.unwrap_err());
    /// assert!(!backlog.take().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn give_back(&mut self, failed: Failed) {
        for write in failed.returned.writes {
            self.put((write.target.id(), write.offset), failed.seq, Place::Dirty(write));
        }
        for deletion in failed.returned.deletions {
            let fs = Arc::as_ptr(&deletion.fs).cast::<()>().addr();
            self.deletions.insert((fs, deletion.path.clone()), deletion);
        }
    }

    /// Notes that epoch `seq` wrote the place: what earlier epochs meant for it is out of date.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{Backlog, Epoch, EpochWorker, FileOffset, Lane, Limits, MemFs, Target};
    /// let worker = EpochWorker::start(Limits::default())?;
    /// let page = Target::create(Arc::new(MemFs::new()), "/a".as_ref())?;
    /// let done = worker.commit(Lane::Bulk, Epoch::new().write(&page, FileOffset::ZERO, vec![1]))?;
    /// let mut backlog = Backlog::default();
    /// backlog.durable(&page, FileOffset::ZERO, done.seq);
    /// assert!(backlog.take().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn durable(&mut self, target: &Target, offset: FileOffset, seq: EpochSeq) {
        self.put((target.id(), offset), seq, Place::Durable);
    }

    /// Empties it into one epoch, writes in the order of their epochs.
    ///
    /// ```
    /// assert!(lsm_io::Backlog::default().take().is_empty());
    /// ```
    #[must_use]
    pub fn take(&mut self) -> Epoch {
        let mut dirty: Vec<_> = std::mem::take(&mut self.places).into_iter().collect();
        dirty.sort_by_key(|(place, (seq, _))| (*seq, *place));
        let writes = dirty.into_iter().filter_map(|(_, (_, place))| match place {
            Place::Dirty(write) => Some(write),
            Place::Durable => None,
        });
        let deletions = std::mem::take(&mut self.deletions).into_values().collect();
        Epoch { writes: writes.collect(), deletions, ..Epoch::new() }
    }

    fn put(&mut self, at: (TargetId, FileOffset), seq: EpochSeq, place: Place) {
        match self.places.entry(at) {
            Entry::Vacant(free) => {
                free.insert((seq, place));
            }
            // Within one epoch the later write wins, so an equal number replaces.
            Entry::Occupied(mut known) if known.get().0 <= seq => {
                known.insert((seq, place));
            }
            Entry::Occupied(_) => {}
        }
    }
}
