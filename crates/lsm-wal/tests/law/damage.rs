//! A log of acknowledged groups, damaged in every way: right answers, or a typed loss that names the numbers.

use std::sync::Arc;

use crate::bench::{self, Bench, groups};
use lsm_io::{Access, ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng, Rot};
use lsm_wal::{Durability, SegmentRecord, Seqs};

const PAGE: usize = 4096;
const HOLE: usize = 64 << 10;

/// A log at rest: its files, and what was appended.
struct Victim {
    fs: FaultFs,
    bench: Bench,
    groups: Vec<(Seqs, Vec<u8>)>,
    files: Vec<(SegmentRecord, Vec<u8>)>,
}

/// How the log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Abandoned,
}

impl Victim {
    fn new(lens: &[usize], end: End) -> Self {
        let fs = FaultFs::new(Arc::new(MemFs::new()), FaultPlan::new(0));
        let bench = Bench::on(Arc::new(fs.clone()), bench::Manifest::default());
        let log = bench.open();
        let mut groups = Vec::new();
        for (index, &len) in lens.iter().enumerate() {
            let payload: Vec<u8> = (0..len).map(|at| (at * 31 + index * 7) as u8 | 1).collect();
            let durability = if index % 4 == 3 { Durability::Buffered } else { Durability::Synced };
            let seqs = log.append(payload.clone(), 1 + index as u32 % 3, durability).unwrap();
            groups.push((seqs, payload));
        }
        log.sync().unwrap();
        if end == End::Closed {
            log.close().unwrap();
        }
        std::mem::forget(log);
        let read = |record: SegmentRecord| {
            let file = fs.open(&record.path("/".as_ref()), Access::ReadOnly).unwrap();
            (record, file.read_to_vec(FileOffset::ZERO, record.file_len() as usize).unwrap())
        };
        let files = bench.records().into_iter().map(read).collect();
        Self { fs, bench, groups, files }
    }

    /// Many small groups and a few large ones, in several segments.
    fn large(end: End) -> Self {
        let mut lens: Vec<usize> = (0..60).map(|index| 50 + index * 37 % 900).collect();
        lens.splice(20..20, [30_000, 90_000, 5000]);
        lens.splice(50..50, [70_000]);
        Self::new(&lens, end)
    }

    fn small() -> Self {
        Self::new(&[100, 10, 3000, 700, 9000, 20, 40, 30], End::Closed)
    }

    fn write(&self, file: usize, at: usize, bytes: &[u8]) {
        let path = self.files[file].0.path("/".as_ref());
        let open = self.fs.open(&path, Access::ReadWrite).unwrap();
        open.write_at(FileOffset::new(at as u64), bytes).unwrap();
    }

    /// Makes `change` to a range of a file, looks, and undoes it.
    fn with(&self, file: usize, at: usize, len: usize, change: impl Fn(&mut [u8]), look: impl Fn(&Self)) {
        let image = &self.files[file].1;
        let range = at..(at + len).min(image.len());
        let mut bytes = image[range.clone()].to_vec();
        change(&mut bytes);
        self.write(file, at, &bytes);
        look(self);
        self.write(file, at, &image[range]);
    }

    /// Everything is there.
    #[track_caller]
    fn is_right(&self) {
        let (found, losses) = groups(&self.bench.scan());
        assert!(
            losses.is_empty() && found == self.groups,
            "{} of {} groups, losses {losses:?}",
            found.len(),
            self.groups.len()
        );
    }

    /// What is there is right, and what is not is named; nothing else is.
    #[track_caller]
    fn is_right_or_told(&self) {
        let recovery = self.bench.scan();
        let (found, losses) = groups(&recovery);
        let told: Vec<Seqs> = recovery.losses().iter().map(|loss| loss.seqs).collect();
        assert_eq!(losses, told, "replay tells what the scan told");
        assert!(found.windows(2).all(|pair| pair[0].0.next <= pair[1].0.first), "out of order");
        for group in &found {
            assert!(self.groups.contains(group), "group {} is not what was appended", group.0);
            assert!(
                !told.iter().any(|seqs| seqs.contains(group.0.first)),
                "group {} is told lost and there",
                group.0
            );
        }
        for group in &self.groups {
            let is_told = told.iter().any(|seqs| seqs.contains(group.0.first));
            assert!(is_told || found.contains(group), "group {} is silently lost, told {told:?}", group.0);
        }
    }
}

