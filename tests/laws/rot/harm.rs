//! Damage: to which kind of file, of which kind, and where exactly.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsm_io::{Access, ByteLen, Damage, FaultFs, File, FileOffset, Fs, MemFs, Rng, Rot};
use page_ecc::{Descriptor, Geometry, PAGE_LEN, Region};

const PAGE: u64 = PAGE_LEN as u64;
const HOLE: u64 = 64 << 10;

/// What a file of a store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Table,
    Log,
    Edits,
    Snapshot,
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Harm {
    Bit,
    Byte,
    Sector,
    Zeroed,
    Garbled,
    Stale,
    Foreign,
    Unreadable,
    Hole,
    Sixteenth,
    Head,
    Tail,
    Cut,
    Missing,
}

/// One thing done to one file.
#[derive(Clone)]
pub(super) struct Hurt {
    pub(super) path: PathBuf,
    pub(super) deed: Deed,
    /// Pages that nothing had been written to by then.
    pub(super) idle: BTreeSet<u64>,
}

impl fmt::Debug for Hurt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.path.display(), self.deed)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Deed {
    Rot(Damage),
    /// The page that another file has at this place.
    Exchange {
        from: PathBuf,
        page: u64,
    },
    Cut(u64),
    Remove,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Table, Self::Log, Self::Edits, Self::Snapshot];

    /// The kind of a file by its name.
    pub(super) fn of(name: &Path) -> Option<Self> {
        let told = name.to_str()?;
        match name.extension().and_then(|extension| extension.to_str()) {
            Some("table") => Some(Self::Table),
            Some("wal") => Some(Self::Log),
            _ if told.starts_with("MANIFEST-") => Some(Self::Edits),
            _ if told.starts_with("SNAPSHOT-") => Some(Self::Snapshot),
            _ => None,
        }
    }

    pub(super) const fn is_sealed(self) -> bool {
        matches!(self, Self::Table | Self::Snapshot)
    }
}

impl Harm {
    pub(super) const ALL: [Self; 14] = [
        Self::Bit,
        Self::Byte,
        Self::Sector,
        Self::Zeroed,
        Self::Garbled,
        Self::Stale,
        Self::Foreign,
        Self::Unreadable,
        Self::Hole,
        Self::Sixteenth,
        Self::Head,
        Self::Tail,
        Self::Cut,
        Self::Missing,
    ];

    /// Whether the store promises to make it good.
    pub(super) const fn is_promised(self, kind: Kind) -> bool {
        match self {
            Self::Sixteenth => kind.is_sealed(),
            Self::Missing => matches!(kind, Kind::Edits | Kind::Snapshot),
            _ => true,
        }
    }
}

/// The files of one kind, sorted.
pub(super) fn files(fs: &dyn Fs, dir: &Path, kind: Kind) -> Vec<PathBuf> {
    let entries = fs.list(dir).unwrap();
    let mut names: Vec<_> =
        entries.into_iter().map(|entry| entry.name).filter(|name| Kind::of(name) == Some(kind)).collect();
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}

pub(super) fn bytes_of(fs: &dyn Fs, path: &Path) -> Vec<u8> {
    let file = fs.open(path, Access::ReadOnly).unwrap();
    file.read_to_vec(FileOffset::ZERO, file.len().unwrap().get() as usize).unwrap()
}

pub(super) fn len_of(fs: &dyn Fs, path: &Path) -> u64 {
    fs.open(path, Access::ReadOnly).unwrap().len().unwrap().get()
}

/// How a sealed file that is whole is laid out.
fn geometry(file: &dyn File) -> Geometry {
    let header: Box<[u8; PAGE_LEN]> =
        file.read_to_vec(FileOffset::ZERO, PAGE_LEN).unwrap().try_into().unwrap();
    *Descriptor::find(&[&header]).unwrap()[0].geometry()
}

/// A page of the file, most often one that holds anything.
fn page_of(file: &dyn File, pages: u64, rng: &mut Rng) -> u64 {
    let bytes = file.read_to_vec(FileOffset::ZERO, (pages * PAGE) as usize).unwrap();
    let idle = idle_pages(&bytes);
    let used: Vec<_> = (0..pages).filter(|page| !idle.contains(page)).collect();
    if used.is_empty() || rng.chance(1, 8) {
        rng.below(pages)
    } else {
        used[rng.below(used.len() as u64) as usize]
    }
}

fn rot(start: u64, len: u64, rot: Rot) -> Deed {
    Deed::Rot(Damage::new(FileOffset::new(start), ByteLen::new(len), rot))
}

/// How a hole shows.
pub(super) fn hole(start: u64, end: u64, rng: &mut Rng) -> Deed {
    let how = [Rot::Zero, Rot::Garble, Rot::Unreadable][rng.below(3) as usize];
    rot(start, end - start, how)
}

