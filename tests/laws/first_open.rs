//! What a kill at any moment of the very first open leaves: nothing yet, told as such, or an empty store; and every
//! way of opening agrees on which.

use std::sync::Arc;

use lsm_io::{Fs, MemFs};
use parking_lot::Mutex;
use resilver::{Background, Creation, Db, Error, Options, Scan};
use resilver_tests::WatchedFs;

const STORE: &str = "/store";

fn options(fs: impl Fs + 'static, creation: Creation) -> Options {
    let options = Options::new().fs(Arc::new(fs)).segment_bytes(256 << 10);
    options.background(Background::Inline).creation(creation)
}

/// The disk before each change of a first open, and after the last.
fn moments() -> Vec<(String, MemFs)> {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let kept = moments.clone();
    let fs = WatchedFs::new(
        MemFs::new(),
        Arc::new(move |change| {
            let place = format!("{} {}", change.op, change.path.display());
            kept.lock().push((format!("before `{place}`"), change.disk.fork()));
            if let Some(torn) = change.in_part(change.disk, |len| len / 2) {
                kept.lock().push((format!("within `{place}`"), torn));
            }
        }),
    );
    let db = options(fs.clone(), Creation::IfMissing).open(STORE).unwrap();
    moments.lock().push(("after the open".into(), fs.disk.fork()));
    drop(db);
    std::mem::take(&mut moments.lock())
}

/// Whether a store is there, which a refusal must say.
#[track_caller]
fn is_there(place: &str, opened: Result<Db, Error>) -> bool {
    match opened {
        Ok(db) => {
            assert_eq!(db.default_keyspace().scan(Scan::all()).unwrap().count(), 0, "{place}");
            true
        }
        Err(error) => {
            let told = error.to_string();
            let is_none =
                ["there is no store", "holds no store", "cut short"].iter().any(|part| told.contains(part));
            assert!(is_none, "{place}: {told}");
            false
        }
    }
}

#[test]
fn a_kill_inside_the_first_open_leaves_nothing_yet_or_an_empty_store() {
    let moments = moments();
    let mut born = 0;
    for (place, disk) in &moments {
        let open = |creation| options(disk.fork(), creation).open(STORE);
        let read = Db::open_read_only(STORE, options(disk.fork(), Creation::Never));
        let there = is_there(place, read);
        born += usize::from(there);
        assert_eq!(is_there(place, open(Creation::Never)), there, "{place}: for writing");
        match open(Creation::Always) {
            Ok(_) => assert!(!there, "{place}: made over one that is there"),
            Err(error) => assert!(there && matches!(error, Error::Exists { .. }), "{place}: {error}"),
        }
        let disk = disk.fork();
        let db = options(disk.clone(), Creation::IfMissing).open(STORE).unwrap();
        db.put(b"key", b"value").unwrap();
        db.close().unwrap();
        let db = Db::open_read_only(STORE, options(disk, Creation::Never)).unwrap();
        assert_eq!(db.get(b"key").unwrap().as_deref(), Some(&b"value"[..]), "{place}");
    }
    assert!(0 < born && born < moments.len(), "{born} of {} moments have a store", moments.len());
}