fn zero(bytes: &mut [u8]) {
    bytes.fill(0);
}

#[test]
fn every_flipped_byte_is_put_right() {
    let victim = Victim::small();
    for (file, (_, image)) in victim.files.iter().enumerate() {
        for (at, &byte) in image.iter().enumerate() {
            // Of what is zero, a share: it is all alike.
            if byte != 0 || at % 61 == 0 {
                victim.with(file, at, 1, |bytes| bytes[0] ^= 1 << (at % 8), Victim::is_right);
            }
        }
    }
}

#[test]
fn every_zeroed_sector_is_put_right() {
    let victim = Victim::large(End::Closed);
    for (file, (_, image)) in victim.files.iter().enumerate() {
        for at in (0..image.len()).step_by(512) {
            victim.with(file, at, 512, zero, Victim::is_right);
        }
    }
}

#[test]
fn every_lost_page_is_put_right_zeroed_garbled_foreign_or_unreadable() {
    let victim = Victim::large(End::Closed);
    for (file, (record, image)) in victim.files.iter().enumerate() {
        for at in (0..image.len()).step_by(PAGE) {
            victim.with(file, at, PAGE, zero, Victim::is_right);
            victim.with(
                file,
                at,
                PAGE,
                |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0x5A),
                Victim::is_right,
            );
            let other = image[(at + 3 * PAGE) % image.len()..][..PAGE].to_vec();
            victim.with(file, at, PAGE, |bytes| bytes.copy_from_slice(&other), Victim::is_right);
            let unreadable =
                Damage::new(FileOffset::new(at as u64), ByteLen::new(PAGE as u64), Rot::Unreadable);
            victim.fs.damage(&record.path("/".as_ref()), unreadable).unwrap();
            victim.is_right();
            victim.write(file, at, &image[at..at + PAGE]);
        }
    }
}

#[test]
fn every_hole_of_64_kib_is_put_right() {
    for end in [End::Closed, End::Abandoned] {
        let victim = Victim::large(end);
        for (file, (record, image)) in victim.files.iter().enumerate() {
            for at in (0..image.len()).step_by(PAGE).flat_map(|at| [at, at + 512, at + 2048 + 77]) {
                victim.with(file, at, HOLE, zero, Victim::is_right);
                if at % 3 == 0 {
                    let len = HOLE.min(image.len() - at);
                    let unreadable =
                        Damage::new(FileOffset::new(at as u64), ByteLen::new(len as u64), Rot::Unreadable);
                    victim.fs.damage(&record.path("/".as_ref()), unreadable).unwrap();
                    victim.is_right();
                    victim.write(file, at, &image[at..at + len]);
                }
            }
        }
    }
}

#[test]
fn what_goes_wrong_between_the_scan_and_the_replay_is_put_right() {
    let victim = Victim::large(End::Closed);
    for (file, (_, image)) in victim.files.iter().enumerate() {
        for at in (0..image.len()).step_by(PAGE) {
            for (start, len) in [(at, PAGE), (at + 512 * (at / PAGE % 8), 512)] {
                let flipped: Vec<u8> = image[start..start + len].iter().map(|byte| !byte).collect();
                for bytes in [vec![0; len], flipped] {
                    let recovery = victim.bench.scan();
                    victim.write(file, start, &bytes);
                    let (found, losses) = groups(&recovery);
                    assert!(
                        losses.is_empty() && found == victim.groups,
                        "file {file}, {len} bytes at {start}"
                    );
                    victim.write(file, start, &image[start..start + len]);
                }
            }
        }
    }
}

#[test]
fn every_truncation_gives_the_right_groups_or_names_the_lost_ones() {
    for end in [End::Closed, End::Abandoned] {
        let victim = Victim::large(end);
        for (file, (record, image)) in victim.files.iter().enumerate() {
            let path = record.path("/".as_ref());
            for len in (0..image.len()).step_by(1000).chain((0..image.len()).step_by(PAGE)) {
                let open = victim.fs.open(&path, Access::ReadWrite).unwrap();
                open.set_len(ByteLen::new(len as u64)).unwrap();
                if len >= image.len() / 2 {
                    victim.is_right();
                } else {
                    victim.is_right_or_told();
                }
                victim.write(file, 0, image);
            }
        }
    }
}

