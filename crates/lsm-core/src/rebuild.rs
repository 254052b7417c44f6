//! A catalog made anew of tables alone, for a store whose manifest is gone.
//!
//! Tables are found by their names, believed by their digests, told apart by their pedigrees, and put where no older
//! version ends above a newer one. **Invariants**: nothing is written but loss markers, and those only when
//! [asked for](Rebuild::write_doubts); a table that may have been replaced is not named again; a key of which nobody can
//! tell the newest version is in doubt, and never answered by an older one.
//!
//! What becomes of files that are not named, of the log, and of the old manifest, is left to the caller.

mod fates;
mod found;
mod order;
mod outdated;
mod places;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{ByteLen, FileOffset, Fs};
use page_ecc::Uid;
use sst_format::{RangeEntry, SeqNo, TableOptions, TableWriter};

pub use self::{
    fates::TableFate,
    outdated::{GoneFiles, is_outdated},
};
use self::{
    fates::{Identity, Witnessed},
    found::{Found, Look},
};
use crate::{
    Catalog, Error, FileId, KeyOrders, KnownLoss, Level, ManifestError, Place, RepairSource, RunNo,
    SegmentRef, TableMeta, TreeId, TreeState, Version,
    key_span::Span,
    loss::TableLoss,
    manifest::relics::Relics,
    names::{parse_table, table_path},
    pedigree::{Birth, Census, Kin, Living, MadeBy, Share},
    reader::ReadEnv,
    store::quarantine::QUARANTINE,
};

/// Where a catalog is to be made anew.
#[derive(Clone, Debug)]
pub struct RebuildGround {
    /// Where the files are.
    pub fs: Arc<dyn Fs>,
    /// The store's directory.
    pub dir: PathBuf,
    /// The orders of keys that are known.
    pub orders: KeyOrders,
    /// Who has older copies of files.
    pub repair_source: Option<Arc<dyn RepairSource>>,
    /// The logs that stand beside the tables.
    pub logs: Vec<LogSeen>,
    /// What trees are called that nothing else names.
    pub well_known: Vec<(TreeId, Arc<str>)>,
}

/// A log that stands beside tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSeen {
    /// The store it is of.
    pub store: Uid,
    /// The first sequence number in it.
    pub first: SeqNo,
}

/// A file that bears the name of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTable {
    /// Where it is.
    pub path: PathBuf,
    /// What becomes of it.
    pub fate: TableFate,
    /// Its keyspace's tree, if it says.
    pub tree: Option<TreeId>,
}

/// A catalog made of tables.
///
/// ```
/// use std::sync::Arc;
/// use lsm_core::{KeyOrders, Rebuild, RebuildGround};
/// use lsm_io::{Fs, MemFs};
/// let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
/// fs.create_dir("/store".as_ref())?;
/// let (orders, repair_source) = (KeyOrders::default(), None);
/// let ground =
///     RebuildGround { fs, dir: "/store".into(), orders, repair_source, logs: vec![], well_known: vec![] };
/// assert!(Rebuild::survey(&ground, &mut |_, _| {}).is_err(), "nothing is there");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rebuild {
    ground: RebuildGround,
    catalog: Catalog,
    seen: Vec<SeenTable>,
    relics: Relics,
    /// Trees whose names nothing tells.
    made_up: BTreeSet<TreeId>,
    doubts: BTreeMap<TreeId, Vec<RangeEntry>>,
    lost: Vec<KnownLoss>,
    misnamed: Vec<(FileId, FileId)>,
    flushed_high: SeqNo,
}

