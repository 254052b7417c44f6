//! What a store leaves to the next open: nothing after a close, its log after a kill, and no more than that.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lsm_core::{KeyOrders, Recovered};
use lsm_io::{Access, ByteLen, Crash, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Mishap, Op, Trigger};
use lsm_wal::SegmentNo;
use resilver::{Background, Db, Durability, Error, LogLoss, Options, Scan};

const STORE: &str = "/store";
const KEYS: u32 = 600;

fn options(fs: impl Fs + 'static) -> Options {
    Options::new()
        .fs(Arc::new(fs))
        .memtable_bytes(2 << 20)
        .segment_bytes(256 << 10)
        .durability(Durability::Synced)
}

fn fill(db: &Db) {
    for number in 0..KEYS {
        db.put(&number.to_be_bytes(), &[number as u8; 200]).unwrap();
    }
}

#[track_caller]
fn is_whole(db: &Db) {
    let found = db.scan(Scan::all()).unwrap().map(Result::unwrap);
    let expected = (0..KEYS).map(|number| (number.to_be_bytes().to_vec(), vec![number as u8; 200]));
    assert!(found.map(|(key, value)| (key.to_vec(), value.to_vec())).eq(expected));
}

/// The disk as a power cut leaves it, with all that the store took in its log.
fn killed() -> MemFs {
    let fs = MemFs::new();
    let db = options(fs.clone()).open(STORE).unwrap();
    fill(&db);
    let left = fs.crash(Crash::LoseUnsynced);
    assert!(recorded(&left).len() > 2);
    left
}

fn segments(fs: &MemFs) -> Vec<PathBuf> {
    let entries = fs.list(STORE.as_ref()).unwrap();
    let names = entries.into_iter().map(|entry| PathBuf::from(STORE).join(entry.name));
    let mut paths: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|suffix| suffix == "wal")).collect();
    paths.sort();
    paths
}

/// The segments that the manifest names.
fn recorded(fs: &MemFs) -> Vec<PathBuf> {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    let read = Recovered::read(&fs, STORE.as_ref(), &KeyOrders::default()).unwrap();
    let names = read.catalog().segments.keys().map(|&number| SegmentNo::new(number).file_name());
    names.map(|name| PathBuf::from(STORE).join(name)).collect()
}

fn in_memory(db: &Db) -> u64 {
    db.stats().tables.keyspaces.iter().map(|keyspace| keyspace.memtable_bytes).sum()
}

fn overwrite(fs: &MemFs, path: &Path, bytes: impl Fn(usize) -> Vec<u8>) {
    let file = fs.open(path, Access::ReadWrite).unwrap();
    let len = file.len().unwrap().get() as usize;
    file.write_at(FileOffset::ZERO, &bytes(len)).unwrap();
}

#[test]
fn a_closed_store_leaves_nothing_to_replay_and_one_segment() {
    for background in [Background::Threads, Background::Inline] {
        let fs = MemFs::new();
        let open = || options(fs.clone()).background(background).open(STORE).unwrap();
        let db = open();
        fill(&db);
        assert!(in_memory(&db) > 0);
        drop(db);
        assert_eq!(segments(&fs).len(), 1);
        let db = open();
        assert_eq!(in_memory(&db), 0);
        is_whole(&db);
    }
}

#[test]
fn a_little_is_left_in_the_log_by_a_close_and_makes_no_table() {
    let fs = MemFs::new();
    let db = options(fs.clone()).open(STORE).unwrap();
    db.put(b"key", b"value").unwrap();
    db.close().unwrap();
    let tables = fs.list(STORE.as_ref()).unwrap();
    let tables = tables.iter().filter(|entry| entry.name.extension().is_some_and(|suffix| suffix == "table"));
    assert_eq!(tables.count(), 0);
    assert_eq!(options(fs).open(STORE).unwrap().get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn a_close_that_cannot_make_tables_leaves_everything_in_the_log() {
    let mem = MemFs::new();
    let faults = FaultFs::new(Arc::new(mem.clone()), FaultPlan::new(0));
    let db = options(faults.clone()).open(STORE).unwrap();
    fill(&db);
    let full = Mishap::Fail(std::io::ErrorKind::StorageFull);
    faults.arm(Trigger::nth(Op::Create, 1).and_later(), full);
    db.close().unwrap();
    faults.calm();
    let db = options(mem).open(STORE).unwrap();
    assert!(in_memory(&db) > 0);
    is_whole(&db);
}

#[test]
fn a_killed_store_finds_everything_in_its_log() {
    is_whole(&options(killed()).open(STORE).unwrap());
}

#[test]
fn a_segment_overwritten_whole_is_refused_with_the_numbers_that_are_lost() {
    let killed = killed();
    for path in recorded(&killed) {
        for byte in [0, 0xA5] {
            let fs = killed.crash(Crash::LoseUnsynced);
            overwrite(&fs, &path, |len| vec![byte; len]);
            match options(fs.clone()).open(STORE) {
                Err(Error::LogLost { losses }) => {
                    assert!(!losses.is_empty() && losses.iter().all(|loss| !loss.seqs.is_empty()));
                }
                other => panic!("{}: {other:?}", path.display()),
            }
            options(fs).log_loss(LogLoss::Accept).open(STORE).unwrap();
        }
    }
}

#[test]
fn a_segment_that_only_stood_ready_may_be_cut_garbled_or_gone() {
    let fs = MemFs::new();
    let db = options(fs.clone()).open(STORE).unwrap();
    fill(&db);
    // It is made in the background.
    let (left, spare) = loop {
        let left = fs.crash(Crash::LoseUnsynced);
        let recorded = recorded(&left);
        match segments(&left).into_iter().find(|path| !recorded.contains(path)) {
            Some(spare) => break (left, spare),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let damages: [fn(&MemFs, &Path); 4] = [
        |fs, spare| fs.remove(spare).unwrap(),
        |fs, spare| fs.open(spare, Access::ReadWrite).unwrap().set_len(ByteLen::new(5000)).unwrap(),
        |fs, spare| overwrite(fs, spare, |len| vec![0xA5; len]),
        |fs, spare| overwrite(fs, spare, |len| vec![0; len]),
    ];
    for damage in damages {
        let left = left.crash(Crash::LoseUnsynced);
        damage(&left, &spare);
        is_whole(&options(left.clone()).open(STORE).unwrap());
        is_whole(&options(left).open(STORE).unwrap());
    }
}
