//! What was lost is told, never answered by something older, and can be given up.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_core::{CompactionJob, CompactionStrategy, JobInput, Level, Place, PlanContext, RunNo, Version};
use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
use resilver::{
    AutoHeal, Background, Db, Error, EventKind, HealMode, Healing, LostKeys, Options, PatrolOptions, Reason,
    Scan, Scheme, ScrubControl, Snapshot, Verdict,
};

/// How many keys of their own stand to the left and right of the one that matters.
const NEIGHBOURS: u32 = 60;
const KEY: &[u8] = b"key0500";

fn key(number: u32) -> Vec<u8> {
    format!("key{number:04}").into_bytes()
}

fn options(fs: &FaultFs) -> Options {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    // Nothing makes good what is lost, and nothing is merged unless it is asked for.
    let options = Options::new().fs(fs).background(Background::Inline).cache_bytes(0);
    options.protection(Scheme::ChecksumOnly).block_bytes(1 << 10).level_base_bytes(64 << 20)
}

fn new_store() -> (FaultFs, Db) {
    let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(7));
    let db = options(&fs).open("/store").unwrap();
    (fs, db)
}

fn tables(fs: &FaultFs) -> Vec<PathBuf> {
    let listed = fs.list(Path::new("/store")).unwrap();
    let tables = listed.into_iter().map(|entry| Path::new("/store").join(entry.name));
    let mut tables: Vec<_> =
        tables.filter(|path| path.extension().is_some_and(|end| end == "table")).collect();
    tables.sort();
    tables
}

/// Every data block of a table is gone; the rest of it is there.
fn lose_data(fs: &FaultFs, table: &Path, pages: u64) {
    let damage = Damage::new(FileOffset::new(4096), ByteLen::new(pages * 4096), Rot::Zero);
    fs.damage(table, damage).unwrap();
}

/// What was written last to the key that matters, and is in the lost block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Put,
    Delete,
    SingleDelete,
    RangeDelete,
}

/// How far down the older versions, and then the newest, have been merged before the newest is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// All in level 0.
    Flushed,
    /// The older in the last level, the newest in level 0.
    OverMerged,
    /// The older in the last level, the newest in this one above it.
    Above(u8),
    /// All in one table of the last level.
    Merged,
}

/// Takes everything that was flushed to a level.
#[derive(Debug)]
struct Down(u8);

impl CompactionStrategy for Down {
    fn name(&self) -> &'static str {
        "Down"
    }

    fn choose(&self, version: &Version, context: &PlanContext<'_>) -> Option<CompactionJob> {
        let flushed = version.tables().filter(|(level, _, _)| *level == Level::new(0));
        let inputs: Vec<_> =
            flushed.map(|(level, run, table)| JobInput::new(Place { level, run }, table)).collect();
        let target = Place { level: Level::new(self.0), run: RunNo::new(0) };
        let job = || CompactionJob::new(version, context, inputs.clone(), target, lsm_core::Reason::Asked);
        (!inputs.is_empty()).then(job)
    }
}

fn surroundings(db: &Db, round: u8) {
    for number in 500 - NEIGHBOURS..=500 + NEIGHBOURS {
        if key(number) != KEY {
            db.put(&key(number), &[round; 90]).unwrap();
        }
    }
}

/// Two or one older versions of the key, and a newest one which is lost.
fn lost_newest(newest: Newest, depth: Depth) -> (FaultFs, Db, Vec<Snapshot>) {
    let (fs, db) = new_store();
    let mut snapshots = Vec::new();
    let versions: &[u8] = if newest == Newest::SingleDelete { &[1] } else { &[1, 2] };
    for &round in versions {
        surroundings(&db, round);
        db.put(KEY, &[round; 90]).unwrap();
        db.flush().unwrap();
        snapshots.push(db.snapshot());
    }
    if depth != Depth::Flushed {
        db.compact().unwrap();
    }
    let before = tables(&fs);
    match newest {
        Newest::Put => db.put(KEY, &[3; 90]).unwrap(),
        Newest::Delete => db.delete(KEY).unwrap(),
        Newest::SingleDelete => db.default_keyspace().single_delete(KEY).unwrap(),
        Newest::RangeDelete => db.delete_range(KEY, b"key0500x").unwrap(),
    }
    surroundings(&db, 3);
    db.flush().unwrap();
    match depth {
        Depth::Flushed | Depth::OverMerged => {}
        Depth::Above(level) => db.compact_with(&Down(level)).unwrap(),
        Depth::Merged => db.compact().unwrap(),
    }
    let new: Vec<_> = tables(&fs).into_iter().filter(|table| !before.contains(table)).collect();
    let [table] = &new[..] else { panic!("one table holds the newest: {new:?}") };
    match newest {
        // Both copies of the ranges, wherever they stand.
        Newest::RangeDelete => fs.remove(table).unwrap(),
        Newest::Put | Newest::Delete | Newest::SingleDelete => lose_data(&fs, table, 12),
    }
    (fs, db, snapshots)
}

