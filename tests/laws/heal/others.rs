//! Heals beside whatever else happens to the same tables, and on disks that fail meanwhile.

use std::{io::ErrorKind, path::PathBuf, sync::Arc, time::Duration};

use lsm_io::{Crash, Damage, FaultFs, FaultPlan, Fs, Lasts, MemFs, Mishap, Op, Rot, Trigger};
use resilver::{Creation, Db, HealMode, HealReport, Healing, Keyspace, Scan};
use resilver_tests::{Watchdog, budget};

use super::patient::{
    PAGE, STORE, files, fill, heal, is_clean, key, options, pages_of, reads_right, scrub, spoil, told, value,
};

const KEYS: u32 = 1000;
const OTHER: &str = "other";

/// What happens beside a heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Compaction,
    Drop,
    Checkpoint,
    Heal(HealMode),
    Scrub,
    /// Walks that hold on to tables as they are.
    Walks,
}

/// A store on a disk that can fail, with two keyspaces in several tables.
struct Bed {
    disk: MemFs,
    faults: FaultFs,
    db: Db,
    other: Keyspace,
}

impl Bed {
    fn new() -> Self {
        let disk = MemFs::new();
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(1));
        let db = options(Arc::new(faults.clone())).open(STORE).unwrap();
        let other = db.keyspace(OTHER).unwrap();
        fill(&db, 0..KEYS);
        (0..KEYS).for_each(|number| other.put(&key(number), &value(number)).unwrap());
        db.compact().unwrap();
        Self { disk, faults, db, other }
    }

    /// Turns bytes of every third table over, and lets a scrub find them.
    fn hurt(&self) {
        let tables = files(&self.disk, ".table");
        assert!(tables.len() > 6, "{} tables", tables.len());
        for (at, table) in tables.iter().enumerate().step_by(3) {
            let page = at as u64 % pages_of(&self.disk, table);
            spoil(&self.disk, table, page..page + 1);
        }
        let report = scrub(&self.db).unwrap();
        assert_eq!(report.evidence.lost, 0);
        assert_eq!(self.db.hints().len(), tables.len().div_ceil(3));
    }

    /// Everything can be healed, is right, and no page is wrong.
    fn end(self) -> Result<(), String> {
        let Self { disk, faults, db, other } = self;
        faults.calm();
        scrub(&db)?;
        heal(&db, HealMode::InPlace)?;
        reads_right(&db, KEYS)?;
        if db.keyspaces().iter().any(|name| **name == *OTHER) {
            let items = other.scan(Scan::all()).map_err(|error| told(&error))?;
            assert_eq!(items.map(Result::unwrap).count(), KEYS as usize);
        }
        drop(other);
        db.close().map_err(|error| format!("closing: {}", told(&error)))?;
        is_clean(Arc::new(faults))?;
        reads_right(&options(Arc::new(disk)).open(STORE).unwrap(), KEYS)
    }

    fn act(&self, beside: Beside) -> Result<(), String> {
        let done = |done: Result<(), resilver::Error>| done.map_err(|error| told(&error));
        match beside {
            Beside::Compaction => done(self.db.compact()),
            Beside::Drop => done(self.db.drop_keyspace(&self.other)),
            Beside::Checkpoint => done(self.db.checkpoint("/copy")),
            Beside::Heal(mode) => nothing_lost(self.db.heal(mode)),
            Beside::Scrub => scrub(&self.db).and_then(|report| match report.is_ok() {
                true => Ok(()),
                false => Err(format!("a scrub: {report}, {:?}", report.found)),
            }),
            Beside::Walks => (0..20).try_for_each(|_| reads_right(&self.db, KEYS)),
        }
    }
}

