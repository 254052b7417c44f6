//! What is left of a manifest that cannot be used: what keyspaces were called, and which were dropped.
//!
//! Invariant: what is said here was proven by its own page or snapshot. That nothing else was said is not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use lsm_io::{Access, Fs};
use page_ecc::{PAGE_LEN, Uid};

use super::{
    edit_bytes,
    edit_page::{EditPage, PageKind},
    medium::read_page,
    names::{self, Part},
    snapshot,
};
use crate::{Change, Edit, FileId, SegmentRef, TableChange, TableMeta, TreeId};

/// What is left of a manifest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relics {
    /// Keyspaces by their trees: name, and comparator.
    pub(crate) names: BTreeMap<TreeId, (Arc<str>, Arc<str>)>,
    /// Trees that are no more.
    pub(crate) dropped: BTreeSet<TreeId>,
    /// Segments of the log that came into use, by number.
    pub(crate) segments: BTreeMap<u64, SegmentRef>,
    /// Tables that were named at some time, and of which trees.
    pub(crate) tables: BTreeMap<FileId, (TreeId, Arc<TableMeta>)>,
    /// Who the store became, as far as it says.
    pub(crate) stores: BTreeSet<Uid>,
}

impl Relics {
    /// Gathers what the files of a manifest in `dir` say, page by page.
    pub(crate) fn gather(&mut self, fs: &Arc<dyn Fs>, dir: &Path) {
        let Ok(listed) = names::list(fs.as_ref(), dir) else { return };
        for (generation, parts) in listed {
            for part in parts {
                let path = part.path_in(dir, generation);
                let Ok(file) = fs.open(&path, Access::ReadOnly) else { continue };
                if part == Part::Snapshot {
                    if let Ok(Some(snapshot)) = snapshot::read(&file, None) {
                        self.stores.insert(snapshot.stated.birth.origin);
                        self.learn(&snapshot.edit);
                    }
                    continue;
                }
                let pages = file.len().map_or(0, |len| len.get() / PAGE_LEN as u64);
                for page in 0..pages {
                    let Ok(page) = read_page(&file, page) else { continue };
                    let Ok(page) = EditPage::decode(&page) else { continue };
                    // An edit of several pages is not put together here.
                    if page.kind == PageKind::Edit
                        && page.count == 1
                        && let Ok(edit) = edit_bytes::decode(&page.payload)
                    {
                        self.learn(&edit);
                    }
                }
            }
        }
    }

    fn learn(&mut self, edit: &Edit) {
        for change in &edit.changes {
            match change {
                Change::CreateTree { tree, name, order } => {
                    self.names.insert(*tree, (name.clone(), order.clone()));
                }
                Change::DropTree { tree } => _ = self.dropped.insert(*tree),
                Change::AddSegment { segment } => _ = self.segments.insert(segment.number, *segment),
                Change::Table { tree, change: TableChange::Add { table, .. } } => {
                    self.tables.insert(table.id, (*tree, table.clone()));
                }
                Change::Rebirth { store } => _ = self.stores.insert(*store),
                _ => {}
            }
        }
    }
}