/// That the key is not answered: not now, not as of any snapshot, not by any walk.
#[track_caller]
fn check_lost(db: &Db, snapshots: &[Snapshot], when: &str) {
    let space = db.default_keyspace();
    let lost = db.get(KEY).unwrap_err();
    let range = lost.loss().unwrap_or_else(|| panic!("{when}: {lost}"));
    assert!(
        range.from[..] <= *KEY && range.to.is_none_or(|to| KEY < &to[..]),
        "{when}: the range holds the key"
    );
    for snapshot in snapshots {
        // Either the version that the snapshot saw, or an error.
        if let Ok(found) = space.get_at(snapshot, KEY) {
            assert!(found.is_some(), "{when}: a snapshot saw a value");
        }
    }
    for scan in [Scan::all(), Scan::all().reverse()] {
        let items: Vec<_> = db.scan(scan).unwrap().collect();
        assert!(items.iter().flatten().all(|(key, _)| &key[..] != KEY), "{when}: a walk shows it");
        assert!(items.iter().any(Result::is_err), "{when}: a walk says so");
    }
}

/// One case: before and after every way to write the tables anew, and once the loss is given up.
#[track_caller]
fn check(newest: Newest, depth: Depth) {
    for holds_snapshots in [false, true] {
        let (fs, db, mut snapshots) = lost_newest(newest, depth);
        if !holds_snapshots {
            snapshots.clear();
        }
        let when = |what: &str| format!("{newest:?} {depth:?}, snapshots {holds_snapshots}: {what}");
        check_lost(&db, &snapshots, &when("at first"));
        db.heal(HealMode::InPlace).unwrap();
        check_lost(&db, &snapshots, &when("after healing in place"));
        db.heal(HealMode::Rewrite).unwrap();
        check_lost(&db, &snapshots, &when("after a rewrite"));
        db.compact().unwrap();
        check_lost(&db, &snapshots, &when("after a compaction"));
        drop(snapshots);
        db.compact().unwrap();
        check_lost(&db, &[], &when("after another"));
        db.close().unwrap();
        let db = options(&fs).open("/store").unwrap();
        check_lost(&db, &[], &when("opened again"));
        db.put(&key(500 + NEIGHBOURS), b"newer").unwrap();
        accept_all(&db);
        assert_eq!(db.get(KEY).unwrap(), None, "{}", when("given up"));
        assert_eq!(db.get(&key(500 + NEIGHBOURS)).unwrap().as_deref(), Some(&b"newer"[..]));
        assert!(db.losses().unwrap().is_empty());
        db.compact().unwrap();
        assert_eq!(db.get(KEY).unwrap(), None, "{}", when("given up and compacted"));
        assert!(db.scan(Scan::all()).unwrap().all(|item| item.unwrap().0[..] != *KEY));
        db.put(KEY, b"new").unwrap();
        assert_eq!(db.get(KEY).unwrap().as_deref(), Some(&b"new"[..]));
        let report = db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        assert!(report.is_ok(), "{}: {report:?}", when("a scrub"));
    }
}

/// In every level. In the last it stands with what is older of the same key, as long as snapshots need that.
fn every_depth(newest: Newest) {
    let above = (1..Level::LAST.get()).map(Depth::Above);
    [Depth::Flushed, Depth::OverMerged, Depth::Merged]
        .into_iter()
        .chain(above)
        .for_each(|depth| check(newest, depth));
}