/// Somewhere in some file of this kind; nothing if there is none.
pub(super) fn draw(fs: &MemFs, dir: &Path, kind: Kind, harm: Harm, rng: &mut Rng) -> Option<Hurt> {
    let all = files(fs, dir, kind);
    if all.is_empty() || !harm.is_promised(kind) {
        return None;
    }
    // Most often of those made last, which count.
    let at = if rng.chance(1, 2) { rng.below(all.len() as u64) as usize } else { all.len() - 1 };
    let at = if kind == Kind::Edits && rng.chance(1, 2) { at.saturating_sub(1) } else { at };
    let path = all[at].clone();
    let other = all[(at + 1 + rng.below(all.len() as u64) as usize) % all.len()].clone();
    let file = fs.open(&path, Access::ReadOnly).unwrap();
    let deed = deed(&*file, kind, harm, other, rng)?;
    let idle = if kind == Kind::Log { idle_pages(&bytes_of(fs, &path)) } else { BTreeSet::new() };
    Some(Hurt { idle, ..Hurt::new(path, deed) })
}

fn deed(file: &dyn File, kind: Kind, harm: Harm, other: PathBuf, rng: &mut Rng) -> Option<Deed> {
    let len = file.len().unwrap().get();
    let pages = len / PAGE;
    if pages == 0 {
        return None;
    }
    let page = page_of(file, pages, rng);
    let within = page * PAGE + rng.below(PAGE);
    let elsewhere = FileOffset::new((page + 1 + rng.below(pages - 1)) % pages * PAGE);
    Some(match harm {
        Harm::Bit => rot(within, 1, Rot::Flip { bits: 1 }),
        Harm::Byte => rot(within, 1, Rot::Garble),
        Harm::Sector => {
            let how = if rng.chance(1, 2) { Rot::Zero } else { Rot::Garble };
            rot(within / 512 * 512, 512, how)
        }
        Harm::Zeroed => rot(page * PAGE, PAGE, Rot::Zero),
        Harm::Garbled => rot(page * PAGE, PAGE, Rot::Garble),
        Harm::Stale => Deed::Exchange { from: other, page },
        Harm::Foreign => rot(page * PAGE, PAGE, Rot::Foreign { from: elsewhere }),
        Harm::Unreadable => rot(page * PAGE, PAGE, Rot::Unreadable),
        Harm::Hole => {
            let start = within.min(len.saturating_sub(HOLE));
            hole(start, (start + HOLE).min(len), rng)
        }
        Harm::Sixteenth => {
            let hole_len = geometry(file).body_len() / 16;
            let start = rng.below(len - hole_len + 1);
            hole(start, (start + hole_len).max(start + 1), rng)
        }
        Harm::Head => hole(0, HOLE.min(len), rng),
        Harm::Tail => hole(len.saturating_sub(HOLE), len, rng),
        Harm::Cut => Deed::Cut(match kind {
            // Behind the body: what makes it good again.
            Kind::Table | Kind::Snapshot => {
                let parity = geometry(file).region(Region::Parity).start.offset();
                parity + rng.below(len - parity)
            }
            // Somewhere in the second extent.
            Kind::Log => len / 2 + rng.below(len / 2),
            Kind::Edits => rng.below(len),
        }),
        Harm::Missing => Deed::Remove,
    })
}

/// The pages that hold nothing.
fn idle_pages(bytes: &[u8]) -> BTreeSet<u64> {
    let pages = (0..).zip(bytes.chunks(PAGE_LEN));
    pages.filter(|(_, held)| held.iter().all(|&byte| byte == 0)).map(|(page, _)| page).collect()
}

impl Hurt {
    pub(super) fn new(path: PathBuf, deed: Deed) -> Self {
        Self { path, deed, idle: BTreeSet::new() }
    }

    pub(super) fn inflict(&self, disk: &MemFs, faults: &FaultFs) {
        let open = |access| -> Arc<dyn File> { disk.open(&self.path, access).unwrap() };
        match &self.deed {
            Deed::Rot(damage) => faults.damage(&self.path, *damage).unwrap(),
            Deed::Exchange { from, page } => {
                let from = disk.open(from, Access::ReadOnly).unwrap();
                let mut bytes = [0; PAGE_LEN];
                from.read_at(FileOffset::new(page * PAGE), &mut bytes).unwrap();
                open(Access::ReadWrite).write_at(FileOffset::new(page * PAGE), &bytes).unwrap();
            }
            Deed::Cut(len) => open(Access::ReadWrite).set_len(ByteLen::new(*len)).unwrap(),
            Deed::Remove => disk.remove(&self.path).unwrap(),
        }
    }
}
