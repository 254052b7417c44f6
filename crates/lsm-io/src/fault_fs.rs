//! A file system that breaks another one by a seeded plan.
//!
//! Two kinds of fault, both values: a [`Mishap`] befalls an operation (it fails, is lost, goes astray), and
//! [`Damage`] lies on bytes at rest and is seen by whoever reads them. Damage is laid over what the inner
//! file system holds, so it follows a file through renames and links and needs nothing of the inner one.
//!
//! **Invariant**: the same plan over the same operations does the same things.

mod damage;
mod file;
mod plan;
mod trace;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use self::{damage::Overlay, file::FaultFile, plan::PlanState, trace::Trace};
pub use self::{
    damage::{Damage, Lasts, Reach, Rot},
    plan::{FaultPlan, Mishap, Ops, Trigger},
    trace::{Fate, Traced},
};
use crate::{Access, ByteLen, Copied, DirEntry, File, FileOffset, Fs, IoError, LockGuard, Op};

/// Breaks another file system by a plan; clones are the same one.
///
/// ```
/// use std::sync::Arc;
/// use lsm_io::{FaultFs, FaultPlan, Fs, MemFs, Mishap, Op, Trigger};
/// let plan = FaultPlan::new(7).mishap(Trigger::nth(Op::Sync, 2), Mishap::Fail(std::io::ErrorKind::Other));
/// let fs = FaultFs::new(Arc::new(MemFs::new()), plan);
/// let file = fs.create("/a".as_ref())?;
/// assert!(file.sync().is_ok());
/// assert!(file.sync().is_err());
/// assert!(file.sync().is_ok());
/// assert_eq!(fs.trace().len(), 4);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultFs {
    inner: Arc<dyn Fs>,
    state: Arc<Mutex<State>>,
}

/// Guarded by the one lock of a [`FaultFs`]; the inner file system's own locks come after it.
#[derive(Debug)]
struct State {
    plan: PlanState,
    trace: Trace,
    /// Which file each name stands for, as far as this file system has seen.
    names: BTreeMap<PathBuf, FileNo>,
    files: Vec<Overlay>,
    /// Files whose syncs no longer happen.
    forgetful: BTreeSet<FileNo>,
}

/// Which file; an index into [`State::files`], never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileNo(usize);

impl FaultFs {
    /// Breaks `inner` by `plan`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use lsm_io::{FaultFs, FaultPlan, MemFs};
    /// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    /// assert!(fs.trace().is_empty());
    /// ```
    #[must_use]
    pub fn new(inner: Arc<dyn Fs>, plan: FaultPlan) -> Self {
        let state = State {
            plan: PlanState::new(plan),
            trace: Trace::default(),
            names: BTreeMap::new(),
            files: Vec::new(),
            forgetful: BTreeSet::new(),
        };
        Self { inner, state: Arc::new(Mutex::new(state)) }
    }

    /// Adds to the plan: from now on `mishap` befalls what `trigger` names.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{FaultFs, FaultPlan, Fs, MemFs, Mishap, Op, Trigger};
    /// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    /// fs.arm(Trigger::nth(Op::Create, 1), Mishap::Fail(std::io::ErrorKind::Other));
    /// assert!(fs.create("/a".as_ref()).is_err());
    /// ```
    pub fn arm(&self, trigger: Trigger, mishap: Mishap) {
        self.state.lock().plan.arm(trigger, mishap);
    }

