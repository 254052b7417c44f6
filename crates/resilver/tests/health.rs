//! A store says how it is, and why.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, sync::Arc};

use lsm_io::{ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rot};
use resilver::{
    Background, Db, FileKind, HealMode, Meter, Options, PatrolOptions, Reason, ScrubControl, Verdict, verify,
};

struct World {
    fs: FaultFs,
}

impl World {
    fn new() -> Self {
        let world = Self { fs: FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(7)) };
        let db = world.open();
        (0..1500_u32).for_each(|number| db.put(&number.to_be_bytes(), &[b'x'; 100]).unwrap());
        db.compact().unwrap();
        db.scrub(&PatrolOptions::new(), &ScrubControl::new()).unwrap();
        db.close().unwrap();
        world
    }

    fn options(&self) -> Options {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        Options::new().fs(fs).background(Background::Inline).table_bytes(64 << 10).cache_bytes(0)
    }

    fn open(&self) -> Db {
        self.options().open("/store").unwrap()
    }

    /// The first table of the default keyspace.
    fn table(&self) -> Arc<str> {
        let seen = verify("/store", &self.options(), |_| {}).unwrap().seen;
        seen.iter().find(|file| file.keyspace.as_deref() == Some("default")).unwrap().name.clone()
    }

    fn hurt(&self, file: &str, first: u64, count: u64) {
        let damage = Damage::new(FileOffset::new(first * 4096), ByteLen::new(count * 4096), Rot::Garble);
        self.fs.damage(&Path::new("/store").join(file), damage).unwrap();
    }
}

/// The verdict of an open store, and that of a look at all its pages before.
#[track_caller]
fn check(world: &World, open: (Verdict, &[&str]), looked: (Verdict, &[&str])) {
    let verified = verify("/store", &world.options(), |_| {}).unwrap();
    let read = Db::open_read_only("/store", world.options()).unwrap();
    let names = |health: &resilver::Health| health.reasons.iter().map(Reason::name).collect::<Vec<_>>();
    let health = read.health_as_verified(&verified).unwrap();
    assert_eq!((health.verdict, &names(&health)[..]), looked, "looked at");
    drop(read);
    let health = world.open().health().unwrap();
    assert_eq!((health.verdict, &names(&health)[..]), open, "open");
}

#[test]
fn a_store_is_healthy_until_it_is_hurt_and_healed_afterwards() {
    let world = World::new();
    check(&world, (Verdict::Healthy, &[]), (Verdict::Healthy, &[]));
    let table = world.table();
    world.hurt(&table, 3, 2);
    // Nobody has met it yet.
    check(&world, (Verdict::Healthy, &[]), (Verdict::Degraded, &["waiting"]));
    let db = world.open();
    assert!((0..1500_u32).all(|number| db.get(&number.to_be_bytes()).unwrap().is_some()));
    let health = db.health().unwrap();
    assert_eq!(health.verdict, Verdict::Degraded);
    let weakest = &health.margins.iter().find(|margin| *margin.file == *table).unwrap();
    assert_eq!((weakest.kind, weakest.wrong, weakest.left, weakest.of), (FileKind::Table, 2, 3, 4));
    db.heal(HealMode::InPlace).unwrap();
    assert_eq!(db.health().unwrap().verdict, Verdict::Healed);
    db.close().unwrap();
    check(&world, (Verdict::Healed, &["healed"]), (Verdict::Healed, &["healed"]));
}

#[test]
fn a_loss_is_said_to_be_one_by_a_look_and_once_it_was_met() {
    let world = World::new();
    let table = world.table();
    world.hurt(&table, 1, 20);
    let verified = verify("/store", &world.options(), |_| {}).unwrap();
    let read = Db::open_read_only("/store", world.options()).unwrap();
    let health = read.health_as_verified(&verified).unwrap();
    assert_eq!(health.reasons.iter().map(Reason::name).collect::<Vec<_>>(), ["no_margin", "waiting"]);
    drop(read);
    world.hurt(&table, 1, 30);
    let verified = verify("/store", &world.options(), |_| {}).unwrap();
    let db = world.open();
    assert_eq!(db.health_as_verified(&verified).unwrap().verdict, Verdict::DataLoss);
    assert!((0..1500_u32).any(|number| db.get(&number.to_be_bytes()).is_err()));
    assert_eq!(db.health().unwrap().verdict, Verdict::DataLoss);
    db.close().unwrap();
    // The ledger says so after a restart too.
    assert_eq!(world.open().health().unwrap().verdict, Verdict::DataLoss);
}

#[test]
fn every_statistic_is_told() {
    #[derive(Default)]
    struct Told(Vec<String>);
    impl Meter for Told {
        fn gauge(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
            self.0.push(format!("{name} {labels:?} {value}"));
        }
    }
    let world = World::new();
    let db = world.open();
    let mut told = Told::default();
    db.measure(&mut told).unwrap();
    db.measure(&mut ()).unwrap();
    assert!(told.0.contains(&"resilver_health [(\"verdict\", \"healthy\")] 0".to_owned()), "{:?}", told.0);
    assert!(told.0.contains(&"resilver_margin_pages_min [] 4".to_owned()), "{:?}", told.0);
    assert!(told.0.iter().any(|line| line.starts_with("resilver_entries [(\"keyspace\", \"default\")")));
}
