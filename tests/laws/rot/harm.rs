//! What is done to files, and what of it is promised to be undone.

use std::{fmt, path::Path};

use lsm_io::{Access, ByteLen, Damage, FaultFs, FileOffset, Fs, Rng, Rot};

const PAGE: u64 = 4096;
const HOLE: u64 = 64 << 10;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    Table,
    Log,
    Manifest,
    Snapshot,
}

/// One way to hurt a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    Bit,
    Byte,
    Sector,
    PageZero,
    PageGarbled,
    PageForeign,
    PageUnreadable,
    PagesGarbled,
    Hole,
    HoleUnreadable,
    Sixteenth,
    Head,
    Tail,
    Cut,
    Missing,
    /// Beyond every promise: holes all over.
    Holes,
    /// Beyond every promise: the whole file.
    Gone,
    /// Beyond every promise: half of it.
    Half,
    FlipAt(u64),
}

/// Those that some promise covers.
pub(super) const HARMS: [Harm; 15] = [
    Harm::Bit,
    Harm::Byte,
    Harm::Sector,
    Harm::PageZero,
    Harm::PageGarbled,
    Harm::PageForeign,
    Harm::PageUnreadable,
    Harm::PagesGarbled,
    Harm::Hole,
    Harm::HoleUnreadable,
    Harm::Sixteenth,
    Harm::Head,
    Harm::Tail,
    Harm::Cut,
    Harm::Missing,
];

impl FileKind {
    pub(super) const ALL: [Self; 4] = [Self::Table, Self::Log, Self::Manifest, Self::Snapshot];

    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        match () {
            () if name.ends_with(".table") => Some(Self::Table),
            () if name.ends_with(".wal") => Some(Self::Log),
            () if name.starts_with("MANIFEST") => Some(Self::Manifest),
            () if name.starts_with("SNAPSHOT") => Some(Self::Snapshot),
            () => None,
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::Log => "log",
            Self::Manifest => "manifest",
            Self::Snapshot => "snapshot",
        })
    }
}

impl Harm {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bit => "a bit",
            Self::Byte | Self::FlipAt(_) => "a byte",
            Self::Sector => "512 bytes",
            Self::PageZero => "a page zeroed",
            Self::PageGarbled => "a page garbled",
            Self::PageForeign => "a foreign page",
            Self::PageUnreadable => "a page unreadable",
            Self::PagesGarbled => "three pages garbled",
            Self::Hole => "a 64 KiB hole",
            Self::HoleUnreadable => "64 KiB unreadable",
            Self::Sixteenth => "a hole of 1/16",
            Self::Head => "the head",
            Self::Tail => "the tail",
            Self::Cut => "the end cut off",
            Self::Missing => "the whole copy",
            Self::Holes => "holes all over",
            Self::Gone => "the whole file",
            Self::Half => "half of it",
        }
    }

    /// Whether right answers are promised if this is done to one file of a kind.
    pub(super) fn is_promised(self, kind: FileKind) -> bool {
        match self {
            Self::Sixteenth => matches!(kind, FileKind::Table | FileKind::Snapshot),
            Self::Missing => matches!(kind, FileKind::Manifest | FileKind::Snapshot),
            Self::Holes | Self::Gone | Self::Half | Self::FlipAt(_) => false,
            _ => true,
        }
    }

    /// Does it.
    pub(super) fn strike(self, disk: &FaultFs, path: &Path, rng: &mut Rng) {
        let Ok(file) = disk.open(path, Access::ReadWrite) else { return };
        let len = file.len().unwrap().get();
        let hurt = |at: u64, len: u64, rot| {
            disk.damage(path, Damage::new(FileOffset::new(at), ByteLen::new(len), rot)).unwrap();
        };
        let page = rng.below(len / PAGE) * PAGE;
        let within = |rng: &mut Rng, hole: u64| rng.below(len.saturating_sub(hole).max(1));
        match self {
            Self::Bit => hurt(rng.below(len), 1, Rot::Flip { bits: 1 }),
            Self::Byte => hurt(rng.below(len), 1, Rot::Garble),
            Self::FlipAt(at) => hurt(at, 1, Rot::Garble),
            Self::Sector => hurt(rng.below(len / 512) * 512, 512, Rot::Zero),
            Self::PageZero => hurt(page, PAGE, Rot::Zero),
            Self::PageGarbled => hurt(page, PAGE, Rot::Garble),
            Self::PageForeign => {
                let from = FileOffset::new((page + len / 2) / PAGE * PAGE % len);
                hurt(page, PAGE, Rot::Foreign { from });
            }
            Self::PageUnreadable => hurt(page, PAGE, Rot::Unreadable),
            Self::PagesGarbled => hurt(page.min(len - 3 * PAGE), 3 * PAGE, Rot::Garble),
            Self::Hole => hurt(within(rng, HOLE), HOLE, Rot::Zero),
            Self::HoleUnreadable => hurt(within(rng, HOLE), HOLE, Rot::Unreadable),
            Self::Sixteenth => hurt(within(rng, len / 18), len / 18, Rot::Garble),
            Self::Head => hurt(0, PAGE, Rot::Zero),
            Self::Tail => hurt(len - PAGE, PAGE, Rot::Zero),
            Self::Cut => file.set_len(ByteLen::new(len - PAGE * (1 + rng.below(4)))).unwrap(),
            Self::Missing | Self::Gone => disk.remove(path).unwrap(),
            Self::Half => hurt(rng.below(len / 2 / PAGE) * PAGE, len / 2, Rot::Garble),
            Self::Holes => {
                for _ in 0..6 {
                    hurt(within(rng, HOLE), HOLE, Rot::Zero);
                }
            }
        }
    }
}
