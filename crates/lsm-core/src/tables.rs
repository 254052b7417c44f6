//! The tables that are open, of all trees.
//!
//! Bounded by how many; a table that is in use stays open for its users after it left. A hit takes no lock and
//! counts no reference: the list is swapped as a whole when a table is opened or goes. Which tables a version has
//! is not known here. Tables that are held stay open beyond the bound, for a store whose files somebody else may
//! take away. Of a table of which too much is gone to open it, that is remembered: to find it out, all of it may have
//! to be read. It is tried again ever more rarely, and after whoever mends it said so.
//!
//! Invariant: whoever is asked for was asked for since the hand last passed it, or is next to go. The lists are in
//! shards so that none of them is long to copy.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::{
    Error, FileId, TableMeta,
    loss::TableLoss,
    reader::TreeReader,
    table_file::{Opened, TableFile},
};

/// About how many tables a shard is for, and how many shards there are at most.
const SHARD_TABLES: usize = 16;
const SHARDS_MAX: usize = 256;

/// The tables that are open.
#[derive(Debug)]
pub(crate) struct Tables {
    bound: usize,
    shards: Box<[ArcSwap<Vec<Entry>>]>,
    count: AtomicUsize,
    /// Those that could not be opened. A leaf.
    lost: Mutex<BTreeMap<FileId, Lost>>,
    /// At which shard the next one to go is looked for. Held, a leaf, while a list is changed.
    hand: Mutex<usize>,
}

/// An open table, among others by their files.
#[derive(Clone, Debug)]
struct Entry {
    file: FileId,
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    table: Arc<TableFile>,
    stay: Stay,
    was_asked_for: AtomicBool,
}

/// A table that could not be opened.
#[derive(Debug)]
struct Lost {
    loss: Box<TableLoss>,
    /// How often it was asked for since.
    asked: u32,
}

/// How long a table stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    WithinTheBound,
    Held,
}

impl Tables {
    /// At most about this many.
    pub(crate) fn new(open_files: usize) -> Self {
        let bound = open_files.max(1);
        let shards = (bound / SHARD_TABLES).clamp(1, SHARDS_MAX).next_power_of_two();
        let shards = (0..shards).map(|_| ArcSwap::default()).collect();
        let (count, lost, hand) = (AtomicUsize::new(0), Mutex::default(), Mutex::new(0));
        Self { bound, shards, count, lost, hand }
    }