impl Rebuild {
    /// Finds every table in a directory, in its quarantine for what they tell too, and makes a catalog of those that
    /// live. It reads all of them, saying how many bytes it is done with and how many there are, and writes nothing.
    ///
    /// # Errors
    /// [`ManifestError::NotAStore`] if no table and no log says which store this is. If a later release wrote a
    /// table, its comparator is not known, or the disk refuses.
    pub fn survey(ground: &RebuildGround, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, Error> {
        let env = found::read_env(ground, &ground.dir);
        let aside_env = found::read_env(ground, &ground.dir.join(QUARANTINE));
        let mut relics = Relics::default();
        relics.gather(&ground.fs, &ground.dir);
        for dir in dirs_in(&ground.fs, &aside_env.dir)? {
            relics.gather(&ground.fs, &dir);
        }
        let (here, mut seen) = look_at_all(ground, &env)?;
        let (aside, _) = look_at_all(ground, &aside_env)?;
        let all: Vec<_> = here.iter().map(|found| Witnessed { found, is_aside: false }).collect();
        let aside_too = aside.iter().map(|found| Witnessed { found, is_aside: true });
        let all: Vec<_> = all.into_iter().chain(aside_too).collect();
        let identity = identity(&all, &relics, &ground.logs)
            .ok_or_else(|| ManifestError::NotAStore { dir: ground.dir.clone() })?;
        let told: Vec<_> = fates::own(identity, &all).into_iter().map(|one| one.found).collect();
        told.iter().filter_map(|found| found.kin.as_ref()).for_each(|kin| learn(&mut relics, &kin.census));
        let fates = fates::fates(identity, &all, &relics);
        let flushed = fates::flushed(&told);
        let mut catalog = Catalog::new(identity.store);
        if identity.origin != identity.store {
            catalog.lineage.push(identity.origin);
        }
        let numbers = here.iter().chain(&aside).map(|found| found.meta.id);
        let numbers = numbers.chain(seen.iter().filter_map(|(path, _)| number_of(path)));
        catalog.next_file = numbers.max().map_or(FileId::new(1), FileId::next);
        for found in &here {
            let fate = fates.get(&found.meta.id).copied().unwrap_or(TableFate::Unreadable);
            seen.push((found.path.clone(), (fate, Some(found.pedigree.tree))));
        }
        let seen = seen.into_iter().map(|(path, (fate, tree))| SeenTable { path, fate, tree });
        let mut seen: Vec<_> = seen.collect();
        seen.sort_by(|a, b| a.path.cmp(&b.path));
        let (ground, made_up, doubts) = (ground.clone(), BTreeSet::new(), BTreeMap::new());
        let lost = Vec::new();
        let misnamed = misnamed(&here, &fates);
        let flushed_high = flushed.values().copied().max().unwrap_or_default();
        let mut rebuild =
            Self { ground, catalog, seen, relics, made_up, doubts, lost, misnamed, flushed_high };
        let living = |found: &&Found| fates.get(&found.meta.id).is_some_and(|fate| fate.is_living());
        let mut trees = BTreeMap::<TreeId, Vec<&Found>>::new();
        for found in here.iter().filter(living) {
            trees.entry(found.pedigree.tree).or_default().push(found);
        }
        let total = trees.values().flatten().map(|found| found.meta.file_bytes()).sum();
        let mut done = 0;
        let mut read = |table: &TableMeta| {
            done += table.file_bytes();
            progress(done, total);
        };
        for (tree, tables) in trees {
            let upto = flushed.get(&tree).copied().unwrap_or_default();
            rebuild.add_tables(&env, tree, &tables, upto, &mut read)?;
        }
        rebuild.add_bare_trees(&flushed);
        rebuild.add_destroyed(|table, named| fates::tree_of(identity, &all, table, named));
        Ok(rebuild)
    }

    /// The catalog, of everything but the log.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Every file with the name of a table in the directory.
    #[must_use]
    pub fn tables(&self) -> &[SeenTable] {
        &self.seen
    }

    /// Tables of the store under numbers that are not theirs, while no file bears theirs and is right: where each
    /// stands, and where it belongs.
    #[must_use]
    pub fn misnamed(&self) -> &[(FileId, FileId)] {
        &self.misnamed
    }

    /// Keyspaces that were given a name, since nothing tells theirs.
    pub fn made_up(&self) -> impl Iterator<Item = TreeId> {
        self.made_up.iter().copied()
    }

    /// Everything that is in tables for certain, of all trees; what the log holds up to there is not needed.
    #[must_use]
    pub fn flushed_low(&self) -> SeqNo {
        self.catalog.trees.values().map(|state| state.flushed).min().unwrap_or_default()
    }

    /// The newest write that is in a table for certain, of any tree that there ever was.
    #[must_use]
    pub const fn flushed_high(&self) -> SeqNo {
        self.flushed_high
    }

    /// What of the tables' entries is lost, by tree and key.
    #[must_use]
    pub fn losses(&self) -> &[KnownLoss] {
        &self.lost
    }

    /// Segments of the log that the old manifest named, as far as it can be read.
    pub fn known_segments(&self) -> impl Iterator<Item = &SegmentRef> {
        self.relics.segments.values()
    }

    /// Whether a keyspace was dropped, as far as anything tells.
    #[must_use]
    pub fn is_dropped(&self, tree: TreeId) -> bool {
        self.relics.dropped.contains(&tree)
    }

    /// A keyspace that only the log tells of: it is there from now on, unless it was dropped. The `guess` is its name
    /// if nothing else tells.
    pub fn add_tree(&mut self, tree: TreeId, guess: Option<Arc<str>>) {
        if !self.catalog.trees.contains_key(&tree) && !self.relics.dropped.contains(&tree) {
            let is_named = self.relics.names.contains_key(&tree);
            let is_usual = self.ground.well_known.iter().any(|(known, _)| *known == tree);
            let guess = guess.filter(|_| !is_named && !is_usual);
            self.begin_tree(tree, guess, Version::default(), SeqNo::default());
        }
    }

    /// A keyspace of this name is there from now on.
    pub fn ensure_tree(&mut self, name: &Arc<str>) {
        if self.catalog.tree_named(name).is_none() {
            let tree = self.catalog.next_tree;
            self.begin_tree(tree, Some(name.clone()), Version::default(), SeqNo::default());
        }
    }

    /// Segments of the log that count.
    pub fn set_segments(&mut self, segments: impl IntoIterator<Item = SegmentRef>) {
        self.catalog.segments = segments.into_iter().map(|segment| (segment.number, segment)).collect();
    }

    /// Writes a table of loss markers for each tree where nobody can tell which of two tables is newer and something
    /// of one is lost. The catalog names it from then on.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_doubts(&mut self, new_uid: &dyn Fn() -> Uid) -> Result<(), Error> {
        for (tree, doubts) in std::mem::take(&mut self.doubts) {
            let Some(state) = self.catalog.trees.get(&tree).cloned() else { continue };
            let id = self.catalog.next_file;
            let table = self.write_markers(tree, &state, id, new_uid(), doubts)?;
            self.catalog.next_file = id.next();
            let runs = state.version.runs(Level::ZERO).iter().map(|run| run.no().get());
            let run = RunNo::new(runs.max().unwrap_or(0) + 1);
            let add = crate::TableChange::Add { level: Level::ZERO, run, table: Arc::new(table) };
            let version = Arc::new(state.version.with(&state.order, &[add])?);
            self.catalog.trees.insert(tree, TreeState { version, ..state });
        }
        Ok(self.ground.fs.sync_dir(&self.ground.dir)?)
    }

