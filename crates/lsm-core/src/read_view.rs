//! Everything of one tree that a read looks at: memtables and tables, at one moment.
//!
//! Invariant: of one key, everything in a source is newer than everything in the sources behind it: the
//! memtables newest first, then the runs of level 0, then the levels. So the first source that has an entry
//! or a range delete for a key decides, and only losses passed before it can make that doubtful.

use std::sync::Arc;

use sst_format::{KeyHash, SeqNo};

use crate::{
    Error, Run, Version,
    answer::{End, Search, Visible},
    mem_source::MemSource,
    reader::TreeReader,
    table_file::{Got, Near, Opened, Wanted},
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
            if let Some(end) = ask_memtable(&**memtable, &mut search) {
                return search.end(end);
            }
        }
        let (hash, mut near) = (KeyHash::of_key(key), Near::default());
        for runs in self.version.levels() {
            for run in runs {
                if let Some(end) = self.ask_run(run, &mut search, hash, &mut near)? {
                    return search.end(end);
                }
            }
        }
        search.end(End::Absent)
    }

    /// The values of many keys, each as [`get`](Self::get) would answer it. Of each source they are asked for in
    /// order, so that those of one table, one index block, one data block come one after the other.
    pub(crate) fn multi_get(&self, keys: &[&[u8]], snapshot: SeqNo) -> Vec<Result<Option<Visible>, Error>> {
        let (tree, order) = (self.reader.tree, &self.reader.order);
        let mut open = Vec::with_capacity(keys.len());
        for (at, &key) in keys.iter().enumerate() {
            open.push(Asked {
                at,
                hash: KeyHash::of_key(key),
                search: Search::new(tree, order, key, snapshot),
            });
        }
        open.sort_by(|one, other| order.compare(one.search.key, other.search.key));
        let mut answers: Vec<_> = keys.iter().map(|_| Ok(None)).collect();
        for memtable in &self.memtables {
            ask_all(&mut open, &mut answers, |asked| Ok(ask_memtable(&**memtable, &mut asked.search)));
        }
        let mut near = Near::default();
        for (_, run) in self.version.all_runs() {
            ask_all(&mut open, &mut answers, |asked| {
                self.ask_run(run, &mut asked.search, asked.hash, &mut near)
            });
        }
        ask_all(&mut open, &mut answers, |_| Ok(Some(End::Absent)));
        answers
    }

    /// What a run says of the key, if that ends the search.
    #[inline]
    fn ask_run(
        &self,
        run: &Run,
        search: &mut Search<'_>,
        hash: KeyHash,
        near: &mut Near,
    ) -> Result<Option<End>, Error> {
        let Some(meta) = run.table_over(&self.reader.order, search.key) else { return Ok(None) };
        if meta.seq_low > search.snapshot {
            return Ok(None);
        }
        let env = &self.reader.env;
        let got = env.tables.with(&self.reader, meta, |table| {
            if !table.losses().is_empty() {
                search.doubt_all(table.losses());
            }
            search.delete(table.deleted_at(search.key, search.snapshot));
            table.get(env, Wanted { key: search.key, hash, snapshot: search.snapshot }, near)
        })?;
        let lost = match got {
            Opened::Table(Ok(Got::Entry(found))) => return Ok(Some(End::Found(found))),
            Opened::Table(Ok(Got::Absent)) => None,
            Opened::Table(Ok(Got::Lost(loss))) | Opened::Lost(loss) => Some(loss),
            Opened::Table(Err(error)) => return Err(error),
        };
        if let Some(loss) = lost {
            search.doubt(&loss);
        }
        Ok(search.is_decided().then_some(End::Absent))
    }
}

/// One of many keys that are searched for, and where its answer goes.
struct Asked<'a> {
    at: usize,
    hash: KeyHash,
    search: Search<'a>,
}

/// Asks a source for every key that is still open, in order.
fn ask_all<'a>(
    open: &mut Vec<Asked<'a>>,
    answers: &mut [Result<Option<Visible>, Error>],
    mut ask: impl FnMut(&mut Asked<'a>) -> Result<Option<End>, Error>,
) {
    open.retain_mut(|asked| {
        match ask(asked) {
            Ok(None) => return true,
            Ok(Some(end)) => answers[asked.at] = asked.search.end(end),
            Err(error) => answers[asked.at] = Err(error),
        }
        false
    });
}

/// What a memtable says of the key, if that ends the search.
#[inline]
fn ask_memtable(memtable: &impl MemSource, search: &mut Search<'_>) -> Option<End> {
    if memtable.holds_nothing() {
        return None;
    }
    search.delete(memtable.deleted_at(search.key, search.snapshot));
    match memtable.get(search.key, search.snapshot) {
        Some(found) => Some(End::Found(found)),
        None => search.is_decided().then_some(End::Absent),
    }
}
