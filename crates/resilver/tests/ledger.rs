//! What happens to a store's bytes is on record, within bounds, over restarts, and to nobody's harm.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
use resilver::{
    AutoHeal, Background, Db, Event, EventKind, Evidence, HealMode, Listener, Options, Outcome,
    PatrolOptions, ScrubAccess, ScrubControl,
};

const KEYS: u32 = 1500;

fn key(number: u32) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Event>>);

impl Listener for Heard {
    fn heard(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct World {
    mem: MemFs,
    fs: FaultFs,
    heard: Arc<Heard>,
}

impl World {
    /// A store with some tables, closed.
    fn new() -> Self {
        let world = Self::on(MemFs::new());
        let db = world.open();
        (0..KEYS).for_each(|number| db.put(&key(number), &[b'x'; 100]).unwrap());
        db.compact().unwrap();
        assert!(db.ledger().unwrap().events.is_empty(), "nothing happened");
        db.close().unwrap();
        world
    }

    fn on(mem: MemFs) -> Self {
        let fs = FaultFs::new(Arc::new(mem.clone()), FaultPlan::new(7));
        Self { mem, fs, heard: Arc::default() }
    }

    fn options(&self) -> Options {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        let options = Options::new().fs(fs).background(Background::Inline).listener(self.heard.clone());
        options.table_bytes(64 << 10).cache_bytes(0)
    }

    fn open(&self) -> Db {
        self.options().open("/store").unwrap()
    }

    fn tables(&self) -> Vec<PathBuf> {
        let listed = self.fs.list(Path::new("/store")).unwrap();
        let paths = listed.into_iter().map(|entry| Path::new("/store").join(entry.name));
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "table")).collect()
    }

    fn pages(&self, path: &Path) -> u64 {
        self.fs.open(path, lsm_io::Access::ReadOnly).unwrap().len().unwrap().get() / 4096
    }

    fn hurt(&self, path: &Path, pages: std::ops::Range<u64>) {
        let (at, len) = (pages.start * 4096, (pages.end - pages.start) * 4096);
        self.fs.damage(path, Damage::new(FileOffset::new(at), ByteLen::new(len), Rot::Garble)).unwrap();
    }

    fn read_all(&self, db: &Db) -> usize {
        (0..KEYS).filter(|&number| db.get(&key(number)).is_ok_and(|value| value.is_some())).count()
    }
}

/// What an event says, but for its time and its evidence.
type Told<'a> = (EventKind, Outcome, &'a str, &'a [(u64, u64)]);

fn told(events: &[Event]) -> Vec<Told<'_>> {
    events.iter().map(|event| (event.kind, event.outcome, &*event.file, &event.pages[..])).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn corrections_heals_and_passes_are_on_record_over_restarts() {
    let world = World::new();
    let table = &world.tables()[0];
    world.hurt(table, 3..5);
    let db = world.open();
    assert_eq!(world.read_all(&db), KEYS as usize);
    assert_eq!(world.read_all(&db), KEYS as usize);
    db.heal(HealMode::InPlace).unwrap();
    db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
    let pages: &[(u64, u64)] = &[(3, 2)];
    let expected = [
        (EventKind::Read, Outcome::Answered, name(table), pages),
        (EventKind::Heal, Outcome::Healed, name(table), pages),
        (EventKind::Pass, Outcome::Complete, "", &[]),
    ];
    let before = db.ledger().unwrap();
    assert_eq!(told(&before.events), expected);
    assert_eq!((before.events[0].rung(), before.events[0].evidence.rebuilt), (Some("rebuilt"), 2));
    db.close().unwrap();
    let after = world.open().ledger().unwrap();
    assert_eq!(told(&after.events), expected);
    assert!(after.damage.is_none() && after.dropped.events == 0);
    // Whoever listens hears of each once, but for pages that are met one by one.
    let heard = world.heard.0.lock().unwrap();
    assert_eq!(heard.len(), 4, "{heard:?}");
}

#[test]
fn what_a_scrub_finds_is_on_record_and_a_look_leaves_none() {
    let world = World::new();
    let table = &world.tables()[0];
    world.hurt(table, 2..3);
    let db = world.open();
    let look = PatrolOptions::new().access(ScrubAccess::ReadOnly);
    assert_eq!(db.scrub(&look, &ScrubControl::new()).unwrap().evidence.rebuilt, 1);
    assert!(db.ledger().unwrap().events.is_empty());
    db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
    let ledger = db.ledger().unwrap();
    let found = (EventKind::Scrub, Outcome::Noted, name(table), &[(2, 1)][..]);
    assert_eq!(told(&ledger.events)[0], found);
    assert_eq!(ledger.events[1].kind, EventKind::Pass);
}

