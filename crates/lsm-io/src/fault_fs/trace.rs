//! What passed through a faulty file system, and what became of it.

use std::{collections::VecDeque, path::PathBuf};

use super::Mishap;
use crate::{ByteLen, FileOffset, Op};

/// The trace keeps this many operations, then forgets the oldest.
const ENTRIES_MAX: usize = 1 << 16;

/// One operation that passed through.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{Fate, FaultFs, FaultPlan, Fs, MemFs};
/// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
/// fs.create("/a".as_ref())?;
/// assert_eq!(fs.trace()[0].fate, Fate::Passed);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Its number since the start, from 1.
    pub number: u64,
    /// What it was.
    pub op: Op,
    /// On which file or directory.
    pub path: PathBuf,
    /// On which bytes.
    pub span: Option<(FileOffset, ByteLen)>,
    /// What befell it.
    pub fate: Fate,
}

/// What befell an operation.
///
/// ```
/// assert_ne!(lsm_io::Fate::Passed, lsm_io::Fate::Befallen(lsm_io::Mishap::LostSync));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it went to the inner file system as it was.
    Passed,
    /// This.
    Befallen(Mishap),
}

#[derive(Debug, Default)]
pub(super) struct Trace {
    entries: VecDeque<Traced>,
    count: u64,
}

impl Trace {
    pub(super) fn note(
        &mut self,
        op: Op,
        path: &std::path::Path,
        span: Option<(FileOffset, ByteLen)>,
        mishap: Option<Mishap>,
    ) {
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.count += 1;
        let fate = mishap.map_or(Fate::Passed, Fate::Befallen);
        self.entries.push_back(Traced { number: self.count, op, path: path.into(), span, fate });
    }

    pub(super) fn entries(&self) -> Vec<Traced> {
        self.entries.iter().cloned().collect()
    }
}
