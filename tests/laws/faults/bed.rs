//! A store on a disk that fails, and what may be in it after each error.

use std::{path::PathBuf, sync::Arc};

use lsm_io::{ByteLen, Crash, FaultFs, FaultPlan, Fs, MemFs};
use resilver::{Creation, Error};
use resilver_tests::{Action, Dump, KEYSPACES, Model, Setup, Subject, Value, Watchdog, Write, WriteKind};

const STORE: &str = "/store";

/// A store on a disk that fails.
pub(super) struct Bed {
    setup: Setup,
    watchdog: Watchdog,
    disk: MemFs,
    pub(super) faults: FaultFs,
    subject: Option<Subject>,
    /// What is there after each batch that was acknowledged.
    states: Vec<Model>,
    /// What may be there instead of the last, because of batches that failed behind it.
    others: Vec<Model>,
    /// Up to which of the states everything is durable.
    synced: usize,
    /// Keyspaces of which nobody knows whether they are there.
    unsure: [bool; KEYSPACES],
    copies: Vec<(PathBuf, Model, bool)>,
    errors: Vec<String>,
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Bed {
    pub(super) fn new(setup: Setup, watchdog: Watchdog) -> Self {
        let disk = MemFs::new();
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(1));
        Self {
            setup,
            watchdog,
            disk,
            faults,
            subject: None,
            states: vec![Model::default()],
            others: Vec::new(),
            synced: 0,
            unsure: [false; KEYSPACES],
            copies: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(super) fn limit(&self, room: ByteLen) {
        self.faults.limit(room);
    }

    /// Goes through a history whatever fails; what was read without an error must be right.
    pub(super) fn live(&mut self, history: &[Action]) -> Result<(), String> {
        for action in history {
            self.watchdog.pat();
            if self.subject.is_none() && !self.open()? {
                continue;
            }
            self.act(action)?;
            self.look()?;
        }
        Ok(())
    }

    fn now(&self) -> &Model {
        &self.states[self.states.len() - 1]
    }

    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.errors.push(told(&error))).ok()
    }

    /// Whether it opened; what is there then must be what may be.
    fn open(&mut self) -> Result<bool, String> {
        let fs: Arc<dyn Fs> = Arc::new(self.faults.clone());
        let opened = Subject::open(fs, &self.setup, STORE.as_ref(), Creation::IfMissing);
        let Some(subject) = self.note(opened) else { return Ok(false) };
        let dumped = subject.dump();
        let Some(found) = self.note(dumped) else {
            // Not to be read now; it is looked at when the disk is calm.
            return Ok(false);
        };
        self.settle(&found, self.states.len() - 1)?;
        self.subject = Some(subject);
        Ok(true)
    }

    /// What was found must be a state from `first` on, or what failed writes may have made of the last one.
    fn settle(&mut self, found: &Dump, first: usize) -> Result<(), String> {
        let spaces = self.now().clone();
        let legal = self.states[first..].iter().chain(&self.others);
        let Some(mut fitting) = legal.rev().find(|model| self.fits(model, &spaces, found)).cloned() else {
            let shown: Vec<_> = found.iter().map(|keys| keys.as_ref().map(|keys| keys.len())).collect();
            let (states, others) = (self.states.len() - first, self.others.len());
            return Err(format!(
                "{shown:?} keys are none of {states} states or {others} others, spaces {:?}, unsure {:?}; \
                 errors so far: {:#?}",
                spaces.spaces, self.unsure, self.errors
            ));
        };
        fitting.spaces = spaces.spaces;
        let contents = fitting.contents.clone();
        fitting.restore(spaces.spaces, &contents);
        for (at, keys) in found.iter().enumerate() {
            match keys {
                Some(_) => fitting.create(at),
                None => fitting.drop(at),
            }
        }
        (self.states, self.others, self.synced) = (vec![fitting], Vec::new(), 0);
        self.unsure = [false; KEYSPACES];
        Ok(())
    }