/// Whatever could not be healed is said so by an error that is no loss.
fn nothing_lost(healed: Result<HealReport, resilver::Error>) -> Result<(), String> {
    let report = healed.map_err(|error| format!("healing: {}", told(&error)))?;
    if let Some((name, error)) = report.failed.iter().find(|(_, error)| error.is_loss()) {
        return Err(format!("{name}: {}", told(error)));
    }
    match report.files.iter().find(|file| matches!(file.healed.outcome, Healing::Lost { .. })) {
        Some(lost) => Err(format!("{lost:?}")),
        None => Ok(()),
    }
}

/// A heal and something else at once, with one kind of operation on tables slow, so that they meet there.
#[track_caller]
fn check_beside(beside: Beside) {
    let slow = [Op::ReadMedium, Op::Write, Op::Sync, Op::Open, Op::Remove];
    let watchdog = Watchdog::over(format!("{beside:?}"));
    let leads: &[u64] = if budget::is_night() { &[0, 1, 3, 6, 11, 20] } else { &[2] };
    for mode in [HealMode::InPlace, HealMode::Rewrite] {
        for (op, &lead) in slow.into_iter().flat_map(|op| leads.iter().map(move |lead| (op, lead))) {
            watchdog.pat();
            let bed = Bed::new();
            bed.hurt();
            let held = bed.other.scan(Scan::all()).unwrap();
            let delay = Mishap::Delay(Duration::from_millis(2));
            bed.faults.arm(Trigger::nth(op, 1).of(".table").and_later(), delay);
            let (healed, acted) = std::thread::scope(|scope| {
                let healed = scope.spawn(|| nothing_lost(bed.db.heal(mode)));
                std::thread::sleep(Duration::from_millis(lead));
                let acted = bed.act(beside);
                (healed.join().unwrap(), acted)
            });
            let told = format!("{mode:?} beside {beside:?}, {op} slow, lead {lead}");
            healed.unwrap_or_else(|wrong| panic!("{told}: healing: {wrong}"));
            acted.unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
            if beside == Beside::Drop {
                // The keyspace is gone; its walk shows all of it or says so.
                assert!(held.map_while(Result::ok).count() <= KEYS as usize);
            } else {
                assert_eq!(held.map(Result::unwrap).count(), KEYS as usize, "{told}");
            }
            if beside == Beside::Checkpoint {
                let copy =
                    options(Arc::new(bed.disk.clone())).creation(Creation::Never).open("/copy").unwrap();
                reads_right(&copy, KEYS).unwrap_or_else(|wrong| panic!("{told}: the checkpoint: {wrong}"));
            }
            bed.end().unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
        }
    }
}

#[test]
fn a_table_is_healed_while_compactions_replace_it() {
    check_beside(Beside::Compaction);
}

#[test]
fn a_table_is_healed_while_its_keyspace_is_dropped() {
    check_beside(Beside::Drop);
}

#[test]
fn a_table_is_healed_while_a_checkpoint_keeps_every_file() {
    check_beside(Beside::Checkpoint);
}

#[test]
fn two_healers_do_not_hinder_each_other() {
    check_beside(Beside::Heal(HealMode::InPlace));
    check_beside(Beside::Heal(HealMode::Rewrite));
}

#[test]
fn a_table_is_healed_while_it_is_scrubbed_and_read() {
    check_beside(Beside::Scrub);
    check_beside(Beside::Walks);
}

/// Whether each page that a power cut leaves wrong is in a file that a hint names.
fn is_known(disk: &MemFs) -> Result<(), String> {
    let left = disk.crash(Crash::LoseUnsynced);
    let db = options(Arc::new(left.clone())).open(STORE).map_err(|error| told(&error))?;
    let hinted: Vec<_> = db.hints().iter().map(|hint| format!("{:06}.table", hint.file)).collect();
    reads_right(&db, KEYS)?;
    db.close().map_err(|error| told(&error))?;
    let verified = resilver::verify(STORE, &options(Arc::new(left)), |_| {}).map_err(|error| told(&error))?;
    match verified.bad.iter().find(|bad| !hinted.iter().any(|name| **name == *bad.file)) {
        Some(bad) => Err(format!("after a power cut nobody knows of {bad:?}, hints {hinted:?}")),
        None => Ok(()),
    }
}

