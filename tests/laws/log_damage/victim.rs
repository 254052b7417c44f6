//! A store whose newest changes are in its log alone, and what may be seen of it once it is hurt.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use lsm_io::{Access, ByteLen, Damage, FaultFs, FaultPlan, FileOffset, Fs, MemFs, Rng, Rot};
use resilver::{Background, Creation, Db, Error, LogLoss, Options};
use resilver_tests::{Dump, Model, Setup, Subject, Value, Watchdog, Write, WriteKind, dump_of};

pub(super) const PAGE: usize = 4096;
const STORE: &str = "/store";
/// Groups that are in a table, and perhaps in the log still.
const FLUSHED: usize = 8;
const GROUPS: usize = 84;

/// How the store was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Closed, so that the log ends with a mark.
    Closed,
    /// As a kill leaves it, with a segment made in advance.
    Killed,
}

/// Which files of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Log,
    Manifest,
}

/// A store at rest.
pub(super) struct Victim {
    disk: MemFs,
    setup: Setup,
    groups: Vec<Group>,
    pub(super) files: Vec<Image>,
    watchdog: Watchdog,
}

/// A file as it is when nothing is wrong.
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) part: Part,
    pub(super) bytes: Vec<u8>,
}

/// An acknowledged batch and its sequence numbers.
struct Group {
    first: u64,
    next: u64,
    writes: Vec<Write>,
}

/// Damage to one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hurt {
    pub(super) file: usize,
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) how: How,
}

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// One bit of each turned over.
    Flip,
    Zero,
    Garble,
    /// They are those of another place in the file.
    Foreign,
    Unreadable,
    /// They and all behind them are gone.
    Cut,
    /// So is the file.
    Gone,
}

/// What must come of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// Right answers.
    Right,
    /// Right answers, or a loss that names its sequence numbers and nothing but them.
    RightOrNamed,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Right,
    Named,
}

impl Image {
    /// Whether anything was ever written there.
    pub(super) fn is_used(&self) -> bool {
        self.bytes.iter().any(|byte| *byte != 0)
    }
}

impl Victim {
    pub(super) fn new(end: End) -> Self {
        let disk = MemFs::new();
        let background = if end == End::Closed { Background::Inline } else { Background::Threads };
        // So large that nothing of it is flushed, neither by itself nor by closing.
        let mut setup = Setup { memtable_bytes: 1 << 30, background, ..Setup::small() };
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let subject = Subject::open(fs, &setup, STORE.as_ref(), Creation::Always).unwrap();
        let (mut groups, mut rng) = (Vec::new(), Rng::new(9));
        for at in 0..GROUPS {
            let writes: Vec<Write> = (0..1 + at % 3).map(|nth| write(&mut rng, at * 3 + nth)).collect();
            let first = subject.db.stats().newest_seq + 1;
            subject.write(&writes, at % 4 != 3).unwrap();
            let next = subject.db.stats().newest_seq + 1;
            groups.push(Group { first, next, writes });
            if at + 1 == FLUSHED {
                subject.db.flush().unwrap();
            }
        }
        subject.db.sync().unwrap();
        let disk = match end {
            End::Closed => {
                subject.db.close().unwrap();
                disk
            }
            End::Killed => {
                let used = || {
                    images(&disk).iter().filter(|image| image.part == Part::Log && image.is_used()).count()
                };
                while subject.db.stats().log_segments <= used() as u64 {
                    std::thread::yield_now();
                }
                disk.fork()
            }
        };
        setup.background = Background::Inline;
        let files = images(&disk);
        let watchdog = Watchdog::over(format!("a store that was {end:?}"));
        let victim = Self { disk, setup, groups, files, watchdog };
        let whole: Arc<dyn Fs> = Arc::new(victim.disk.fork());
        assert_eq!(victim.look(&whole, Demand::Right), Ok(Seen::Right), "before any damage");
        victim
    }

    /// The file that the log was written to last.
    pub(super) fn newest_segment(&self) -> usize {
        let newest = self.files.iter().rposition(|image| image.part == Part::Log && image.is_used());
        newest.unwrap()
    }

    /// The disk with this damage on it.
    fn hurt(&self, hurts: &[Hurt]) -> Arc<dyn Fs> {
        let disk = self.disk.fork();
        let faults = FaultFs::new(Arc::new(disk.clone()), FaultPlan::new(0));
        for Hurt { file, at, len, how } in hurts.iter().copied() {
            let Image { path, bytes, .. } = &self.files[file];
            let end = (at + len).min(bytes.len());
            let mut part = bytes[at..end].to_vec();
            let open = || disk.open(path, Access::ReadWrite).unwrap();
            match how {
                How::Flip => part.iter_mut().for_each(|byte| *byte ^= 1 << (at % 8)),
                How::Zero => part.fill(0),
                How::Garble => part.iter_mut().for_each(|byte| *byte ^= 0x5A),
                How::Foreign => {
                    let from = (at + 3 * PAGE) % bytes.len();
                    part.iter_mut()
                        .zip(bytes[from..].iter().chain(bytes))
                        .for_each(|(byte, other)| *byte = *other);
                }
                How::Unreadable => {
                    let len = ByteLen::new((end - at) as u64);
                    let damage = Damage::new(FileOffset::new(at as u64), len, Rot::Unreadable);
                    faults.damage(path, damage).unwrap();
                }
                How::Cut => open().set_len(ByteLen::new(at as u64)).unwrap(),
                How::Gone => disk.remove(path).unwrap(),
            }
            if !matches!(how, How::Unreadable | How::Cut | How::Gone) {
                open().write_at(FileOffset::new(at as u64), &part).unwrap();
            }
        }
        let is_refused = hurts.iter().any(|hurt| hurt.how == How::Unreadable);
        if is_refused { Arc::new(faults) } else { Arc::new(disk) }
    }

