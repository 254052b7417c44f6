//! Random histories against a plain model: point reads, scans both ways, snapshots, walks held open across
//! everything, reopening, checkpoints, readers beside the writer.

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use bytes::Bytes;
use lsm_io::MemFs;
use resilver::{Background, Creation, Db, Items, Keyspace, Scan, Snapshot};
use resilver_tests::{
    Action, Counts, History, Keys, Model, NAMES, Setup, Subject, Walk, Watchdog, Write,
    budget::{self, Budget},
    history, setup,
};

const STORE: &str = "/store";

/// A store and the model it must agree with.
struct Pair {
    fs: Arc<MemFs>,
    setup: Setup,
    subject: Option<Subject>,
    model: Model,
    held: Vec<(Snapshot, Model)>,
    walks: VecDeque<Held>,
    checkpoints: usize,
}

/// A walk under way, and what it must still show.
struct Held {
    walk: Walk,
    items: Items,
    rest: VecDeque<(Vec<u8>, Bytes)>,
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let mut pair = Self {
            fs: Arc::new(MemFs::new()),
            setup,
            subject: None,
            model: Model::default(),
            held: Vec::new(),
            walks: VecDeque::new(),
            checkpoints: 0,
        };
        pair.open();
        pair
    }

    fn open(&mut self) {
        let opened = Subject::open(self.fs.clone(), &self.setup, STORE.as_ref(), Creation::IfMissing);
        self.subject = Some(opened.unwrap());
    }

    fn subject(&self) -> &Subject {
        self.subject.as_ref().unwrap()
    }

    fn db(&self) -> &Db {
        &self.subject().db
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Write { writes, synced } => self.write(writes, *synced),
            Action::Drop(keyspace) => self.drop_keyspace(*keyspace),
            Action::Snapshot => self.held.push((self.db().snapshot(), self.model.clone())),
            Action::Release => {
                if !self.held.is_empty() {
                    self.held.remove(0);
                }
            }
            Action::Walk(walk) => self.walk(walk),
            Action::Arrive => self.walks.pop_front().into_iter().for_each(|mut held| held.go(usize::MAX)),
            Action::Flush => self.db().flush().unwrap(),
            Action::Compact => self.db().compact().unwrap(),
            Action::Sync => self.db().sync().unwrap(),
            Action::Reopen => {
                self.held.clear();
                self.walks.clear();
                self.subject.take().unwrap().db.close().unwrap();
                self.open();
            }
            Action::Checkpoint => self.checkpoint(),
            Action::Check => {
                agree(self.db(), None, &self.model);
                for (snapshot, model) in &self.held {
                    agree(self.db(), Some(snapshot), model);
                }
            }
            Action::Peek => {
                let reader = Db::open_read_only(STORE, self.setup.options(self.fs.clone())).unwrap();
                agree(&reader, None, &self.model);
            }
        }
    }

    fn write(&mut self, writes: &[Write], synced: bool) {
        let mut legal = Vec::new();
        for write in writes {
            self.model.create(write.keyspace);
            let write = Write { kind: self.model.legal(write), ..write.clone() };
            self.model.apply(&write);
            legal.push(write);
        }
        if synced {
            self.subject().write(&legal, true).unwrap();
        } else {
            let batch = self.subject().batch(&legal).unwrap();
            self.db().write(&batch).unwrap();
        }
    }

    fn drop_keyspace(&mut self, at: usize) {
        if self.model.spaces[at].is_none() {
            return;
        }
        // Snapshots and walks of before would still be right, but the keyspace answers nobody any more.
        self.held.clear();
        self.walks.retain(|held| held.walk.keyspace != at);
        let keyspace = self.subject().keyspace(at).unwrap();
        self.db().drop_keyspace(&keyspace).unwrap();
        self.model.drop(at);
    }

    fn walk(&mut self, walk: &Walk) {
        if self.model.spaces[walk.keyspace].is_none() {
            return;
        }
        let items = self.subject().keyspace(walk.keyspace).unwrap().scan(scan_of(walk)).unwrap();
        let mut held =
            Held { items, rest: expected(walk, &self.model.keys(walk.keyspace)), walk: walk.clone() };
        held.go(walk.steps);
        self.walks.push_back(held);
    }

    /// A checkpoint, opened, and a checkpoint of that.
    fn checkpoint(&mut self) {
        self.checkpoints += 1;
        let first = PathBuf::from(format!("/checkpoint-{}", self.checkpoints));
        let second = PathBuf::from(format!("/checkpoint-{}-again", self.checkpoints));
        self.db().checkpoint(&first).unwrap();
        let copy = self.setup.options(self.fs.clone()).creation(Creation::Never).open(&first).unwrap();
        agree(&copy, None, &self.model);
        copy.put(b"only in the copy", b"").unwrap();
        copy.delete(b"only in the copy").unwrap();
        copy.checkpoint_copied(&second).unwrap();
        copy.close().unwrap();
        let reader = Db::open_read_only(&second, self.setup.options(self.fs.clone())).unwrap();
        agree(&reader, None, &self.model);
    }

    fn end(mut self) {
        self.act(&Action::Check);
        self.walks.drain(..).for_each(|mut held| held.go(usize::MAX));
        self.act(&Action::Reopen);
        self.act(&Action::Check);
    }
}