    fn fits(&self, model: &Model, now: &Model, found: &Dump) -> bool {
        (0..KEYSPACES).all(|at| match (now.spaces[at], &found[at]) {
            (None, None) => true,
            (None, Some(keys)) => self.unsure[at] && keys.is_empty(),
            (Some(_), None) => self.unsure[at],
            (Some(life), Some(keys)) => {
                model.contents.get(&life).map_or(keys.is_empty(), |held| **held == *keys)
            }
        })
    }

    /// What the open store shows is what was acknowledged, and nothing of what failed.
    fn look(&mut self) -> Result<(), String> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let dumped = subject.dump();
        let Some(found) = self.note(dumped) else { return Ok(()) };
        let now = self.now();
        if self.fits(now, now, &found) {
            return Ok(());
        }
        Err(format!("the open store does not show what was acknowledged; errors so far: {:#?}", self.errors))
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let Some(subject) = &self.subject else { return Ok(()) };
        match action {
            Action::Write { writes, synced } => return self.write(writes, *synced),
            Action::Drop(at) => self.drop_keyspace(*at),
            Action::Flush => self.synced_if(subject.db.flush()),
            Action::Compact => self.synced_if(subject.db.compact()),
            Action::Sync => self.synced_if(subject.db.sync()),
            Action::Checkpoint => {
                let path = PathBuf::from(format!("/copy-{}", self.copies.len()));
                let done = subject.db.checkpoint(&path);
                self.copies.push((path, self.now().clone(), done.is_ok()));
                self.synced_if(done);
            }
            Action::Reopen => {
                self.close();
                self.open()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn synced_if(&mut self, done: Result<(), Error>) {
        if self.note(done).is_some() {
            self.synced = self.states.len() - 1;
        }
    }

    fn close(&mut self) {
        if let Some(subject) = self.subject.take() {
            let closed = subject.db.close();
            self.synced_if(closed);
        }
    }

    fn write(&mut self, writes: &[Write], synced: bool) -> Result<(), String> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let mut next = self.now().clone();
        let mut failed = Vec::new();
        for at in writes.iter().map(|write| write.keyspace) {
            if next.spaces[at].is_none() {
                match subject.keyspace(at) {
                    Ok(_) => {
                        next.create(at);
                        self.unsure[at] = false;
                    }
                    Err(error) => {
                        failed.push(told(&error));
                        self.unsure[at] = true;
                    }
                }
            }
        }
        // Keyspaces are there whatever becomes of the batch.
        let last = self.states.len() - 1;
        self.states[last] = next.clone();
        self.others.iter_mut().for_each(|other| {
            (0..KEYSPACES).for_each(|at| {
                if next.spaces[at].is_some() {
                    other.create(at);
                }
            });
        });
        if !failed.is_empty() {
            self.errors.extend(failed);
            return Ok(());
        }
        // What failed may be there after all, so nobody knows how often a key was put.
        let plain = |write: &Write| match write.kind {
            WriteKind::SingleDelete => Write { kind: WriteKind::Delete, ..write.clone() },
            _ => write.clone(),
        };
        let writes: Vec<_> = writes.iter().map(plain).collect();
        let done = subject.write(&writes, synced);
        let applied = |model: &Model| {
            let mut model = model.clone();
            writes.iter().for_each(|write| model.apply(write));
            model
        };
        if self.note(done).is_some() {
            if !writes.is_empty() {
                self.states.push(applied(&next));
                self.others.clear();
                if synced {
                    self.synced = self.states.len() - 1;
                }
            }
        } else {
            let before = self.others.iter().take(32).chain(std::iter::once(&next));
            let after: Vec<_> = before.map(applied).collect();
            self.others.extend(after);
        }
        Ok(())
    }

    fn drop_keyspace(&mut self, at: usize) {
        let Some(subject) = self.subject.as_ref().filter(|_| self.now().spaces[at].is_some()) else { return };
        let dropped = subject.keyspace(at).and_then(|keyspace| subject.db.drop_keyspace(&keyspace));
        let is_gone = !subject.has(at);
        self.note(dropped);
        if is_gone {
            let mut next = self.now().clone();
            next.drop(at);
            self.states.push(next);
            self.others.iter_mut().for_each(|other| other.drop(at));
        } else {
            self.unsure[at] = true;
        }
    }

    /// Fills the disk until writes are refused; reads go on.
    pub(super) fn fill(&mut self) -> Result<(), String> {
        for round in 0..400 {
            self.watchdog.pat();
            let before = self.errors.len();
            let kind = WriteKind::Put(Value::new(round, 9000));
            self.live(&[Action::Write {
                writes: vec![Write { keyspace: 0, key: format!("fill/{}", round % 8).into(), kind }],
                synced: false,
            }])?;
            if self.errors.len() > before {
                let Some(subject) = &self.subject else { return Ok(()) };
                return subject
                    .dump()
                    .map(drop)
                    .map_err(|error| format!("reads do not go on: {}", told(&error)));
            }
        }
        Err("a full disk refuses nothing".into())
    }

    /// With room again, the same store takes writes again.
    pub(super) fn resume(&mut self) -> Result<(), String> {
        self.faults.calm();
        self.errors.clear();
        let write = Write { keyspace: 0, key: b"resumed".to_vec(), kind: WriteKind::Put(Value::new(3, 100)) };
        for _ in 0..100 {
            let errors = self.errors.len();
            self.live(&[Action::Write { writes: vec![write.clone()], synced: true }])?;
            if self.errors.len() == errors {
                return Ok(());
            }
            // Threads try again a little later.
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Err(format!("with room again, writes are still refused: {:#?}", self.errors))
    }

    /// Once the disk is calm: the store goes on, and what a power cut or a close leaves is what it promised.
    pub(super) fn recover(&mut self) -> Result<(), String> {
        self.faults.calm();
        self.judge_cut()?;
        let put =
            |key: &str| Write { keyspace: 0, key: key.into(), kind: WriteKind::Put(Value::new(5, 700)) };
        let tail = [
            Action::Write { writes: vec![put("calm/1")], synced: false },
            Action::Flush,
            Action::Write { writes: vec![put("calm/2")], synced: true },
        ];
        self.live(&tail)?;
        self.judge_cut()?;
        self.close();
        self.errors.clear();
        if !self.open()? {
            return Err(format!("a calm disk, and the store does not open: {:#?}", self.errors));
        }
        self.live(&tail)?;
        self.live(&[Action::Compact, Action::Reopen])?;
        if !self.errors.is_empty() || self.subject.is_none() {
            return Err(format!("a calm disk, opened anew, and still errors: {:#?}", self.errors));
        }
        self.judge_copies()
    }

    /// What a power cut would leave now.
    fn judge_cut(&mut self) -> Result<(), String> {
        let left = Arc::new(self.disk.crash(Crash::LoseUnsynced));
        let opened = Subject::open(left, &self.setup, STORE.as_ref(), Creation::IfMissing);
        let subject = opened.map_err(|error| {
            format!("after a power cut it is refused: {}; errors before: {:#?}", told(&error), self.errors)
        })?;
        let found = subject.dump().map_err(|error| told(&error))?;
        let kept = (self.states.clone(), self.others.clone(), self.synced, self.unsure);
        let settled = self.settle(&found, self.synced);
        (self.states, self.others, self.synced, self.unsure) = kept;
        settled.map_err(|error| format!("after a power cut: {error}"))
    }

    fn judge_copies(&self) -> Result<(), String> {
        for (path, model, is_acked) in &self.copies {
            let opened = Subject::open(Arc::new(self.disk.fork()), &self.setup, path, Creation::Never);
            match opened {
                Ok(subject) => {
                    let found = subject.dump().map_err(|error| told(&error))?;
                    if !self.fits(model, model, &found) {
                        return Err(format!("the checkpoint {} is another", path.display()));
                    }
                }
                Err(error) if *is_acked => return Err(format!("a checkpoint is refused: {}", told(&error))),
                Err(_) => {}
            }
        }
        Ok(())
    }
}
