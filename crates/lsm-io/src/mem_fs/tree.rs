//! The names of a file system in memory: as they are, and the changes that are not durable yet.
//!
//! **Invariant**: applying `pending` in order to the durable names gives the live ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io::{self, ErrorKind},
    path::{Component, Path},
};

use super::InodeNo;
use crate::{DirEntry, EntryKind, Rng};

/// Which directory; an index into a name table, never used twice. The root is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DirNo(usize);

const ROOT: DirNo = DirNo(0);

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(InodeNo),
    Dir(DirNo),
}

/// The names of each directory.
#[derive(Clone, Debug)]
struct Names(Vec<BTreeMap<OsString, Node>>);

/// One step that a crash keeps or loses as a whole: what some names stand for afterwards.
#[derive(Clone, Debug)]
struct Step(Vec<(DirNo, OsString, Option<Node>)>);

#[derive(Clone, Debug)]
pub(super) struct Tree {
    live: Names,
    durable: Names,
    pending: Vec<Step>,
}

impl Default for Tree {
    fn default() -> Self {
        let empty = Names(vec![BTreeMap::new()]);
        Self { live: empty.clone(), durable: empty, pending: Vec::new() }
    }
}

impl Tree {
    pub(super) fn file(&self, path: &Path) -> io::Result<InodeNo> {
        match self.live.node(path)? {
            Node::File(inode) => Ok(inode),
            Node::Dir(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn add_file(&mut self, path: &Path, inode: InodeNo) -> io::Result<()> {
        let (dir, name) = self.live.free_name(path)?;
        self.step(vec![(dir, name, Some(Node::File(inode)))]);
        Ok(())
    }

    pub(super) fn add_dir(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.live.free_name(path)?;
        let new = DirNo(self.live.0.len());
        self.live.0.push(BTreeMap::new());
        self.durable.0.push(BTreeMap::new());
        self.step(vec![(dir, name, Some(Node::Dir(new)))]);
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        let (dir, name) = self.live.parent(path)?;
        self.step(vec![(dir, name, None)]);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let Node::Dir(gone) = self.live.node(path)? else { return Err(ErrorKind::NotADirectory.into()) };
        if !self.live.0[gone.0].is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let (dir, name) = self.live.parent(path)?;
        self.step(vec![(dir, name, None)]);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.live.node(from)?;
        let (from_dir, from_name) = self.live.parent(from)?;
        let (to_dir, to_name) = self.live.parent(to)?;
        match (node, self.live.0[to_dir.0].get(&to_name)) {
            (_, Some(there)) if *there == node => return Ok(()),
            (Node::File(_), Some(Node::Dir(_))) => return Err(ErrorKind::IsADirectory.into()),
            (Node::Dir(_), Some(Node::File(_))) => return Err(ErrorKind::NotADirectory.into()),
            (Node::Dir(_), Some(Node::Dir(there))) if !self.live.0[there.0].is_empty() => {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            (Node::Dir(_), _) if to.starts_with(from) => return Err(ErrorKind::InvalidInput.into()),
            _ => {}
        }
        self.step(vec![(from_dir, from_name, None), (to_dir, to_name, Some(node))]);
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.live.dir(path)?;
        let entry = |(name, node): (&OsString, &Node)| {
            let kind = if matches!(node, Node::Dir(_)) { EntryKind::Dir } else { EntryKind::File };
            DirEntry { name: name.into(), kind }
        };
        Ok(self.live.0[dir.0].iter().map(entry).collect())
    }

    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        // A step across directories takes along what came before it in either, so that order is kept.
        let mut dirs = BTreeSet::from([self.live.dir(path)?]);
        let mut due = vec![false; self.pending.len()];
        for (due, step) in due.iter_mut().zip(&self.pending).rev() {
            *due = step.touches(&dirs);
            if *due {
                dirs.extend(step.0.iter().map(|(dir, _, _)| *dir));
            }
        }
        let mut due = due.into_iter();
        for step in self.pending.extract_if(.., |_| due.next() == Some(true)) {
            self.durable.apply(&step);
        }
        Ok(())
    }

    /// The files that have a name, or had one that a crash may bring back.
    pub(super) fn inodes(&self) -> BTreeSet<usize> {
        let named = self.live.0.iter().chain(&self.durable.0).flat_map(BTreeMap::values);
        let steps = self.pending.iter().flat_map(|step| &step.0).filter_map(|(_, _, node)| node.as_ref());
        let file = |node: &Node| match node {
            Node::File(inode) => Some(inode.0),
            Node::Dir(_) => None,
        };
        named.chain(steps).filter_map(file).collect()
    }

    fn step(&mut self, changes: Vec<(DirNo, OsString, Option<Node>)>) {
        let step = Step(changes);
        self.live.apply(&step);
        self.pending.push(step);
    }

    /// The tree after a power cut that keeps none of the pending steps, or those that `rng` picks.
    pub(super) fn left(&self, rng: Option<&mut Rng>) -> Self {
        let mut names = self.durable.clone();
        if let Some(rng) = rng {
            for step in self.pending.iter().filter(|_| rng.chance(1, 2)) {
                names.apply(step);
            }
        }
        Self { live: names.clone(), durable: names, pending: Vec::new() }
    }
}

impl Step {
    fn touches(&self, dirs: &BTreeSet<DirNo>) -> bool {
        self.0.iter().any(|(dir, _, _)| dirs.contains(dir))
    }
}

impl Names {
    fn apply(&mut self, step: &Step) {
        for (dir, name, node) in &step.0 {
            match node {
                Some(node) => self.0[dir.0].insert(name.clone(), *node),
                None => self.0[dir.0].remove(name),
            };
        }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let mut at = Node::Dir(ROOT);
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Node::Dir(dir) = at else { return Err(ErrorKind::NotADirectory.into()) };
            at = *self.0[dir.0].get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn dir(&self, path: &Path) -> io::Result<DirNo> {
        match self.node(path)? {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory a path lies in, and its last part.
    fn parent(&self, path: &Path) -> io::Result<(DirNo, OsString)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.dir(path.parent().ok_or(ErrorKind::InvalidInput)?)?, name.into()))
    }

    /// Like `parent`, for a name that must not be taken.
    fn free_name(&self, path: &Path) -> io::Result<(DirNo, OsString)> {
        let (dir, name) = self.parent(path)?;
        if self.0[dir.0].contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        Ok((dir, name))
    }
}
