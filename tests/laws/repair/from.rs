//! Repair from a checkpoint: what it holds comes back, older where writes came later, and nothing newer is overlaid.

use std::{path::Path, sync::Arc};

use lsm_io::{Access, FileOffset, Fs, MemFs};
use resilver::{Background, Db, Options, Repair, RepairReport, Scheme};

use super::world::STORE;

const KEYS: u32 = 400;

fn options(disk: &MemFs) -> Options {
    let options = Options::new().fs(Arc::new(disk.clone())).background(Background::Inline).cache_bytes(0);
    options.protection(Scheme::ChecksumOnly).block_bytes(1 << 10).level_base_bytes(64 << 20)
}

fn key(number: u32) -> Vec<u8> {
    format!("key/{number:05}").into_bytes()
}

fn put_all(db: &Db, of: impl Iterator<Item = u32>, value: u8) {
    of.for_each(|number| db.put(&key(number), &[value; 60]).unwrap());
}

/// The tables of the store, in the order they were made.
fn tables(disk: &MemFs) -> Vec<std::path::PathBuf> {
    super::world::files(disk, &[".table"])
}

/// Every data page of a table becomes zeros.
fn lose_data(disk: &MemFs, table: &Path, pages: u64) {
    let file = disk.open(table, Access::ReadWrite).unwrap();
    for page in 1..=pages {
        file.write_at(FileOffset::new(page * 4096), &[0; 4096]).unwrap();
    }
    file.sync().unwrap();
}

fn repair_from(disk: &MemFs) -> RepairReport {
    Repair::new(STORE, options(disk)).from_checkpoint("/copy").run().unwrap()
}

fn check(disk: &MemFs, expected: impl Fn(u32) -> Option<u8>) {
    let db = options(disk).open(STORE).unwrap();
    assert_eq!(db.losses().unwrap(), []);
    for round in 0..2 {
        for number in 0..KEYS {
            let found = db.get(&key(number)).unwrap().map(|value| value[0]);
            assert_eq!(found, expected(number), "key {number}, round {round}");
        }
        db.compact().unwrap();
    }
}

#[test]
fn pages_of_a_file_that_the_checkpoint_has_come_back_as_they_were() {
    let disk = MemFs::new();
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..KEYS, 1);
    db.flush().unwrap();
    db.checkpoint_copied("/copy").unwrap();
    put_all(&db, (0..KEYS).filter(|number| number % 3 == 0), 2);
    db.close().unwrap();
    lose_data(&disk, &tables(&disk)[0], 3);
    let report = repair_from(&disk);
    assert!(report.healed_pages >= 3 && !report.is_loss(), "{report:?}");
    assert_eq!(repair_from(&disk).outcome, resilver::RepairOutcome::Untouched);
    check(&disk, |number| Some(if number % 3 == 0 { 2 } else { 1 }));
}

#[test]
fn a_table_that_is_gone_comes_back_whole() {
    let disk = MemFs::new();
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..KEYS, 1);
    db.flush().unwrap();
    db.checkpoint_copied("/copy").unwrap();
    db.close().unwrap();
    disk.remove(&tables(&disk)[0]).unwrap();
    let report = repair_from(&disk);
    assert_eq!((report.restored.len(), report.is_loss()), (1, false), "{report:?}");
    check(&disk, |_| Some(1));
}

