//! A store that was hurt answers right, and heals itself so that no page is wrong any more.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
use resilver::{
    AutoHeal, Background, Db, HealGate, HealHint, HealMode, Healing, Options, Page, PageNo, RepairSource,
    Scan, Uid, Unreadable,
};

const KEYS: u32 = 3000;

fn key(number: u32) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

fn value(number: u32) -> Vec<u8> {
    vec![b'a' + (number % 26) as u8; 60 + (number % 100) as usize]
}

fn options(fs: &FaultFs) -> Options {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    Options::new().fs(fs).background(Background::Inline).table_bytes(64 << 10).cache_bytes(0).pinned_bytes(0)
}

fn store() -> (FaultFs, Vec<std::path::PathBuf>) {
    let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(7));
    let db = options(&fs).open("/store").unwrap();
    (0..KEYS).for_each(|number| db.put(&key(number), &value(number)).unwrap());
    db.compact().unwrap();
    db.close().unwrap();
    let listed = fs.list(Path::new("/store")).unwrap();
    let tables = listed.into_iter().map(|entry| Path::new("/store").join(entry.name));
    (fs, tables.filter(|path| path.extension().is_some_and(|extension| extension == "table")).collect())
}

#[track_caller]
fn check_all(db: &Db) {
    for number in 0..KEYS {
        assert_eq!(db.get(&key(number)).unwrap().as_deref(), Some(&value(number)[..]), "{number}");
    }
    assert_eq!(db.scan(Scan::all()).unwrap().map(Result::unwrap).count(), KEYS as usize);
}

fn bytes_of(fs: &FaultFs, path: &Path) -> Vec<u8> {
    let file = fs.open(path, lsm_io::Access::ReadOnly).unwrap();
    let len = file.len().unwrap().get() as usize;
    file.read_to_vec(FileOffset::ZERO, len).unwrap()
}

#[track_caller]
fn check_healed(pages: std::ops::Range<u64>, rot: Rot, expected: &Healing) {
    let (fs, tables) = store();
    let sealed = bytes_of(&fs, &tables[0]);
    let damage =
        Damage::new(FileOffset::new(pages.start * 4096), ByteLen::new((pages.end - pages.start) * 4096), rot);
    fs.damage(&tables[0], damage).unwrap();
    let db = options(&fs).open("/store").unwrap();
    check_all(&db);
    let report = db.heal(HealMode::InPlace).unwrap();
    let [file] = &report.files[..] else { panic!("{rot:?}: {report:?}") };
    assert_eq!(file.healed.outcome, *expected, "{rot:?}");
    assert!(db.hints().is_empty());
    assert!(bytes_of(&fs, &tables[0]) == sealed, "{rot:?}: the healed file is the one first written");
    check_all(&db);
}

#[test]
fn what_reads_met_is_healed_in_place() {
    for rot in [Rot::Zero, Rot::Garble, Rot::Flip { bits: 1 }, Rot::Unreadable] {
        check_healed(3..4, rot, &Healing::InPlace { pages: 1 });
    }
    check_healed(2..5, Rot::Zero, &Healing::InPlace { pages: 3 });
}

#[test]
fn a_rewrite_takes_another_file_and_keeps_everything() {
    let (fs, tables) = store();
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Zero)).unwrap();
    let db = options(&fs).open("/store").unwrap();
    check_all(&db);
    let report = db.heal(HealMode::Rewrite).unwrap();
    assert_eq!(report.files[0].healed.outcome, Healing::Rewritten);
    assert!(db.hints().is_empty() && report.is_whole());
    assert!(fs.open(&tables[0], lsm_io::Access::ReadOnly).is_err(), "the old file is gone");
    check_all(&db);
}

#[test]
fn hints_outlive_the_store_that_noted_them() {
    let (fs, tables) = store();
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Zero)).unwrap();
    let db = options(&fs).open("/store").unwrap();
    check_all(&db);
    db.close().unwrap();
    let db = options(&fs).open("/store").unwrap();
    assert_eq!(db.hints().len(), 1);
    assert_eq!(db.heal(HealMode::InPlace).unwrap().files.len(), 1);
    db.close().unwrap();
    assert!(options(&fs).open("/store").unwrap().hints().is_empty());
}

#[test]
fn a_store_that_is_not_to_heal_answers_right_and_notes_nothing() {
    let (fs, tables) = store();
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Zero)).unwrap();
    let db = options(&fs).auto_heal(AutoHeal::Off).open("/store").unwrap();
    check_all(&db);
    assert!(db.hints().is_empty());
    db.set_auto_heal(AutoHeal::On);
    check_all(&db);
    assert_eq!(db.hints().len(), 1);
}

#[test]
fn a_store_heals_itself_in_the_background() {
    let (fs, tables) = store();
    let sealed = bytes_of(&fs, &tables[0]);
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Garble)).unwrap();
    let db = options(&fs).background(Background::Threads).open("/store").unwrap();
    check_all(&db);
    while !db.hints().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(bytes_of(&fs, &tables[0]) == sealed);
}

/// Every file as it once was.
#[derive(Debug)]
struct Backup(Vec<Vec<u8>>);