impl Held {
    #[track_caller]
    fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            let shown = self.items.next().map(|item| item.unwrap());
            let shown = shown.map(|(key, value)| (key.to_vec(), value));
            assert_eq!(shown, self.rest.pop_front(), "{:?}", self.walk);
            if shown.is_none() {
                return;
            }
        }
    }
}

fn scan_of(walk: &Walk) -> Scan {
    let mut scan = Scan::all();
    match &walk.lower {
        Some((key, Counts::Inside)) => scan = scan.from(key.clone()),
        Some((key, Counts::Outside)) => scan = scan.after(key.clone()),
        None => {}
    }
    match &walk.upper {
        Some((key, Counts::Inside)) => scan = scan.through(key.clone()),
        Some((key, Counts::Outside)) => scan = scan.to(key.clone()),
        None => {}
    }
    if walk.reverse {
        scan = scan.reverse();
    }
    if walk.keys_only { scan.keys_only() } else { scan }
}

fn expected(walk: &Walk, keys: &Keys) -> VecDeque<(Vec<u8>, Bytes)> {
    let is_behind = |key: &Vec<u8>| match &walk.lower {
        Some((lower, Counts::Inside)) => key >= lower,
        Some((lower, Counts::Outside)) => key > lower,
        None => true,
    };
    let is_before = |key: &Vec<u8>| match &walk.upper {
        Some((upper, Counts::Inside)) => key <= upper,
        Some((upper, Counts::Outside)) => key < upper,
        None => true,
    };
    let within = keys.iter().filter(|(key, _)| is_behind(key) && is_before(key));
    let shown = |value: &Bytes| if walk.keys_only { Bytes::new() } else { value.clone() };
    let shown = within.map(|(key, value)| (key.clone(), shown(value)));
    if walk.reverse { shown.rev().collect() } else { shown.collect() }
}

/// Everything that can be asked agrees.
#[track_caller]
fn agree(db: &Db, snapshot: Option<&Snapshot>, model: &Model) {
    for (at, name) in NAMES.into_iter().enumerate() {
        let there = db.keyspaces().iter().any(|there| **there == *name);
        if model.spaces[at].is_none() {
            // A snapshot of before it was made finds it empty.
            assert!(!there || snapshot.is_some(), "{name} is there");
            continue;
        }
        assert!(there, "{name} is not there");
        let keys = model.keys(at);
        agree_keyspace(&db.keyspace(name).unwrap(), snapshot, &keys);
    }
}

#[track_caller]
fn agree_keyspace(keyspace: &Keyspace, snapshot: Option<&Snapshot>, keys: &Keys) {
    let scan = |scan: Scan| -> Vec<_> {
        let scan = snapshot.map_or(scan.clone(), |snapshot| scan.at(snapshot));
        let items = keyspace.scan(scan).unwrap();
        items.map(|item| item.map(|(key, value)| (key.to_vec(), value)).unwrap()).collect()
    };
    let all: Vec<_> = keys.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    assert_eq!(scan(Scan::all()), all, "forward");
    let mut back = scan(Scan::all().reverse());
    back.reverse();
    assert_eq!(back, all, "back");
    let bare = scan(Scan::all().keys_only());
    assert!(bare.iter().map(|(key, _)| key).eq(keys.keys()), "keys alone");
    let prefixed = all.iter().filter(|(key, _)| key.starts_with(b"key/0"));
    assert_eq!(scan(Scan::prefix("key/0")), prefixed.cloned().collect::<Vec<_>>(), "prefix");
    let number = |number: usize| format!("key/{:02}/{}", number / 7, number % 7).into_bytes();
    for key in keys.keys().cloned().chain((0..60).map(number)) {
        let value = match snapshot {
            Some(snapshot) => keyspace.get_at(snapshot, &key).unwrap(),
            None => keyspace.get(&key).unwrap(),
        };
        assert_eq!(value.as_ref(), keys.get(&key), "{key:?}");
    }
}

fn check(setup: Setup, history: &History) {
    let watchdog = Watchdog::over(format!("{setup:?} {history:?}"));
    let mut pair = Pair::new(setup);
    for action in history {
        watchdog.pat();
        pair.act(action);
    }
    pair.end();
}

/// By night as many histories as there is time for, but `by_minute` for each minute in any case: 10 000 of both
/// kinds together in ten minutes.
fn judge(background: Background, by_day: u32, by_minute: u64) {
    let (budget, least) = (Budget::of(90), budget::least(by_minute));
    let count = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(budget::cases(by_day));
    let outcome = runner.run(&(setup(background), history(80)), |(setup, history)| {
        if budget.lasts() || count.get() < least {
            check(setup, &history);
            count.set(count.get() + 1);
        }
        Ok(())
    });
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{background:?}: {} histories", count.get());
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_store_agrees_with_its_model() {
    judge(Background::Inline, 256, 500);
}

#[test]
fn a_store_that_works_in_the_background_agrees_with_its_model() {
    judge(Background::Threads, 32, 500);
}
