//! Repair: whatever a store lost of its manifest and tables, what is left of it is found again, and nothing that was
//! deleted or overwritten comes back.
//!
//! Stores live a while, and are cut off at any moment; then they lose their manifest, and more. By day a few seeded
//! cases, by night as many as there is time for.

mod crashes;
mod from;
mod world;

use std::{path::Path, sync::Arc};

use lsm_io::{Access, FileOffset, Fs, Rng};
use resilver::{Error, ManifestState, RepairOutcome, TableFate, WhyAside};
use resilver_tests::{
    Watchdog,
    budget::{self, Budget},
};

use self::world::{
    Life, STORE, bytes_of, files, judge, judge_but_for_errors, lose_manifest, options, repair, repaired,
};

/// Lives until the time is up, at least a few.
fn each_life(what: &str, by_day: u64, mut check: impl FnMut(u64)) {
    let (is_night, budget) = (budget::is_night(), Budget::of(8));
    let watchdog = Watchdog::over(what.into());
    let mut rng = Rng::new(budget::seed());
    let mut cases = 0;
    while cases < if is_night { u64::MAX } else { by_day } && (cases < 2 || budget.lasts()) {
        watchdog.pat();
        let seed = rng.next_u64();
        println!("{what}: case {cases} with seed {seed:#x}");
        check(seed);
        cases += 1;
    }
}

#[test]
fn without_a_manifest_every_write_is_found_again_and_nothing_older() {
    let mut moments = 0;
    each_life("no manifest", 6, |seed| {
        let mut life = Life::new(seed, 60);
        life.live(900);
        for moment in life.end() {
            moments += 1;
            let what = &moment.what;
            lose_manifest(&moment.disk);
            let report = repaired(&moment.disk, what);
            assert!(matches!(report.manifest, ManifestState::Rebuilt { .. }), "{what}");
            assert_eq!((report.losses.len(), report.log_losses.len()), (0, 0), "{what}: {report:?}");
            let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
            judge(&db, &moment.truths, what);
            db.compact().unwrap();
            judge(&db, &moment.truths, &format!("{what}, compacted"));
            db.put(b"later", b"later").unwrap();
            db.delete(b"later").unwrap();
            db.close().unwrap();
            let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
            judge(&db, &moment.truths, &format!("{what}, opened again"));
        }
    });
    println!("{moments} moments");
    assert!(moments > 20, "only {moments}");
}

#[test]
fn a_healthy_store_is_left_untouched() {
    each_life("healthy", 3, |seed| {
        let mut life = Life::new(seed, 0);
        life.live(700);
        let moment = life.close();
        let before = bytes_of(&moment.disk);
        let planned = repair(&moment.disk).plan().unwrap();
        let report = repair(&moment.disk).run().unwrap();
        assert_eq!((planned.outcome, report.outcome), (RepairOutcome::Untouched, RepairOutcome::Untouched));
        assert!(before == bytes_of(&moment.disk));
    });
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    each_life("dry run", 2, |seed| {
        let mut life = Life::new(seed, 0);
        life.live(500);
        let moment = life.close();
        lose_manifest(&moment.disk);
        let before = bytes_of(&moment.disk);
        let planned = repair(&moment.disk).plan().unwrap();
        assert!(before == bytes_of(&moment.disk));
        let done = repair(&moment.disk).run().unwrap();
        assert_eq!(planned.outcome, RepairOutcome::Planned);
        assert_eq!((planned.keyspaces, planned.set_aside), (done.keyspaces, done.set_aside));
    });
}

#[test]
fn files_of_other_stores_and_copies_under_other_names_are_told_and_kept_apart() {
    each_life("foreign", 3, |seed| {
        let mut rng = Rng::new(seed);
        let (mut life, mut other) = (Life::new(rng.next_u64(), 0), Life::new(rng.next_u64(), 0));
        life.live(700);
        other.live(300);
        let (moment, other) = (life.close(), other.close());
        let mut strangers = 0;
        for (at, table) in (9000_u64..).zip(files(&other.disk, &[".table"])) {
            let bytes = &bytes_of(&other.disk)[&table];
            let file = moment.disk.create(&Path::new(STORE).join(format!("{at:06}.table"))).unwrap();
            file.append(bytes).unwrap();
            strangers += 1;
        }
        let copy = files(&moment.disk, &[".table"])[0].clone();
        let bytes = &bytes_of(&moment.disk)[&copy];
        let file = moment.disk.create(&Path::new(STORE).join("008000.table")).unwrap();
        file.append(bytes).unwrap();
        let junk = moment.disk.create(&Path::new(STORE).join("008001.table")).unwrap();
        junk.append(&[7; 9000]).unwrap();
        lose_manifest(&moment.disk);
        let report = repaired(&moment.disk, "foreign");
        let count = |fate| report.set_aside.iter().filter(|aside| aside.why == WhyAside::Table(fate)).count();
        assert_eq!(count(TableFate::Foreign), strangers, "{report:?}");
        assert_eq!(count(TableFate::Misnamed), 1, "{report:?}");
        assert_eq!(count(TableFate::Unreadable), 1, "{report:?}");
        let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
        judge(&db, &moment.truths, "foreign");
    });
}