impl RepairSource for Backup {
    fn read_page(&self, file: Uid, page: PageNo, into: &mut Page) -> Result<(), Unreadable> {
        let is_it = |bytes: &&Vec<u8>| bytes.windows(16).take(4096).any(|window| window == file.to_bytes());
        let bytes = self.0.iter().find(is_it).ok_or(Unreadable)?;
        let at = usize::try_from(page.offset()).unwrap();
        into.copy_from_slice(bytes.get(at..at + 4096).ok_or(Unreadable)?);
        Ok(())
    }
}

#[test]
fn an_older_copy_gives_what_parity_does_not() {
    let (fs, tables) = store();
    let backup = Backup(tables.iter().map(|table| bytes_of(&fs, table)).collect());
    let sealed = bytes_of(&fs, &tables[0]);
    // Parity, digests and all but the head.
    let rest = ByteLen::new(sealed.len() as u64 - 4096);
    fs.damage(&tables[0], Damage::new(FileOffset::new(4096), rest, Rot::Zero)).unwrap();

    let db = options(&fs).open("/store").unwrap();
    assert!((0..KEYS).any(|number| db.get(&key(number)).is_err()), "it is too much for parity");
    drop(db);
    let db = options(&fs).repair_source(Arc::new(backup)).open("/store").unwrap();
    check_all(&db);
    assert!(db.heal(HealMode::InPlace).unwrap().is_whole());
    assert!(bytes_of(&fs, &tables[0]) == sealed);
    drop(db);
    check_all(&options(&fs).open("/store").unwrap());
}

/// A gate that somebody opens.
#[derive(Debug, Default)]
struct Gate {
    is_open: AtomicBool,
    asked: AtomicU64,
}

impl HealGate for Gate {
    fn may_heal(&self, hint: &HealHint) -> bool {
        assert!(!hint.pages.is_empty());
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.is_open.load(Ordering::Relaxed)
    }
}

#[test]
fn a_gate_says_when_the_background_may_heal() {
    let (fs, tables) = store();
    let sealed = bytes_of(&fs, &tables[0]);
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Garble)).unwrap();
    let gate = Arc::new(Gate::default());
    let db = options(&fs).background(Background::Threads).heal_gate(gate.clone()).open("/store").unwrap();
    check_all(&db);
    while gate.asked.load(Ordering::Relaxed) < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(db.hints().len(), 1, "nobody healed it");
    gate.is_open.store(true, Ordering::Relaxed);
    while !db.hints().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(bytes_of(&fs, &tables[0]) == sealed);
}

#[test]
fn a_schedule_finds_and_heals_what_nobody_reads() {
    let (fs, tables) = store();
    let sealed = bytes_of(&fs, &tables[0]);
    fs.damage(&tables[0], Damage::new(FileOffset::new(8192), ByteLen::new(4096), Rot::Garble)).unwrap();
    let options = options(&fs).background(Background::Threads).scrub_every(Duration::from_secs(3600));
    let db = options.open("/store").unwrap();
    while bytes_of(&fs, &tables[0]) != sealed {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Every file was never examined, so all of them are due at once.
    while db.scrub_status().unwrap().files_never_clean > 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(db.keyspaces().iter().all(|name| &**name == "default"), "the store's own keyspace is not listed");
    check_all(&db);
}

#[test]
fn a_copied_checkpoint_is_whole_though_the_store_is_not() {
    for rot in [Rot::Zero, Rot::Garble, Rot::Flip { bits: 1 }, Rot::Unreadable] {
        let (fs, tables) = store();
        for table in &tables {
            fs.damage(table, Damage::new(FileOffset::new(8192), ByteLen::new(3 * 4096), rot)).unwrap();
        }
        let db = options(&fs).open("/store").unwrap();
        db.checkpoint_copied("/copy").unwrap();
        let seen = resilver::verify("/copy", &options(&fs), |_| {}).unwrap();
        assert_eq!(seen.bad, [], "{rot:?}");
        check_all(&options(&fs).open("/copy").unwrap());
        assert!(!resilver::verify("/store", &options(&fs), |_| {}).is_ok_and(|seen| seen.bad.is_empty()));
    }
}

#[test]
fn a_checkpoint_of_a_store_that_lost_a_table_loses_no_more_and_hides_nothing() {
    let (fs, tables) = store();
    fs.remove(&tables[1]).unwrap();
    let db = options(&fs).open("/store").unwrap();
    db.checkpoint("/linked").unwrap();
    db.checkpoint_copied("/copied").unwrap();
    let answers = |db: &Db| -> Vec<_> {
        (0..KEYS).map(|number| db.get(&key(number)).map_err(|error| error.to_string())).collect()
    };
    let here: Vec<_> = answers(&db).into_iter().map(|answer| answer.ok()).collect();
    assert!(here.iter().any(Option::is_none) && here.iter().any(Option::is_some));
    for dest in ["/linked", "/copied"] {
        let there = answers(&options(&fs).open(dest).unwrap());
        assert!(there.into_iter().map(|answer| answer.ok()).eq(here.iter().cloned()), "{dest}");
    }
}
