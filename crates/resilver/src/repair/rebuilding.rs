//! A manifest made anew: what is no table of the store goes into quarantine, then the new one is written.
//!
//! **Invariants**: nothing is removed. Until the new manifest is durable there is none, and whoever comes again finds
//! the same tables, and in quarantine what tells of them. Tables that live are not touched.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_core::{Catalog, LogSeen, Manifest, Rebuild, RebuildGround, TreeId, is_manifest_file};
use lsm_io::{EpochWorker, Fs, IoError, Limits};

use super::{
    log::{self, Counted, IsOwn, Logs},
    names::{Names, RightNames},
    report::{LogFate, ManifestState, RepairReport, RepairedKeyspace, SetAside, WhyAside, WhyRebuilt},
};
use crate::{
    Error, LostKeys, Options, Progress, db::DEFAULT_KEYSPACE, opening::random, system::SYSTEM_KEYSPACE,
};

/// Where files go that do not count.
const QUARANTINE: &str = "quarantine";

/// A manifest that is to be made anew.
pub(super) struct Rebuilding {
    rebuild: Rebuild,
    logs: Logs,
    counted: Counted,
    aside: Vec<PathBuf>,
    /// Files that bear each other's names, and what shows them under their own.
    names: Option<(Names, Arc<RightNames>)>,
}

/// What a manifest is made anew of.
pub(super) fn ground(path: &Path, options: &Options, logs: Vec<LogSeen>) -> RebuildGround {
    RebuildGround {
        fs: options.fs.clone(),
        dir: path.into(),
        orders: options.orders.clone(),
        repair_source: options.repair_source.clone(),
        logs,
        // The first keyspace of every store.
        well_known: vec![(TreeId::new(1), DEFAULT_KEYSPACE.into())],
    }
}

impl Rebuilding {
    /// Finds what a manifest can be made of, and says so in the report. Nothing is written.
    pub(super) fn survey(
        path: &Path,
        options: &Options,
        why: WhyRebuilt,
        report: &mut RepairReport,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let found = Self::find(path, options, watch)?;
        report.manifest = ManifestState::Rebuilt { why };
        let listed = options.fs.list(path)?;
        let Some(names) = Names::of(&found.rebuild, &found.logs, &listed) else {
            return found.tell(path, options, report);
        };
        report.renamed = names.told();
        let shown = Arc::new(RightNames::new(&options.fs, path, &names));
        let options = Options { fs: shown.clone(), ..options.clone() };
        let found = Self { names: Some((names, shown)), ..Self::find(path, &options, watch)? };
        found.tell(path, &options, report)
    }

    fn find(path: &Path, options: &Options, watch: &mut dyn FnMut(Progress)) -> Result<Self, Error> {
        let logs = log::look(&options.fs, path)?;
        let ground = ground(path, options, logs.stores());
        let mut tell = |bytes_done, bytes_total| watch(Progress { bytes_done, bytes_total });
        let mut rebuild = Rebuild::survey(&ground, &mut tell)?;
        let counted = logs.count(path, options, &rebuild)?;
        for (tree, is_own) in &counted.trees {
            let own = (*is_own == IsOwn::Maybe).then(|| SYSTEM_KEYSPACE.into());
            rebuild.add_tree(*tree, own);
        }
        rebuild.ensure_tree(&DEFAULT_KEYSPACE.into());
        rebuild.set_segments(counted.segments.iter().copied());
        Ok(Self { aside: Vec::new(), names: None, rebuild, logs, counted })
    }

