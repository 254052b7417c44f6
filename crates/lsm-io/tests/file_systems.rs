//! One contract for every file system, what a power cut leaves, and what each fault shows.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{
    Access, ByteLen, Copied, CountingFs, Crash, Damage, EntryKind, FaultFs, FaultPlan, FileOffset, Fs, Lasts,
    MemFs, Mishap, Op, Piece, Reach, Rng, Rot, Route, StdFs, Trigger,
};
use proptest::prelude::*;

const PAGE: usize = 4096;

/// Runs a test against each file system, in a directory of its own.
#[track_caller]
fn everywhere(test: impl Fn(&dyn Fs, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    let std = StdFs::new();
    test(&std, dir.path());
    let counted = tempfile::tempdir().unwrap();
    test(&CountingFs::new(Arc::new(std)), counted.path());
    for faulty in [false, true] {
        let mem = MemFs::new();
        mem.create_dir("/d".as_ref()).unwrap();
        if faulty {
            test(&FaultFs::new(Arc::new(mem), FaultPlan::new(0)), Path::new("/d"));
        } else {
            test(&mem, Path::new("/d"));
        }
    }
}

fn kind<T>(result: Result<T, lsm_io::IoError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn bytes_are_found_where_they_were_written() {
    everywhere(|fs, dir| {
        let file = fs.create(&dir.join("a")).unwrap();
        file.write_at(FileOffset::new(5000), b"later").unwrap();
        file.write_at(FileOffset::new(1), b"early").unwrap();
        assert_eq!(file.append(b"end").unwrap(), FileOffset::new(5005));
        assert_eq!(file.len().unwrap(), ByteLen::new(5008));
        assert_eq!(file.read_to_vec(FileOffset::ZERO, 8).unwrap(), b"\0early\0\0");
        let mut buf = [9; 20];
        assert_eq!(file.read_at(FileOffset::new(5000), &mut buf).unwrap(), 8);
        assert_eq!((&buf[..8], buf[8]), (&b"laterend"[..], 9));
        assert_eq!(file.read_at(FileOffset::new(9000), &mut buf).unwrap(), 0);
        assert_eq!(kind(file.read_to_vec(FileOffset::new(5000), 9)), Some(ErrorKind::UnexpectedEof));
        file.sync().unwrap();
        fs.sync_dir(dir).unwrap();
    });
}

#[test]
fn lengths_are_cut_extended_and_reserved() {
    everywhere(|fs, dir| {
        let file = fs.create(&dir.join("a")).unwrap();
        file.append(b"abcdef").unwrap();
        file.set_len(ByteLen::new(2)).unwrap();
        file.set_len(ByteLen::new(4)).unwrap();
        assert_eq!(file.read_to_vec(FileOffset::ZERO, 4).unwrap(), b"ab\0\0");
        file.allocate(ByteLen::new(10_000)).unwrap();
        file.allocate(ByteLen::new(100)).unwrap();
        assert_eq!(file.len().unwrap(), ByteLen::new(10_000));
        assert_eq!(file.read_to_vec(FileOffset::ZERO, 4).unwrap(), b"ab\0\0");
        assert!(fs.free_space(dir).unwrap() > ByteLen::ZERO);
    });
}

#[test]
fn names_change_and_go() {
    everywhere(|fs, dir| {
        let (a, b, sub) = (dir.join("a"), dir.join("b"), dir.join("sub"));
        fs.create(&a).unwrap().append(b"a").unwrap();
        fs.create(&b).unwrap().append(b"b").unwrap();
        assert_eq!(kind(fs.create(&a)), Some(ErrorKind::AlreadyExists));
        assert_eq!(kind(fs.link(&a, &b)), Some(ErrorKind::AlreadyExists));
        fs.rename(&a, &b).unwrap();
        assert_eq!(kind(fs.open(&a, Access::ReadOnly)), Some(ErrorKind::NotFound));
        assert_eq!(kind(fs.rename(&a, &b)), Some(ErrorKind::NotFound));
        fs.create_dir(&sub).unwrap();
        assert_eq!(kind(fs.create_dir(&sub)), Some(ErrorKind::AlreadyExists));
        fs.rename(&b, &sub.join("c")).unwrap();
        assert_eq!(kind(fs.remove_dir(&sub)), Some(ErrorKind::DirectoryNotEmpty));
        fs.rename(&sub, &dir.join("moved")).unwrap();
        let names: Vec<_> = fs.list(dir).unwrap().into_iter().map(|entry| (entry.name, entry.kind)).collect();
        assert_eq!(names, [(PathBuf::from("moved"), EntryKind::Dir)]);
        let kept = fs.open(&dir.join("moved/c"), Access::ReadOnly).unwrap();
        fs.remove(&dir.join("moved/c")).unwrap();
        assert_eq!(kept.read_to_vec(FileOffset::ZERO, 1).unwrap(), b"a", "an open file outlives its name");
        assert_eq!(kind(fs.remove(&dir.join("moved/c"))), Some(ErrorKind::NotFound));
        fs.remove_dir(&dir.join("moved")).unwrap();
        assert!(fs.list(dir).unwrap().is_empty());
    });
}

#[test]
fn a_link_shows_later_changes_and_a_copy_does_not() {
    everywhere(|fs, dir| {
        let [a, link, copy] = ["a", "link", "copy"].map(|name| dir.join(name));
        let file = fs.create(&a).unwrap();
        file.append(b"old").unwrap();
        fs.link(&a, &link).unwrap();
        let copied = fs.copy(&a, &copy).unwrap();
        assert!(matches!(copied, Copied::Blocks | Copied::Bytes));
        assert_eq!(kind(fs.copy(&a, &copy)), Some(ErrorKind::AlreadyExists));
        file.write_at(FileOffset::ZERO, b"new").unwrap();
        let read = |path| fs.open(path, Access::ReadOnly).unwrap().read_to_vec(FileOffset::ZERO, 3).unwrap();
        assert_eq!((read(&link), read(&copy)), (b"new".to_vec(), b"old".to_vec()));
    });
}

#[test]
fn a_lock_is_held_by_one_until_it_is_dropped() {
    everywhere(|fs, dir| {
        let path = dir.join("LOCK");
        let held = fs.lock(&path).unwrap();
        assert_eq!(kind(fs.lock(&path)), Some(ErrorKind::WouldBlock));
        drop(held);
        assert!(fs.lock(&path).is_ok());
    });
}

#[test]
fn reads_of_the_medium_agree_with_reads_of_the_cache_at_every_alignment() {
    everywhere(|fs, dir| {
        let file = fs.create(&dir.join("a")).unwrap();
        let mut bytes = vec![0; 3 * PAGE + 1234];
        Rng::new(1).fill(&mut bytes);
        file.write_at(FileOffset::ZERO, &bytes).unwrap();
        let places =
            [0, 1, 511, 512, 4095, 4096, 4097, 8192, 3 * PAGE, 3 * PAGE + 1233, 3 * PAGE + 1234, 99_999];
        for offset in places {
            for len in [1, 100, 512, 4096, 4097, 9000, 20_000] {
                let (mut cached, mut medium) = (vec![0; len], vec![0; len]);
                let wanted = file.read_at(FileOffset::new(offset as u64), &mut cached).unwrap();
                let read = file.read_medium_at(FileOffset::new(offset as u64), &mut medium).unwrap();
                assert_eq!(read.len, wanted, "{len} at {offset}, {:?}", read.route);
                assert!(medium == cached, "{len} at {offset}, {:?}", read.route);
                assert!(read.route.bypasses_cache() || !cfg!(target_os = "linux"));
            }
        }
        let read = file.read_medium_at(FileOffset::ZERO, &mut []).unwrap();
        assert_eq!(read.len, 0);
    });
}

#[test]
fn a_medium_read_longer_than_the_bounce_buffer_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = StdFs::new().create(&dir.path().join("a")).unwrap();
    let mut bytes = vec![0; (3 << 20) + 77];
    Rng::new(2).fill(&mut bytes);
    file.append(&bytes).unwrap();
    for offset in [0, 1, 4096 + 13] {
        let mut medium = vec![0; bytes.len()];
        let read = file.read_medium_at(FileOffset::new(offset as u64), &mut medium).unwrap();
        assert_eq!(read.len, bytes.len() - offset);
        assert!(medium[..read.len] == bytes[offset..], "{:?}", read.route);
    }
}

#[test]
fn nothing_unsynced_survives_a_crash_that_loses_it_and_everything_synced_does() {
    let fs = MemFs::new();
    let file = fs.create("/kept".as_ref()).unwrap();
    file.append(b"synced").unwrap();
    file.sync().unwrap();
    assert!(fs.crash(Crash::LoseUnsynced).list("/".as_ref()).unwrap().is_empty(), "its name is not durable");
    fs.sync_dir("/".as_ref()).unwrap();
    file.append(b" not").unwrap();
    fs.rename("/kept".as_ref(), "/moved".as_ref()).unwrap();
    let left = fs.crash(Crash::LoseUnsynced);
    let kept = left.open("/kept".as_ref(), Access::ReadOnly).unwrap();
    assert_eq!(kept.len().unwrap(), ByteLen::new(6));
    assert!(left.open("/moved".as_ref(), Access::ReadOnly).is_err());
}

#[test]
fn a_rename_is_kept_or_lost_as_a_whole() {
    let fs = MemFs::new();
    fs.create("/tmp".as_ref()).unwrap();
    fs.create("/final".as_ref()).unwrap();
    fs.sync_dir("/".as_ref()).unwrap();
    fs.rename("/tmp".as_ref(), "/final".as_ref()).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..64 {
        let left = fs.crash(Crash::KeepSome { seed, piece: Piece::Page });
        seen.insert(left.list("/".as_ref()).unwrap().len());
        assert!(left.open("/final".as_ref(), Access::ReadOnly).is_ok());
    }
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn syncing_a_directory_keeps_the_order_of_what_was_done_there() {
    let fs = MemFs::new();
    fs.create_dir("/a".as_ref()).unwrap();
    fs.create_dir("/b".as_ref()).unwrap();
    fs.sync_dir("/".as_ref()).unwrap();
    fs.create("/b/x".as_ref()).unwrap();
    fs.create("/a/y".as_ref()).unwrap().append(b"y").unwrap();
    fs.rename("/a/y".as_ref(), "/b/x".as_ref()).unwrap();
    fs.sync_dir("/a".as_ref()).unwrap();
    fs.sync_dir("/b".as_ref()).unwrap();
    let left = fs.crash(Crash::LoseUnsynced);
    assert_eq!((left.list("/a".as_ref()).unwrap().len(), left.list("/b".as_ref()).unwrap().len()), (0, 1));
}

#[test]
fn crashes_keep_every_mixture_of_pieces_and_tear_pages() {
    let fs = MemFs::new();
    let file = fs.create("/a".as_ref()).unwrap();
    fs.sync_dir("/".as_ref()).unwrap();
    file.write_at(FileOffset::ZERO, &[1; 2 * PAGE]).unwrap();
    file.sync().unwrap();
    file.write_at(FileOffset::ZERO, &[2; 2 * PAGE]).unwrap();
    let mixture = |piece: Piece, seed: u64| {
        let left = fs.crash(Crash::KeepSome { seed, piece }).open("/a".as_ref(), Access::ReadOnly).unwrap();
        left.read_to_vec(FileOffset::ZERO, 2 * PAGE).unwrap()
    };
    let whole: BTreeSet<_> = (0..64).map(|seed| mixture(Piece::Page, seed)).collect();
    assert_eq!(whole.len(), 4, "each page old or new");
    assert!(
        whole.iter().all(|bytes| bytes.chunks(PAGE).all(|page| page.iter().all(|byte| *byte == page[0])))
    );
    let sectors: BTreeSet<_> = (0..64).map(|seed| mixture(Piece::Sector, seed)).collect();
    assert!(sectors.len() > 32);
    let torn = (0..64).map(|seed| mixture(Piece::Torn, seed));
    let is_torn = |page: &[u8]| page[0] != page[PAGE - 1];
    assert!(torn.filter(|bytes| bytes.chunks(PAGE).any(is_torn)).count() > 4);
}

/// A file of four pages, page n full of byte n + 1, with damage on it.
fn damaged(damage: Damage) -> (FaultFs, Arc<dyn lsm_io::File>) {
    let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(3).damage("table", damage));
    let inner = fs.create("/other".as_ref()).unwrap();
    for page in 1..=4 {
        inner.append(&[page; PAGE]).unwrap();
    }
    fs.rename("/other".as_ref(), "/table".as_ref()).unwrap();
    let file = fs.open("/table".as_ref(), Access::ReadWrite).unwrap();
    (fs, file)
}

fn on_page_1(rot: Rot) -> Damage {
    Damage::new(FileOffset::new(PAGE as u64), ByteLen::new(PAGE as u64), rot)
}

fn page_at(file: &Arc<dyn lsm_io::File>, page: usize) -> Vec<u8> {
    file.read_to_vec(FileOffset::new((page * PAGE) as u64), PAGE).unwrap()
}

#[test]
fn damage_shows_on_its_range_only_and_heals_when_rewritten() {
    let rots = [
        Rot::Flip { bits: 3 },
        Rot::Garble,
        Rot::Zero,
        Rot::Foreign { from: FileOffset::new(3 * PAGE as u64) },
    ];
    for rot in rots {
        let (_, file) = damaged(on_page_1(rot));
        let bad = page_at(&file, 1);
        assert!(bad != [2; PAGE] && bad == page_at(&file, 1), "{rot:?} shows the same at every read");
        let wrong_bits: u32 = bad.iter().map(|byte| (byte ^ 2).count_ones()).sum();
        match rot {
            Rot::Flip { .. } => assert_eq!(wrong_bits, 3),
            Rot::Garble => assert!(bad.iter().all(|byte| *byte != 2)),
            Rot::Zero => assert_eq!(bad, [0; PAGE]),
            _ => assert_eq!(bad, [4; PAGE]),
        }
        assert_eq!((page_at(&file, 0), page_at(&file, 2)), (vec![1; PAGE], vec![3; PAGE]));
        file.write_at(FileOffset::new(PAGE as u64), &[9; PAGE / 2]).unwrap();
        let half = page_at(&file, 1);
        assert_eq!(half[..PAGE / 2], [9; PAGE / 2]);
        assert_eq!(half[PAGE / 2..], bad[PAGE / 2..], "{rot:?} stays where nothing was written");
    }
}

#[test]
fn an_unreadable_range_fails_reads_that_touch_it_until_rewritten_or_for_ever() {
    for lasts in [Lasts::UntilRewritten, Lasts::Forever] {
        let (_, file) = damaged(on_page_1(Rot::Unreadable).lasting(lasts));
        assert!(file.read_to_vec(FileOffset::ZERO, PAGE).is_ok());
        assert!(file.read_to_vec(FileOffset::ZERO, PAGE + 1).is_err());
        assert!(file.read_medium_at(FileOffset::new(2 * PAGE as u64 - 1), &mut [0]).is_err());
        file.write_at(FileOffset::new(PAGE as u64), &[2; PAGE]).unwrap();
        assert_eq!(file.read_to_vec(FileOffset::ZERO, 2 * PAGE).is_ok(), lasts == Lasts::UntilRewritten);
    }
}

#[test]
fn a_stale_page_swallows_one_write_and_takes_the_next() {
    let (_, file) = damaged(on_page_1(Rot::Stale));
    let write = |byte| file.write_at(FileOffset::new(PAGE as u64), &[byte; PAGE]).unwrap();
    write(7);
    assert_eq!(page_at(&file, 1), [2; PAGE]);
    write(8);
    assert_eq!(page_at(&file, 1), [8; PAGE]);
}

#[test]
fn damage_in_the_cache_is_not_on_the_medium_and_goes_once_that_was_read() {
    let (_, file) = damaged(on_page_1(Rot::Garble).reaching(Reach::Cache));
    assert_ne!(page_at(&file, 1), [2; PAGE]);
    let mut medium = [0; PAGE];
    let read = file.read_medium_at(FileOffset::new(PAGE as u64), &mut medium).unwrap();
    assert_eq!((read.route, medium), (Route::Direct, [2; PAGE]));
    assert_eq!(page_at(&file, 1), [2; PAGE]);
}

#[test]
fn damage_follows_a_file_through_links_and_renames() {
    let (fs, _) = damaged(on_page_1(Rot::Zero));
    fs.link("/table".as_ref(), "/link".as_ref()).unwrap();
    fs.rename("/table".as_ref(), "/renamed".as_ref()).unwrap();
    for name in ["/link", "/renamed"] {
        let file = fs.open(name.as_ref(), Access::ReadWrite).unwrap();
        assert_eq!(page_at(&file, 1), [0; PAGE], "{name}");
    }
}

#[test]
fn each_mishap_does_what_it_says() {
    let other = ErrorKind::Other;
    // What a write of "new!" over "old." reports, and what is found afterwards.
    let rows = [
        (Mishap::Fail(other), Some(other), "old."),
        (Mishap::FailDone(other), Some(other), "new!"),
        (Mishap::PartWrite(other), Some(other), "ned."),
        (Mishap::TornWrite, None, "ned."),
        (Mishap::LostWrite, None, "old."),
        (Mishap::Misdirect { by: ByteLen::new(4) }, None, "old.new!"),
        (Mishap::ShortRead, None, "new!"),
        (Mishap::Delay(std::time::Duration::ZERO), None, "new!"),
    ];
    for (mishap, reported, found) in rows {
        let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Write, 2).of("log"), mishap);
        let fs = FaultFs::new(Arc::new(MemFs::new()), plan);
        let file = fs.create("/log".as_ref()).unwrap();
        file.write_at(FileOffset::ZERO, b"old.").unwrap();
        assert_eq!(kind(file.write_at(FileOffset::ZERO, b"new!")), reported, "{mishap:?}");
        let len = file.len().unwrap().get() as usize;
        let bytes = file.read_to_vec(FileOffset::ZERO, len).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), found, "{mishap:?}");
    }
}