    fn write_markers(
        &self,
        tree: TreeId,
        state: &TreeState,
        id: FileId,
        uid: Uid,
        doubts: Vec<RangeEntry>,
    ) -> Result<TableMeta, Error> {
        let birth = Birth {
            origin: self.catalog.origin(),
            store: self.catalog.store,
            tree,
            place: Place { level: Level::ZERO, run: RunNo::new(0) },
            flushed: state.flushed,
            made_by: MadeBy::Merge,
            kin: Kin {
                keyspace: state.name.clone(),
                inputs: Vec::new(),
                gone: Vec::new(),
                census: Census::of(&self.catalog),
                living: Living::default(),
            },
        };
        let mut writer = TableWriter::new(uid, TableOptions::new().order(state.order.clone()))?;
        let mut concerned: Option<Span> = None;
        for doubt in doubts {
            if let Some(span) = Span::of_range(&state.order, &doubt)? {
                concerned = Some(concerned.map_or(span.clone(), |so_far| so_far.hull(&state.order, &span)));
                writer.add_range(doubt)?;
            }
        }
        writer.describe(&birth.pedigree(id, Share::default(), 0, id, true).encode(), &birth.kin.encode())?;
        let written = writer.finish()?;
        let path = table_path(&self.ground.dir, id);
        let file = self.ground.fs.create(&path)?;
        file.allocate(ByteLen::of(written.image.as_bytes()))?;
        file.write_at(FileOffset::ZERO, written.image.as_bytes())?;
        file.sync()?;
        let bounds = concerned.ok_or(Error::UnboundedRange)?.bounds();
        Ok(TableMeta::new(id, written.image.descriptor().clone(), bounds, &written.properties))
    }