    fn tell(mut self, path: &Path, options: &Options, report: &mut RepairReport) -> Result<Self, Error> {
        let catalog = self.rebuild.catalog();
        let made_up: Vec<_> = self.rebuild.made_up().collect();
        let users = catalog.trees.iter().filter(|(_, state)| &*state.name != SYSTEM_KEYSPACE);
        report.keyspaces = users
            .map(|(tree, state)| RepairedKeyspace {
                name: state.name.clone(),
                is_made_up: made_up.contains(tree),
                tables: state.version.tables().count(),
                entries: state.version.tables().map(|(_, _, table)| table.entries).sum(),
                flushed: state.flushed.get(),
            })
            .collect();
        let names = catalog.trees.iter().map(|(tree, state)| (*tree, state.name.clone()));
        let names: std::collections::BTreeMap<_, _> = names.collect();
        for loss in self.rebuild.losses() {
            if let Some(name) = names.get(&loss.tree).filter(|name| &***name != SYSTEM_KEYSPACE) {
                report.losses.push(LostKeys::of(name, loss.clone()));
            }
        }
        let mut aside = Vec::new();
        for table in self.rebuild.tables().iter().filter(|table| !table.fate.is_living()) {
            aside.push((table.path.clone(), WhyAside::Table(table.fate)));
        }
        for part in self.counted.parts.iter().filter(|part| part.fate != LogFate::Replayed) {
            aside.push((path.join(&*part.file), WhyAside::Log));
        }
        for entry in options.fs.list(path)?.iter().filter(|entry| is_manifest_file(&entry.name)) {
            aside.push((path.join(&entry.name), WhyAside::OldManifest));
        }
        for (file, why) in aside {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            report.set_aside.push(SetAside { file: (*name).into(), why });
            self.aside.push(file);
        }
        report.log = self.counted.parts.clone();
        report.log_losses = self.counted.losses.clone();
        Ok(self)
    }

    /// What the new manifest will say.
    pub(super) const fn catalog(&self) -> &Catalog {
        self.rebuild.catalog()
    }

    /// Puts names right, puts aside what does not count, and writes the new manifest.
    pub(super) fn run(mut self, path: &Path, options: &Options) -> Result<(), Error> {
        let worker = Arc::new(EpochWorker::start(Limits::default())?);
        let fresh = random()?;
        let uids = std::cell::RefCell::new(vec![fresh]);
        let new_uid = || uids.borrow_mut().pop().or_else(|| random().ok()).unwrap_or(fresh);
        if let Some((names, shown)) = &self.names {
            // A manifest that could still be read would not know the names that files have meanwhile.
            let is_of_manifest =
                |file: &PathBuf| file.file_name().is_some_and(|name| is_manifest_file(name.as_ref()));
            let (manifest, others) =
                std::mem::take(&mut self.aside).into_iter().partition::<Vec<_>, _>(is_of_manifest);
            set_aside(&options.fs, path, &manifest)?;
            self.aside = others;
            names.put_right(&options.fs, path)?;
            shown.end();
        }
        self.rebuild.write_doubts(&new_uid)?;
        set_aside(&options.fs, path, &self.aside)?;
        let catalog = self.rebuild.catalog().clone();
        Manifest::create_from(&options.fs, path, &worker, &options.orders, catalog, random()?)?;
        Ok(())
    }
}

/// Moves files into quarantine: tables and segments under their own names, an old manifest into a directory of its own.
pub(super) fn set_aside(fs: &Arc<dyn Fs>, store: &Path, files: &[PathBuf]) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    let quarantine = store.join(QUARANTINE);
    make_dir(fs, &quarantine, store)?;
    for file in files {
        let name = Path::new(file.file_name().unwrap_or_default());
        let dir = free_dir(fs, &quarantine, name)?;
        fs.rename(file, &dir.join(name))?;
        fs.sync_dir(&dir)?;
    }
    Ok(fs.sync_dir(store)?)
}

/// Where in quarantine nothing bears this name yet.
fn free_dir(fs: &Arc<dyn Fs>, quarantine: &Path, name: &Path) -> Result<PathBuf, Error> {
    if !is_manifest_file(name) && !is_there(fs, quarantine, name)? {
        return Ok(quarantine.into());
    }
    for number in 1_u64.. {
        let dir = quarantine.join(format!("repair-{number}"));
        make_dir(fs, &dir, quarantine)?;
        if !is_there(fs, &dir, name)? {
            return Ok(dir);
        }
    }
    unreachable!("no directory holds 2^64 others")
}

fn is_there(fs: &Arc<dyn Fs>, dir: &Path, name: &Path) -> Result<bool, IoError> {
    Ok(fs.list(dir)?.iter().any(|entry| Path::new(&entry.name) == name))
}

fn make_dir(fs: &Arc<dyn Fs>, dir: &Path, parent: &Path) -> Result<(), IoError> {
    match fs.create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| fs.sync_dir(parent)),
    }
}
