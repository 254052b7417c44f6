//! What can go wrong with a store: damage (bytes lie), the disk (it refused), or misuse (the caller's mistake).

use std::{ops::Bound, path::PathBuf, sync::Arc};

use bytes::Bytes;
use lsm_core::BatchRefused;
use lsm_io::IoError;

/// Why an operation on a store failed.
///
/// ```
/// use resilver::{Creation, Error, Options};
/// let refused = Options::new().creation(Creation::Never).open("/nowhere/at/all");
/// assert!(matches!(refused, Err(Error::NotAStore { .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// There is no store where one was to be opened.
    #[error("there is no store at {}; check the path, or let opening make one", path.display())]
    NotAStore {
        /// The path.
        path: PathBuf,
    },
    /// There is a store where one was to be made.
    #[error("there is a store at {} already; open it, or make one elsewhere", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// Another process, or another handle of this one, has it open.
    #[error("the store at {} is open elsewhere; close it there first, or open it read-only", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// It was closed.
    #[error("the store is closed; open it again to go on")]
    Closed,
    /// It was opened for reading alone.
    #[error("the store was opened read-only; open it for writing to change it")]
    ReadOnly,
    /// A batch holds keyspaces of another store.
    #[error("the batch holds keyspaces of another store; make it from this store's keyspaces")]
    ForeignBatch,
    /// A keyspace is of another store.
    #[error("the keyspace is of another store, or of one that was closed; ask this store for it")]
    ForeignKeyspace,
    /// The keyspace that is always there cannot be dropped.
    #[error("the default keyspace cannot be dropped; delete its keys, or use another one")]
    DefaultKeyspace,
    /// A keyspace's name is not fit for one.
    #[error("{name:?} cannot name a keyspace; use 1 to 255 bytes, and not the store's own name")]
    KeyspaceName {
        /// The name.
        name: String,
    },
    /// There is no keyspace of that name.
    #[error("there is no keyspace {name:?}; `stats` lists those that are")]
    NoKeyspace {
        /// The name.
        name: String,
    },
    /// A keyspace is sorted by another comparator than the one asked for.
    #[error("keyspace {name:?} is sorted by {found:?}, not by {asked:?}; ask for that one")]
    OtherOrder {
        /// The keyspace.
        name: String,
        /// How it is sorted.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// The batch is over a limit; nothing of it was written.
    #[error(transparent)]
    Batch(#[from] BatchRefused),
    /// The tree refused, or bytes of it are lost.
    #[error(transparent)]
    Tree(#[from] lsm_core::Error),
    /// The log refused, or a part of it is lost.
    #[error(transparent)]
    Log(#[from] lsm_wal::LogError),
    /// There is something else where a store was to be made.
    #[error("{} holds files that are no store; name an empty directory, or one that is not there", path.display())]
    NotEmpty {
        /// The path.
        path: PathBuf,
    },
    /// The log cannot be read at all.
    #[error(transparent)]
    LogUnreadable(#[from] lsm_wal::RecoveryError),
    /// The log could not be taken up.
    #[error("the log of the store could not be taken up; see the cause, then open it again")]
    LogRefused {
        /// Why.
        #[source]
        cause: lsm_wal::Fault,
    },
    /// Acknowledged writes are lost: the log is damaged beyond what its two extents make up for.
    #[error(
        "the log lost acknowledged writes: {}; restore the store from a checkpoint, or accept the loss \
        with `LogLoss::Accept`",
        Listed(losses)
    )]
    LogLost {
        /// Which sequence numbers, in order.
        losses: Vec<lsm_wal::Loss>,
    },
    /// A group of the log, proven whole, holds no batch.
    #[error("the log holds changes that are no batch: a newer release, or something else, wrote them")]
    LogForeign {
        /// Why.
        #[source]
        cause: lsm_core::BatchError,
    },
    /// Tables cannot be read, and what is to be merged with them waits.
    #[error(
        "tables that cannot be read keep others from being compacted; check the store with `resilver verify`"
    )]
    Stuck,
    /// A loss was to be accepted where none is known.
    #[error(
        "nothing is known to be lost in that range of keyspace {keyspace:?}, and nothing was changed; `losses` names \
         what is, and a scrub finds what no read has met"
    )]
    NotLost {
        /// The keyspace.
        keyspace: Arc<str>,
    },
    /// What was to be repaired from is no copy of the store.
    #[error(
        "the checkpoint at {} is of another store, and nothing was changed; name a checkpoint of this one, or leave \
         --from out", path.display()
    )]
    ForeignCheckpoint {
        /// Where the checkpoint is.
        path: PathBuf,
    },
    /// A snapshot is of another store.
    #[error("the snapshot is of another store; take one of this store")]
    ForeignSnapshot,
    /// The system has no random bytes.
    #[error("random bytes are not to be had from the system; try again")]
    NoRandomness {
        /// Why.
        #[source]
        cause: getrandom::Error,
    },
    /// A thread was refused.
    #[error("the system refuses a thread; raise its limit, or open fewer stores")]
    NoThread {
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Not everything could be made durable at the end.
    #[error(
        "the store was closed, but not everything in it could be synced; open it again and check the disk"
    )]
    NotStopped {
        /// Why.
        #[source]
        cause: lsm_io::Cause,
    },
    /// What another thread met.
    #[error("{message}")]
    Told {
        /// What it said.
        message: String,
    },
    /// Memory is full and cannot be written out; reads go on.
    #[error("writes wait for a flush that failed; the cause says why, and writing resumes once it is gone")]
    Stalled {
        /// Why the flush failed.
        #[source]
        cause: Arc<Error>,
    },
}

