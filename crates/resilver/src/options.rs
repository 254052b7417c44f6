//! How a store is opened: chained setters, units in their names, defaults that are right for most.
//!
//! `open` parses them once; behind it nothing asks whether they make sense.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use lsm_core::{KeyOrders, NoWitness, RepairSource, Witness};
use lsm_io::{Fs, StdFs};
use page_ecc::Scheme;
use sst_format::{Codec, Comparator, FilterPolicy, KeyOrder};

use crate::{AutoHeal, Db, Error, HealGate, Listener, NoListener};

/// How a store is opened.
///
/// ```
/// use resilver::{Durability, Options};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("store");
/// let db = Options::new().cache_bytes(64 << 20).durability(Durability::Synced).open(&path)?;
/// db.put(b"key", b"value")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) creation: Creation,
    pub(crate) log_loss: LogLoss,
    pub(crate) durability: Durability,
    pub(crate) memtable_bytes: u64,
    pub(crate) table_bytes: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) log_bytes_max: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) pinned_bytes: u64,
    pub(crate) block_bytes: usize,
    pub(crate) level_base_bytes: u64,
    pub(crate) open_files_max: usize,
    pub(crate) compaction_threads: usize,
    pub(crate) compaction_pieces_max: usize,
    pub(crate) protection: Scheme,
    pub(crate) codec: Codec,
    pub(crate) filter: Option<FilterPolicy>,
    pub(crate) orders: KeyOrders,
    pub(crate) background: Background,
    pub(crate) auto_heal: AutoHeal,
    pub(crate) heal_gate: Option<Arc<dyn HealGate>>,
    pub(crate) repair_source: Option<Arc<dyn RepairSource>>,
    pub(crate) witness: Arc<dyn Witness>,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) scrub_every: Option<Duration>,
    pub(crate) scrub_bytes_per_sec: u64,
    pub(crate) quarantine_bytes: u64,
}

/// Whether opening may make a store.
///
/// ```
/// assert_eq!(resilver::Creation::default(), resilver::Creation::IfMissing);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creation {
    /// It makes one where there is none.
    #[default]
    IfMissing,
    /// It refuses where there is none.
    Never,
    /// It refuses where there is one.
    Always,
}

/// Whether a store opens whose log lost acknowledged writes.
///
/// ```
/// assert_eq!(resilver::LogLoss::default(), resilver::LogLoss::Refuse);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLoss {
    /// It does not, and the error names the sequence numbers: any key may have been written by them.
    #[default]
    Refuse,
    /// It does, with everything else that was written; keys may have older values than were acknowledged.
    Accept,
}

/// What an acknowledged write survives.
///
/// ```
/// assert_eq!(resilver::Durability::default(), resilver::Durability::Buffered);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The end of the process: the kernel has the bytes.
    #[default]
    Buffered,
    /// A power cut: the medium has them.
    Synced,
}

/// Who flushes and compacts.
///
/// ```
/// assert_eq!(resilver::Background::default(), resilver::Background::Threads);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Threads of the store's own.
    #[default]
    Threads,
    /// Whoever writes, as part of the write that makes it necessary: for tests whose steps must repeat.
    Inline,
}

