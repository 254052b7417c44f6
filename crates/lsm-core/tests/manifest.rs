//! A manifest as its users see it: what it costs, what it refuses, and the bytes it keeps for ever.

use std::{fs, path::Path, path::PathBuf, sync::Arc};

use lsm_core::{
    Change, Edit, Error, FileId, KeyBounds, KeyEnd, KeyOrders, Level, Manifest, ManifestError, Recovered,
    RunNo, SegmentRef, TableChange, TableMeta, TreeId,
};
use lsm_io::{Access, CountingFs, EpochWorker, FileOffset, Fs, Limits, MemFs, Op};
use page_ecc::{SealOptions, Uid};
use sst_format::{Comparator, KeyOrder, SeqNo};

const STORE: Uid = Uid::new([0x51; 16]);
const DIR: &str = "/store";

fn worker() -> Arc<EpochWorker> {
    Arc::new(EpochWorker::start(Limits::default()).expect("threads can be started"))
}

fn open(fs: &Arc<dyn Fs>, nonce: u8) -> Result<Manifest, Error> {
    let nonce = Uid::new([nonce; 16]);
    Manifest::open_or_create(fs, Path::new(DIR), &worker(), &KeyOrders::default(), STORE, nonce)
        .map(|(manifest, _)| manifest)
}

fn read(fs: &Arc<dyn Fs>) -> Result<Recovered, ManifestError> {
    Recovered::read(fs, Path::new(DIR), &KeyOrders::default())
}

fn create(tree: u32, order: &str) -> Change {
    let tree = TreeId::new(tree);
    Change::CreateTree { tree, name: format!("keyspace {tree}").into(), order: order.into() }
}

fn add(tree: u32, id: u64, key: Vec<u8>) -> Change {
    let image = SealOptions::new(Uid::new([id as u8; 16])).seal(b"a table").expect("it can be sealed");
    let (seq_low, seq_high) = (SeqNo::new(id), SeqNo::new(id * 2));
    let bounds =
        KeyBounds { end: KeyEnd::Excluded, ..KeyBounds::closed(key.clone(), [&key[..], b"+"].concat()) };
    let table = TableMeta {
        id: FileId::new(id),
        descriptor: image.descriptor().clone(),
        bounds,
        seq_low,
        seq_high,
        entries: 3,
        deletes: 1,
        range_deletes: 4,
        losses: 2,
    };
    let change = TableChange::Add { level: Level::ZERO, run: RunNo::new(id), table: Arc::new(table) };
    Change::Table { tree: TreeId::new(tree), change }
}

fn bytes_of(fs: &Arc<dyn Fs>, name: &str) -> Vec<u8> {
    let file = fs.open(&Path::new(DIR).join(name), Access::ReadOnly).expect("the file is there");
    let len = file.len().expect("memory says how long").get() as usize;
    file.read_to_vec(FileOffset::ZERO, len).expect("memory can be read")
}

#[test]
fn edits_of_many_megabytes_are_recorded_and_read() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let manifest = open(&fs, 1).unwrap();
    manifest.record(&Edit::new().and(create(1, "resilver.bytes"))).unwrap();
    let key = |id: u64| [&id.to_be_bytes()[..], &[b'k'; 65_000]].concat();
    let big = (1..100).fold(Edit::new(), |edit, id| edit.and(add(1, id, key(id))));
    manifest.record(&big).unwrap();
    manifest.record(&Edit::new().and(add(1, 200, b"small".to_vec()))).unwrap();
    let said = manifest.catalog().to_edit();
    assert_eq!(read(&fs).unwrap().catalog().to_edit(), said);
    // Without its snapshots the same, from its first generation on.
    let generation = manifest.generation().unwrap();
    fs.remove(&Path::new(DIR).join(format!("SNAPSHOT-{:06}", generation.get()))).unwrap();
    assert_eq!(read(&fs).unwrap().catalog().to_edit(), said);
}

