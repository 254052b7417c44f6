//! What is not a store, and what is asked of one that it cannot do: typed errors, and nothing changes on the disk.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, EntryKind, FileOffset, Fs, MemFs};
use resilver::{
    Background, Comparator, Creation, Db, Durability, Error, KeyOrder, Options, Scan, WriteBatch,
};

const STORE: &str = "/store";

/// Every name on a disk, with the bytes of files.
fn contents(fs: &MemFs) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![PathBuf::from("/")];
    while let Some(dir) = dirs.pop() {
        for entry in fs.list(&dir).unwrap() {
            let path = dir.join(&entry.name);
            let bytes = (entry.kind == EntryKind::File).then(|| {
                let file = fs.open(&path, Access::ReadOnly).unwrap();
                let len = file.len().unwrap().get() as usize;
                file.read_to_vec(FileOffset::ZERO, len).unwrap()
            });
            if bytes.is_none() {
                dirs.push(path.clone());
            }
            found.insert(path, bytes);
        }
    }
    found
}

fn options(fs: &MemFs) -> Options {
    Options::new().fs(Arc::new(fs.clone())).background(Background::Inline)
}

fn file(fs: &MemFs, path: &str, bytes: &[u8]) {
    fs.create(path.as_ref()).unwrap().write_at(FileOffset::ZERO, bytes).unwrap();
}

/// A store with something in tables and in its log.
fn store() -> MemFs {
    let fs = MemFs::new();
    let db = options(&fs).open(STORE).unwrap();
    db.put(b"flushed", b"1").unwrap();
    db.flush().unwrap();
    db.put(b"logged", b"2").unwrap();
    db.close().unwrap();
    fs
}

/// Opening is refused as `is_meant` says, for writing and reading alike, and changes nothing.
#[track_caller]
fn check_refused(fs: &MemFs, options: Options, is_meant: impl Fn(&Error) -> bool) {
    let before = contents(fs);
    let refused = [options.clone().open(STORE), Db::open_read_only(STORE, options)];
    for (what, refused) in ["for writing", "for reading"].into_iter().zip(refused) {
        let error = refused.map(drop).expect_err(what);
        assert!(is_meant(&error), "{what}: {error:?}");
        assert!(error.to_string().len() > 20, "{what}: {error}");
    }
    assert!(contents(fs) == before, "a refused open changed the disk");
}

#[test]
fn a_file_is_no_store() {
    let fs = MemFs::new();
    file(&fs, STORE, b"not a directory");
    check_refused(&fs, options(&fs), |error| !matches!(error, Error::LogLost { .. }));
}

#[test]
fn a_directory_of_other_files_is_no_store() {
    for name in ["notes.txt", "000001.table", "SNAPSHOT", "000001.table.aside"] {
        let fs = MemFs::new();
        fs.create_dir(STORE.as_ref()).unwrap();
        file(&fs, &format!("{STORE}/{name}"), b"some bytes");
        let meant = |error: &Error| {
            matches!(error, Error::NotEmpty { .. } | Error::NotAStore { .. })
                || error.to_string().contains("holds no store")
        };
        check_refused(&fs, options(&fs), meant);
    }
}

#[test]
fn nothing_is_made_where_nothing_is_to_be_made() {
    let fs = MemFs::new();
    let refused = options(&fs).creation(Creation::Never).open(STORE);
    assert!(matches!(refused, Err(Error::NotAStore { .. })));
    fs.create_dir(STORE.as_ref()).unwrap();
    let refused = options(&fs).creation(Creation::Never).open(STORE);
    assert!(matches!(refused, Err(Error::NotAStore { .. })));
    assert_eq!(contents(&fs).len(), 1);
}

#[test]
fn a_parent_that_is_not_there_is_named() {
    let fs = MemFs::new();
    let error = options(&fs).open("/no/such/parent").unwrap_err();
    assert!(error.to_string().contains("/no/such/parent"), "{error}");
    assert!(contents(&fs).is_empty());
}

#[test]
fn a_store_is_not_made_where_there_is_one() {
    let fs = store();
    let before = contents(&fs);
    let refused = options(&fs).creation(Creation::Always).open(STORE);
    assert!(matches!(refused, Err(Error::Exists { .. })));
    assert!(contents(&fs) == before);
}

#[test]
fn a_store_is_written_by_one_handle_and_read_by_any() {
    let fs = store();
    let db = options(&fs).open(STORE).unwrap();
    let before = contents(&fs);
    assert!(matches!(options(&fs).open(STORE), Err(Error::InUse { .. })));
    assert!(contents(&fs) == before);
    let reader = Db::open_read_only(STORE, options(&fs)).unwrap();
    assert_eq!(reader.get(b"logged").unwrap().as_deref(), Some(&b"2"[..]));
    assert!(matches!(reader.put(b"a", b"b"), Err(Error::ReadOnly)));
    assert!(matches!(reader.delete(b"a"), Err(Error::ReadOnly)));
    assert!(matches!(reader.flush(), Err(Error::ReadOnly)));
    assert!(matches!(reader.compact(), Err(Error::ReadOnly)));
    assert!(matches!(reader.sync(), Err(Error::ReadOnly)));
    assert!(matches!(reader.checkpoint("/copy"), Err(Error::ReadOnly)));
    assert!(reader.keyspace("new").is_err());
    assert!(contents(&fs) == before, "reading changed the disk");
    drop(reader);
    db.close().unwrap();
    options(&fs).open(STORE).unwrap();
}