#[test]
fn files_that_bear_each_others_names_get_their_own_back() {
    let mut renamed = 0;
    each_life("names", 6, |seed| {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(rng.next_u64(), 0);
        life.live(700);
        let moment = if rng.chance(1, 2) { life.close() } else { life.end().remove(0) };
        for (end, free) in [(".table", "008000.table"), (".wal", "000000008000.wal")] {
            let files = files(&moment.disk, &[end]);
            let free = Path::new(STORE).join(free);
            // Each gets the name of the next, and the last its own again, or one that nobody has.
            moment.disk.rename(&files[0], &free).unwrap();
            files.windows(2).for_each(|pair| moment.disk.rename(&pair[1], &pair[0]).unwrap());
            let last = &files[files.len() - 1];
            if rng.chance(1, 2) {
                moment.disk.rename(&free, last).unwrap();
            } else if rng.chance(1, 2) {
                moment.disk.create(last).unwrap().append(&[7; 9000]).unwrap();
            }
        }
        lose_manifest(&moment.disk);
        let before = bytes_of(&moment.disk);
        let planned = repair(&moment.disk).plan().unwrap();
        assert!(before == bytes_of(&moment.disk));
        let report = repaired(&moment.disk, "names");
        assert!(!report.is_loss(), "{report:?}");
        assert_eq!((&planned.renamed, &planned.set_aside), (&report.renamed, &report.set_aside));
        renamed += report.renamed.len();
        let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
        judge(&db, &moment.truths, "names");
    });
    assert!(renamed > 10, "only {renamed}");
}

#[test]
fn an_older_segment_of_the_log_that_is_gone_or_cut_is_missed_if_no_table_has_its_writes() {
    let disk = lsm_io::MemFs::new();
    let options = || options(Arc::new(disk.clone())).memtable_bytes(64 << 20);
    let db = options().open(STORE).unwrap();
    let put = |numbers: std::ops::Range<u64>| {
        numbers.for_each(|number| db.put(&world::key(number), &[7; 1 << 10]).unwrap());
    };
    put(0..50);
    db.flush().unwrap();
    put(50..400);
    let disk = disk.fork();
    let segments = files(&disk, &[".wal"]);
    assert!(segments.len() > 1, "{segments:?}");
    lose_manifest(&disk);
    assert!(!repaired(&disk.fork(), "whole").is_loss());
    let (gone, cut) = (disk.fork(), disk.fork());
    gone.remove(&segments[0]).unwrap();
    // What is left of it is in a table.
    let file = cut.open(&segments[0], Access::ReadWrite).unwrap();
    file.set_len(lsm_io::ByteLen::new(20 << 10)).unwrap();
    for disk in [gone, cut] {
        let report = repair(&disk).run().unwrap();
        assert!(!report.log_losses.is_empty(), "{report:?}");
    }
}

#[test]
fn a_table_that_somebody_wrote_another_over_is_told_as_lost() {
    let mut lost = 0;
    each_life("written over", 6, |seed| {
        let mut rng = Rng::new(seed);
        let mut lives = [0; 2].map(|_| Life::new(rng.next_u64(), 0));
        lives.iter_mut().for_each(|life| life.live(700));
        let [moment, other] = lives.map(Life::close);
        let tables = files(&moment.disk, &[".table"]);
        let with = match rng.chance(1, 2) {
            true => bytes_of(&moment.disk)[&tables[tables.len() - 1]].clone(),
            false => bytes_of(&other.disk)[&files(&other.disk, &[".table"])[0]].clone(),
        };
        // What nobody but itself tells of is the newest.
        let victim = &tables[rng.below(tables.len() as u64 - 1) as usize];
        moment.disk.remove(victim).unwrap();
        moment.disk.create(victim).unwrap().append(&with).unwrap();
        lose_manifest(&moment.disk);
        let report = repair(&moment.disk).run().unwrap();
        let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
        lost += u64::from(report.is_loss());
        judge_but_for_errors(&db, &moment.truths[0], &format!("without {}: {report:?}", victim.display()));
    });
    assert!(lost > 0, "no table that was written over was missed");
}

