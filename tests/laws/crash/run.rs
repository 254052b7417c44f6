//! A store that lives through a history, with a ledger of what it promised.

use std::{path::PathBuf, sync::Arc};

use lsm_io::{Crash, Fs, MemFs};
use parking_lot::Mutex;
use resilver::Creation;
use resilver_tests::{
    Action, Dump, Ledger, Model, Setup, Subject, Value, WatchedFs, Write, WriteKind, dump_of,
};

use super::court::{Court, Depth};

const STORE: &str = "/store";

/// A store that lives through a history.
pub(super) struct Run {
    setup: Setup,
    disk: MemFs,
    fs: Arc<dyn Fs>,
    ledger: Arc<Mutex<Ledger>>,
    copies: Copies,
    subject: Option<Subject>,
}

/// The checkpoints of a run; clones are the same ones.
#[derive(Clone, Default)]
pub(super) struct Copies(Arc<Mutex<Vec<Made>>>);

#[derive(Clone)]
struct Made {
    path: PathBuf,
    model: Model,
    is_acked: bool,
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Run {
    pub(super) fn new(court: &Arc<Court>) -> Self {
        Self::on(court, Ledger::default(), MemFs::new(), Some(Depth::Life))
    }

    /// On what a crash left, and crashed again itself if it `nests`.
    pub(super) fn after_crash(court: &Arc<Court>, ledger: Ledger, disk: &MemFs, nests: bool) -> Self {
        Self::on(court, ledger, disk.fork(), nests.then_some(Depth::Recovery))
    }

    fn on(court: &Arc<Court>, ledger: Ledger, disk: MemFs, depth: Option<Depth>) -> Self {
        let (ledger, copies) = (Arc::new(Mutex::new(ledger)), Copies::default());
        let watch = depth.map(|depth| court.watch(ledger.clone(), copies.clone(), depth));
        let fs: Arc<dyn Fs> = match watch {
            Some(watch) => Arc::new(WatchedFs::new(disk.clone(), watch)),
            None => Arc::new(disk.clone()),
        };
        Self { setup: court.setup.clone(), disk, fs, ledger, copies, subject: None }
    }

    /// Opens what is there; it must be what the ledger allows, and durable from then on.
    pub(super) fn open(&mut self) -> Result<(), String> {
        let creation = if self.ledger.lock().is_there { Creation::Never } else { Creation::IfMissing };
        let opened = Subject::open(self.fs.clone(), &self.setup, STORE.as_ref(), creation);
        let subject = opened.map_err(|error| format!("opening is refused: {}", told(&error)))?;
        let found = dump(&subject)?;
        self.ledger.lock().settle(&found)?;
        self.subject = Some(subject);
        Ok(())
    }

    fn subject(&self) -> &Subject {
        self.subject.as_ref().unwrap()
    }

    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Write { writes, synced } => self.write(writes, *synced),
            Action::Drop(keyspace) => self.drop_keyspace(*keyspace),
            Action::Flush => self.durably(|subject| subject.db.flush()),
            Action::Compact => self.durably(|subject| subject.db.compact()),
            Action::Sync => self.durably(|subject| subject.db.sync()),
            Action::Reopen => {
                self.close()?;
                self.open()
            }
            Action::Checkpoint => self.checkpoint(),
            _ => Ok(()),
        }
    }

    fn durably(&self, act: impl FnOnce(&Subject) -> Result<(), resilver::Error>) -> Result<(), String> {
        act(self.subject()).map_err(|error| told(&error))?;
        self.ledger.lock().ack_sync();
        Ok(())
    }

    fn write(&self, writes: &[Write], synced: bool) -> Result<(), String> {
        let subject = self.subject();
        for write in writes {
            let mut next = self.ledger.lock().now.clone();
            if next.spaces[write.keyspace].is_some() {
                continue;
            }
            next.create(write.keyspace);
            self.ledger.lock().begin_spaces(next);
            subject.keyspace(write.keyspace).map_err(|error| told(&error))?;
            self.ledger.lock().ack_spaces();
        }
        let mut next = self.ledger.lock().now.clone();
        let mut legal = Vec::new();
        for write in writes {
            let write = Write { kind: next.legal(write), ..write.clone() };
            next.apply(&write);
            legal.push(write);
        }
        self.ledger.lock().begin_batch(next);
        subject.write(&legal, synced).map_err(|error| told(&error))?;
        // Nothing is logged of an empty batch, so it syncs nothing.
        self.ledger.lock().ack_batch(synced && !legal.is_empty());
        Ok(())
    }

    fn drop_keyspace(&self, keyspace: usize) -> Result<(), String> {
        let mut next = self.ledger.lock().now.clone();
        if next.spaces[keyspace].is_none() {
            return Ok(());
        }
        next.drop(keyspace);
        let there = self.subject().keyspace(keyspace).map_err(|error| told(&error))?;
        self.ledger.lock().begin_spaces(next);
        self.subject().db.drop_keyspace(&there).map_err(|error| told(&error))?;
        self.ledger.lock().ack_spaces();
        Ok(())
    }

    fn checkpoint(&self) -> Result<(), String> {
        let model = self.ledger.lock().now.clone();
        let at = self.copies.0.lock().len();
        let path = PathBuf::from(format!("/copy-{at}"));
        self.copies.0.lock().push(Made { path: path.clone(), model, is_acked: false });
        self.durably(|subject| subject.db.checkpoint(&path))?;
        self.copies.0.lock()[at].is_acked = true;
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(subject) = self.subject.take() else { return Ok(()) };
        subject.db.close().map_err(|error| format!("closing: {}", told(&error)))?;
        self.ledger.lock().ack_sync();
        Ok(())
    }

    /// What a store must do after a recovery: show what it showed, last, take writes, work, close and open.
    pub(super) fn go_on(&mut self) -> Result<(), String> {
        let cut = self.disk.crash(Crash::LoseUnsynced);
        let again = Subject::open(Arc::new(cut), &self.setup, STORE.as_ref(), Creation::Never);
        let again = again.map_err(|error| format!("after a second power cut: {}", told(&error)))?;
        let mut shown = self.ledger.lock().clone();
        shown.settle(&dump(&again)?).map_err(|error| format!("what was shown did not last: {error}"))?;
        drop(again);
        let put = |keyspace, key: &str| Write {
            keyspace,
            key: key.into(),
            kind: WriteKind::Put(Value::new(77, 1500)),
        };
        self.write(&[put(0, "after"), put(1, "after")], false)?;
        self.act(&Action::Flush)?;
        self.write(&[put(1, "later"), put(0, "key/001")], true)?;
        self.act(&Action::Compact)?;
        self.write(&[put(0, "at last")], false)?;
        self.end()
    }

    /// Agrees, closes, opens and agrees again.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let expected = dump_of(&self.ledger.lock().now);
        if dump(self.subject())? != expected {
            return Err("it does not hold what was written".into());
        }
        self.close()?;
        self.open()?;
        self.close()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A refused step leaves it open; the judge has said what there is to say.
        drop(self.subject.take());
    }
}

fn dump(subject: &Subject) -> Result<Dump, String> {
    subject.dump().map_err(|error| format!("reading: {}", told(&error)))
}

impl Copies {
    /// The checkpoints there are by now, apart from those to come.
    pub(super) fn as_of_now(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().clone())))
    }

    /// Whether each checkpoint is whole, or not there if it was not acknowledged.
    pub(super) fn judge(&self, court: &Court, disk: &MemFs) -> Result<(), String> {
        let copies = self.0.lock().clone();
        // Older ones were judged when they were the newest.
        if let Some(made) = copies.last() {
            let opened = Subject::open(Arc::new(disk.fork()), &court.setup, &made.path, Creation::Never);
            match opened {
                Ok(subject) if dump(&subject)? == dump_of(&made.model) => {}
                Ok(_) => return Err(format!("the checkpoint {} is another", made.path.display())),
                Err(error) if made.is_acked => {
                    return Err(format!("a checkpoint is refused: {}", told(&error)));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}
