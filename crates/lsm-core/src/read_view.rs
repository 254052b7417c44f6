//! Everything of one tree that a read looks at: memtables and tables, at one moment.
//!
//! Invariant: of one key, everything in a source is newer than everything in the sources behind it: the
//! memtables newest first, then the runs of level 0, then the levels. So the first source that has an entry
//! or a range delete for a key decides, and only losses passed before it can make that doubtful.

use std::sync::Arc;

use sst_format::SeqNo;

use crate::{
    Error, TableMeta, Version,
    answer::{Search, Visible},
    mem_source::MemSource,
    reader::TreeReader,
    table_file::{Got, Opened},
};

/// One tree at one moment; whoever holds it keeps what it names alive.
#[derive(Debug)]
pub(crate) struct ReadView<M> {
    pub(crate) reader: Arc<TreeReader>,
    /// Newest first.
    pub(crate) memtables: Vec<Arc<M>>,
    pub(crate) version: Arc<Version>,
}

impl<M: MemSource> ReadView<M> {
    /// The value of `key` as of `snapshot`.
    ///
    /// # Errors
    /// When it depends on lost bytes, the disk refuses, or the entry is of a kind that is not resolved.
    pub(crate) fn get(&self, key: &[u8], snapshot: SeqNo) -> Result<Option<Visible>, Error> {
        let mut search = Search::new(self.reader.tree, &self.reader.order, key, snapshot);
        for memtable in &self.memtables {
            search.delete(memtable.deleted_at(key, snapshot));
            if let Some(found) = memtable.get(key, snapshot) {
                return search.found(found);
            }
            if search.is_decided() {
                return search.absent();
            }
        }
        for (_, run) in self.version.all_runs() {
            let Some(meta) = run.table_over(&self.reader.order, key) else { continue };
            if meta.seq_low > snapshot {
                continue;
            }
            match self.ask(meta, &mut search)? {
                Got::Entry(found) => return search.found(found),
                Got::Lost(loss) => search.doubt(&loss),
                Got::Absent => {}
            }
            if search.is_decided() {
                break;
            }
        }
        search.absent()
    }

    /// What a table says of the key.
    #[inline]
    fn ask(&self, meta: &Arc<TableMeta>, search: &mut Search<'_>) -> Result<Got, Error> {
        let table = match self.reader.open(meta)? {
            Opened::Table(table) => table,
            Opened::Lost(loss) => return Ok(Got::Lost(loss)),
        };
        table.losses().iter().for_each(|loss| search.doubt(loss));
        search.delete(table.deleted_at(search.key, search.snapshot));
        table.get(&self.reader.env, search.key, search.snapshot)
    }
}