#[test]
fn a_lost_file_is_told() {
    let victim = Victim::large(End::Closed);
    for (file, (record, image)) in victim.files.iter().enumerate() {
        let path = record.path("/".as_ref());
        victim.fs.remove(&path).unwrap();
        victim.is_right_or_told();
        victim.fs.create(&path).unwrap();
        victim.write(file, 0, image);
    }
    victim.is_right();
}

#[test]
fn segments_overwritten_whole_are_told() {
    for end in [End::Closed, End::Abandoned] {
        let victim = Victim::large(end);
        let count = victim.files.len();
        // One by one, neighbours, and all.
        let runs = (1..=count).flat_map(|len| (0..=count - len).map(move |first| first..first + len));
        for files in runs {
            for byte in [None, Some(0), Some(0xFF)] {
                for file in files.clone() {
                    let mut rng = Rng::new(file as u64);
                    let len = victim.files[file].1.len();
                    let bytes: Vec<u8> =
                        (0..len).map(|_| byte.unwrap_or_else(|| rng.next_u64() as u8)).collect();
                    victim.write(file, 0, &bytes);
                }
                victim.is_right_or_told();
                assert!(!victim.bench.scan().losses().is_empty(), "segments {files:?} full of {byte:?}");
                for file in files.clone() {
                    victim.write(file, 0, &victim.files[file].1);
                }
            }
        }
        victim.is_right();
    }
}

#[test]
fn a_segment_overwritten_whole_is_told_though_it_stood_ready_while_a_longer_one_came_into_use() {
    let bench = Bench::new();
    let log = bench.open();
    log.prepare_spare().unwrap();
    log.append(&b"first"[..], 1, Durability::Synced).unwrap();
    log.append(vec![1; 3 << 20], 1, Durability::Synced).unwrap();
    log.append(vec![2; 3 << 20], 1, Durability::Synced).unwrap();
    log.prepare_spare().unwrap();
    for _ in 0..30 {
        log.append(vec![3; 9000], 1, Durability::Synced).unwrap();
    }
    std::mem::forget(log);
    let records = bench.records();
    assert!(records.windows(2).all(|pair| pair[0].number < pair[1].number), "{records:?}");
    for record in records {
        let path = record.path("/".as_ref());
        let file = bench.fs.open(&path, Access::ReadWrite).unwrap();
        let image = file.read_to_vec(FileOffset::ZERO, record.file_len() as usize).unwrap();
        file.write_at(FileOffset::ZERO, &vec![0; image.len()]).unwrap();
        assert!(!bench.scan().losses().is_empty(), "{record:?}");
        file.write_at(FileOffset::ZERO, &image).unwrap();
    }
}

#[test]
fn whatever_befalls_a_segment_that_only_stood_ready_costs_nothing() {
    let damages: [fn(&dyn Fs, &SegmentRecord); 6] = [
        |fs, spare| fs.remove(&spare.path("/".as_ref())).unwrap(),
        |fs, spare| cut(fs, spare, 0),
        |fs, spare| cut(fs, spare, 5000),
        |fs, spare| cut(fs, spare, spare.file_len() / 2),
        |fs, spare| fill(fs, spare, 0xA5),
        |fs, spare| fill(fs, spare, 0),
    ];
    for damage in damages {
        let bench = Bench::new();
        let log = bench.open();
        for index in 0..100u8 {
            log.append(vec![index; 3000], 1, Durability::Synced).unwrap();
        }
        log.prepare_spare().unwrap();
        let spare = log.spare().unwrap();
        std::mem::forget(log);
        damage(bench.fs.as_ref(), &spare);
        assert_eq!(bench.replay().len(), 100);
        let log = bench.open();
        log.append(&b"behind"[..], 1, Durability::Synced).unwrap();
        std::mem::forget(log);
        assert_eq!(bench.replay().len(), 101);
    }
}