    fn add_tables(
        &mut self,
        env: &Arc<ReadEnv>,
        tree: TreeId,
        tables: &[&Found],
        upto: SeqNo,
        read: &mut dyn FnMut(&TableMeta),
    ) -> Result<(), Error> {
        let ordered = order::order(env, tables, read)?;
        let Some(first) = tables.first() else { return Ok(()) };
        let placed = ordered.oldest_first.iter().map(|at| tables[*at]);
        let placed: Vec<_> = placed.map(|found| (found.pedigree.place.level, found.meta.clone())).collect();
        let version = places::place(&first.order, &placed)?;
        let name = tables.iter().rev().find_map(|found| Some(found.kin.as_ref()?.keyspace.clone()));
        self.begin_tree(tree, name, version, upto);
        if let Some(state) = self.catalog.trees.get_mut(&tree) {
            state.order = first.order.clone();
        }
        for loss in &ordered.lost {
            if let Some(found) = tables.iter().find(|found| found.meta.id == loss.table) {
                self.lost.push(KnownLoss::of(loss, &found.meta));
            }
        }
        let is_known = |doubt: &RangeEntry| tables.iter().any(|found| found.ranges.contains(doubt));
        let mut doubts: Vec<_> = ordered.in_doubt.iter().map(TableLoss::marker).collect();
        doubts.retain(|doubt| !is_known(doubt));
        doubts.dedup();
        if !doubts.is_empty() {
            self.doubts.insert(tree, doubts);
        }
        Ok(())
    }

    /// Doubts over everything that was in tables of which nothing can be read any more, or whose files hold something
    /// else, as far as anything tells that they lived.
    fn add_destroyed(&mut self, tree_of: impl Fn(FileId, Option<TreeId>) -> Option<TreeId>) {
        let destroyed = self.seen.iter().filter(|seen| !seen.fate.is_of_its_number());
        let numbers: Vec<_> = destroyed.filter_map(|seen| number_of(&seen.path)).collect();
        for id in numbers {
            let named = self.relics.tables.get(&id).cloned();
            let Some(tree) = tree_of(id, named.as_ref().map(|(tree, _)| *tree)) else { continue };
            let Some(state) = self.catalog.trees.get(&tree) else { continue };
            let bounds = named.map_or_else(found::everything, |(_, table)| table.bounds.clone());
            let loss = TableLoss::of_table(tree, id, &bounds, state.flushed);
            self.doubts.entry(tree).or_default().push(loss.marker());
            self.lost.push(KnownLoss::without_pages(&loss));
        }
    }

    /// Keyspaces without tables, as far as anything names them.
    fn add_bare_trees(&mut self, flushed: &BTreeMap<TreeId, SeqNo>) {
        for (tree, (name, order)) in self.relics.names.clone() {
            let is_there = self.catalog.trees.contains_key(&tree) || self.relics.dropped.contains(&tree);
            if is_there || self.catalog.tree_named(&name).is_some() {
                continue;
            }
            let upto = flushed.get(&tree).copied().unwrap_or_default();
            self.begin_tree(tree, Some(name), Version::default(), upto);
            if let (Some(order), Some(state)) =
                (self.ground.orders.find(&order), self.catalog.trees.get_mut(&tree))
            {
                state.order = order;
            }
        }
    }

    fn begin_tree(&mut self, tree: TreeId, name: Option<Arc<str>>, version: Version, flushed: SeqNo) {
        let known = || self.relics.names.get(&tree).map(|(name, _)| name.clone());
        let usual = || {
            let usual = self.ground.well_known.iter().find(|(known, _)| *known == tree);
            usual.map(|(_, name)| name.clone())
        };
        let is_free = |name: &Arc<str>| self.catalog.tree_named(name).is_none();
        let told = name.or_else(known).or_else(usual).filter(is_free);
        if told.is_none() {
            self.made_up.insert(tree);
        }
        let name = told.unwrap_or_else(|| format!("recovered-{tree}").into());
        let (order, version) = (sst_format::KeyOrder::Bytes, Arc::new(version));
        self.catalog.trees.insert(tree, TreeState { name, order, version, flushed });
        let next = TreeId::new(tree.get().saturating_add(1));
        self.catalog.next_tree = self.catalog.next_tree.max(next);
    }
}

/// What a table tells of the keyspaces there were: those that had begun before, and were not there, had been dropped.
fn learn(relics: &mut Relics, census: &Census) {
    let Some(trees) = &census.trees else { return };
    for (tree, name, order) in trees {
        relics.names.entry(*tree).or_insert_with(|| (name.clone(), order.clone()));
    }
    let is_there = |tree: TreeId| trees.iter().any(|(there, ..)| *there == tree);
    let begun = 1..census.next_tree.get();
    relics.dropped.extend(begun.map(TreeId::new).filter(|tree| !is_there(*tree)));
}

