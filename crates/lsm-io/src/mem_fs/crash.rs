//! What a power cut leaves: the durable state, or that and some of what was under way.

use super::{State, inode::Inode, tree::Tree};
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
        let mut rng = match how {
            Crash::LoseUnsynced => None,
            Crash::KeepSome { seed, .. } => Some(Rng::new(seed)),
        };
        let tree = self.tree.left(rng.as_mut());
        let left = |inode: &Inode| match (how, &mut rng) {
            (Crash::KeepSome { piece, .. }, Some(rng)) => inode.synced_in_part(rng, piece),
            _ => inode.synced(),
        };
        let inodes = self.inodes_of(&tree, left);
        Self { tree, inodes, locks: Default::default() }
    }

    /// The same, with what is not durable still on its way.
    pub(super) fn fork(&self) -> Self {
        let tree = self.tree.clone();
        let inodes = self.inodes_of(&tree, Inode::clone);
        Self { tree, inodes, locks: Default::default() }
    }

    /// What becomes of the files that a tree may still name; nobody has the others open.
    fn inodes_of(&self, tree: &Tree, mut left: impl FnMut(&Inode) -> Inode) -> Vec<Inode> {
        let named = tree.inodes();
        let all = self.inodes.iter().enumerate();
        all.map(|(no, inode)| if named.contains(&no) { left(inode) } else { Inode::default() }).collect()
    }
}
