//! What is known to be lost, table by table.
//!
//! Known is what reads, jobs and scrubs have met: tables with loss markers, tables with a hint or with lost pages that
//! a read came upon, and tables whose file is gone. Such a table is walked through, so that its gaps are named by
//! their keys; a page that nobody has looked at since it was lost is not known here.

use std::{collections::BTreeSet, ops::Bound, path::PathBuf, sync::Arc};

use bytes::Bytes;
use page_ecc::{PAGE_LEN, PageNo, PageRanges};
use sst_format::SeqNo;

use super::Store;
use crate::{
    Error, FileId, TableMeta, TreeId, loss::TableLoss, names::table_name, table_file::Opened, tree::Tree,
};

/// Keys of which something may be lost.
///
/// A read of such a key is right if the newest entry that it finds is newer than `seq_high`; otherwise it fails.
///
/// ```
/// use std::ops::RangeBounds;
/// use bytes::Bytes;
/// use lsm_core::{Error, KnownLoss, Store};
///
/// /// Whether something of a key is known to be lost.
/// fn is_lost(store: &Store, key: &Bytes) -> Result<bool, Error> {
///     Ok(store.losses()?.iter().any(|loss| holds(loss, key)))
/// }
///
/// fn holds(KnownLoss { lower, upper, .. }: &KnownLoss, key: &Bytes) -> bool {
///     RangeBounds::<Bytes>::contains(&(lower.as_ref(), upper.as_ref()), key)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLoss {
    /// Of which tree.
    pub tree: TreeId,
    /// The table that lost it, or that holds the marker which stands for it.
    pub table: FileId,
    /// From which key.
    pub lower: Bound<Bytes>,
    /// To which key.
    pub upper: Bound<Bytes>,
    /// The lowest sequence number that may be lost.
    pub seq_low: SeqNo,
    /// The highest.
    pub seq_high: SeqNo,
    /// The lost pages of the table's file; none for a marker, whose pages are in the quarantined file.
    pub pages: PageRanges,
}

/// Which tables may have lost something.
pub(super) struct Suspects {
    files: BTreeSet<(TreeId, FileId)>,
    /// What the directory holds.
    there: BTreeSet<PathBuf>,
}

impl Suspects {
    fn is_gone(&self, table: FileId) -> bool {
        !self.there.contains(std::path::Path::new(&table_name(table)))
    }

    /// Whether it is to be looked at.
    pub(super) fn suspects(&self, tree: TreeId, table: &TableMeta) -> bool {
        table.losses > 0 || self.files.contains(&(tree, table.id)) || self.is_gone(table.id)
    }
}

impl Store {
    /// What is known to be lost, by tree and key.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn losses(&self) -> Result<Vec<KnownLoss>, Error> {
        let suspects = self.suspects()?;
        let mut losses = Vec::new();
        for tree in self.all_trees().values() {
            let version = tree.view().version.clone();
            for (_, _, table) in version.tables().filter(|(_, _, table)| suspects.suspects(tree.id, table)) {
                let lost = self.losses_of(tree, table, &|| false)?;
                losses.extend(lost.iter().map(|loss| KnownLoss::of(loss, table)));
            }
        }
        Ok(losses)
    }

    /// What these tables lost, whether it is known or not.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn losses_among(&self, tables: &BTreeSet<FileId>) -> Result<Vec<KnownLoss>, Error> {
        let suspects = self.suspects()?;
        let mut losses = Vec::new();
        for tree in self.all_trees().values() {
            let version = tree.view().version.clone();
            let looked_at = version
                .tables()
                .filter(|(_, _, table)| tables.contains(&table.id) || suspects.suspects(tree.id, table));
            for (_, _, table) in looked_at {
                let lost = self.losses_of(tree, table, &|| false)?;
                losses.extend(lost.iter().map(|loss| KnownLoss::of(loss, table)));
            }
        }
        Ok(losses)
    }

    /// Has a table looked at whenever [`losses`](Self::losses) are asked for: somebody knows that pages of it were
    /// lost before the store was opened.
    pub fn suspect(&self, tree: TreeId, table: FileId) {
        self.watch.suspect(tree, table);
    }

    pub(super) fn suspects(&self) -> Result<Suspects, Error> {
        let hinted = self.hints.snapshot().into_iter().map(|hint| (hint.tree, hint.file));
        let files = hinted.chain(self.watch.lossy()).collect();
        let there = self.read.fs.list(&self.read.dir)?.into_iter().map(|entry| entry.name).collect();
        Ok(Suspects { files, there })
    }

    /// What a table lost: its markers and its gaps.
    pub(super) fn losses_of(
        &self,
        tree: &Tree,
        table: &Arc<TableMeta>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<TableLoss>, Error> {
        let mut losses = match tree.view().reader.open(table)? {
            Opened::Lost(loss) => return Ok(vec![*loss]),
            Opened::Table(open) => open.losses().all().to_vec(),
        };
        losses.extend(self.gaps_in(tree, table, should_stop)?);
        Ok(losses)
    }
}

impl KnownLoss {
    pub(crate) fn without_pages(TableLoss { tree, table, lost }: &TableLoss) -> Self {
        Self {
            tree: *tree,
            table: *table,
            lower: lost.lower.clone(),
            upper: lost.upper.clone(),
            seq_low: lost.seq_low,
            seq_high: lost.seq_high,
            pages: PageRanges::default(),
        }
    }

    pub(crate) fn of(loss: &TableLoss, meta: &TableMeta) -> Self {
        let (lost, mut known) = (&loss.lost, Self::without_pages(loss));
        if lost.at.len > 0 {
            // The body begins on the second page.
            let first = 1 + lost.at.offset / PAGE_LEN as u64;
            let end = 1 + lost.at.end().div_ceil(PAGE_LEN as u64);
            let end = end.min(meta.descriptor.geometry().total_pages());
            (first..end).for_each(|page| known.pages.push(PageNo::new(page)));
        }
        known
    }
}