    /// Hurts a copy and looks at it, without writing and then, if asked to, going on with it.
    #[track_caller]
    pub(super) fn check(&self, hurts: &[Hurt], demand: Demand, goes_on: bool) -> Seen {
        self.watchdog.pat();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let fs = self.hurt(hurts);
            let seen = self.look(&fs, demand)?;
            if goes_on { self.go_on(&fs, demand).map(|()| seen) } else { Ok(seen) }
        }));
        let judged = judged.unwrap_or_else(|_| Err("it panicked".into()));
        judged.unwrap_or_else(|wrong| {
            let names: Vec<_> = hurts.iter().map(|hurt| self.files[hurt.file].path.display()).collect();
            panic!("{hurts:?} of {names:?}: {wrong}")
        })
    }

    fn options(&self, fs: &Arc<dyn Fs>, loss: LogLoss) -> Options {
        self.setup.options(fs.clone()).log_loss(loss)
    }

    fn read(&self, fs: &Arc<dyn Fs>, loss: LogLoss) -> Result<Dump, Error> {
        Subject { db: Db::open_read_only(STORE, self.options(fs, loss))? }.dump()
    }

    /// Without writing.
    fn look(&self, fs: &Arc<dyn Fs>, demand: Demand) -> Result<Seen, String> {
        match self.read(fs, LogLoss::Refuse) {
            Ok(found) => self.compare(&found, &[]).map(|()| Seen::Right),
            Err(Error::LogLost { losses }) if demand == Demand::RightOrNamed => {
                let losses: Vec<_> =
                    losses.iter().map(|loss| (loss.seqs.first.get(), loss.seqs.next.get())).collect();
                let found = self.read(fs, LogLoss::Accept).map_err(|error| told(&error))?;
                self.compare(&found, &losses).map(|()| Seen::Named)
            }
            Err(error) => Err(format!("refused: {}", told(&error))),
        }
    }

    /// Opens it for writing, writes and closes: nothing of what could be read is lost by that.
    fn go_on(&self, fs: &Arc<dyn Fs>, demand: Demand) -> Result<(), String> {
        let loss = if demand == Demand::Right { LogLoss::Refuse } else { LogLoss::Accept };
        let mut right = self.read(fs, loss).map_err(|error| told(&error))?;
        let going_on = || -> Result<Dump, Error> {
            let subject = Subject { db: self.options(fs, loss).creation(Creation::Never).open(STORE)? };
            let found = subject.dump()?;
            subject.db.put(b"later", b"on")?;
            subject.db.close()?;
            Ok(found)
        };
        let found = going_on().map_err(|error| format!("opened for writing: {}", told(&error)))?;
        if found != right {
            return Err("opened for writing it holds something else".into());
        }
        right[0].as_mut().unwrap().insert(b"later".to_vec(), b"on"[..].into());
        match self.read(fs, loss) {
            Ok(found) if found == right => Ok(()),
            Ok(_) => Err("opened again it holds something else".into()),
            Err(error) => Err(format!("opened again: {}", told(&error))),
        }
    }

    /// Whether what was found is everything but the groups of these losses.
    fn compare(&self, found: &Dump, losses: &[(u64, u64)]) -> Result<(), String> {
        let kept = |(at, group): &(usize, &Group)| {
            *at < FLUSHED || losses.iter().all(|loss| group.next <= loss.0 || loss.1 <= group.first)
        };
        let state = |groups: &mut dyn Iterator<Item = &Group>| {
            let mut model = Model::default();
            model.create(1);
            groups.flat_map(|group| &group.writes).for_each(|write| model.apply(write));
            dump_of(&model)
        };
        if *found == state(&mut self.groups.iter().enumerate().filter(kept).map(|(_, group)| group)) {
            return Ok(());
        }
        let shorter =
            (0..self.groups.len()).rev().find(|len| *found == state(&mut self.groups[..*len].iter()));
        Err(match shorter {
            Some(len) => format!("a shorter history: {len} of {GROUPS} groups, losses named: {losses:?}"),
            None => format!("another state than the groups leave without those named lost: {losses:?}"),
        })
    }
}

/// Few keys, so that most of what is lost would show an older value.
fn write(rng: &mut Rng, number: usize) -> Write {
    let key = format!("key/{:02}", rng.below(14)).into_bytes();
    let keyspace = rng.below(2) as usize;
    let kind = match rng.below(12) {
        0 => WriteKind::Delete,
        1 => WriteKind::DeleteRange { to: [&key[..], b"~"].concat() },
        2 => WriteKind::Put(Value::new(number as u32 * 2 + 1, 9000 + rng.below(12_000) as usize)),
        _ => WriteKind::Put(Value::new(number as u32 * 2 + 1, 10 + rng.below(900) as usize)),
    };
    Write { keyspace, key, kind }
}

fn images(disk: &MemFs) -> Vec<Image> {
    let entries = disk.list(STORE.as_ref()).unwrap();
    let images = entries.iter().filter_map(|entry| {
        let path = PathBuf::from(STORE).join(&entry.name);
        let part = match path.extension().and_then(|end| end.to_str()) {
            Some("wal") => Part::Log,
            Some("table") => return None,
            _ if path.ends_with("LOCK") => return None,
            _ => Part::Manifest,
        };
        let file = disk.open(&path, Access::ReadOnly).unwrap();
        let bytes = file.read_to_vec(FileOffset::ZERO, file.len().unwrap().get() as usize).unwrap();
        (!bytes.is_empty()).then_some(Image { path, part, bytes })
    });
    images.collect()
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
