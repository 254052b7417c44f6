//! Every byte of every file of a store in turn, in an order drawn from a seed.
//!
//! A turn hurts one byte in each file at once: the promise is one of each file by itself. Only the two copies of the
//! manifest's edits take turns with each other, for what is wrong in both is gone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use lsm_io::{ByteLen, Damage, FileOffset, Rng, Rot};
use page_ecc::PAGE_LEN;
use resilver::HealMode;

use super::{
    case::{Bed, Verdict},
    harm::{Deed, Hurt, Kind, bytes_of, files},
    world::World,
};

/// What is turned over in a store, turn by turn.
pub(super) struct Flips<'a> {
    pub(super) world: &'a World,
    files: Vec<Bytes>,
    seed: u64,
}

/// The bytes of a file that count, in the order in which they are hurt.
struct Bytes {
    path: PathBuf,
    kind: Kind,
    order: Vec<u32>,
}

impl<'a> Flips<'a> {
    pub(super) fn of(world: &'a World, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut all = Vec::new();
        for kind in Kind::ALL {
            for path in files(&world.disk, world.dir, kind) {
                let order = shuffled(&bytes_of(&world.disk, &path), &mut rng);
                all.push(Bytes { path, kind, order });
            }
        }
        Self { world, files: all, seed }
    }

    /// How many turns it takes until every byte was wrong once.
    pub(super) fn turns(&self) -> u64 {
        self.files.iter().map(Bytes::turns).max().unwrap_or(0)
    }

    /// How many bytes there are to be hurt.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.order.len() as u64).sum()
    }

    pub(super) fn flip(&self, turn: u64, mode: HealMode) -> Verdict {
        let hurts: Vec<_> =
            self.files.iter().enumerate().filter_map(|(at, file)| file.hurt(at, turn)).collect();
        let place = format!("{}: turn {turn} {mode:?} seed {}: {hurts:?}", self.world.name, self.seed);
        let mut verdict = Verdict { place, ..Verdict::default() };
        let bed = Bed::new(self.world, self.world.disk.fork(), self.seed ^ turn);
        hurts.iter().for_each(|hurt| bed.hurt(hurt));
        verdict.is_seen = bed.shows_damage();
        if catch_unwind(AssertUnwindSafe(|| bed.judge_all(mode, &mut verdict))).is_err() {
            verdict.answers.wrong.push("it panicked".into());
        }
        verdict
    }
}

impl Bytes {
    fn turns(&self) -> u64 {
        self.order.len() as u64 * if self.kind == Kind::Edits { 2 } else { 1 }
    }

    fn hurt(&self, at: usize, turn: u64) -> Option<Hurt> {
        let nth = match self.kind {
            // Neighbours are copies of each other.
            Kind::Edits if (at as u64 + turn) % 2 == 1 => return None,
            Kind::Edits => turn / 2,
            _ => turn,
        };
        let offset = *self.order.get(nth as usize)?;
        let rot = if turn.is_multiple_of(3) { Rot::Garble } else { Rot::Flip { bits: 1 } };
        let damage = Damage::new(FileOffset::new(offset.into()), ByteLen::new(1), rot);
        Some(Hurt::new(self.path.clone(), Deed::Rot(damage)))
    }
}

/// Every byte of the pages that hold anything, and of those that do not, the first.
fn shuffled(bytes: &[u8], rng: &mut Rng) -> Vec<u32> {
    let mut order = Vec::new();
    for (page, held) in bytes.chunks(PAGE_LEN).enumerate() {
        let len = if held.iter().any(|&byte| byte != 0) { held.len() } else { 1 };
        let start = page * PAGE_LEN;
        order.extend((start..start + len).map(|at| at as u32));
    }
    for at in (1..order.len()).rev() {
        order.swap(at, rng.below(at as u64 + 1) as usize);
    }
    order
}
