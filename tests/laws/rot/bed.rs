//! A store to be hurt, and everything that it was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng};
use resilver::{Background, Codec, Db, Error, Keyspace, Options, Scan};

pub(super) const DIR: &str = "/store";
const KEYSPACES: [&str; 2] = ["default", "other"];

/// How the store was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// With changes that are in its log alone.
    Killed,
}

/// How large a store is, and what its values are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) changes: u64,
    pub(super) keys: u64,
    pub(super) value_bytes_max: u64,
    pub(super) table_bytes: u64,
}

type Key = (usize, Vec<u8>);

/// A store at rest.
pub(super) struct Bed {
    disk: MemFs,
    options: Options,
    seed: u64,
    values: BTreeMap<Key, Vec<u8>>,
    /// Every key that ever had a value.
    known: BTreeSet<Key>,
}

/// How the answers of a store compare with what it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) lost: u64,
    pub(super) wrong: Option<String>,
}

impl Bed {
    pub(super) fn new(size: Size, codec: Codec, end: End, seed: u64) -> Self {
        let disk = MemFs::new();
        let options = Options::new()
            .background(Background::Inline)
            .memtable_bytes(size.table_bytes)
            .table_bytes(size.table_bytes)
            .level_base_bytes(2 * size.table_bytes)
            .segment_bytes(size.table_bytes)
            .codec(codec);
        let (values, known) = (BTreeMap::new(), BTreeSet::new());
        let mut bed = Self { disk: disk.clone(), options, seed, values, known };
        let db = bed.options.clone().fs(Arc::new(disk)).open(DIR).unwrap();
        let spaces = KEYSPACES.map(|name| db.keyspace(name).unwrap());
        let mut rng = Rng::new(seed);
        for change in 0..size.changes {
            bed.change(&spaces, size, &mut rng);
            if change == size.changes / 2 {
                db.compact().unwrap();
            }
        }
        db.flush().unwrap();
        for _ in 0..size.changes / 20 {
            bed.change(&spaces, size, &mut rng);
        }
        match end {
            End::Closed => db.close().unwrap(),
            End::Killed => {
                db.sync().unwrap();
                bed.disk = bed.disk.fork();
            }
        }
        bed
    }

    fn change(&mut self, spaces: &[Keyspace; 2], size: Size, rng: &mut Rng) {
        let space = rng.below(2) as usize;
        let name = |number: u64| format!("key{number:06}").into_bytes();
        let number = rng.below(size.keys);
        let key = name(number);
        match rng.below(100) {
            0 => {
                let end = name(number + rng.below(size.keys / 50 + 1));
                spaces[space].delete_range(&key, &end).unwrap();
                self.values.retain(|(of, at), _| *of != space || *at < key || *at >= end);
            }
            1..15 => {
                spaces[space].delete(&key).unwrap();
                self.values.remove(&(space, key));
            }
            _ => {
                // Mostly short, now and then as long as any.
                let most = [1, 40, 200, 2000, size.value_bytes_max][rng.below(5) as usize];
                let len = rng.below(most.min(size.value_bytes_max) + 1) / (1 + rng.below(8));
                let mut value = vec![0; len as usize];
                rng.fill(&mut value);
                // Half of it as text is, so that codecs have something to do.
                value.iter_mut().skip(1).step_by(2).for_each(|byte| *byte = b'a');
                spaces[space].put(&key, &value).unwrap();
                self.known.insert((space, key.clone()));
                self.values.insert((space, key), value);
            }
        }
    }

    /// The store on a disk of its own, to be hurt.
    pub(super) fn disk(&self) -> FaultFs {
        FaultFs::new(Arc::new(self.disk.fork()), FaultPlan::new(self.seed))
    }

    pub(super) fn options(&self, disk: &FaultFs) -> Options {
        self.options.clone().fs(Arc::new(disk.clone()))
    }

    /// The files of the store and their lengths.
    pub(super) fn files(&self) -> Vec<(PathBuf, u64)> {
        let listed = self.disk.list(Path::new(DIR)).unwrap();
        let paths = listed.into_iter().map(|entry| Path::new(DIR).join(entry.name));
        let files = paths.map(|path| {
            let len = self.disk.open(&path, Access::ReadOnly).unwrap().len().unwrap().get();
            (path, len)
        });
        files.filter(|(_, len)| *len > 0).collect()
    }

    /// Asks for everything, by every way.
    pub(super) fn ask(&self, db: &Db) -> Answers {
        let mut answers = Answers::default();
        for (space, name) in KEYSPACES.into_iter().enumerate() {
            let keys = db.keyspace(name).unwrap();
            for (_, key) in self.known.iter().filter(|(of, _)| *of == space) {
                let expected = self.values.get(&(space, key.clone()));
                match keys.get(key) {
                    Ok(found) if found.as_deref() == expected.map(Vec::as_slice) => {}
                    Ok(found) => answers.blame(&format!("{} has {:?}", shown(key), found.map(|it| it.len()))),
                    Err(error) => answers.lose(&error),
                }
            }
            self.walk(space, &keys, Scan::all(), &mut answers);
            self.walk(space, &keys, Scan::all().reverse(), &mut answers);
        }
        answers
    }

    fn walk(&self, space: usize, keys: &Keyspace, scan: Scan, answers: &mut Answers) {
        let (mut seen, mut is_whole) = (0, true);
        for item in keys.scan(scan).unwrap() {
            match item {
                Ok((key, value)) => {
                    seen += 1;
                    if self.values.get(&(space, key.to_vec())).is_none_or(|expected| *expected != value[..]) {
                        answers.blame(&format!("a scan has {} otherwise", shown(&key)));
                    }
                }
                Err(error) => {
                    is_whole = false;
                    answers.lose(&error);
                }
            }
        }
        let there = self.values.keys().filter(|(of, _)| *of == space).count();
        if is_whole && seen != there {
            answers.blame(&format!("a scan has {seen} of {there} keys and names no loss"));
        }
    }
}

impl Answers {
    fn blame(&mut self, what: &str) {
        self.wrong.get_or_insert_with(|| what.to_owned());
    }

    fn lose(&mut self, error: &Error) {
        match error.is_loss() {
            true => self.lost += 1,
            false => self.blame(&format!("an error that is no loss: {error}")),
        }
    }

    pub(super) fn are_right(&self) -> bool {
        *self == Self::default()
    }
}

fn shown(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

/// The bytes of a file as the disk has them.
pub(super) fn bytes_of(disk: &FaultFs, path: &Path) -> Option<Vec<u8>> {
    let file = disk.open(path, Access::ReadOnly).ok()?;
    let len = file.len().ok()?.get() as usize;
    file.read_to_vec(FileOffset::ZERO, len).ok()
}