fn cut(fs: &dyn Fs, spare: &SegmentRecord, len: u64) {
    let file = fs.open(&spare.path("/".as_ref()), Access::ReadWrite).unwrap();
    file.set_len(ByteLen::new(len)).unwrap();
}

fn fill(fs: &dyn Fs, spare: &SegmentRecord, byte: u8) {
    let file = fs.open(&spare.path("/".as_ref()), Access::ReadWrite).unwrap();
    file.write_at(FileOffset::ZERO, &vec![byte; spare.file_len() as usize]).unwrap();
}

#[test]
fn a_group_lost_from_both_extents_is_told_and_only_it() {
    told_and_only_it(&Victim::large(End::Closed));
}

/// The last one too: a mark stands behind each sync.
#[test]
fn a_group_that_a_killed_log_lost_from_both_extents_is_told_and_only_it() {
    told_and_only_it(&Victim::large(End::Abandoned));
}

fn told_and_only_it(victim: &Victim) {
    for (file, (record, image)) in victim.files.iter().enumerate() {
        let half = image.len() / 2;
        for at in (PAGE..half).step_by(PAGE) {
            victim.with(file, at, PAGE, zero, |victim| {
                victim.with(file, half + at, PAGE, zero, Victim::is_right_or_told);
            });
            // Told again, and nothing else, when the log has gone on.
            if image[at] != 0 && at % (4 * PAGE) == 0 {
                victim.write(file, at, &[0; PAGE]);
                victim.write(file, half + at, &[0; PAGE]);
                let before = groups(&victim.bench.scan());
                let on = Bench::on(
                    Arc::new(copy(&victim.fs, &victim.files)),
                    victim.bench.moved_to(victim.bench.fs.clone()).manifest,
                );
                let log = on.open();
                log.append(&b"behind"[..], 1, Durability::Synced).unwrap();
                drop(log);
                let mut after = groups(&on.scan());
                assert_eq!(after.0.pop().unwrap().1, b"behind");
                assert_eq!(after, before, "{record:?} page {}", at / PAGE);
                victim.write(file, at, &image[at..at + PAGE]);
                victim.write(file, half + at, &image[half + at..half + at + PAGE]);
            }
        }
    }
}

/// The files as they are now, on a disk of their own.
fn copy(fs: &FaultFs, files: &[(SegmentRecord, Vec<u8>)]) -> MemFs {
    let twin = MemFs::new();
    for (record, image) in files {
        let path = record.path("/".as_ref());
        let bytes =
            fs.open(&path, Access::ReadOnly).unwrap().read_to_vec(FileOffset::ZERO, image.len()).unwrap();
        twin.create(&path).unwrap().write_at(FileOffset::ZERO, &bytes).unwrap();
    }
    twin
}

#[test]
fn any_mix_of_damage_gives_the_right_groups_or_names_the_lost_ones() {
    let victim = Victim::large(End::Closed);
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let mut hurt = Vec::new();
        for _ in 0..1 + rng.below(6) {
            let file = rng.below(victim.files.len() as u64) as usize;
            let image = &victim.files[file].1;
            let half = image.len() / 2;
            let at = rng.below(image.len() as u64) as usize;
            let len = [1, 512, PAGE, 20_000, HOLE, 100_000][rng.below(6) as usize].min(image.len() - at);
            let places = if rng.chance(1, 2) { vec![at] } else { vec![at, (at + half) % image.len()] };
            for at in places {
                let len = len.min(image.len() - at);
                // The end of all is undecidable where everything that would tell of it is gone; it is left out.
                let bytes: Vec<u8> = match rng.below(2) {
                    0 => vec![0; len],
                    _ => (0..len).map(|_| rng.next_u64() as u8).collect(),
                };
                hurt.push((file, at, bytes));
            }
        }
        let last = victim.files.len() - 1;
        if hurt.iter().filter(|(file, ..)| *file == last).count() > 1 {
            continue;
        }
        for (file, at, bytes) in &hurt {
            victim.write(*file, *at, bytes);
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| victim.is_right_or_told()));
        assert!(outcome.is_ok(), "seed {seed}");
        for (file, at, bytes) in &hurt {
            victim.write(*file, *at, &victim.files[*file].1[*at..*at + bytes.len()]);
        }
    }
}
