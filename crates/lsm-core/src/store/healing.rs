//! Healing: pages that are wrong on the medium get their own bytes again, where they stand.
//!
//! Invariants: only proven bytes are written, each over the page that should hold them; a hint goes, in memory
//! and in the manifest, only after every such page was read back from the medium and the file was synced. So a crash
//! at any moment leaves pages that are at worst still wrong, and then known. The file cannot go meanwhile: whoever heals it holds its table.
//!
//! Which hint comes next, and whether a table is written anew instead, is left to the caller.

use std::{io, ops::Range, path::Path, sync::Arc};

use lsm_io::{Access, Epoch, File, FileOffset, IoError, Lane, Op, Target};
use page_ecc::{Evidence, PAGE_LEN, PageNo, PageRanges, Patch, Rung};

use super::Store;
use crate::{
    Alone, Change, EccHealCompaction, Edit, Error, Examiner, FileId, HealHints, HintCause, HintClaim, Level,
    TableMeta, TreeId, names::table_path, repair_source::OlderPages,
};

/// Pages looked at before the next question whether to stop: 4 MiB.
const STRETCH_PAGES: u64 = 1024;

/// A table of a store, and where it stands.
#[derive(Clone, Debug)]
pub struct StoredTable {
    /// Of which tree.
    pub tree: TreeId,
    /// In which level.
    pub level: Level,
    /// What is known of it; while this is held, its file stays.
    pub table: Arc<TableMeta>,
}

/// What became of a file that was to be healed.
///
/// ```
/// use lsm_core::Healing;
/// assert!(Healing::Rewritten.is_healed() && !Healing::Refused.is_healed());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healing {
    /// There is no such file any more.
    Gone,
    /// Nothing was wrong with it by now.
    Clean,
    /// Pages were written where they stand, and read back right.
    InPlace {
        /// How many.
        pages: u64,
    },
    /// It was written anew, elsewhere, and read back right.
    Rewritten,
    /// The medium took pages and does not give them back: the file must be written anew.
    Refused,
    /// Nothing brings these pages back; what could be healed was.
    Lost {
        /// Which.
        pages: PageRanges,
        /// How many others were healed.
        healed: u64,
    },
}

/// A file that was to be healed, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// Of which tree; the store itself for its own files.
    pub tree: TreeId,
    /// Which file.
    pub file: FileId,
    /// Which pages needed which rung, as far as they were looked at.
    pub evidence: Evidence,
    /// What became of it.
    pub outcome: Healing,
}

impl Healing {
    /// Whether nothing of the file is wrong any more.
    #[must_use]
    pub const fn is_healed(&self) -> bool {
        !matches!(self, Self::Refused | Self::Lost { .. })
    }
}

impl Store {
    /// Which files have pages that are wrong on the medium.
    #[must_use]
    pub fn hints(&self) -> &HealHints {
        &self.hints
    }

