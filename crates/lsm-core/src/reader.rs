//! What reading takes: where the files are, what is kept of them in memory, who hears of damage.

use std::{path::PathBuf, sync::Arc};

use lsm_io::Fs;
use sst_format::{KeyOrder, ReadOptions};

use crate::{
    Error, RepairSource, TableMeta, TreeId, Witness,
    block_cache::BlockCache,
    pins::PinBudget,
    table_file::{Opened, TableFile},
    tables::Tables,
};

/// What reads of all trees of a store share.
pub(crate) struct ReadEnv {
    /// Where the files are.
    pub(crate) fs: Arc<dyn Fs>,
    /// The store's directory.
    pub(crate) dir: PathBuf,
    /// Tables that are open.
    pub(crate) tables: Tables,
    /// Blocks that were read.
    pub(crate) blocks: BlockCache,
    /// How much open tables keep of their filters and indexes.
    pub(crate) pins: Arc<PinBudget>,
    /// Hears of damage.
    pub(crate) witness: Arc<dyn Witness>,
    /// Offers older copies of files.
    pub(crate) repair_source: Option<Arc<dyn RepairSource>>,
}

impl std::fmt::Debug for ReadEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadEnv").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Reads the tables of one tree.
#[derive(Clone)]
pub(crate) struct TreeReader {
    pub(crate) env: Arc<ReadEnv>,
    pub(crate) tree: TreeId,
    pub(crate) order: KeyOrder,
}

impl TreeReader {
    /// An open table, or the loss of the whole.
    ///
    /// # Errors
    /// When the disk refuses for another reason than damage, or a newer release or another key is needed.
    #[inline]
    pub(crate) fn open(&self, meta: &Arc<TableMeta>) -> Result<Opened<Arc<TableFile>>, Error> {
        self.env.tables.open(self, meta)
    }

    /// How a table of the tree is read; the keys of encrypted tables join here.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions::new().order(self.order.clone())
    }
}

impl std::fmt::Debug for TreeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeReader").field("tree", &self.tree).finish_non_exhaustive()
    }
}
