//! What can go wrong with a log in use. Damage found while reading is told in `findings`.

use std::sync::Arc;

use lsm_io::{Cause, IoError};

use crate::{SegmentRecord, Seqs};

/// Why a log did not do what was asked.
///
/// ```
/// use lsm_wal::LogError;
/// let error = LogError::TooLarge { len: 3 << 30, max: 1 << 30 };
/// assert!(error.to_string().ends_with("split the group"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// The group is not in the log. Its numbers are void: appended again, it gets new ones. Until something
    /// else is appended, a crash may still bring the failed group back.
    #[error("changes {seqs} are not in the log; append them again: the next group goes into a new segment")]
    NotAppended {
        /// The numbers it had.
        seqs: Seqs,
        /// Why; shared by all groups that failed together.
        #[source]
        fault: Arc<Fault>,
    },
    /// Not everything appended before is durable.
    #[error("the log is not synced; sync again: what was acknowledged goes into a new segment first")]
    NotSynced {
        /// Why.
        #[source]
        fault: Arc<Fault>,
    },
    /// The group is longer than a segment can be.
    #[error("a group of {len} bytes is longer than {max}; split the group")]
    TooLarge {
        /// Its bytes.
        len: u64,
        /// How many there may be.
        max: u64,
    },
    /// The group has no sequence number.
    #[error("a group without a sequence number cannot be found again; give it at least one")]
    NoNumbers,
    /// The log was closed.
    #[error("the log is closed; open it again to go on")]
    Closed,
}

/// What the disk, or the manifest, refused.
///
/// ```
/// let fault = lsm_wal::Fault::Write(lsm_io::Cause::Closed);
/// assert!(fault.to_string().starts_with("writing the log failed"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Frames could not be written.
    #[error("writing the log failed; the segment takes no more")]
    Write(#[source] Cause),
    /// A segment could not be synced.
    #[error("syncing the log failed; what the segment holds is unknown")]
    Sync(#[source] Cause),
    /// A segment could not be made.
    #[error("no new segment of {} bytes could be made; free some space or check the device", record.file_len())]
    Prepare {
        /// Which.
        record: SegmentRecord,
        /// Why.
        #[source]
        cause: IoError,
    },
    /// The caller could not record a new segment.
    #[error("segment {} could not be recorded, so nothing may be acknowledged in it", record.number)]
    Record {
        /// Which.
        record: SegmentRecord,
        /// What the caller said.
        #[source]
        cause: RegistryError,
    },
}

/// What a [`Registry`](crate::Registry) may answer.
pub type RegistryError = Box<dyn std::error::Error + Send + Sync>;