#[test]
fn a_short_read_brings_half() {
    let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Read, 1), Mishap::ShortRead);
    let file = FaultFs::new(Arc::new(MemFs::new()), plan).create("/a".as_ref()).unwrap();
    file.append(b"abcd").unwrap();
    assert_eq!(file.read_at(FileOffset::ZERO, &mut [0; 4]).unwrap(), 2);
    assert_eq!(file.read_at(FileOffset::ZERO, &mut [0; 4]).unwrap(), 4);
}

#[test]
fn lost_and_forgotten_syncs_leave_nothing_behind() {
    let other = ErrorKind::Other;
    for (mishap, reported) in [(Mishap::LostSync, None), (Mishap::FailAndForget(other), Some(other))] {
        let mem = MemFs::new();
        let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Sync, 1), mishap);
        let fs = FaultFs::new(Arc::new(mem.clone()), plan);
        let file = fs.create("/a".as_ref()).unwrap();
        fs.sync_dir("/".as_ref()).unwrap();
        file.append(b"abcd").unwrap();
        assert_eq!(kind(file.sync()), reported);
        let len =
            || mem.crash(Crash::LoseUnsynced).open("/a".as_ref(), Access::ReadOnly).unwrap().len().unwrap();
        assert_eq!(len(), ByteLen::ZERO);
        file.sync().unwrap();
        assert_eq!(len() == ByteLen::ZERO, reported.is_some(), "{mishap:?}");
    }
}