    /// Makes hints durable that the manifest does not know, or not of all these pages.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn record_hints(&self) -> Result<(), Error> {
        if self.hints.is_empty() {
            return Ok(());
        }
        let catalog = self.keeper.catalog();
        let news = self.hints.snapshot().into_iter().filter(|hint| {
            // A keyspace that was dropped took its hints along.
            let lives = hint.tree == TreeId::STORE || catalog.trees.contains_key(&hint.tree);
            lives && catalog.hints.get(&(hint.tree, hint.file)) != Some(&hint.pages)
        });
        let changes: Vec<_> =
            news.map(|hint| Change::Hint { tree: hint.tree, file: hint.file, pages: hint.pages }).collect();
        if changes.is_empty() { Ok(()) } else { self.record(&Edit { changes }, &[]) }
    }

    /// Drops the hints of tables that are gone.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn forget_gone_hints(&self) -> Result<(), Error> {
        if self.hints.is_empty() {
            return Ok(());
        }
        let strategy = EccHealCompaction::new(&self.hints, u64::MAX);
        let mut changes = Vec::new();
        for tree in self.hints.snapshot().into_iter().map(|hint| hint.tree) {
            if tree != TreeId::STORE {
                let version = || self.tree(tree).map(|tree| tree.view().version.clone()).unwrap_or_default();
                changes.extend(strategy.forget_gone(tree, version));
            }
        }
        let known = self.keeper.catalog();
        changes.retain(|change| matches!(change, Change::Healed { tree, file } if known.hints.contains_key(&(*tree, *file))));
        if changes.is_empty() { Ok(()) } else { self.record(&Edit { changes }, &[]) }
    }

    /// Every table there is now.
    #[must_use]
    pub fn tables(&self) -> Vec<StoredTable> {
        let trees = self.all_trees();
        let tables = trees.values().flat_map(|tree| {
            let version = tree.view().version.clone();
            let stored = version.tables().map(|(level, _, table)| StoredTable {
                tree: tree.id,
                level,
                table: table.clone(),
            });
            stored.collect::<Vec<_>>()
        });
        tables.collect()
    }

    /// A table of a tree, if it is there now.
    #[must_use]
    pub fn table(&self, tree: TreeId, file: FileId) -> Option<StoredTable> {
        let version = self.tree(tree).ok()?.view().version.clone();
        let (level, _, table) = version.find(file)?;
        Some(StoredTable { tree, level, table: table.clone() })
    }

    /// Opens a table's file to be examined; none if there is no such file.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn examiner(&self, table: &TableMeta) -> Result<Option<Examiner>, Error> {
        let path = table_path(&self.read.dir, table.id);
        let file = match self.read.fs.open(&path, Access::ReadOnly) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let older = OlderPages::new(self.read.repair_source.clone(), &table.descriptor);
        Ok(Some(Examiner::of(file, &table.descriptor, older)))
    }

    /// Heals the file of a hint where it stands; the manifest as a whole. When it answers that the file is healed,
    /// the hint is gone, durably; otherwise it stays, behind those that failed less.
    ///
    /// # Errors
    /// If the disk refuses, or it was stopped.
    pub fn heal_in_place(&self, claim: HintClaim, should_stop: &dyn Fn() -> bool) -> Result<Healed, Error> {
        let (tree, file) = (claim.tree(), claim.file());
        let done = self.heal_file(tree, file, should_stop);
        self.read.tables.forget_loss(file);
        let healed = match done {
            Ok((_, ref outcome)) if outcome.is_healed() => self.forget_hint(tree, file).and(done),
            done => done,
        };
        match healed {
            Ok((evidence, outcome)) => {
                match &outcome {
                    Healing::Gone | Healing::Rewritten => claim.replaced(),
                    // A read that met the page just before it was healed may have told of it just after.
                    Healing::Clean => claim.settled(),
                    Healing::InPlace { .. } => claim.healed(),
                    Healing::Refused => claim.failed(),
                    Healing::Lost { pages, .. } => {
                        for run in pages.iter() {
                            let run = run.start.get()..run.end.get();
                            let _known = self.hints.record(tree, file, run, HintCause::Lost);
                        }
                        claim.failed();
                    }
                }
                Ok(Healed { tree, file, evidence, outcome })
            }
            Err(error) => {
                claim.failed();
                Err(error)
            }
        }
    }

    /// Writes one hinted table anew, if the strategy chooses one; the hint goes with the table.
    ///
    /// # Errors
    /// If the disk refuses, or it was stopped. Then its hint comes after those that failed less.
    pub fn heal_by_rewrite(
        &self,
        strategy: &EccHealCompaction,
        should_stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Healed>, Error> {
        let trees = self.all_trees();
        let planned = trees.keys().find_map(|&tree| self.plan_with(tree, strategy));
        let Some(compaction) = planned else { return Ok(None) };
        let (tree, file) = (compaction.job().tree, compaction.job().inputs[0].table.id);
        let hint = self.hints.snapshot().into_iter().find(|hint| (hint.tree, hint.file) == (tree, file));
        let pages = hint.into_iter().flat_map(|hint| hint.pages);
        let end = compaction.job().inputs[0].table.descriptor.geometry().total_pages();
        let pages = pages.flat_map(|(first, count)| first..first.saturating_add(count).min(end));
        let pages: PageRanges = pages.map(PageNo::new).collect();
        match self.run_compaction(compaction, &Alone, should_stop) {
            Ok(compacted) => {
                let outcome = if compacted.damaged == 0 {
                    Healing::Rewritten
                } else {
                    Healing::Lost { pages, healed: 0 }
                };
                Ok(Some(Healed { tree, file, evidence: Evidence::default(), outcome }))
            }
            Err(error) => {
                if let Some(claim) = self.hints.claim(tree, file) {
                    claim.failed();
                }
                Err(error)
            }
        }
    }

    fn heal_file(
        &self,
        tree: TreeId,
        file: FileId,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(Evidence, Healing), Error> {
        if tree == TreeId::STORE {
            return Ok((Evidence::default(), self.heal_manifest()?));
        }
        // Held until it is healed, so that the file stays.
        let Some(StoredTable { table, .. }) = self.table(tree, file) else {
            return Ok((Evidence::default(), Healing::Gone));
        };
        let Some(mut examiner) = self.examiner(&table)? else {
            let all = 0..table.descriptor.geometry().total_pages();
            let pages: PageRanges = all.map(PageNo::new).collect();
            let evidence = Evidence { lost: pages.page_count(), ..Evidence::default() };
            return Ok((evidence, Healing::Lost { pages, healed: 0 }));
        };
        let path = table_path(&self.read.dir, table.id);
        let mut patching = Patching { store: self, path: &path, target: None };
        let done = heal_pages(&mut examiner, &mut patching, should_stop);
        patching.end();
        done
    }

    /// Mends a copy of a table at `path`; what is lost to both is told and stays lost.
    pub(super) fn heal_copy(&self, path: &Path, table: &TableMeta) -> Result<(), Error> {
        let file = self.options.fs.open(path, Access::ReadOnly)?;
        let older = OlderPages::new(self.read.repair_source.clone(), &table.descriptor);
        let mut examiner = Examiner::of(file, &table.descriptor, older);
        let mut patching = Patching { store: self, path, target: None };
        let done = heal_pages(&mut examiner, &mut patching, &|| false);
        patching.end();
        match done?.1 {
            Healing::Lost { pages, .. } => log::error!("{}: pages {pages} are lost here too", path.display()),
            Healing::Refused => {
                let cause = io::Error::other("it does not show what was written to it");
                return Err(IoError::new(Op::Copy, path, cause).into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a new generation of the manifest, twice, so that the one to fall back on is new as well.
    fn heal_manifest(&self) -> Result<Healing, Error> {
        self.keeper.roll()?;
        self.keeper.roll()?;
        Ok(Healing::Rewritten)
    }

    /// Says in the manifest that a hint is no more, if it knows of it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn forget_hint(&self, tree: TreeId, file: FileId) -> Result<(), Error> {
        if !self.keeper.catalog().hints.contains_key(&(tree, file)) {
            return Ok(());
        }
        self.record(&Edit::new().and(Change::Healed { tree, file }), &[])
    }

    /// That tables which were just written read as they were made, from the medium.
    pub(super) fn check_made(&self, tree: TreeId, tables: &[Arc<TableMeta>]) -> Result<(), Error> {
        for table in tables {
            let gone = || crate::loss::TableLoss::whole(tree, table);
            let mut examiner = self.examiner(table)?.ok_or_else(gone)?;
            for stretch in stretches(examiner.pages()) {
                if !examiner.examine(stretch).patches.is_empty() {
                    return Err(gone().into());
                }
            }
        }
        Ok(())
    }
}

fn stretches(pages: u64) -> impl Iterator<Item = Range<u64>> {
    (0..pages).step_by(STRETCH_PAGES as usize).map(move |at| at..(at + STRETCH_PAGES).min(pages))
}

/// Looks at every page of a file and writes those that are wrong.
fn heal_pages(
    examiner: &mut Examiner,
    patching: &mut Patching<'_>,
    should_stop: &dyn Fn() -> bool,
) -> Result<(Evidence, Healing), Error> {
    let (mut evidence, mut lost, mut healed) = (Evidence::default(), PageRanges::default(), 0);
    for stretch in stretches(examiner.pages()) {
        if should_stop() {
            return Err(Error::Closed);
        }
        let examination = examiner.examine(stretch);
        examination.findings.iter().for_each(|finding| evidence.count(finding.rung));
        let gone = examination.findings.iter().filter(|finding| finding.rung == Rung::Lost);
        gone.for_each(|finding| lost.push(finding.page));
        if !patching.write(&examination.patches)? {
            return Ok((evidence, Healing::Refused));
        }
        healed += examination.patches.len() as u64;
    }
    let outcome = match (lost.is_empty(), healed) {
        (false, _) => Healing::Lost { pages: lost, healed },
        (true, 0) => {
            patching.settle()?;
            Healing::Clean
        }
        (true, pages) => Healing::InPlace { pages },
    };
    Ok((evidence, outcome))
}

/// A file that pages are written to, opened at the first.
struct Patching<'a> {
    store: &'a Store,
    path: &'a Path,
    target: Option<Arc<Target>>,
}

impl Patching<'_> {
    /// Writes patches, makes them durable and reads them back from the medium; false if it does not show them.
    fn write(&mut self, patches: &[Patch]) -> Result<bool, Error> {
        if patches.is_empty() {
            return Ok(true);
        }
        let target = self.target()?;
        let epoch = patches.iter().fold(Epoch::new(), |epoch, patch| {
            epoch.write(&target, FileOffset::new(patch.page.offset()), patch.bytes.to_vec())
        });
        self.store.worker.commit(Lane::Bulk, epoch).map_err(Error::NotDurable)?;
        Ok(patches.iter().all(|patch| shows(&**target.file(), patch).unwrap_or(false)))
    }

    /// Makes durable what reads right by now: a heal that was cut short may have written it and not come to its sync.
    fn settle(&mut self) -> Result<(), Error> {
        let target = self.target()?;
        let synced = self.store.worker.commit(Lane::Bulk, Epoch::new().sync(&target));
        synced.map(drop).map_err(Error::NotDurable)
    }

    fn target(&mut self) -> Result<Arc<Target>, Error> {
        if let Some(target) = &self.target {
            return Ok(target.clone());
        }
        let target = Target::open(self.store.read.fs.clone(), self.path)?;
        Ok(self.target.insert(target).clone())
    }

    fn end(self) {
        if let Some(target) = self.target {
            // Whatever was not synced is only what was wrong before.
            target.retire();
        }
    }
}

fn shows(file: &dyn File, patch: &Patch) -> Result<bool, IoError> {
    let mut page = [0; PAGE_LEN];
    let read = file.read_medium_at(FileOffset::new(patch.page.offset()), &mut page)?;
    Ok(read.len == PAGE_LEN && page == *patch.bytes)
}
