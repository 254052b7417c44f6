//! What a power cut leaves: the durable state, or that and some of what was under way.

use super::{State, inode::Inode};
use crate::Rng;

/// How a power cut treats what was not synced.
///
/// ```
/// use lsm_io::{Crash, Fs, MemFs, Piece};
/// let fs = MemFs::new();
/// fs.create("/a".as_ref())?;
/// let kept = |seed| fs.crash(Crash::KeepSome { seed, piece: Piece::Page }).list("/".as_ref());
/// assert_eq!(kept(4)?, kept(4)?);
/// # Ok::<(), lsm_io::IoError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it is gone.
    LoseUnsynced,
    /// Some of it is there, in any order: each name change or not, and each piece of each file as it was at
    /// some moment since the last sync.
    KeepSome {
        /// Which of the many outcomes.
        seed: u64,
        /// What the medium writes as a whole.
        piece: Piece,
    },
}

/// What the medium writes as a whole: the grain in which unsynced bytes are kept or lost.
///
/// ```
/// assert_ne!(lsm_io::Piece::Page, lsm_io::Piece::Torn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// 4 KiB, each whole.
    Page,
    /// 512 bytes, each whole: pages may be torn between sectors.
    Sector,
    /// 4 KiB, and one in four is torn at any byte.
    Torn,
}

impl Piece {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Page | Self::Torn => 4096,
            Self::Sector => 512,
        }
    }

    /// How much of a piece of `len` bytes shows one moment before the rest shows another.
    pub(super) fn torn_at(self, rng: &mut Rng, len: usize) -> usize {
        match self {
            Self::Torn if rng.chance(1, 4) => rng.below(len as u64 + 1) as usize,
            Self::Page | Self::Sector | Self::Torn => len,
        }
    }
}

impl State {
    /// The state after a power cut. Locks die with their holders.
    pub(super) fn crash(&self, how: Crash) -> Self {
        let (tree, bytes): (_, Vec<_>) = match how {
            Crash::LoseUnsynced => {
                (self.tree.left(None), self.inodes.iter().map(Inode::synced_bytes).collect())
            }
            Crash::KeepSome { seed, piece } => {
                let mut rng = Rng::new(seed);
                let tree = self.tree.left(Some(&mut rng));
                (tree, self.inodes.iter().map(|inode| inode.some_bytes(&mut rng, piece)).collect())
            }
        };
        let inodes = bytes.into_iter().map(Inode::durable).collect();
        Self { tree, inodes, locks: Default::default() }
    }
}