    /// Forgets every mishap of the plan and gives unlimited room; damage stays.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{ByteLen, FaultFs, FaultPlan, Fs, MemFs};
    /// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0).room(ByteLen::ZERO));
    /// let file = fs.create("/a".as_ref())?;
    /// assert!(file.append(b"x").is_err());
    /// fs.calm();
    /// assert!(file.append(b"x").is_ok());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    pub fn calm(&self) {
        self.state.lock().plan.calm();
    }

    /// From now on files grow by `room` bytes in all, then there is no space, until it is [calm](Self::calm).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{ByteLen, FaultFs, FaultPlan, Fs, MemFs};
    /// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    /// let file = fs.create("/a".as_ref())?;
    /// fs.limit(ByteLen::new(1));
    /// assert!(file.append(b"x").is_ok());
    /// assert!(file.append(b"x").is_err());
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    pub fn limit(&self, room: ByteLen) {
        self.state.lock().plan.limit(room);
    }

    /// Lays damage on a file that exists.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
    /// let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    /// let file = fs.create("/a".as_ref())?;
    /// file.append(b"abcd")?;
    /// fs.damage("/a".as_ref(), Damage::new(FileOffset::new(1), ByteLen::new(2), Rot::Zero))?;
    /// assert_eq!(file.read_to_vec(FileOffset::ZERO, 4)?, b"a\0\0d");
    /// file.write_at(FileOffset::new(1), b"BC")?;
    /// assert_eq!(file.read_to_vec(FileOffset::ZERO, 4)?, b"aBCd");
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be opened, or not be read where the damage must remember what was there.
    pub fn damage(&self, path: &Path, damage: Damage) -> Result<(), IoError> {
        let inner = self.inner.open(path, Access::ReadOnly)?;
        let mut state = self.state.lock();
        let no = state.file_no(path);
        let seed = state.plan.next_seed();
        state.files[no.0].lay(damage, seed, inner.as_ref())
    }

    /// What passed through, in order; of a long run only the last 65,536 operations.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use lsm_io::{FaultFs, FaultPlan, Fs, MemFs, Op};
    /// # let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
    /// fs.create("/a".as_ref())?;
    /// assert_eq!(fs.trace()[0].op, Op::Create);
    /// # Ok::<(), lsm_io::IoError>(())
    /// ```
    #[must_use]
    pub fn trace(&self) -> Vec<Traced> {
        self.state.lock().trace.entries()
    }

    /// Asks the plan what befalls an operation, notes it, and waits if it says so.
    fn judge(&self, op: Op, path: &Path, span: Option<(FileOffset, ByteLen)>) -> Option<Mishap> {
        let mishap = {
            let mut state = self.state.lock();
            let mishap = state.plan.judge(op, path);
            state.trace.note(op, path, span, mishap);
            mishap
        };
        if let Some(Mishap::Delay(delay)) = mishap {
            std::thread::sleep(delay);
        }
        mishap
    }

    /// Runs an operation that either happens or not.
    fn whole<T>(&self, op: Op, path: &Path, act: impl FnOnce() -> Result<T, IoError>) -> Result<T, IoError> {
        match self.judge(op, path, None) {
            Some(Mishap::Fail(kind)) => Err(IoError::new(op, path, kind.into())),
            Some(Mishap::FailDone(kind)) => {
                act()?;
                Err(IoError::new(op, path, kind.into()))
            }
            _ => act(),
        }
    }

    fn file(&self, path: &Path, inner: Arc<dyn File>) -> Result<Arc<dyn File>, IoError> {
        let mut state = self.state.lock();
        let no = state.file_no(path);
        for damage in state.plan.damage_due(path) {
            let seed = state.plan.next_seed();
            state.files[no.0].lay(damage, seed, inner.as_ref())?;
        }
        Ok(Arc::new(FaultFile { fs: self.clone(), path: path.into(), no, inner }))
    }
}

impl State {
    fn file_no(&mut self, path: &Path) -> FileNo {
        if let Some(no) = self.names.get(path) {
            return *no;
        }
        let no = FileNo(self.files.len());
        self.files.push(Overlay::default());
        self.names.insert(path.into(), no);
        no
    }

    fn is_readable(&mut self, path: &Path) -> bool {
        let no = self.file_no(path);
        self.files[no.0].is_readable()
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let moved: Vec<_> = self.names.keys().filter(|name| name.starts_with(from)).cloned().collect();
        for old in moved {
            if let (Some(no), Ok(rest)) = (self.names.remove(&old), old.strip_prefix(from)) {
                let new = if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) };
                self.names.insert(new, no);
            }
        }
    }
}

impl Fs for FaultFs {
    fn create(&self, path: &Path) -> Result<Arc<dyn File>, IoError> {
        let inner = self.whole(Op::Create, path, || self.inner.create(path))?;
        self.file(path, inner)
    }

    fn open(&self, path: &Path, access: Access) -> Result<Arc<dyn File>, IoError> {
        let inner = self.whole(Op::Open, path, || self.inner.open(path, access))?;
        self.file(path, inner)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.whole(Op::Rename, from, || {
            self.inner.rename(from, to)?;
            self.state.lock().rename(from, to);
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.whole(Op::Link, to, || {
            self.inner.link(from, to)?;
            let mut state = self.state.lock();
            let no = state.file_no(from);
            state.names.insert(to.into(), no);
            Ok(())
        })
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Copied, IoError> {
        self.whole(Op::Copy, to, || {
            let is_readable = self.state.lock().is_readable(from);
            if !is_readable {
                return Err(IoError::new(Op::Copy, from, std::io::ErrorKind::Other.into()));
            }
            let copied = self.inner.copy(from, to)?;
            let mut state = self.state.lock();
            let (source, twin) = (state.file_no(from), state.file_no(to));
            state.files[twin.0] = state.files[source.0].clone();
            Ok(copied)
        })
    }

    fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.whole(Op::Remove, path, || {
            self.inner.remove(path)?;
            self.state.lock().names.remove(path);
            Ok(())
        })
    }

    fn create_dir(&self, path: &Path) -> Result<(), IoError> {
        self.whole(Op::CreateDir, path, || self.inner.create_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), IoError> {
        self.whole(Op::RemoveDir, path, || self.inner.remove_dir(path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<DirEntry>, IoError> {
        self.whole(Op::List, dir, || self.inner.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), IoError> {
        match self.judge(Op::SyncDir, dir, None) {
            Some(Mishap::Fail(kind) | Mishap::FailAndForget(kind)) => {
                Err(IoError::new(Op::SyncDir, dir, kind.into()))
            }
            Some(Mishap::LostSync) => Ok(()),
            _ => self.inner.sync_dir(dir),
        }
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, IoError> {
        self.whole(Op::Lock, path, || self.inner.lock(path))
    }

    fn free_space(&self, dir: &Path) -> Result<ByteLen, IoError> {
        let room = self.state.lock().plan.room_left();
        self.whole(Op::FreeSpace, dir, || Ok(self.inner.free_space(dir)?.min(room)))
    }
}