#[test]
fn an_edit_costs_two_writes_and_two_syncs_and_a_new_generation_comes_every_254() {
    let counting = Arc::new(CountingFs::new(Arc::new(MemFs::new())));
    let fs: Arc<dyn Fs> = counting.clone();
    let manifest = open(&fs, 1).unwrap();
    let first = manifest.generation();
    let edit = Edit::new().and(Change::NextFile { file: FileId::new(2) });
    manifest.record(&edit).unwrap();
    counting.reset();
    for _ in 1..254 {
        manifest.record(&edit).unwrap();
    }
    let cost = [Op::Write, Op::Sync, Op::SyncDir, Op::Create].map(|op| counting.tally("", op).calls);
    assert_eq!(cost, [2 * 253, 2 * 253, 0, 0]);
    assert_eq!(manifest.generation(), first);
    manifest.record(&edit).unwrap();
    assert_ne!(manifest.generation(), first);
}

#[test]
fn reading_changes_nothing() {
    let counting = Arc::new(CountingFs::new(Arc::new(MemFs::new())));
    let fs: Arc<dyn Fs> = counting.clone();
    open(&fs, 1).unwrap().record(&Edit::new().and(create(1, "resilver.bytes"))).unwrap();
    counting.reset();
    read(&fs).unwrap();
    for op in Op::ALL.into_iter().filter(|op| op.changes_disk()) {
        assert_eq!(counting.tally("", op).calls, 0, "{op}");
    }
    assert!(counting.tally("", Op::Read).calls > 0);
}

#[test]
fn a_reader_beside_a_writer_always_finds_a_catalog() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let manifest = open(&fs, 1).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for file in 2..60 {
                manifest.record(&Edit::new().and(Change::NextFile { file: FileId::new(file) })).unwrap();
                manifest.roll().unwrap();
            }
        });
        let mut seen = FileId::new(1);
        while !writer.is_finished() {
            let file = read(&fs).unwrap().catalog().next_file;
            assert!(seen <= file, "a reader went back from {seen} to {file}");
            seen = file;
        }
    });
}

#[test]
fn edits_of_many_threads_are_all_there() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let manifest = open(&fs, 1).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let manifest = &manifest;
            scope.spawn(move || {
                for edit in 0..100 {
                    let segment = SegmentRef { number: thread * 100 + edit, uid: STORE, extent_pages: 32 };
                    manifest.record(&Edit::new().and(Change::AddSegment { segment })).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&fs).unwrap().catalog().segments.len(), 400);
}

struct Backwards;

impl Comparator for Backwards {
    fn name(&self) -> &str {
        "backwards"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
        b.cmp(a)
    }
}

#[test]
fn another_comparator_is_refused_by_name() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let orders = KeyOrders::default().with(KeyOrder::Custom(Arc::new(Backwards)));
    let dir = Path::new(DIR);
    let manifest = Manifest::create(&fs, dir, &worker(), &orders, STORE, Uid::new([1; 16])).unwrap();
    let edit =
        Edit::new().and(create(1, "backwards")).and(add(1, 2, b"b".to_vec())).and(add(1, 1, b"a".to_vec()));
    manifest.record(&edit).unwrap();
    assert_eq!(Recovered::read(&fs, dir, &orders).unwrap().catalog().trees.len(), 1);
    let refused = read(&fs).unwrap_err();
    assert!(refused.to_string().contains("backwards"), "{refused}");
}

#[test]
fn an_edit_that_does_not_fit_changes_nothing() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let manifest = open(&fs, 1).unwrap();
    let misfit = Edit::new().and(create(1, "resilver.bytes")).and(Change::DropTree { tree: TreeId::new(7) });
    assert!(matches!(manifest.record(&misfit), Err(Error::Manifest(ManifestError::Catalog(_)))));
    assert!(manifest.catalog().trees.is_empty() && manifest.is_settled());
    manifest.record(&Edit::new().and(create(1, "resilver.bytes"))).unwrap();
    assert_eq!(read(&fs).unwrap().catalog().trees.len(), 1);
}