/// Own tables that stand under other numbers than theirs, where nothing stands under theirs that is right.
fn misnamed(here: &[Found], fates: &BTreeMap<FileId, TableFate>) -> Vec<(FileId, FileId)> {
    let fate = |found: &Found| fates.get(&found.meta.id);
    let right = here.iter().filter(|found| fate(found).is_some_and(|fate| fate.is_of_its_number()));
    let mut taken: BTreeSet<FileId> = right.map(|found| found.meta.id).collect();
    let astray = here.iter().filter(|found| fate(found) == Some(&TableFate::Misnamed));
    let astray = astray.filter(|found| taken.insert(found.pedigree.file));
    astray.map(|found| (found.meta.id, found.pedigree.file)).collect()
}

/// Who the store is: whom its log and most of its tables are of.
fn identity(all: &[Witnessed<'_>], relics: &Relics, logs: &[LogSeen]) -> Option<Identity> {
    let mut stores = BTreeMap::<[u8; 16], (usize, Identity, SeqNo)>::new();
    for one in all.iter().filter(|one| !one.is_aside) {
        let pedigree = &one.found.pedigree;
        let identity = Identity { origin: pedigree.origin, store: pedigree.store };
        let told = stores.entry(pedigree.store.to_bytes()).or_insert((0, identity, SeqNo::default()));
        told.0 += 1;
        told.2 = told.2.max(pedigree.flushed).max(one.found.meta.seq_high);
    }
    let newest = |of: &Identity| {
        let tables = all.iter().filter(|one| one.found.pedigree.store == of.store);
        tables.map(|one| one.found.pedigree.file).max()
    };
    let with_log = stores.values().filter(|(_, of, _)| logs.iter().any(|log| log.store == of.store));
    let told = with_log.max_by_key(|(count, ..)| *count);
    // A store that was made from another goes on with its numbers.
    let most = stores.values().max_by_key(|(count, ..)| *count);
    let family = most.map(|(_, of, _)| of.origin);
    let of_family = stores.values().filter(|(_, of, _)| Some(of.origin) == family);
    let best = told.or_else(|| of_family.max_by_key(|(_, of, _)| newest(of)));
    let Some((_, best, seq_high)) = best else {
        let log = logs.first()?;
        let origin = relics.stores.iter().next().copied().unwrap_or(log.store);
        let origin =
            if relics.stores.contains(&log.store) && relics.stores.len() == 1 { log.store } else { origin };
        return Some(Identity { origin, store: log.store });
    };
    let is_reborn = |log: &&LogSeen| {
        relics.stores.contains(&log.store) || log.first.get() == seq_high.get().saturating_add(1)
    };
    let reborn = logs.iter().find(is_reborn).filter(|_| told.is_none());
    Some(Identity { origin: best.origin, store: reborn.map_or(best.store, |log| log.store) })
}

type Unnamed = (PathBuf, (TableFate, Option<TreeId>));

/// Every table in a directory, and the files that bear the name of one and are none.
fn look_at_all(ground: &RebuildGround, env: &Arc<ReadEnv>) -> Result<(Vec<Found>, Vec<Unnamed>), Error> {
    let listed = match ground.fs.list(&env.dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed?,
    };
    let mut numbers: Vec<_> = listed.iter().filter_map(|entry| parse_table(&entry.name)).collect();
    numbers.sort();
    let (mut tables, mut others) = (Vec::new(), Vec::new());
    for id in numbers {
        let fate = match found::look(ground, env, id)? {
            Look::Table(found) => {
                tables.push(*found);
                continue;
            }
            Look::NoTable => TableFate::Unreadable,
            Look::NoPedigree => TableFate::Nameless,
        };
        others.push((table_path(&env.dir, id), (fate, None)));
    }
    Ok((tables, others))
}

fn number_of(path: &Path) -> Option<FileId> {
    parse_table(Path::new(path.file_name()?))
}

fn dirs_in(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let listed = match fs.list(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let dirs = listed.into_iter().filter(|entry| entry.kind == lsm_io::EntryKind::Dir);
    Ok(dirs.map(|entry| dir.join(entry.name)).collect())
}