fn accept_all(db: &Db) {
    let accepted = db.default_keyspace().accept_loss(Bound::Unbounded, Bound::Unbounded).unwrap();
    assert!(accepted.iter().any(|loss| loss.holds(KEY)), "{accepted:?}");
}

#[test]
fn the_newest_of_three_versions_is_lost() {
    every_depth(Newest::Put);
}

#[test]
fn a_delete_is_lost() {
    every_depth(Newest::Delete);
}

#[test]
fn a_single_delete_is_lost() {
    every_depth(Newest::SingleDelete);
}

#[test]
fn a_range_delete_is_lost() {
    every_depth(Newest::RangeDelete);
}

#[test]
fn what_is_newer_than_a_loss_is_answered_and_stays() {
    let (_, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
    drop(snapshots);
    db.put(KEY, b"newer").unwrap();
    for _ in 0..2 {
        assert_eq!(db.get(KEY).unwrap().as_deref(), Some(&b"newer"[..]));
        db.compact().unwrap();
    }
    accept_all(&db);
    assert_eq!(db.get(KEY).unwrap().as_deref(), Some(&b"newer"[..]));
}

#[test]
fn a_loss_is_listed_before_it_is_rewritten_and_after() {
    for auto_heal in [AutoHeal::On, AutoHeal::Off] {
        let (fs, db, _) = lost_newest(Newest::Put, Depth::OverMerged);
        db.set_auto_heal(auto_heal);
        assert!(db.losses().unwrap().is_empty(), "nobody has met it");
        assert!(db.get(KEY).is_err());
        let losses = db.losses().unwrap();
        let loss = losses.iter().find(|loss| loss.holds(KEY)).unwrap();
        assert!(&*loss.keyspace == "default" && loss.seq_low <= loss.seq_high && !loss.pages.is_empty());
        assert!(
            fs.list(Path::new("/store")).unwrap().iter().any(|entry| entry.name.as_os_str() == &*loss.file)
        );
        let newest = loss.seq_high;
        db.compact().unwrap();
        let losses = db.losses().unwrap();
        let loss = losses.iter().find(|loss| loss.holds(KEY)).unwrap();
        assert!(loss.seq_high == newest && loss.pages.is_empty(), "{losses:?}");
    }
}

#[test]
fn only_the_range_that_is_named_is_given_up() {
    let (_, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
    drop(snapshots);
    assert!(db.get(KEY).is_err());
    let space = db.default_keyspace();
    let before = db.losses().unwrap();
    let refused = space.accept_loss(Bound::Included(b"other"), Bound::Unbounded);
    assert!(matches!(refused, Err(Error::NotLost { .. })), "{refused:?}");
    assert_eq!(db.losses().unwrap(), before, "nothing was changed");
    let accepted = space.accept_loss(Bound::Included(KEY), Bound::Included(KEY)).unwrap();
    assert!(
        accepted.iter().all(|loss| loss.lower == Bound::Included(KEY.into()) && loss.lower == loss.upper)
    );
    assert_eq!(db.get(KEY).unwrap(), None);
    assert!(db.get(&key(499)).unwrap_err().is_loss() && db.get(&key(501)).unwrap_err().is_loss());
    db.compact().unwrap();
    assert_eq!(db.get(KEY).unwrap(), None);
    assert!(db.get(&key(499)).unwrap_err().is_loss() && db.get(&key(501)).unwrap_err().is_loss());
}

#[test]
fn nothing_is_given_up_that_a_snapshot_sees() {
    let (_, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
    assert!(db.get(KEY).is_err());
    let space = db.default_keyspace();
    let refused = space.accept_loss(Bound::Unbounded, Bound::Unbounded);
    assert!(matches!(refused, Err(Error::Tree(lsm_core::Error::HeldBySnapshot { .. }))), "{refused:?}");
    assert_eq!(space.get_at(&snapshots[1], KEY).unwrap().as_deref(), Some(&[2; 90][..]));
    drop(snapshots);
    assert!(space.accept_loss(Bound::Unbounded, Bound::Unbounded).is_ok());
}

#[test]
fn a_damaged_file_is_kept_until_it_is_released() {
    let (fs, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
    drop(snapshots);
    let damaged = tables(&fs).pop().unwrap();
    assert!(db.quarantined().unwrap().is_empty());
    assert!(db.get(KEY).is_err());
    let report = db.heal(HealMode::Rewrite).unwrap();
    assert!(matches!(report.files[0].healed.outcome, Healing::Lost { .. }) && !report.is_whole());
    assert!(!tables(&fs).contains(&damaged) && db.hints().is_empty());
    let kept = db.quarantined().unwrap();
    assert!(kept.len() == 1 && kept[0].file_name() == damaged.file_name());
    db.close().unwrap();
    let db = options(&fs).open("/store").unwrap();
    assert_eq!(db.quarantined().unwrap(), kept);
    assert_eq!(db.release_quarantined().unwrap(), 1);
    assert!(db.quarantined().unwrap().is_empty());
    assert!(db.get(KEY).unwrap_err().is_loss());
}

#[test]
fn a_checkpoint_takes_losses_along() {
    let (fs, db, snapshots) = lost_newest(Newest::Delete, Depth::OverMerged);
    drop(snapshots);
    assert!(db.get(KEY).is_err());
    db.checkpoint("/before").unwrap();
    db.compact().unwrap();
    db.checkpoint("/after").unwrap();
    for dir in ["/before", "/after"] {
        check_lost(&options(&fs).open(dir).unwrap(), &[], dir);
    }
}

/// The name of the verdict, and of the reasons.
fn health(db: &Db) -> (Verdict, Vec<&'static str>) {
    let health = db.health().unwrap();
    (health.verdict, health.reasons.iter().map(Reason::name).filter(|name| *name != "unlooked").collect())
}

#[test]
fn a_verdict_of_loss_ends_once_the_loss_is_given_up_and_the_ledger_says_who_did_it() {
    for auto_heal in [AutoHeal::On, AutoHeal::Off] {
        let (fs, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
        drop(snapshots);
        db.set_auto_heal(auto_heal);
        assert!(db.get(KEY).is_err());
        assert_eq!(health(&db), (Verdict::DataLoss, vec!["lost", "keys_lost"]));
        db.close().unwrap();
        // The ledger remembers it if nothing else does.
        let db = options(&fs).auto_heal(auto_heal).open("/store").unwrap();
        assert_eq!(health(&db).0, Verdict::DataLoss);
        db.compact().unwrap();
        assert_eq!(health(&db), (Verdict::DataLoss, vec!["keys_lost"]));
        let one = db.default_keyspace().accept_loss(Bound::Included(KEY), Bound::Included(KEY)).unwrap();
        assert_eq!(health(&db), (Verdict::DataLoss, vec!["keys_lost", "given_up"]));
        accept_rest(&db);
        assert_eq!(health(&db), (Verdict::Healed, vec!["given_up"]), "{auto_heal:?}");
        db.close().unwrap();
        let db = options(&fs).open("/store").unwrap();
        assert_eq!(health(&db), (Verdict::Healed, vec!["given_up"]));
        let events = db.ledger().unwrap().events;
        let given_up: Vec<_> = events.iter().filter(|event| event.kind == EventKind::LossAccepted).collect();
        assert_eq!(given_up.len(), 2, "a line each: {given_up:?}");
        assert_eq!(*given_up[0].note, format!("{}", LostKeys { seq_low: one[0].seq_low, ..one[0].clone() }));
        assert!(given_up[1].note.contains("ranges, among them default: "), "{}", given_up[1].note);
    }
}

fn accept_rest(db: &Db) {
    db.default_keyspace().accept_loss(Bound::Unbounded, Bound::Unbounded).unwrap();
}

/// Compacts over losses until so many tables are in quarantine, with room for the bytes of so many.
fn kept_files(fs: &FaultFs, bytes: u64, losses: usize) -> Db {
    let db = options(fs).quarantine_bytes(bytes).open("/store").unwrap();
    for round in 0..losses {
        let before = tables(fs);
        surroundings(&db, round as u8);
        db.flush().unwrap();
        let new = tables(fs).into_iter().find(|table| !before.contains(table)).unwrap();
        lose_data(fs, &new, 2);
        db.compact().unwrap();
    }
    db
}

fn released(db: &Db) -> Vec<String> {
    let events = db.ledger().unwrap().events.into_iter();
    events.filter(|event| event.kind == EventKind::Quarantine).map(|event| event.file.to_string()).collect()
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_quarantine_has_a_bound_and_whatever_leaves_it_is_on_record() {
    let (fs, db) = new_store();
    db.close().unwrap();
    let db = kept_files(&fs, u64::MAX, 4);
    let kept = db.quarantined().unwrap();
    assert!(kept.len() == 4 && released(&db).is_empty(), "{kept:?}");
    let sizes: Vec<u64> = kept
        .iter()
        .map(|path| fs.open(path, lsm_io::Access::ReadOnly).unwrap().len().unwrap().get())
        .collect();
    db.close().unwrap();
    // Opened with less room, and worked with.
    let db = options(&fs).quarantine_bytes(sizes[2] + sizes[3]).open("/store").unwrap();
    db.compact().unwrap();
    assert_eq!(db.quarantined().unwrap(), kept[2..], "the oldest go");
    assert_eq!(released(&db), names(&kept[..2]));
    assert_eq!(db.release_quarantined().unwrap(), 2);
    assert_eq!(released(&db), names(&kept), "a line each");
    db.close().unwrap();
    let db = options(&fs).open("/store").unwrap();
    assert_eq!(released(&db), names(&kept));
    // No room at all.
    db.close().unwrap();
    let db = kept_files(&fs, 0, 1);
    assert_eq!((db.quarantined().unwrap().len(), released(&db).len()), (0, 5));
    assert!(db.get(&key(501)).unwrap_err().is_loss());
}

#[test]
fn a_quarantine_that_is_damaged_itself_stands_in_nobodys_way() {
    // A file by its name.
    let (fs, db) = new_store();
    db.close().unwrap();
    let blocker = fs.create(Path::new("/store/quarantine")).unwrap();
    blocker.write_at(FileOffset::new(0), b"not ours").unwrap();
    let db = kept_files(&fs, u64::MAX, 2);
    assert_eq!(db.quarantined().unwrap().len(), 2);
    assert!(
        fs.list(Path::new("/store")).unwrap().iter().any(|entry| entry.name == Path::new("quarantine.aside"))
    );
    // What is kept is cut, garbled, gone, or something else; the store is none the worse.
    let kept = db.quarantined().unwrap();
    fs.damage(&kept[0], Damage::new(FileOffset::new(0), ByteLen::new(8192), Rot::Unreadable)).unwrap();
    fs.remove(&kept[1]).unwrap();
    fs.create(Path::new("/store/quarantine/000001.table.tmp")).unwrap();
    let report = db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
    assert!(report.is_complete());
    accept_rest(&db);
    db.close().unwrap();
    let db = options(&fs).quarantine_bytes(0).open("/store").unwrap();
    db.compact().unwrap();
    assert_eq!(db.quarantined().unwrap(), Vec::<PathBuf>::new());
    assert!(db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap().is_ok());
}

#[test]
fn a_ledger_that_is_lost_is_said_to_be_and_a_loss_is_given_up_all_the_same() {
    let (fs, db, snapshots) = lost_newest(Newest::Put, Depth::OverMerged);
    drop(snapshots);
    assert!(db.get(KEY).is_err());
    db.close().unwrap();
    // Its records are in the log still; from there they come into a table.
    let db = options(&fs).open("/store").unwrap();
    let before = tables(&fs);
    db.flush().unwrap();
    let new: Vec<_> = tables(&fs).into_iter().filter(|table| !before.contains(table)).collect();
    for table in &new {
        lose_data(&fs, table, 2);
    }
    db.close().unwrap();
    let db = options(&fs).open("/store").unwrap();
    let ledger = db.ledger().unwrap();
    let is_said = !ledger.damage.is_none();
    assert_eq!(is_said, !new.is_empty(), "{new:?} {ledger:?}");
    assert!(db.get(KEY).unwrap_err().is_loss());
    accept_rest(&db);
    assert_eq!(db.get(KEY).unwrap(), None);
    let ledger = db.ledger().unwrap();
    assert!(ledger.damage.is_none(), "{ledger:?}");
    assert!(ledger.events.iter().any(|event| event.kind == EventKind::LossAccepted));
    assert_eq!(health(&db).0, Verdict::Healed);
}
