//! The end of the log in use: what stands there without a sync, and what stands behind it, is looked at and healed
//! like the rest.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lsm_io::{Access, FileOffset, Fs, MemFs};
use resilver::{Background, Db, HealMode};
use resilver_tests::Watchdog;

use super::patient::{
    PAGE, STORE, files, fill, heal, is_clean, options, pages_of, reads_right, scrub, spoil,
};

/// A store whose changes are in the log alone, none of them synced, and its segment in use.
fn unsynced(disk: &MemFs) -> (Db, PathBuf) {
    let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
    fill(&db, 0..100);
    let used = files(disk, ".wal").into_iter().rfind(|path| end_page(disk, path) > 1);
    (db, used.unwrap())
}

/// The first page of an extent behind everything that was written.
fn end_page(disk: &MemFs, segment: &Path) -> u64 {
    let half = pages_of(disk, segment) / 2;
    let file = disk.open(segment, Access::ReadOnly).unwrap();
    let bytes = file.read_to_vec(FileOffset::ZERO, (half * PAGE) as usize).unwrap();
    bytes
        .chunks(PAGE as usize)
        .rposition(|page| page.iter().any(|&byte| byte != 0))
        .map_or(0, |at| at as u64 + 1)
}

/// After a scrub and a heal, nothing that is written from then on lands on what is wrong.
fn is_whole_after_care(disk: MemFs, db: Db) {
    scrub(&db).unwrap();
    heal(&db, HealMode::InPlace).unwrap();
    fill(&db, 100..150);
    db.close().unwrap();
    is_clean(Arc::new(disk.clone())).unwrap();
    reads_right(&options(Arc::new(disk)).open(STORE).unwrap(), 150).unwrap();
}

#[test]
fn what_was_not_synced_yet_is_healed_too() {
    let disk = MemFs::new();
    let (db, segment) = unsynced(&disk);
    assert!(end_page(&disk, &segment) > 3);
    spoil(&disk, &segment, 2..3);
    is_whole_after_care(disk, db);
}

#[test]
fn nothing_is_written_over_what_is_wrong_behind_the_end() {
    for extent in 0..2 {
        let disk = MemFs::new();
        let (db, segment) = unsynced(&disk);
        let (end, half) = (end_page(&disk, &segment), pages_of(&disk, &segment) / 2);
        spoil(&disk, &segment, half * extent + end..half * extent + end + 5);
        is_whole_after_care(disk, db);
    }
}

#[test]
fn a_segment_that_was_hurt_before_it_comes_into_use_never_does() {
    let disk = MemFs::new();
    let db = options(Arc::new(disk.clone())).background(Background::Threads).open(STORE).unwrap();
    fill(&db, 0..100);
    let _watchdog = Watchdog::over("a segment that stands ready".into());
    while files(&disk, ".wal").len() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let spare = files(&disk, ".wal").into_iter().find(|path| end_page(&disk, path) == 0).unwrap();
    spoil(&disk, &spare, 5..6);
    // It is looked at once it stands ready.
    while scrub(&db).unwrap().evidence.copied == 0 {}
    heal(&db, HealMode::InPlace).unwrap();
    assert!(!files(&disk, ".wal").contains(&spare));
    is_whole_after_care(disk, db);
}
