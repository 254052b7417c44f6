//! The laws of a turn, tried exhaustively: every short script of epochs, cut into turns in every way, with
//! every operation failing in every manner, crashed at every step.
//!
//! A script in which everything from operation n on fails, for ever, *is* the crash before operation n: what
//! was reported up to then must be on the disk that `MemFs::crash` leaves, and nothing else may have been.

use std::io::ErrorKind;

use super::*;
use crate::{
    Access, Crash, Durability, FaultFs, FaultPlan, Fs, Lane, MemFs, Mishap, Ops, Piece, Trigger, Write,
    executor::{Blocking, Executor},
};

/// Small, so that the many disks are copied fast; pieces of the disk still cut through it.
const PAGE: usize = 600;

/// One kind of epoch in a script.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Page 0 of file A.
    A0,
    /// Page 1 of file A.
    A1,
    /// Page 0 of file B.
    B0,
    /// Page 0 of A, then page 1 of B.
    Both,
    /// A file of its own.
    New,
    /// Page 0 of A, then an old file of its own goes.
    Replace,
    /// An old file of its own goes.
    Delete,
    /// Page 0 of A, not waiting for a sync.
    Buffered,
}

const ACTS: [Act; 8] =
    [Act::A0, Act::A1, Act::B0, Act::Both, Act::New, Act::Replace, Act::Delete, Act::Buffered];

/// What a byte of the disk should be told about: each write of each epoch, and whether it was acknowledged.
struct World {
    disk: MemFs,
    faults: FaultFs,
    fs: Arc<dyn Fs>,
    debts: Arc<Debts>,
    a: Arc<Target>,
    b: Arc<Target>,
    /// Every write in the order of epochs: path, place, the byte it is made of, and how far it came.
    writes: Vec<Wrote>,
    deleted: Vec<Deleted>,
    numbers: u64,
    turns: u64,
}

#[derive(Debug)]
struct Wrote {
    epoch: usize,
    path: PathBuf,
    offset: u64,
    byte: u8,
    durability: Durability,
    acknowledged: bool,
}

#[derive(Debug)]
struct Deleted {
    epoch: usize,
    path: PathBuf,
    acknowledged: bool,
}