#[test]
fn losses_are_on_record_and_the_rest_is_served() {
    let world = World::new();
    let table = &world.tables()[0];
    world.hurt(table, 1..world.pages(table));
    let db = world.options().auto_heal(AutoHeal::Off).open("/store").unwrap();
    let served = world.read_all(&db);
    assert!(served > 0 && served < KEYS as usize, "{served}");
    let ledger = db.ledger().unwrap();
    let lost = ledger.events.iter().find(|event| event.outcome == Outcome::Lost).unwrap();
    assert_eq!((lost.kind, &*lost.file), (EventKind::Read, name(table)));
    assert!(lost.evidence.lost > 0 && lost.rung() == Some("lost"));
}

#[test]
fn a_manifest_that_opening_mended_is_on_record() {
    let world = World::new();
    let listed = world.fs.list(Path::new("/store")).unwrap();
    let copies = listed.into_iter().map(|entry| entry.name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("MANIFEST") && name.ends_with('b')
    });
    let copy = Path::new("/store").join(copies.max().unwrap());
    world.hurt(&copy, 0..1);
    let db = world.open();
    let ledger = db.ledger().unwrap();
    assert_eq!(ledger.events.len(), 1, "{:?}", ledger.events);
    let event = &ledger.events[0];
    assert_eq!((event.kind, event.outcome, &*event.file), (EventKind::Open, Outcome::Healed, name(&copy)));
}

#[test]
fn a_process_that_is_killed_leaves_what_was_written() {
    let world = World::new();
    world.hurt(&world.tables()[0], 3..4);
    let db = world.open();
    world.read_all(&db);
    db.heal(HealMode::InPlace).unwrap();
    // Nothing of it is closed; what the disk has by now is all there is.
    let killed = World::on(world.mem.fork());
    drop(db);
    let ledger = killed.open().ledger().unwrap();
    assert_eq!(ledger.events.len(), 2, "{:?}", ledger.events);
    assert!(ledger.damage.is_none());
}

#[test]
fn a_ledger_that_is_lost_is_said_to_be_and_disturbs_nothing() {
    let world = World::new();
    let before = world.tables();
    world.hurt(&before[0], 3..4);
    let db = world.open();
    world.read_all(&db);
    db.heal(HealMode::InPlace).unwrap();
    db.flush().unwrap();
    db.close().unwrap();
    let system: Vec<_> = world.tables().into_iter().filter(|path| !before.contains(path)).collect();
    assert_eq!(system.len(), 1, "the ledger is in a table of its own by now");
    world.hurt(&system[0], 0..world.pages(&system[0]));

    let db = world.open();
    let ledger = db.ledger().unwrap();
    assert!(!ledger.damage.is_none() && ledger.damage.message.is_some(), "{ledger:?}");
    assert_eq!(world.read_all(&db), KEYS as usize, "answers are right all the same");
    db.put(b"more", b"and more").unwrap();
    // What happens from now on is on record, and so is this.
    world.hurt(&before[0], 5..6);
    world.read_all(&db);
    let healed = db.heal(HealMode::InPlace).unwrap();
    assert!(healed.files.iter().any(|file| &*file.name == name(&before[0])), "{healed:?}");
    db.close().unwrap();
    let db = world.open();
    let ledger = db.ledger().unwrap();
    let kinds: Vec<_> = told(&ledger.events).iter().map(|(kind, outcome, ..)| (*kind, *outcome)).collect();
    assert!(kinds.contains(&(EventKind::Heal, Outcome::Healed)), "{kinds:?}");
    assert!(kinds.contains(&(EventKind::Read, Outcome::Lost)), "{kinds:?}");
    assert_eq!(db.get(b"more").unwrap().as_deref(), Some(&b"and more"[..]));
}

#[test]
fn a_store_that_nobody_hurts_has_no_keyspace_of_its_own() {
    let world = World::new();
    let db = world.open();
    world.read_all(&db);
    let names =
        |db: &Db| db.stats().tables.keyspaces.iter().map(|it| it.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&db), ["default"]);
    db.close().unwrap();
}

#[test]
fn a_store_that_is_only_read_tells_of_what_it_met() {
    let world = World::new();
    world.hurt(&world.tables()[0], 3..4);
    let db = Db::open_read_only("/store", world.options()).unwrap();
    assert_eq!(world.read_all(&db), KEYS as usize);
    let ledger = db.ledger().unwrap();
    assert_eq!(ledger.events[0].evidence, Evidence { rebuilt: 1, ..Evidence::default() });
    drop(db);
    assert!(Db::open_read_only("/store", world.options()).unwrap().ledger().unwrap().events.is_empty());
}