#[test]
fn a_disk_that_fails_in_a_heal_keeps_the_hint_and_the_data() {
    let kinds = [ErrorKind::StorageFull, ErrorKind::Other];
    let failing = kinds.into_iter().flat_map(|kind| {
        let write = [Mishap::Fail(kind), Mishap::FailDone(kind), Mishap::PartWrite(kind)];
        let sync = [Mishap::Fail(kind), Mishap::FailDone(kind), Mishap::FailAndForget(kind)];
        write.map(|mishap| (Op::Write, mishap)).into_iter().chain(sync.map(|mishap| (Op::Sync, mishap)))
    });
    for (op, mishap) in failing {
        for mode in [HealMode::InPlace, HealMode::Rewrite] {
            for lasting in [false, true] {
                let told = format!("{mode:?}, {op} {mishap:?}, lasting: {lasting}");
                let bed = Bed::new();
                bed.hurt();
                let hints = bed.db.hints().len();
                let trigger = Trigger::nth(op, 1).of(".table");
                bed.faults.arm(if lasting { trigger.and_later() } else { trigger }, mishap);
                let report = bed.db.heal(mode).unwrap_or_else(|error| panic!("{told}: {error}"));
                assert!(lasting || report.failed.len() <= 1, "{told}: {report:?}");
                assert_eq!(report.files.len() + report.failed.len(), hints, "{told}: {report:?}");
                assert_eq!(bed.db.hints().len(), report.failed.len(), "{told}: {report:?}");
                nothing_lost(Ok(report)).unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
                reads_right(&bed.db, KEYS).unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
                is_known(&bed.disk).unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
                bed.faults.calm();
                heal(&bed.db, HealMode::InPlace).unwrap_or_else(|wrong| panic!("{told}: again: {wrong}"));
                is_known(&bed.disk).unwrap_or_else(|wrong| panic!("{told}: once healed: {wrong}"));
                bed.end().unwrap_or_else(|wrong| panic!("{told}: {wrong}"));
            }
        }
    }
}

/// A heal where the medium does not keep what is written: the table is written anew.
#[track_caller]
fn check_refusing(refuse: impl FnOnce(&Bed, &PathBuf)) {
    let bed = Bed::new();
    let table = files(&bed.disk, ".table").remove(0);
    refuse(&bed, &table);
    scrub(&bed.db).unwrap();
    let report = heal(&bed.db, HealMode::InPlace).unwrap();
    assert_eq!(report.files.len(), 1);
    assert_eq!(report.files[0].healed.outcome, Healing::Rewritten, "{report:?}");
    assert!(bed.disk.open(&table, lsm_io::Access::ReadOnly).is_err(), "the old file is gone");
    bed.end().unwrap();
}

#[test]
fn a_table_on_a_medium_that_does_not_keep_a_page_is_written_anew() {
    for rot in [Rot::Garble, Rot::Zero, Rot::Unreadable, Rot::Flip { bits: 1 }] {
        check_refusing(|bed, table| {
            let page = Damage::new(lsm_io::FileOffset::new(PAGE), lsm_io::ByteLen::new(PAGE), rot);
            bed.faults.damage(table, page.lasting(Lasts::Forever)).unwrap();
        });
    }
    check_refusing(|bed, table| {
        spoil(&bed.disk, table, 1..2);
        bed.faults.arm(Trigger::nth(Op::Write, 1).of(".table"), Mishap::LostWrite);
    });
}

#[test]
fn a_disk_without_room_takes_a_heal_in_place() {
    let bed = Bed::new();
    bed.hurt();
    bed.faults.limit(lsm_io::ByteLen::ZERO);
    heal(&bed.db, HealMode::InPlace).unwrap();
    bed.end().unwrap();
}
