//! What a store is made with.

use std::{fmt, path::PathBuf, sync::Arc, task::Waker};

use lsm_io::Fs;
use page_ecc::Uid;
use sst_format::TableOptions;

use crate::{KeyOrders, Leveled, RepairSource, Witness};

/// What a store is made with. Time and randomness are among it, since a tree has neither.
#[derive(Clone)]
pub struct StoreOptions {
    /// Where its files are.
    pub fs: Arc<dyn Fs>,
    /// Its directory.
    pub dir: PathBuf,
    /// How tables are written; order and time are set for each.
    pub tables: TableOptions,
    /// Bytes of a table's body at most, about.
    pub table_bytes: u64,
    /// Bytes of verified blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes of filters and index blocks that open tables keep in memory beside those.
    pub pinned_bytes: u64,
    /// Table files held open.
    pub open_files: usize,
    /// When levels are rewritten.
    pub leveled: Leveled,
    /// The orders of keys that are known.
    pub orders: KeyOrders,
    /// Who hears of damage.
    pub witness: Arc<dyn Witness>,
    /// Who has older copies of files.
    pub repair_source: Option<Arc<dyn RepairSource>>,
    /// 128 random bits, new each time.
    pub new_uid: Arc<dyn Fn() -> Uid + Send + Sync>,
    /// Wakes whoever sweeps, when files that were held back may go.
    pub waker: Waker,
    /// Seconds since 1970, or anything else that tables should say of when they were made.
    pub now: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions").field("dir", &self.dir).finish_non_exhaustive()
    }
}
