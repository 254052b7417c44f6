//! A store as its users see it.
use resilver::*;
#[test]
fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let options = || {
        Options::new()
            .memtable_bytes(64 << 10)
            .table_bytes(64 << 10)
            .level_base_bytes(256 << 10)
            .segment_bytes(256 << 10)
    };
    for round in 0..3_u32 {
        let db = options().open(&path).unwrap();
        for n in 0..20_000_u32 {
            db.put(format!("key{:05}", n * 7919 % 20_000).as_bytes(), format!("value{n}-{round}").as_bytes())
                .unwrap();
        }
        for n in (0..20_000_u32).step_by(97) {
            let got = db.get(format!("key{:05}", n * 7919 % 20_000).as_bytes()).unwrap();
            assert_eq!(got.as_deref(), Some(format!("value{n}-{round}").as_bytes()));
        }
        assert_eq!(db.scan(Scan::all()).unwrap().count(), 20_000);
        if round == 1 {
            db.compact().unwrap();
        }
        db.checkpoint(dir.path().join(format!("cp{round}"))).unwrap();
        db.close().unwrap();
        let cp = Db::open(dir.path().join(format!("cp{round}"))).unwrap();
        assert_eq!(cp.scan(Scan::all().reverse()).unwrap().count(), 20_000);
    }
    let ro = Db::open_read_only(&path, Options::new()).unwrap();
    assert_eq!(ro.scan(Scan::all().reverse()).unwrap().count(), 20_000);
    assert!(matches!(ro.put(b"a", b"b"), Err(Error::ReadOnly)));
}

#[test]
fn a_dropped_keyspace_takes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path().join("store")).unwrap();
    let gone = db.keyspace("gone").unwrap();
    gone.put(b"key", b"value").unwrap();
    db.drop_keyspace(&gone).unwrap();
    assert!(gone.put(b"key", b"value").is_err());
    assert!(gone.get(b"key").is_err());
    let mut both = WriteBatch::new();
    both.put(&db.default_keyspace(), b"key", b"value").put(&gone, b"key", b"value");
    assert!(db.write(&both).is_err());
    assert_eq!(db.get(b"key").unwrap(), None);
    assert_eq!(db.keyspace("gone").unwrap().get(b"key").unwrap(), None);
}

#[test]
fn many_keyspaces_share_the_memory_of_memtables() {
    let dir = tempfile::tempdir().unwrap();
    let db = Options::new().memtable_bytes(256 << 10).open(dir.path().join("store")).unwrap();
    let keyspaces: Vec<_> = (0..8).map(|at| db.keyspace(&format!("keyspace-{at}")).unwrap()).collect();
    for number in 0..8_000_u32 {
        keyspaces[number as usize % 8].put(&number.to_be_bytes(), &[7; 200]).unwrap();
    }
    db.flush().unwrap();
    let tables = db.stats().tables.keyspaces.iter().map(|keyspace| keyspace.levels[0].runs).max();
    assert!(tables > Some(1), "memtables were flushed on the way: {tables:?}");
    for (at, keyspace) in keyspaces.iter().enumerate() {
        assert_eq!(keyspace.scan(Scan::all()).unwrap().count(), 1000, "keyspace {at}");
    }
}

#[test]
fn a_reader_beside_a_writer_reads_on_when_the_writer_lets_tables_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let options = || {
        Options::new()
            .background(Background::Inline)
            .memtable_bytes(64 << 10)
            .table_bytes(16 << 10)
            .level_base_bytes(64 << 10)
            // Fewer than there are tables.
            .open_files_max(8)
    };
    let db = options().open(&path).unwrap();
    let fill = |round: u8| {
        for number in 0..4_000_u32 {
            db.put(&(number * 7919 % 4_000).to_be_bytes(), &[round; 100]).unwrap();
        }
        db.compact().unwrap();
    };
    fill(1);
    let reader = Db::open_read_only(&path, options()).unwrap();
    fill(2);
    let values = reader.scan(Scan::all()).unwrap().map(|item| item.unwrap().1);
    assert!(values.eq((0..4_000).map(|_| [1; 100].as_slice())));
    assert_eq!(reader.get(&7_u32.to_be_bytes()).unwrap().as_deref(), Some([1; 100].as_slice()));
}