impl World {
    fn new(acts: &[Act]) -> Self {
        let disk = MemFs::new();
        for path in ["/a", "/b"] {
            let file = disk.create(path.as_ref()).unwrap();
            file.write_at(FileOffset::ZERO, &[0; 2 * PAGE]).unwrap();
            file.sync().unwrap();
        }
        for epoch in 0..acts.len() {
            disk.create(&old(epoch)).unwrap();
        }
        disk.sync_dir("/".as_ref()).unwrap();
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(0));
        let fs: Arc<dyn Fs> = Arc::new(faults.clone());
        let [a, b] = ["/a", "/b"].map(|path| Target::open(fs.clone(), path.as_ref()).unwrap());
        let (writes, deleted) = (Vec::new(), Vec::new());
        Self { disk, faults, fs, debts: Arc::default(), a, b, writes, deleted, numbers: 0, turns: 0 }
    }

    /// Builds the epoch, unless making its file is what fails.
    fn epoch(&mut self, index: usize, act: Act) -> Option<Epoch> {
        let byte = index as u8 + 1;
        let page = || vec![byte; PAGE];
        let second = FileOffset::new(PAGE as u64);
        let epoch = match act {
            Act::A0 => Epoch::new().write(&self.a, FileOffset::ZERO, page()),
            Act::A1 => Epoch::new().write(&self.a, second, page()),
            Act::B0 => Epoch::new().write(&self.b, FileOffset::ZERO, page()),
            Act::Both => Epoch::new().write(&self.a, FileOffset::ZERO, page()).write(&self.b, second, page()),
            Act::New => {
                let path = PathBuf::from(format!("/new-{index}"));
                Epoch::new().write(&Target::create(self.fs.clone(), &path).ok()?, FileOffset::ZERO, page())
            }
            Act::Replace => {
                Epoch::new().write(&self.a, FileOffset::ZERO, page()).delete(self.fs.clone(), &old(index))
            }
            Act::Delete => Epoch::new().delete(self.fs.clone(), &old(index)),
            Act::Buffered => {
                Epoch::new().write(&self.a, FileOffset::ZERO, page()).durability(Durability::Buffered)
            }
        };
        self.expect(index, byte, &epoch);
        Some(epoch)
    }

    fn expect(&mut self, epoch: usize, byte: u8, made: &Epoch) {
        for Write { target, offset, .. } in &made.writes {
            let (path, offset, durability) = (target.path().into(), offset.get(), made.durability);
            self.writes.push(Wrote { epoch, path, offset, byte, durability, acknowledged: false });
        }
        for deletion in &made.deletions {
            self.deleted.push(Deleted { epoch, path: deletion.path.clone(), acknowledged: false });
        }
    }

    /// Runs a turn and takes its verdicts at their word.
    fn run(&mut self, epochs: Vec<(usize, Epoch)>) -> Vec<(usize, Epoch)> {
        self.turns += 1;
        let mut numbered = Vec::new();
        for (_, epoch) in &epochs {
            self.numbers += 1;
            numbered.push((EpochSeq { lane: Lane::Bulk, number: self.numbers }, epoch.clone()));
        }
        let mut turn = Turn::new(TurnId(self.turns), numbered, self.debts.clone());
        Blocking::new(self.debts.clone(), None).run(&mut turn, Until::Finished);
        let mut back = Vec::new();
        for ((index, _), verdict) in epochs.into_iter().zip(turn.finish()) {
            let returned = verdict.err().map_or_else(Epoch::new, |failed| failed.returned);
            let kept = |path: &Path, offset: u64| {
                let same = |write: &Write| write.target.path() == path && write.offset.get() == offset;
                returned.writes.iter().any(same)
            };
            for wrote in self.writes.iter_mut().filter(|wrote| wrote.epoch == index) {
                wrote.acknowledged |= !kept(&wrote.path, wrote.offset);
            }
            for deleted in self.deleted.iter_mut().filter(|deleted| deleted.epoch == index) {
                deleted.acknowledged |= returned.deletions.iter().all(|pending| pending.path != deleted.path);
            }
            if !returned.is_empty() {
                back.push((index, returned));
            }
        }
        back
    }

    /// Judges the disk that a crash leaves.
    fn judge(&self, how: Crash, story: &dyn std::fmt::Debug) {
        let left = self.disk.crash(how);
        for wrote in self.writes.iter().filter(|wrote| wrote.acknowledged) {
            if wrote.durability == Durability::Synced {
                let found = page(&left, wrote);
                let later = |byte: u8| {
                    let same = |other: &&Wrote| other.path == wrote.path && other.offset == wrote.offset;
                    byte == wrote.byte
                        || self
                            .writes
                            .iter()
                            .filter(same)
                            .any(|other| other.epoch > wrote.epoch && other.byte == byte)
                };
                let right = found.as_ref().is_some_and(|page| page.iter().all(|byte| later(*byte)));
                assert!(right, "an acknowledged write is lost: {wrote:?} in {how:?} of {story:?}");
            }
        }
        for deleted in &self.deleted {
            let gone = left.open(&deleted.path, Access::ReadOnly).is_err();
            assert!(
                gone || !deleted.acknowledged,
                "a deleted file is back: {deleted:?} in {how:?} of {story:?}"
            );
            let mut own = self.writes.iter().filter(|wrote| wrote.epoch == deleted.epoch);
            let newer = |wrote: &Wrote, byte: &u8| *byte >= wrote.byte;
            let safe =
                own.all(|wrote| page(&left, wrote).is_some_and(|page| page.iter().all(|b| newer(wrote, b))));
            assert!(
                !gone || safe,
                "deleted before its writes were durable: {deleted:?} in {how:?} of {story:?}"
            );
        }
    }

    fn judge_all(&self, story: &dyn std::fmt::Debug) {
        self.judge(Crash::LoseUnsynced, story);
        for (seed, piece) in [(1, Piece::Page), (2, Piece::Sector), (3, Piece::Torn)] {
            self.judge(Crash::KeepSome { seed: seed + self.turns, piece }, story);
        }
        // Without a resume, what a file acknowledged is a prefix of what it was given.
        for path in [Path::new("/a"), Path::new("/b")] {
            let of_file = self.writes.iter().filter(|wrote| wrote.path == path);
            let acknowledged: Vec<_> = of_file.map(|wrote| wrote.acknowledged).collect();
            assert!(
                acknowledged.is_sorted_by(|a, b| a >= b),
                "acknowledged behind a hole: {path:?} of {story:?}"
            );
        }
    }
}

