//! Stores to be damaged: with every kind of file, killed, closed, or a checkpoint of another.

use std::{path::Path, sync::Arc};

use lsm_io::{Fs, MemFs, Rng};
use resilver::{Background, Codec, Creation, Db, Durability, LevelStats, Options, WriteBatch, ZstdLevel};

use super::truth::Truth;

const KEYSPACES: [&str; 3] = ["default", "other-1", "other-2"];
const STORE: &str = "/store";
/// A checkpoint whose tables are hard links to those of the store.
pub(super) const LINKED: &str = "/linked";
const COPIED: &str = "/copied";

/// How big a store is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Bytes of all values ever written.
    pub(super) bytes: u64,
    /// Bytes of a memtable and of a table.
    pub(super) table_bytes: u64,
    /// The longest value.
    pub(super) value_max: u64,
}

/// A store on a disk of its own, and what it must answer.
#[derive(Clone)]
pub(super) struct World {
    pub(super) name: String,
    pub(super) disk: MemFs,
    pub(super) dir: &'static Path,
    pub(super) truth: Truth,
    /// What a checkpoint on the same disk must answer that shares tables with it.
    pub(super) linked: Option<Truth>,
    codec: Codec,
    size: Size,
}

impl World {
    pub(super) fn options(&self, fs: Arc<dyn Fs>) -> Options {
        options(fs, self.codec, self.size)
    }
}

fn options(fs: Arc<dyn Fs>, codec: Codec, size: Size) -> Options {
    Options::new()
        .fs(fs)
        .background(Background::Inline)
        .memtable_bytes(size.table_bytes)
        .table_bytes(size.table_bytes)
        .level_base_bytes(size.table_bytes * 3)
        .segment_bytes(size.table_bytes * 2)
        .cache_bytes(0)
        .pinned_bytes(0)
        .codec(codec)
}

/// Without compression and with it.
pub(super) fn codecs() -> [Codec; 2] {
    [Codec::None, Codec::ZstdDictionary { level: ZstdLevel::default() }]
}

/// One store in three states: killed with a log that holds data, closed, and a checkpoint of it.
pub(super) fn worlds(codec: Codec, size: Size, seed: u64) -> Vec<World> {
    let disk = MemFs::new();
    let mut author =
        Author { rng: Rng::new(seed), truth: Truth::default(), size, keys: size.bytes / 2500 + 40 };
    let db = options(Arc::new(disk.clone()), codec, size).creation(Creation::Always).open(STORE).unwrap();
    author.live(&db, size.bytes);
    db.checkpoint_copied(COPIED).unwrap();
    let at_checkpoint = author.truth.clone();
    db.checkpoint(LINKED).unwrap();
    // What comes last stays in the log.
    author.live(&db, size.table_bytes / 3);
    db.sync().unwrap();
    // Its frame says that everything before is durable.
    let (key, value) = (b"last".to_vec(), b"of all".to_vec());
    let mut batch = WriteBatch::new();
    batch.put(&db.default_keyspace(), &key, &value);
    db.write_with(&batch, Durability::Synced).unwrap();
    author.truth.0.entry("default").or_default().insert(key, Some(value.into()));
    let stats = db.stats();
    let levels_of = |levels: &[LevelStats]| levels.iter().filter(|level| level.tables > 0).count();
    let levels = stats.tables.keyspaces.iter().map(|tree| levels_of(&tree.levels)).max();
    assert!(levels >= Some(2) && stats.log_bytes > 0, "several levels and a log: {stats:?}");
    let killed = disk.fork();
    db.close().unwrap();
    let world = |name: &str, disk: &MemFs, dir, truth: &Truth| World {
        name: format!("{name}, {}", if codec == Codec::None { "plain" } else { "packed" }),
        disk: disk.fork(),
        dir: Path::new(dir),
        truth: truth.clone(),
        linked: (dir == STORE).then(|| at_checkpoint.clone()),
        codec,
        size,
    };
    vec![
        world("killed", &killed, STORE, &author.truth),
        world("closed", &disk, STORE, &author.truth),
        world("checkpoint", &disk, COPIED, &at_checkpoint),
    ]
}

/// Who writes, and remembers it.
struct Author {
    rng: Rng,
    truth: Truth,
    size: Size,
    keys: u64,
}

impl Author {
    fn key(&mut self) -> Vec<u8> {
        let number = self.rng.below(self.keys);
        format!("key/{:04}/{:02}", number / 50, number % 50).into_bytes()
    }

    /// Mostly short, sometimes as long as can be.
    fn value(&mut self) -> Vec<u8> {
        let max = match self.rng.below(200) {
            0..60 => 100,
            60..150 => 2_000,
            150..198 => 8_000.min(self.size.value_max),
            198 => 100_000.min(self.size.value_max),
            _ => self.size.value_max,
        };
        let mut value = vec![self.rng.next_u64() as u8; self.rng.below(max + 1) as usize];
        if self.rng.chance(1, 2) {
            self.rng.fill(&mut value);
        }
        value
    }

    /// Writes so many bytes of values, and deletes among them.
    fn live(&mut self, db: &Db, bytes: u64) {
        let mut written = 0;
        while written < bytes {
            let mut batch = WriteBatch::new();
            for _ in 0..=self.rng.below(6) {
                written += self.write(db, &mut batch);
            }
            let durability = if self.rng.chance(1, 8) { Durability::Synced } else { Durability::Buffered };
            db.write_with(&batch, durability).unwrap();
        }
    }

    fn write(&mut self, db: &Db, batch: &mut WriteBatch) -> u64 {
        let name = KEYSPACES[[0, 0, 0, 1, 1, 2][self.rng.below(6) as usize]];
        let keyspace = db.keyspace(name).unwrap();
        let key = self.key();
        match self.rng.below(60) {
            0 => {
                let to = self.key();
                let (from, to) = (key.clone().min(to.clone()), key.max(to));
                // A whole keyspace at once would leave little to damage.
                let to = to.min([&from[..8], b"/99"].concat());
                batch.delete_range(&keyspace, &from, &to);
                let told = self.truth.0.entry(name).or_default();
                told.range_mut(from..to).for_each(|(_, value)| *value = None);
                100
            }
            1..9 => {
                batch.delete(&keyspace, &key);
                self.truth.0.entry(name).or_default().insert(key, None);
                100
            }
            _ => {
                let value = self.value();
                batch.put(&keyspace, &key, &value);
                let written = value.len() as u64;
                self.truth.0.entry(name).or_default().insert(key, Some(value.into()));
                written
            }
        }
    }
}
