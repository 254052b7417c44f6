//! A store that lives a while, moments of its disk, and what may be answered at each.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, EntryKind, FileOffset, Fs, MemFs, Rng};
use parking_lot::Mutex;
use resilver::{Background, Db, Keyspace, Options, Repair, RepairReport, Scan, Scheme, Snapshot};
use resilver_tests::{Watch, WatchedFs};

pub(super) const STORE: &str = "/store";
const SPACES: [&str; 2] = ["default", "other"];
const KEYS: u64 = 120;

/// What a key of a keyspace holds; what was deleted is not there.
pub(super) type Truth = BTreeMap<(usize, Vec<u8>), Vec<u8>>;

/// A disk at some moment, and what a store on it may hold: one of these.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) what: String,
    pub(super) disk: MemFs,
    pub(super) truths: Vec<Truth>,
}

pub(super) fn options(fs: Arc<dyn Fs>) -> Options {
    let options = Options::new().fs(fs).background(Background::Inline).cache_bytes(64 << 10);
    let options = options.memtable_bytes(4 << 10).table_bytes(16 << 10).level_base_bytes(64 << 10);
    options.block_bytes(512).segment_bytes(256 << 10).protection(Scheme::LIGHT)
}

pub(super) fn repair(disk: &MemFs) -> Repair {
    Repair::new(STORE, options(Arc::new(disk.clone())))
}

/// Runs it, and once more, which must change nothing.
pub(super) fn repaired(disk: &MemFs, what: &str) -> RepairReport {
    let report = repair(disk).run().unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let bytes = bytes_of(disk);
    let again = repair(disk).run().unwrap_or_else(|error| panic!("{what}, again: {error:?}"));
    assert_eq!(again.outcome, resilver::RepairOutcome::Untouched, "{what}: {again:?}");
    assert!(bytes == bytes_of(disk), "{what}: a second repair changes something");
    report
}

/// Every file of the store, quarantine included.
pub(super) fn bytes_of(disk: &MemFs) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut dirs, mut bytes) = (vec![PathBuf::from(STORE)], BTreeMap::new());
    while let Some(dir) = dirs.pop() {
        for entry in disk.list(&dir).unwrap() {
            let path = dir.join(&entry.name);
            if entry.kind == EntryKind::Dir {
                dirs.push(path);
                continue;
            }
            let file = disk.open(&path, Access::ReadOnly).unwrap();
            let mut content = vec![0; usize::try_from(file.len().unwrap().get()).unwrap()];
            file.read_at(FileOffset::ZERO, &mut content).unwrap();
            bytes.insert(path, content);
        }
    }
    bytes
}

/// The files of the store whose names hold one of these words.
pub(super) fn files(disk: &MemFs, words: &[&str]) -> Vec<PathBuf> {
    let listed = disk.list(Path::new(STORE)).unwrap();
    let names = listed.into_iter().filter(|entry| entry.kind == EntryKind::File);
    let named = names.map(|entry| entry.name.to_str().unwrap().to_owned());
    let named = named.filter(|name| words.iter().any(|word| name.contains(word)));
    let mut paths: Vec<_> = named.map(|name| Path::new(STORE).join(name)).collect();
    paths.sort();
    paths
}

pub(super) fn lose_manifest(disk: &MemFs) {
    for file in files(disk, &["MANIFEST", "SNAPSHOT"]) {
        disk.remove(&file).unwrap();
    }
}

/// Whether a store holds one of these, asked key by key and walked through.
pub(super) fn judge(db: &Db, truths: &[Truth], what: &str) {
    let shown = dump(db, what);
    assert!(truths.contains(&shown), "{what}: {}", difference(&truths[0], &shown));
    for number in 0..KEYS {
        for (space, name) in SPACES.iter().enumerate() {
            let Some(keyspace) = find(db, name) else { continue };
            let found = keyspace.get(&key(number)).unwrap().map(|value| value.to_vec());
            assert_eq!(found.as_ref(), shown.get(&(space, key(number))), "{what}: {number} of {name}");
        }
    }
}

/// Whether each key is answered as it should be, or with an error.
pub(super) fn judge_but_for_errors(db: &Db, truth: &Truth, what: &str) {
    for number in 0..KEYS {
        for (space, name) in SPACES.iter().enumerate() {
            let Some(keyspace) = find(db, name) else { continue };
            if let Ok(found) = keyspace.get(&key(number)) {
                let found = found.map(|value| value.to_vec());
                assert_eq!(found.as_ref(), truth.get(&(space, key(number))), "{what}: {number} of {name}");
            }
        }
    }
}

/// A keyspace under its name, or the one that was made up where nothing told it: only the log knows of it then.
fn find(db: &Db, name: &str) -> Option<Keyspace> {
    let made_up = || db.keyspaces().into_iter().find(|name| name.starts_with("recovered-"));
    db.find_keyspace(name).ok().or_else(|| db.find_keyspace(&made_up()?).ok())
}

fn dump(db: &Db, what: &str) -> Truth {
    let mut shown = Truth::new();
    for (space, name) in SPACES.iter().enumerate() {
        let Some(keyspace) = find(db, name) else { continue };
        for item in keyspace.scan(Scan::all()).unwrap() {
            let (key, value) = item.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            shown.insert((space, key.to_vec()), value.to_vec());
        }
    }
    shown
}