#[test]
fn files_from_long_ago_that_somebody_put_back_stay_away() {
    let mut put_back = 0;
    each_life("long ago", 4, |seed| {
        let mut life = Life::new(seed, 60);
        life.live(900);
        let (moments, last) = life.end_closed();
        for moment in moments {
            let disk = last.disk.fork();
            let there = bytes_of(&disk);
            for (path, bytes) in bytes_of(&moment.disk) {
                let is_table = path.extension().is_some_and(|end| end == "table");
                if is_table && !there.contains_key(&path) && path.parent() == Some(Path::new(STORE)) {
                    disk.create(&path).unwrap().append(&bytes).unwrap();
                    put_back += 1;
                }
            }
            lose_manifest(&disk);
            repaired(&disk, &moment.what);
            let db = options(Arc::new(disk.clone())).open(STORE).unwrap();
            judge(&db, &last.truths, &format!("files of {}", moment.what));
        }
    });
    println!("{put_back} files put back");
    assert!(put_back > 50, "only {put_back}");
}

#[test]
fn a_table_of_which_nothing_can_be_read_is_told_as_lost_and_nothing_is_missing_without_a_word() {
    let mut lost = 0;
    each_life("destroyed", 6, |seed| {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(rng.next_u64(), 0);
        life.live(700);
        let moment = life.close();
        let tables = files(&moment.disk, &[".table"]);
        // What nobody but itself tells of is the newest.
        let victim = &tables[rng.below(tables.len() as u64 - 1) as usize];
        let file = moment.disk.open(victim, Access::ReadWrite).unwrap();
        file.write_at(FileOffset::ZERO, &vec![0xA5; file.len().unwrap().get() as usize]).unwrap();
        lose_manifest(&moment.disk);
        let report = repair(&moment.disk).run().unwrap();
        let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
        lost += u64::from(report.is_loss());
        judge_but_for_errors(&db, &moment.truths[0], &format!("without {}: {report:?}", victim.display()));
    });
    assert!(lost > 0, "no table that was destroyed was missed");
}

#[test]
fn a_store_in_use_and_a_place_without_one_are_refused() {
    let mut life = Life::new(1, 0);
    life.live(100);
    let before = bytes_of(&life.disk);
    assert!(matches!(repair(&life.disk).run(), Err(Error::InUse { .. })));
    assert!(before == bytes_of(&life.disk));
    life.db().put(b"key/0001", b"it goes on").unwrap();
    let nothing = lsm_io::MemFs::new();
    assert!(matches!(repair(&nothing).run(), Err(Error::NotAStore { .. })));
    nothing.create_dir(Path::new(STORE)).unwrap();
    assert!(matches!(repair(&nothing).run(), Err(Error::NotAStore { .. })));
}

#[test]
fn pages_within_the_promise_are_healed_and_a_manifest_that_is_hurt_is_made_anew() {
    each_life("mixed", 4, |seed| {
        let mut rng = Rng::new(seed);
        let mut life = Life::new(rng.next_u64(), 0);
        life.live(700);
        let moment = life.close();
        for table in files(&moment.disk, &[".table"]) {
            let file = moment.disk.open(&table, Access::ReadWrite).unwrap();
            let pages = file.len().unwrap().get() / 4096;
            file.write_at(FileOffset::new(rng.below(pages) * 4096), &[9; 4096]).unwrap();
        }
        for part in files(&moment.disk, &["SNAPSHOT", "-a", "-b"]) {
            let file = moment.disk.open(&part, Access::ReadWrite).unwrap();
            file.write_at(FileOffset::ZERO, &vec![3; file.len().unwrap().get() as usize / 2]).unwrap();
        }
        let hurt = files(&moment.disk, &[".table"]);
        let report = repaired(&moment.disk, "mixed");
        assert!(matches!(report.manifest, ManifestState::Rebuilt { .. }), "{report:?}");
        // A table may also have been merged with others when the store was opened, and so be whole.
        let is_merged = files(&moment.disk, &[".table"]).iter().all(|table| !hurt.contains(table));
        assert!((report.healed_pages > 0 || is_merged) && !report.is_loss(), "{report:?}");
        let db = options(Arc::new(moment.disk.clone())).open(STORE).unwrap();
        judge(&db, &moment.truths, "mixed");
    });
}