#[test]
fn a_range_comes_back_as_of_the_checkpoint_and_what_is_newer_stays() {
    let disk = MemFs::new();
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..KEYS, 1);
    db.flush().unwrap();
    db.checkpoint_copied("/copy").unwrap();
    // A table that the checkpoint does not have: all of it was written again, and merged.
    put_all(&db, (0..KEYS).filter(|number| number % 2 == 0), 2);
    db.compact().unwrap();
    // What survives: newer values, a delete, a range delete.
    put_all(&db, 10..20, 3);
    db.delete(&key(30)).unwrap();
    db.delete_range(&key(40), &key(50)).unwrap();
    db.flush().unwrap();
    db.close().unwrap();
    let merged = &tables(&disk)[0];
    let len = disk.open(merged, Access::ReadOnly).unwrap().len().unwrap().get();
    lose_data(&disk, merged, (len / 4096 / 2).min(6));
    let report = repair_from(&disk);
    assert!(report.filled.iter().any(resilver::Filled::is_older), "{report:?}");
    assert!(report.losses.is_empty(), "{report:?}");
    let db = options(&disk).open(STORE).unwrap();
    assert_eq!(db.losses().unwrap(), []);
    let mut older = 0;
    for number in 0..KEYS {
        let found = db.get(&key(number)).unwrap().map(|value| value[0]);
        match number {
            10..20 => assert_eq!(found, Some(3), "{number}"),
            30 | 40..50 => assert_eq!(found, None, "{number}"),
            _ if number % 2 == 0 => {
                older += u32::from(found == Some(1));
                assert!(found == Some(1) || found == Some(2), "{number}: {found:?}");
            }
            _ => assert_eq!(found, Some(1), "{number}"),
        }
    }
    assert!(older > 5, "{older}");
    db.close().unwrap();
    assert_eq!(repair_from(&disk).outcome, resilver::RepairOutcome::Untouched);
}

/// Writes all keys into a table of its own, which this is.
fn flush_all(db: &Db, disk: &MemFs, value: u8) -> std::path::PathBuf {
    put_all(db, 0..KEYS, value);
    let before = tables(disk);
    db.flush().unwrap();
    let len = |path: &std::path::PathBuf| disk.open(path, Access::ReadOnly).unwrap().len().unwrap();
    tables(disk).into_iter().filter(|table| !before.contains(table)).max_by_key(len).unwrap()
}

#[test]
fn of_ranges_that_overlap_each_key_comes_back_once_and_as_new_as_anything_has_it() {
    let disk = MemFs::new();
    let db = options(&disk).open(STORE).unwrap();
    let first = flush_all(&db, &disk, 1);
    db.checkpoint_copied("/copy").unwrap();
    let hurt = [2, 3].map(|value| flush_all(&db, &disk, value));
    db.close().unwrap();
    assert!(tables(&disk).contains(&first) && hurt.iter().all(|table| tables(&disk).contains(table)));
    lose_data(&disk, &hurt[0], 3);
    lose_data(&disk, &hurt[1], 5);
    let report = repair_from(&disk);
    assert!(report.filled.len() > 1 && report.losses.is_empty(), "{report:?}");
    let db = options(&disk).open(STORE).unwrap();
    assert_eq!(db.losses().unwrap(), []);
    let mut seen = [0; 4];
    for number in 0..KEYS {
        let found = db.get(&key(number)).unwrap().map(|value| value[0]);
        seen[usize::from(found.unwrap_or(0))] += 1;
    }
    assert!(seen[0] == 0 && seen[1..].iter().all(|&keys| keys > 20), "{seen:?}");
}

#[test]
fn a_checkpoint_that_was_written_to_and_has_no_table_of_its_own_yet_misses_a_destroyed_one() {
    let disk = MemFs::new();
    let db = options(&disk).open("/parent").unwrap();
    for value in [1, 2] {
        put_all(&db, 0..KEYS, value);
        db.flush().unwrap();
    }
    db.checkpoint_copied(STORE).unwrap();
    db.close().unwrap();
    let before = tables(&disk);
    let db = options(&disk).open(STORE).unwrap();
    db.put(b"later", b"later").unwrap();
    db.close().unwrap();
    assert_eq!(tables(&disk), before, "it has no table of its own");
    super::world::lose_manifest(&disk);
    let file = disk.open(&before[0], Access::ReadWrite).unwrap();
    file.write_at(FileOffset::ZERO, &vec![0xA5; file.len().unwrap().get() as usize]).unwrap();
    let report = Repair::new(STORE, options(&disk)).run().unwrap();
    assert!(report.losses.iter().any(|loss| loss.holds(&key(0))), "{report:?}");
}