#[test]
fn a_full_disk_writes_what_fits_and_takes_overwrites() {
    let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0).room(ByteLen::new(6)));
    let file = fs.create("/a".as_ref()).unwrap();
    file.append(b"abcd").unwrap();
    assert_eq!(fs.free_space("/".as_ref()).unwrap(), ByteLen::new(2));
    assert_eq!(kind(file.allocate(ByteLen::new(7))), Some(ErrorKind::StorageFull));
    assert_eq!(kind(file.append(b"efgh")), Some(ErrorKind::StorageFull));
    assert_eq!(file.len().unwrap(), ByteLen::new(6));
    file.write_at(FileOffset::ZERO, b"ABCDEF").unwrap();
    fs.calm();
    file.append(b"g").unwrap();
}

#[test]
fn the_same_plan_over_the_same_operations_leaves_the_same_trace_and_bytes() {
    let run = || {
        let plan = FaultPlan::new(11)
            .damage("a", Damage::new(FileOffset::ZERO, ByteLen::new(64), Rot::Flip { bits: 5 }))
            .mishap(Trigger::nth(Op::Write, 2), Mishap::TornWrite);
        let fs = FaultFs::new(Arc::new(MemFs::new()), plan);
        let file = fs.create("/a".as_ref()).unwrap();
        for at in 0..4 {
            file.write_at(FileOffset::new(at * 100), &[at as u8; 100]).unwrap();
        }
        (file.read_to_vec(FileOffset::ZERO, 400).unwrap(), fs.trace())
    };
    assert_eq!(run(), run());
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..9000_u64, proptest::collection::vec(any::<u8>(), 0..5000))
            .prop_map(|(at, bytes)| Change::Write(at, bytes)),
        (0..12_000_u64).prop_map(Change::SetLen),
        Just(Change::Sync),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk_agree_and_a_crash_shows_only_bytes_that_were_there(
        changes in proptest::collection::vec(change(), 1..12),
        seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mem, path) = (MemFs::new(), dir.path().join("a"));
        let (real, ours) = (StdFs::new().create(&path).unwrap(), mem.create("/a".as_ref()).unwrap());
        mem.sync_dir("/".as_ref()).unwrap();
        let mut since_sync = vec![Vec::new()];
        for change in &changes {
            for file in [&real, &ours] {
                match change {
                    Change::Write(at, bytes) => file.write_at(FileOffset::new(*at), bytes).unwrap(),
                    Change::SetLen(len) => file.set_len(ByteLen::new(*len)).unwrap(),
                    Change::Sync => file.sync().unwrap(),
                }
            }
            let len = real.len().unwrap();
            prop_assert_eq!(len, ours.len().unwrap());
            let bytes = real.read_to_vec(FileOffset::ZERO, len.get() as usize).unwrap();
            prop_assert!(bytes == ours.read_to_vec(FileOffset::ZERO, len.get() as usize).unwrap());
            if matches!(change, Change::Sync) {
                since_sync.clear();
            }
            since_sync.push(bytes);
        }
        let shows = |how| {
            let file = mem.crash(how).open("/a".as_ref(), Access::ReadOnly).unwrap();
            file.read_to_vec(FileOffset::ZERO, file.len().unwrap().get() as usize).unwrap()
        };
        prop_assert!(shows(Crash::LoseUnsynced) == since_sync[0]);
        for piece in [Piece::Page, Piece::Sector, Piece::Torn] {
            let left = shows(Crash::KeepSome { seed, piece });
            prop_assert!(since_sync.iter().any(|moment| moment.len() == left.len()));
            for (at, byte) in left.iter().enumerate() {
                let known = |moment: &Vec<u8>| moment.get(at).copied().unwrap_or(0) == *byte;
                prop_assert!(since_sync.iter().any(known), "byte {} was never {}", at, byte);
            }
        }
    }
}