impl Options {
    /// Everything automatic, protection on.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fs: Arc::new(StdFs::new()),
            creation: Creation::default(),
            log_loss: LogLoss::default(),
            durability: Durability::default(),
            memtable_bytes: 64 << 20,
            table_bytes: 64 << 20,
            segment_bytes: 16 << 20,
            log_bytes_max: 1 << 30,
            cache_bytes: 64 << 20,
            pinned_bytes: 64 << 20,
            block_bytes: 4 << 10,
            level_base_bytes: 256 << 20,
            open_files_max: 1024,
            compaction_threads: 2,
            compaction_pieces_max: 4,
            protection: Scheme::STANDARD,
            codec: Codec::None,
            filter: Some(FilterPolicy::default()),
            orders: KeyOrders::default(),
            background: Background::default(),
            auto_heal: AutoHeal::default(),
            heal_gate: None,
            repair_source: None,
            witness: Arc::new(NoWitness),
            listener: Arc::new(NoListener),
            scrub_every: None,
            scrub_bytes_per_sec: 64 << 20,
            quarantine_bytes: 1 << 30,
        }
    }

    /// Another file system than the real one.
    #[must_use]
    pub fn fs(mut self, fs: Arc<dyn Fs>) -> Self {
        self.fs = fs;
        self
    }

    /// Whether opening may make a store (where there is none).
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// Whether the store opens if its log lost acknowledged writes (it does not).
    #[must_use]
    pub fn log_loss(mut self, log_loss: LogLoss) -> Self {
        self.log_loss = log_loss;
        self
    }

    /// What a write survives once acknowledged, unless it says otherwise (the end of the process).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How large memtables grow together before the largest are flushed (64 MiB); each keyspace has one.
    #[must_use]
    pub fn memtable_bytes(mut self, bytes: u64) -> Self {
        self.memtable_bytes = bytes.max(4 << 10);
        self
    }

    /// How large a table may become (64 MiB).
    #[must_use]
    pub fn table_bytes(mut self, bytes: u64) -> Self {
        self.table_bytes = bytes.max(16 << 10);
        self
    }

    /// How large the first segments of the log are (16 MiB). Each may be as large as all that were made since the store
    /// was opened, up to four times this, unless writers wait for syncs; an unusually large batch gets one of its own.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes.max(256 << 10);
        self
    }

    /// How many bytes of damaged files are kept for a later try to bring their pages back (1 GiB); of more, those that
    /// were written first are removed, and the ledger says so.
    #[must_use]
    pub fn quarantine_bytes(mut self, bytes: u64) -> Self {
        self.quarantine_bytes = bytes;
        self
    }

    /// How large the log may grow before memtables that hold on to it are flushed (1 GiB).
    #[must_use]
    pub fn log_bytes_max(mut self, bytes: u64) -> Self {
        self.log_bytes_max = bytes;
        self
    }

    /// How many bytes of verified blocks are kept in memory (64 MiB).
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How many bytes of filters and index blocks open tables keep in memory beside the cache (64 MiB); what finds
    /// no room goes through the cache.
    #[must_use]
    pub fn pinned_bytes(mut self, bytes: u64) -> Self {
        self.pinned_bytes = bytes;
        self
    }

    /// How large a block is before compression (4 KiB).
    #[must_use]
    pub fn block_bytes(mut self, bytes: usize) -> Self {
        self.block_bytes = bytes.clamp(512, 1 << 20);
        self
    }

    /// How large the first sorted level may grow (256 MiB); each deeper one is eight times as large.
    #[must_use]
    pub fn level_base_bytes(mut self, bytes: u64) -> Self {
        self.level_base_bytes = bytes.max(64 << 10);
        self
    }

    /// How many table files are held open (1024).
    #[must_use]
    pub fn open_files_max(mut self, files: usize) -> Self {
        self.open_files_max = files.max(8);
        self
    }

    /// How many compactions run at once (2).
    #[must_use]
    pub fn compaction_threads(mut self, threads: usize) -> Self {
        self.compaction_threads = threads.max(1);
        self
    }

    /// How many pieces one large compaction is divided into at most, for idle compactors to help with (4). Each takes
    /// the memory of a table, and a piece is not smaller than one.
    #[must_use]
    pub fn compaction_pieces_max(mut self, pieces: usize) -> Self {
        self.compaction_pieces_max = pieces.max(1);
        self
    }

    /// The protection over pages (RS 64+4, any hole of a sixteenth of a file).
    #[must_use]
    pub fn protection(mut self, scheme: Scheme) -> Self {
        self.protection = scheme;
        self
    }

    /// How blocks are compressed (not).
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The filter over keys ([`Fitting`](FilterPolicy::Fitting): one wrong answer in a hundred, of large entries in a
    /// thousand), or none.
    #[must_use]
    pub fn filter(mut self, policy: Option<FilterPolicy>) -> Self {
        self.filter = policy;
        self
    }

    /// An order of keys that keyspaces of this store may have been created with.
    #[must_use]
    pub fn comparator(mut self, comparator: Arc<dyn Comparator>) -> Self {
        self.orders = self.orders.with(KeyOrder::Custom(comparator));
        self
    }

    /// Who flushes and compacts (threads of the store's own).
    #[must_use]
    pub fn background(mut self, background: Background) -> Self {
        self.background = background;
        self
    }

    /// Whether the store heals itself (it does); [`Db::set_auto_heal`] changes it while it is open.
    #[must_use]
    pub fn auto_heal(mut self, auto_heal: AutoHeal) -> Self {
        self.auto_heal = auto_heal;
        self
    }

    /// Who says whether a file may be healed in the background (nobody: each store heals its own disk).
    #[must_use]
    pub fn heal_gate(mut self, gate: Arc<dyn HealGate>) -> Self {
        self.heal_gate = Some(gate);
        self
    }

    /// Who has older copies of the store's files, to be asked where parity does not bring pages back (nobody).
    #[must_use]
    pub fn repair_source(mut self, source: Arc<dyn RepairSource>) -> Self {
        self.repair_source = Some(source);
        self
    }

    /// How often every page of every file is read and checked in the background (never), spread over that time.
    #[must_use]
    pub fn scrub_every(mut self, time: Duration) -> Self {
        self.scrub_every = Some(time);
        self
    }

    /// How fast scrubs by that schedule read at most (64 MiB a second).
    #[must_use]
    pub fn scrub_bytes_per_sec(mut self, bytes: u64) -> Self {
        self.scrub_bytes_per_sec = bytes.max(4096);
        self
    }

    /// Who hears of every read that was not clean (nobody).
    #[must_use]
    pub fn witness(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = witness;
        self
    }

    /// Who hears what happens to the store's bytes: corrections, healing, losses, scrubs (nobody).
    #[must_use]
    pub fn listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listener = listener;
        self
    }

    /// Opens the store at `path` for reading and writing.
    ///
    /// # Errors
    /// If it is not a store, is open elsewhere, was written by a later release, or the disk refuses.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Db, Error> {
        Db::open_with(path.as_ref(), self)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("fs", &self.fs)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