#[test]
fn a_store_of_another_format_is_refused_as_it_is() {
    let fs = store();
    for (path, bytes) in contents(&fs) {
        let Some(mut bytes) = bytes.filter(|_| path.to_string_lossy().contains("MANIFEST-")) else {
            continue;
        };
        for page in bytes.chunks_mut(4096).filter(|page| page.starts_with(b"RSLM")) {
            page[4..6].copy_from_slice(&9_u16.to_le_bytes());
            let checksum = twox_hash::XxHash3_128::oneshot(&page[..4080]);
            page[4080..].copy_from_slice(&checksum.to_le_bytes());
        }
        fs.open(&path, Access::ReadWrite).unwrap().write_at(FileOffset::ZERO, &bytes).unwrap();
    }
    check_refused(&fs, options(&fs), |error| error.to_string().contains("format 9"));
}

#[test]
fn a_store_whose_log_lost_acknowledged_writes_is_refused_as_it_is() {
    let fs = store();
    {
        let db = options(&fs).open(STORE).unwrap();
        for key in 0..8_u8 {
            db.default_keyspace().put_with(&[key], &[key; 5000], Durability::Synced).unwrap();
        }
    }
    let used = |(path, bytes): (PathBuf, Option<Vec<u8>>)| {
        bytes
            .filter(|bytes| is_segment(&path) && bytes[..1 << 16].iter().any(|&byte| byte != 0))
            .map(|_| path)
    };
    let segments: Vec<_> = contents(&fs).into_iter().filter_map(used).collect();
    assert!(!segments.is_empty());
    for path in segments {
        let file = fs.open(&path, Access::ReadWrite).unwrap();
        // The same pages of both extents; what stands behind them tells that they were durable.
        for extent in [0, file.len().unwrap().get() / 2] {
            file.write_at(FileOffset::new(extent + 3 * 4096), &[0xA5; 2 * 4096]).unwrap();
        }
    }
    check_refused(&fs, options(&fs), |error| matches!(error, Error::LogLost { .. }));
}

fn is_segment(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    name.ends_with(".wal")
}

#[derive(Debug)]
struct Backwards;

impl Comparator for Backwards {
    fn name(&self) -> &str {
        "backwards"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }
}

#[test]
fn a_comparator_that_is_missing_or_another_is_refused() {
    let fs = MemFs::new();
    let with = options(&fs).comparator(Arc::new(Backwards));
    let backwards = KeyOrder::Custom(Arc::new(Backwards));
    {
        let db = with.clone().open(STORE).unwrap();
        let keyspace = db.keyspace_ordered("back", &backwards).unwrap();
        for key in ["a", "b", "c"] {
            keyspace.put(key.as_bytes(), b"").unwrap();
        }
        assert!(matches!(db.keyspace("back"), Err(Error::OtherOrder { .. })));
        db.keyspace("forth").unwrap();
        assert!(matches!(db.keyspace_ordered("forth", &backwards), Err(Error::OtherOrder { .. })));
    }
    check_refused(&fs, options(&fs), |error| error.to_string().contains("backwards"));
    let db = with.open(STORE).unwrap();
    let back = db.keyspace_ordered("back", &backwards).unwrap();
    let keys: Vec<_> = back.scan(Scan::all()).unwrap().map(|item| item.unwrap().0).collect();
    assert_eq!(keys, ["c", "b", "a"]);
}

#[test]
fn an_order_that_opening_did_not_name_is_refused_and_harms_nothing() {
    let fs = MemFs::new();
    let db = options(&fs).open(STORE).unwrap();
    assert!(db.keyspace_ordered("back", &KeyOrder::Custom(Arc::new(Backwards))).is_err());
    db.put(b"a", b"1").unwrap();
    db.close().unwrap();
    let db = options(&fs).open(STORE).unwrap();
    assert_eq!(db.keyspaces().len(), 1);
}

#[test]
fn what_is_over_a_limit_is_refused_as_a_whole() {
    let fs = MemFs::new();
    let db = options(&fs).open(STORE).unwrap();
    let keyspace = db.default_keyspace();
    let longest = vec![1; 65_535];
    let too_long = vec![1; 65_536];
    db.put(&longest, b"fits").unwrap();
    assert!(matches!(db.put(&too_long, b""), Err(Error::Batch(_))));
    assert!(matches!(db.delete(&too_long), Err(Error::Batch(_))));
    assert!(matches!(db.delete_range(b"", &too_long), Err(Error::Batch(_))));
    let mut batch = WriteBatch::new();
    batch.put(&keyspace, b"beside", b"x").put(&keyspace, &too_long, b"");
    assert!(matches!(db.write(&batch), Err(Error::Batch(_))));
    assert!(!db.contains(b"beside").unwrap());
    batch.clear();
    batch.put(&keyspace, b"beside", b"x");
    db.write(&batch).unwrap();
    assert!(db.contains(b"beside").unwrap());
    assert_eq!(db.get(&too_long).unwrap(), None);
    let value = vec![0; (512 << 20) + 1];
    assert!(matches!(db.put(b"value", &value), Err(Error::Batch(_))));
    assert!(!db.contains(b"value").unwrap());
    for name in ["", &"n".repeat(256)] {
        assert!(matches!(db.keyspace(name), Err(Error::KeyspaceName { .. })));
    }
}