/// The keys that cannot be answered.
///
/// ```
/// let loss = resilver::Loss { from: "anna".into(), to: Some("bert".into()) };
/// assert_eq!(loss.to_string(), "keys from \"anna\" up to \"bert\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first that may be concerned.
    pub from: Bytes,
    /// The first behind them, if there is one.
    pub to: Option<Bytes>,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "keys from {}", crate::losing::ShownKey(&self.from))?;
        match self.to.as_deref().map(|to| (to.strip_suffix(&[0]), to)) {
            None => f.write_str(" on"),
            // What ends a range behind a key is that key and a zero.
            Some((Some(last), _)) => write!(f, " up to and with {}", crate::losing::ShownKey(last)),
            Some((None, to)) => write!(f, " up to {}", crate::losing::ShownKey(to)),
        }
    }
}

struct Listed<'a>(&'a [lsm_wal::Loss]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, loss) in self.0.iter().take(8).enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            loss.fmt(f)?;
        }
        if self.0.len() > 8 { write!(f, " and {} more", self.0.len() - 8) } else { Ok(()) }
    }
}

impl Error {
    /// The keys that cannot be answered, if that is what went wrong.
    #[must_use]
    pub fn loss(&self) -> Option<Loss> {
        let Self::Tree(lsm_core::Error::Lost { lost, .. }) = self else { return None };
        let from = match &lost.lower {
            Bound::Unbounded => Bytes::new(),
            Bound::Included(key) | Bound::Excluded(key) => key.clone(),
        };
        let to = match &lost.upper {
            Bound::Unbounded => None,
            Bound::Excluded(key) => Some(key.clone()),
            // The first key behind one is that key and a zero.
            Bound::Included(key) => Some([key, &[0][..]].concat().into()),
        };
        Some(Loss { from, to })
    }

    /// Whether acknowledged data cannot be had any more.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::LogLost { .. }) || self.loss().is_some()
    }

    /// What is told to other threads that wait for the same.
    pub(crate) fn to_told(&self) -> Self {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            message.push_str(": ");
            message.push_str(&next.to_string());
            cause = next.source();
        }
        Self::Told { message }
    }
}