    /// A table, opened unless it is open.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    pub(crate) fn open(
        &self,
        reader: &TreeReader,
        meta: &Arc<TableMeta>,
    ) -> Result<Opened<Arc<TableFile>>, Error> {
        match find(&self.shard(meta.id).load(), meta.id) {
            Some(open) => Ok(Opened::Table(open.table.clone())),
            None => self.open_anew(reader, meta, Stay::WithinTheBound),
        }
    }

    /// Does something with a table, opened unless it is open.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    #[inline]
    pub(crate) fn with<T>(
        &self,
        reader: &TreeReader,
        meta: &Arc<TableMeta>,
        act: impl FnOnce(&TableFile) -> T,
    ) -> Result<Opened<T>, Error> {
        let list = self.shard(meta.id).load();
        if let Some(open) = find(&list, meta.id) {
            return Ok(Opened::Table(act(&open.table)));
        }
        drop(list);
        Ok(match self.open_anew(reader, meta, Stay::WithinTheBound)? {
            Opened::Table(table) => Opened::Table(act(&table)),
            Opened::Lost(loss) => Opened::Lost(loss),
        })
    }

    /// Two threads may open the same table at once; then both work, and one stays.
    #[inline(never)]
    fn open_anew(
        &self,
        reader: &TreeReader,
        meta: &Arc<TableMeta>,
        stay: Stay,
    ) -> Result<Opened<Arc<TableFile>>, Error> {
        if stay == Stay::WithinTheBound
            && let Some(loss) = self.known_loss(meta.id)
        {
            return Ok(Opened::Lost(loss));
        }
        Ok(match TableFile::open(reader, meta)? {
            Opened::Table(table) => {
                self.forget_loss(meta.id);
                let table = Arc::new(table);
                self.insert(
                    meta.id,
                    Open { table: table.clone(), stay, was_asked_for: AtomicBool::new(true) },
                );
                Opened::Table(table)
            }
            Opened::Lost(loss) => {
                self.lost.lock().entry(meta.id).or_insert_with(|| Lost { loss: loss.clone(), asked: 0 });
                Opened::Lost(loss)
            }
        })
    }

    /// Why a table could not be opened, unless it is time to try again.
    fn known_loss(&self, table: FileId) -> Option<Box<TableLoss>> {
        let mut lost = self.lost.lock();
        let known = lost.get_mut(&table)?;
        known.asked = known.asked.saturating_add(1);
        (!known.asked.is_power_of_two()).then(|| known.loss.clone())
    }

    /// Has a table that could not be opened tried again the next time.
    pub(crate) fn forget_loss(&self, table: FileId) {
        self.lost.lock().remove(&table);
    }

    /// Opens a table for as long as the store is open; false if its file is gone.
    ///
    /// # Errors
    /// See [`TreeReader::open`].
    pub(crate) fn hold(&self, reader: &TreeReader, meta: &Arc<TableMeta>) -> Result<bool, Error> {
        Ok(matches!(self.open_anew(reader, meta, Stay::Held)?, Opened::Table(_)))
    }

    /// Lets a table go that no version has any more, or whose file is about to be replaced, unless it is held.
    pub(crate) fn evict(&self, table: FileId) {
        self.forget_loss(table);
        let _changing = self.hand.lock();
        self.change(self.shard_of(table), |list| {
            list.retain(|entry| entry.file != table || entry.open.stay == Stay::Held);
        });
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    #[inline]
    fn shard_of(&self, table: FileId) -> usize {
        table.get() as usize & (self.shards.len() - 1)
    }

    #[inline]
    fn shard(&self, table: FileId) -> &ArcSwap<Vec<Entry>> {
        &self.shards[self.shard_of(table)]
    }

    fn insert(&self, table: FileId, open: Open) {
        let mut hand = self.hand.lock();
        let open = Arc::new(open);
        self.change(self.shard_of(table), |list| {
            match list.binary_search_by_key(&table, |entry| entry.file) {
                Ok(at) if list[at].open.stay == Stay::Held => {}
                Ok(at) => list[at].open = open,
                Err(at) => list.insert(at, Entry { file: table, open }),
            }
        });
        // Twice round: the first time everything may have been asked for.
        for _ in 0..2 * self.shards.len() {
            let mut over = self.len().saturating_sub(self.bound);
            if over == 0 {
                break;
            }
            self.change(*hand, |list| {
                list.retain(|Entry { file, open }| {
                    let stays = over == 0
                        || *file == table
                        || open.stay == Stay::Held
                        || open.was_asked_for.swap(false, Relaxed);
                    over -= usize::from(!stays);
                    stays
                });
            });
            *hand = (*hand + 1) % self.shards.len();
        }
    }

    /// Swaps the list of a shard; whoever calls holds the hand.
    fn change(&self, shard: usize, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut list = Vec::clone(&self.shards[shard].load());
        let before = list.len();
        change(&mut list);
        self.count.fetch_add(list.len().wrapping_sub(before), Relaxed);
        self.shards[shard].store(Arc::new(list));
    }
}

/// An open table of a list, noted as asked for.
#[inline]
fn find(list: &[Entry], table: FileId) -> Option<&Open> {
    let at = list.binary_search_by_key(&table, |entry| entry.file).ok()?;
    let open = &*list[at].open;
    // Looked at before it is set, so that readers do not take the line from one another.
    if !open.was_asked_for.load(Relaxed) {
        open.was_asked_for.store(true, Relaxed);
    }
    Some(open)
}