#[test]
fn what_is_held_of_a_closed_store_says_so() {
    let fs = store();
    let db = options(&fs).open(STORE).unwrap();
    let (keyspace, snapshot) = (db.default_keyspace(), db.snapshot());
    let mut items = db.scan(Scan::all()).unwrap();
    assert!(items.next().unwrap().is_ok());
    db.close().unwrap();
    assert!(matches!(items.next(), Some(Err(Error::Closed))));
    assert!(items.next().is_none());
    assert!(matches!(keyspace.get(b"logged"), Err(Error::Closed)));
    assert!(matches!(keyspace.get_at(&snapshot, b"logged"), Err(Error::Closed)));
    assert!(matches!(keyspace.put(b"a", b"b"), Err(Error::Closed)));
    assert!(matches!(keyspace.scan(Scan::all().at(&snapshot)).map(drop), Err(Error::Closed)));
    // What is held does not keep others out.
    let db = options(&fs).open(STORE).unwrap();
    assert!(matches!(db.default_keyspace().get_at(&snapshot, b"logged"), Err(Error::ForeignSnapshot)));
    let mut batch = WriteBatch::new();
    batch.put(&keyspace, b"a", b"b");
    assert!(matches!(db.write(&batch), Err(Error::ForeignBatch)));
}

#[test]
fn batches_and_snapshots_of_another_store_are_refused() {
    let (one, two) = (store(), store());
    let (one, two) = (options(&one).open(STORE).unwrap(), options(&two).open(STORE).unwrap());
    let mut batch = WriteBatch::new();
    batch.put(&one.default_keyspace(), b"a", b"1");
    assert!(matches!(two.write(&batch), Err(Error::ForeignBatch)));
    batch.put(&two.default_keyspace(), b"a", b"1");
    assert!(matches!(one.write(&batch), Err(Error::ForeignBatch)));
    assert!(!one.contains(b"a").unwrap() && !two.contains(b"a").unwrap());
    let snapshot = one.snapshot();
    assert!(matches!(two.scan(Scan::all().at(&snapshot)).map(drop), Err(Error::ForeignSnapshot)));
    assert!(matches!(two.drop_keyspace(&one.default_keyspace()), Err(Error::ForeignKeyspace)));
    assert!(two.contains(b"flushed").unwrap());
}

#[test]
fn a_keyspace_that_was_dropped_says_so() {
    let fs = store();
    let db = options(&fs).open(STORE).unwrap();
    let gone = db.keyspace("gone").unwrap();
    gone.put(b"a", b"1").unwrap();
    db.drop_keyspace(&gone).unwrap();
    assert!(gone.get(b"a").is_err());
    assert!(db.drop_keyspace(&gone).is_err());
    let again = db.keyspace("gone").unwrap();
    assert_eq!(again.get(b"a").unwrap(), None);
    assert!(matches!(db.drop_keyspace(&db.default_keyspace()), Err(Error::DefaultKeyspace)));
}

#[test]
fn a_checkpoint_does_not_go_where_something_is() {
    let fs = store();
    let db = options(&fs).open(STORE).unwrap();
    fs.create_dir("/there".as_ref()).unwrap();
    file(&fs, "/file", b"bytes");
    for dest in ["/there", "/file", STORE, "/no/parent"] {
        assert!(db.checkpoint(dest).is_err(), "{dest}");
    }
    assert!(fs.list("/there".as_ref()).unwrap().is_empty());
    assert_eq!(contents(&fs)[Path::new("/file")].as_deref(), Some(&b"bytes"[..]));
    db.checkpoint("/copy").unwrap();
}

#[test]
fn a_directory_without_permission_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    Db::open(&path).unwrap().close().unwrap();
    let before = std::fs::metadata(&path).unwrap().permissions();
    let mut locked = before.clone();
    locked.set_readonly(true);
    std::fs::set_permissions(&path, locked).unwrap();
    if std::fs::write(path.join("probe"), b"").is_ok() {
        println!("skipped: this user may write everywhere");
        let _ = std::fs::remove_file(path.join("probe"));
    } else {
        let names =
            || std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let there = names();
        let error = Db::open(&path).unwrap_err();
        assert!(error.to_string().contains("store"), "{error}");
        assert_eq!(names(), there);
    }
    std::fs::set_permissions(&path, before).unwrap();
    Db::open(&path).unwrap();
}