#[test]
fn a_store_is_not_created_twice_nor_over_what_was_damaged() {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    open(&fs, 1).unwrap();
    let again = Manifest::create(&fs, Path::new(DIR), &worker(), &KeyOrders::default(), STORE, STORE);
    assert!(matches!(again, Err(Error::Manifest(ManifestError::AlreadyThere { .. }))));
    for entry in fs.list(Path::new(DIR)).unwrap() {
        fs.open(&Path::new(DIR).join(entry.name), Access::ReadWrite)
            .unwrap()
            .write_at(FileOffset::ZERO, &[7; 1 << 20])
            .unwrap();
    }
    assert!(matches!(open(&fs, 2), Err(Error::Manifest(ManifestError::GenerationLost { .. }))));
}

/// A store whose second generation has everything in its snapshot, and some of it in its edits again.
fn golden_store() -> Arc<dyn Fs> {
    let fs: Arc<dyn Fs> = Arc::new(MemFs::new());
    let manifest = open(&fs, 1).expect("it is created");
    let (tree, file) = (TreeId::new(1), FileId::new(2));
    let segment = |number| SegmentRef { number, uid: Uid::new([number as u8; 16]), extent_pages: 32 };
    let first = Edit::new()
        .and(create(1, "resilver.bytes"))
        .and(create(4, "resilver.bytes"))
        .and(add(1, 1, b"a key".to_vec()))
        .and(add(1, 2, b"another".to_vec()))
        .and(Change::Flushed { tree, upto: SeqNo::new(77) })
        .and(Change::AddSegment { segment: segment(5) })
        .and(Change::AddSegment { segment: segment(6) })
        .and(Change::NextFile { file: FileId::new(9) })
        .and(Change::NextTree { tree: TreeId::new(8) })
        .and(Change::Hint { tree, file, pages: vec![(3, 1), (9, 2)] })
        .and(Change::Rebirth { store: Uid::new([0x52; 16]) })
        .and(Change::Foreign { tag: 0x90, bytes: b"from later".as_slice().into() });
    manifest.record(&first).expect("it fits");
    manifest.roll().expect("memory has room");
    let remove = TableChange::Remove { level: Level::ZERO, table: FileId::new(1) };
    let second = Edit::new()
        .and(Change::DropTree { tree: TreeId::new(4) })
        .and(Change::Table { tree, change: remove })
        .and(Change::DropSegment { number: 5 })
        .and(Change::Healed { tree, file });
    manifest.record(&second).expect("it fits");
    // More than a page.
    manifest.record(&Edit::new().and(add(1, 3, vec![b'z'; 5000]))).expect("it fits");
    fs
}

#[test]
fn a_manifest_keeps_its_bytes() {
    let golden: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/golden"].iter().collect();
    let fs = golden_store();
    let kept: Arc<dyn Fs> = Arc::new(MemFs::new());
    kept.create_dir(Path::new(DIR)).unwrap();
    for name in ["MANIFEST-000003-a", "MANIFEST-000003-b", "SNAPSHOT-000003"] {
        let mut written = bytes_of(&fs, name);
        let is_edits = name.starts_with("MANIFEST");
        if is_edits {
            // The rest was never written.
            assert!(written.split_off(5 * 4096).iter().all(|&byte| byte == 0));
        }
        let path = golden.join(name.trim_end_matches("-a").trim_end_matches("-b"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &written).unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        assert!(written == bytes, "{name}: other bytes than once; that is a new format version");
        bytes.resize(if is_edits { 1 << 20 } else { bytes.len() }, 0);
        kept.create(&Path::new(DIR).join(name)).unwrap().write_at(FileOffset::ZERO, &bytes).unwrap();
    }
    let catalog = read(&kept).unwrap().catalog().clone();
    assert_eq!(catalog.to_edit(), read(&fs).unwrap().catalog().to_edit());
    assert_eq!((catalog.lineage.len(), catalog.foreign.len(), catalog.next_tree.get()), (1, 1, 8));
}
