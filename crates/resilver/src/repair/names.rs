//! Files of a store that bear each other's names: tables and segments are what they say they are.
//!
//! **Invariants**: until names are [put right](Names::put_right) they are only [shown](RightNames) so. No file is ever
//! without the name of a table or a segment, so whoever comes after a crash finds each of them again; and none takes
//! the name of another that is still there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lsm_core::{FileId, Rebuild, parse_table, table_name};
use lsm_io::{Access, ByteLen, Copied, DirEntry, File, Fs, IoError, LockGuard};
use lsm_wal::SegmentNo;

use super::{log::Logs, report::Renamed};

/// Which files of a store get other names.
pub(super) struct Names {
    /// From the name that a file has to the one it gets; a file that stands in the way gets a name that is free.
    moves: BTreeMap<PathBuf, PathBuf>,
    /// Names that nothing has.
    free: Vec<PathBuf>,
}

impl Names {
    /// The names that the files of a store should have, if any has another.
    pub(super) fn of(rebuild: &Rebuild, logs: &Logs, listed: &[DirEntry]) -> Option<Self> {
        let tables =
            rebuild.misnamed().iter().map(|(at, own)| (table_name(*at).into(), table_name(*own).into()));
        let segments = logs.misnamed(rebuild.catalog().store).into_iter();
        let segments = segments.map(|(at, own)| (at.file_name().into(), own.file_name().into()));
        let mut moves: BTreeMap<PathBuf, PathBuf> = tables.chain(segments).collect();
        if moves.is_empty() {
            return None;
        }
        let there: BTreeSet<&Path> = listed.iter().map(|entry| &*entry.name).collect();
        let all = || there.iter().copied().chain(moves.values().map(|to| &**to));
        let mut next_table = all().filter_map(parse_table).max().unwrap_or(FileId::new(0)).next();
        let segments = all().filter_map(SegmentNo::of_file).map(SegmentNo::get);
        let mut next_segment = segments.max().unwrap_or(0).saturating_add(1);
        let mut free_like = |name: &Path| -> PathBuf {
            if parse_table(name).is_some() {
                let free = table_name(next_table);
                next_table = next_table.next();
                return free.into();
            }
            let free = SegmentNo::new(next_segment).file_name();
            next_segment = next_segment.saturating_add(1);
            free.into()
        };
        let in_the_way = moves.values().filter(|to| there.contains(&***to) && !moves.contains_key(*to));
        let in_the_way: Vec<_> = in_the_way.map(|to| (to.clone(), free_like(to))).collect();
        moves.extend(in_the_way);
        let free = moves.keys().map(|from| free_like(from)).collect();
        Some(Self { moves, free })
    }

    /// What is told of it.
    pub(super) fn told(&self) -> Vec<Renamed> {
        let shown = |name: &Path| name.to_string_lossy().into();
        self.moves.iter().map(|(from, to)| Renamed { from: shown(from), to: shown(to) }).collect()
    }

    /// Gives each file its name: first one that nothing has, for another may still bear its own.
    pub(super) fn put_right(&self, fs: &Arc<dyn Fs>, dir: &Path) -> Result<(), IoError> {
        for (from, free) in self.moves.keys().zip(&self.free) {
            fs.rename(&dir.join(from), &dir.join(free))?;
        }
        fs.sync_dir(dir)?;
        for (free, to) in self.free.iter().zip(self.moves.values()) {
            fs.rename(&dir.join(free), &dir.join(to))?;
        }
        fs.sync_dir(dir)
    }
}

/// A file system that shows the files of a directory under their right names, until they have them.
#[derive(Debug)]
pub(super) struct RightNames {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    /// From the name that is shown to the one that a file has.
    had: BTreeMap<PathBuf, PathBuf>,
    /// From that to the one that is shown.
    shown: BTreeMap<PathBuf, PathBuf>,
    are_right: AtomicBool,
}

impl RightNames {
    pub(super) fn new(fs: &Arc<dyn Fs>, dir: &Path, names: &Names) -> Self {
        let had = names.moves.iter().map(|(from, to)| (dir.join(to), dir.join(from))).collect();
        let (shown, are_right) = (names.moves.clone(), AtomicBool::new(false));
        Self { fs: fs.clone(), dir: dir.into(), had, shown, are_right }
    }

    /// The files have their names from now on.
    pub(super) fn end(&self) {
        self.are_right.store(true, Ordering::Release);
    }

    fn had<'a>(&'a self, path: &'a Path) -> &'a Path {
        let had = self.had.get(path).filter(|_| !self.are_right.load(Ordering::Acquire));
        had.map_or(path, |had| had)
    }
}

impl Fs for RightNames {
    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        self.fs.open(self.had(path), access)
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        let mut listed = self.fs.list(dir)?;
        if dir == self.dir && !self.are_right.load(Ordering::Acquire) {
            for entry in &mut listed {
                if let Some(shown) = self.shown.get(&entry.name) {
                    entry.name.clone_from(shown);
                }
            }
            listed.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(listed)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        self.fs.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.fs.rename(self.had(from), to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.fs.link(self.had(from), to)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.fs.copy(self.had(from), to)
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.fs.remove(self.had(path))
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.fs.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.fs.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        self.fs.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.fs.lock(path)
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        self.fs.free_space(dir)
    }
}
