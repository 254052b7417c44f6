//! How much each level should hold, given what the tree holds.
//!
//! Invariant: the base is not below the first level that holds anything, so what level 0 is merged into
//! passes nothing.

use super::Leveled;
use crate::{Level, Version};

/// A new level is opened once the base is this many times what a merge of level 0 brings: any sooner, and it
/// would be rewritten for nothing.
pub(super) const BASE_GROWTH: u64 = 4;

/// The sizes of the levels of one version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LevelTargets {
    base: Level,
    bytes: [u64; Level::COUNT],
}

impl LevelTargets {
    pub(super) fn new(options: &Leveled, version: &Version) -> Self {
        let used = || Level::all().skip(1).filter(|level| !version.runs(*level).is_empty());
        let largest = used().map(|level| version.level_bytes(level)).max().unwrap_or(0);
        let mut bytes = [0; Level::COUNT];
        let mut at = Level::LAST.index();
        bytes[at] = largest.max(options.base_bytes);
        while at > 1 && bytes[at] / BASE_GROWTH > options.base_bytes {
            bytes[at - 1] = bytes[at] / options.multiplier;
            at -= 1;
        }
        let base = Level::all().nth(at).into_iter().chain(used()).min().unwrap_or(Level::LAST);
        Self { base, bytes }
    }

    /// Where level 0 is merged into.
    pub(super) const fn base(&self) -> Level {
        self.base
    }

    /// What a level should hold; 0 for one that should be empty.
    pub(super) const fn bytes(&self, level: Level) -> u64 {
        self.bytes[level.index()]
    }
}