#[test]
fn what_a_store_became_later_says_nothing_of_one_that_was_made_of_its_checkpoint() {
    let disk = MemFs::new();
    let parent = options(&disk).open("/parent").unwrap();
    let space = parent.keyspace("space").unwrap();
    space.put(b"kept", b"of old").unwrap();
    put_all(&parent, 0..KEYS, 1);
    parent.flush().unwrap();
    parent.checkpoint_copied(STORE).unwrap();
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..2, 2);
    db.flush().unwrap();
    put_all(&db, 2..4, 3);
    db.close().unwrap();
    let own = tables(&disk).len();
    parent.drop_keyspace(&space).unwrap();
    for value in 4..8 {
        put_all(&parent, 0..KEYS, value);
        parent.flush().unwrap();
    }
    parent.close().unwrap();
    for entry in disk.list(Path::new("/parent")).unwrap() {
        let (from, to) = (Path::new("/parent").join(&entry.name), Path::new(STORE).join(&entry.name));
        if to.extension().is_some_and(|end| end == "table") && disk.open(&to, Access::ReadOnly).is_err() {
            disk.copy(&from, &to).unwrap();
        }
    }
    assert!(tables(&disk).len() > own, "nothing of the other branch");
    super::world::lose_manifest(&disk);
    let report = Repair::new(STORE, options(&disk)).run().unwrap();
    assert!(!report.is_loss(), "{report:?}");
    let db = options(&disk).open(STORE).unwrap();
    let kept = db.find_keyspace("space").unwrap().get(b"kept").unwrap();
    assert_eq!(kept.as_deref(), Some(&b"of old"[..]), "{report:?}");
    db.close().unwrap();
    check(&disk, |number| Some([2, 2, 3, 3, 1][number.min(4) as usize]));
}

#[test]
fn a_checkpoint_of_another_store_is_refused_and_nothing_is_changed() {
    let disk = MemFs::new();
    let other = options(&disk).open("/other").unwrap();
    other.put(b"key", b"value").unwrap();
    other.checkpoint_copied("/copy").unwrap();
    drop(other);
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..KEYS, 1);
    db.flush().unwrap();
    db.close().unwrap();
    let table = tables(&disk)[0].clone();
    lose_data(&disk, &table, 2);
    let before = super::world::bytes_of(&disk);
    let refused = Repair::new(STORE, options(&disk)).from_checkpoint("/copy").run();
    assert!(matches!(refused, Err(resilver::Error::ForeignCheckpoint { .. })), "{refused:?}");
    assert!(before == super::world::bytes_of(&disk));
}

#[test]
fn what_is_lost_is_listed_by_key_and_given_up_where_that_is_asked_for() {
    let disk = MemFs::new();
    let db = options(&disk).open(STORE).unwrap();
    put_all(&db, 0..KEYS, 1);
    db.flush().unwrap();
    db.close().unwrap();
    lose_data(&disk, &tables(&disk)[0], 2);
    super::world::lose_manifest(&disk);
    let report = Repair::new(STORE, options(&disk)).run().unwrap();
    let lost = |report: &RepairReport, number| report.losses.iter().any(|loss| loss.holds(&key(number)));
    assert!(lost(&report, 0) && !lost(&report, KEYS - 1), "{report:?}");
    assert!(report.losses.iter().all(|loss| loss.seq_low >= 1 && loss.seq_high <= u64::from(KEYS) + 9));
    let before = super::world::bytes_of(&disk);
    let again = Repair::new(STORE, options(&disk)).run().unwrap();
    assert_eq!((again.outcome, again.losses), (resilver::RepairOutcome::Untouched, report.losses));
    assert!(before == super::world::bytes_of(&disk));
    let given_up = Repair::new(STORE, options(&disk)).accept_loss().run().unwrap();
    assert!(given_up.losses.is_empty() && !given_up.accepted.is_empty(), "{given_up:?}");
    let db = options(&disk).open(STORE).unwrap();
    assert_eq!(db.get(&key(0)).unwrap(), None);
    assert_eq!(db.get(&key(KEYS - 1)).unwrap().map(|value| value[0]), Some(1));
}