fn old(epoch: usize) -> PathBuf {
    format!("/old-{epoch}").into()
}

fn page(fs: &MemFs, wrote: &Wrote) -> Option<Vec<u8>> {
    let file = fs.open(&wrote.path, Access::ReadOnly).ok()?;
    file.read_to_vec(FileOffset::new(wrote.offset), PAGE).ok()
}

/// Runs a script cut into turns after the epochs whose bit is set, with one mishap from operation `nth` on;
/// says whether it befell anything.
fn check(acts: &[Act], cuts: usize, nth: u64, mishap: Option<Mishap>) -> bool {
    let mut world = World::new(acts);
    let story = (acts, cuts, nth, mishap);
    match mishap {
        Some(mishap) => world.faults.arm(Trigger::nth(Ops::Changing, nth), mishap),
        None => {
            let dead = Mishap::Fail(ErrorKind::Other);
            world.faults.arm(Trigger::nth(Ops::Changing, nth).and_later(), dead);
        }
    }
    let mut waiting = Vec::new();
    let mut back = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        waiting.extend(world.epoch(index, *act).map(|epoch| (index, epoch)));
        if cuts & (1 << index) != 0 || index + 1 == acts.len() {
            back.extend(world.run(std::mem::take(&mut waiting)));
            world.judge_all(&story);
        }
    }
    let befell = world.faults.trace().iter().any(|entry| entry.fate != crate::Fate::Passed);
    // The disk recovers; the owner hears what failed and submits it again, in order.
    world.faults.calm();
    for target in [world.a.clone(), world.b.clone()] {
        target.resume();
    }
    let poisoned = [&world.a, &world.b].iter().any(|target| target.standing() == Standing::Poisoned);
    for (index, epoch) in back {
        let resumed =
            epoch.targets().map(|target| target.resume()).all(|standing| standing == Standing::Trusted);
        let left = world.run(vec![(index, epoch)]);
        let new_file_poisoned =
            world.debts.list().iter().any(|target| target.standing() == Standing::Poisoned);
        let excused = !resumed || poisoned || new_file_poisoned;
        assert!(left.is_empty() || excused, "a healthy disk refuses {left:?} of {story:?}");
        world.judge(Crash::LoseUnsynced, &story);
    }
    befell
}

fn every_script(len: usize, mut try_one: impl FnMut(&[Act], usize)) {
    for script in 0..ACTS.len().pow(len as u32) {
        let acts: Vec<_> = (0..len).map(|at| ACTS[script / ACTS.len().pow(at as u32) % ACTS.len()]).collect();
        for cuts in 0..1 << (len - 1) {
            try_one(&acts, cuts);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_whichever_operation_the_power_fails_at() {
    every_script(3, |acts, cuts| {
        let mut nth = 1;
        while check(acts, cuts, nth, None) {
            nth += 1;
        }
        assert!(nth > 1, "something changes the disk");
    });
}

#[test]
fn nothing_acknowledged_is_lost_and_all_is_done_later_whichever_operation_fails_once() {
    let other = ErrorKind::Other;
    let mishaps = [
        Mishap::Fail(other),
        Mishap::FailAndForget(other),
        Mishap::FailDone(other),
        Mishap::PartWrite(other),
    ];
    for mishap in mishaps {
        every_script(3, |acts, cuts| {
            let mut nth = 1;
            while check(acts, cuts, nth, Some(mishap)) {
                nth += 1;
            }
        });
    }
}