fn difference(expected: &Truth, shown: &Truth) -> String {
    let missing = expected.iter().filter(|(key, value)| shown.get(*key) != Some(*value));
    let missing: Vec<_> =
        missing.map(|((space, key), _)| format!("{space}/{}", key.escape_ascii())).collect();
    let extra = shown.iter().filter(|(key, value)| expected.get(*key) != Some(*value));
    let extra: Vec<_> = extra.map(|((space, key), _)| format!("{space}/{}", key.escape_ascii())).collect();
    format!("missing or older {missing:?}, back or newer {extra:?}")
}

pub(super) fn key(number: u64) -> Vec<u8> {
    format!("key/{number:04}").into_bytes()
}

/// What the disk does next to.
#[derive(Default)]
struct Shared {
    rng: Option<Rng>,
    /// One moment in so many is kept.
    one_in: u64,
    before: Truth,
    after: Truth,
    moments: Vec<Moment>,
}

/// A store that lives.
pub(super) struct Life {
    pub(super) disk: MemFs,
    shared: Arc<Mutex<Shared>>,
    db: Option<Db>,
    snapshots: Vec<Snapshot>,
    rng: Rng,
}

impl Life {
    /// Keeps one moment in `one_in`; none for 0.
    pub(super) fn new(seed: u64, one_in: u64) -> Self {
        let mut rng = Rng::new(seed);
        let shared = Shared { rng: Some(Rng::new(rng.next_u64())), one_in, ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let mut life = Self { disk: MemFs::new(), shared, db: None, snapshots: Vec::new(), rng };
        life.open();
        life
    }

    fn watch(&self) -> Watch {
        let shared = self.shared.clone();
        Arc::new(move |change| {
            let mut shared = shared.lock();
            let (Some(mut rng), one_in) = (shared.rng.take(), shared.one_in) else { return };
            if one_in > 0 && rng.chance(1, one_in) && !shared.before.is_empty() {
                let what = format!("before `{} {}`", change.op, change.path.display());
                let truths = vec![shared.before.clone(), shared.after.clone()];
                shared.moments.push(Moment { what, disk: change.disk.fork(), truths });
            }
            shared.rng = Some(rng);
        })
    }

    fn open(&mut self) {
        let fs = WatchedFs::new(self.disk.clone(), self.watch());
        let db = options(Arc::new(fs)).open(STORE).unwrap();
        SPACES.iter().for_each(|name| _ = db.keyspace(name).unwrap());
        self.db = Some(db);
    }

    pub(super) fn db(&self) -> &Db {
        self.db.as_ref().unwrap()
    }

    /// Takes so many steps.
    pub(super) fn live(&mut self, steps: u64) {
        for _ in 0..steps {
            match self.rng.below(400) {
                0..=8 => self.db().flush().unwrap(),
                9..=11 => self.db().compact().unwrap(),
                12 => {
                    self.snapshots.clear();
                    self.db.take().unwrap().close().unwrap();
                    self.open();
                }
                13..=16 => {
                    let snapshot = self.db().snapshot();
                    self.snapshots.push(snapshot);
                }
                17..=22 => self.snapshots.clear(),
                _ => self.write(),
            }
        }
    }

    fn write(&mut self) {
        let space = usize::from(self.rng.chance(1, 4));
        let keyspace = self.db().find_keyspace(SPACES[space]).unwrap();
        let at = self.rng.below(KEYS);
        let mut after = self.shared.lock().before.clone();
        let (kind, fill) = (self.rng.below(10), self.rng.next_u64());
        let value: Vec<u8> = fill.to_le_bytes().repeat(1 + (fill % 12) as usize);
        let to = at + 1 + fill % 9;
        match kind {
            0..=5 => _ = after.insert((space, key(at)), value.clone()),
            6..=8 => _ = after.remove(&(space, key(at))),
            _ => after.retain(|(of, name), _| *of != space || *name < key(at) || *name >= key(to)),
        }
        self.shared.lock().after = after.clone();
        match kind {
            0..=5 => keyspace.put(&key(at), &value).unwrap(),
            6..=8 => keyspace.delete(&key(at)).unwrap(),
            _ => keyspace.delete_range(&key(at), &key(to)).unwrap(),
        }
        self.shared.lock().before = after;
    }

    pub(super) fn truth(&self) -> Truth {
        self.shared.lock().before.clone()
    }

    /// The moments that were kept, and the one at the end, with the store left open as by a kill.
    pub(super) fn end(mut self) -> Vec<Moment> {
        let (disk, truths) = (self.disk.fork(), vec![self.truth()]);
        let mut shared = self.shared.lock();
        shared.one_in = 0;
        let mut moments = std::mem::take(&mut shared.moments);
        drop(shared);
        moments.push(Moment { what: "at the end".into(), disk, truths });
        self.snapshots.clear();
        drop(self.db.take());
        moments
    }

    /// The disk after a proper close.
    pub(super) fn close(self) -> Moment {
        self.end_closed().1
    }

    /// The moments that were kept, and the disk after a proper close.
    pub(super) fn end_closed(mut self) -> (Vec<Moment>, Moment) {
        self.snapshots.clear();
        self.db.take().unwrap().close().unwrap();
        let truths = vec![self.truth()];
        let mut shared = self.shared.lock();
        shared.one_in = 0;
        let closed = Moment { what: "closed".into(), disk: self.disk.fork(), truths };
        (std::mem::take(&mut shared.moments), closed)
    }
}
