//! Damage at rest: what a reader of some bytes sees instead of them.
//!
//! **Invariant**: damage shows the same wrong bytes at every read until it is healed, and a healed byte
//! never shows it again.

use std::ops::Range;

use crate::{ByteLen, File, FileOffset, IoError, Rng};

/// Damage to a range of a file.
///
/// ```
/// use lsm_io::{ByteLen, Damage, FileOffset, Lasts, Reach, Rot};
/// let bad_sector = Damage::new(FileOffset::new(512), ByteLen::new(512), Rot::Unreadable).lasting(Lasts::Forever);
/// let bad_ram = Damage::new(FileOffset::ZERO, ByteLen::new(64), Rot::Flip { bits: 1 }).reaching(Reach::Cache);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    start: FileOffset,
    len: ByteLen,
    rot: Rot,
    lasts: Lasts,
    reach: Reach,
}

/// What a reader sees.
///
/// ```
/// assert_ne!(lsm_io::Rot::Zero, lsm_io::Rot::Garble);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rot {
    /// Some bits of the range turned over.
    Flip {
        /// How many, each a different one.
        bits: u64,
    },
    /// Every byte replaced by a wrong one.
    Garble,
    /// Zeros.
    Zero,
    /// What was there when the damage came, whatever is written: until it heals.
    Stale,
    /// What lies elsewhere in the same file.
    Foreign {
        /// Where that begins.
        from: FileOffset,
    },
    /// Nothing: reading fails.
    Unreadable,
}

/// When damage heals.
///
/// ```
/// assert_ne!(lsm_io::Lasts::UntilRewritten, lsm_io::Lasts::Forever);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Byte by byte, when it is written again. [`Rot::Stale`] swallows the first such write.
    UntilRewritten,
    /// Never.
    Forever,
}

/// Where damage sits.
///
/// ```
/// assert_ne!(lsm_io::Reach::Cache, lsm_io::Reach::Medium);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In memory: a read of the medium shows the right bytes, and drops the bad ones.
    Cache,
    /// On the medium: every read shows it.
    Medium,
}

impl Damage {
    /// Damage on the medium that lasts until rewritten.
    ///
    /// ```
    /// use lsm_io::{ByteLen, Damage, FileOffset, Rot};
    /// let page = Damage::new(FileOffset::ZERO, ByteLen::new(4096), Rot::Garble);
    /// ```
    #[must_use]
    pub const fn new(start: FileOffset, len: ByteLen, rot: Rot) -> Self {
        Self { start, len, rot, lasts: Lasts::UntilRewritten, reach: Reach::Medium }
    }

    /// Says when it heals.
    ///
    /// ```
    /// # use lsm_io::{ByteLen, Damage, FileOffset, Lasts, Rot};
    /// let lost = Damage::new(FileOffset::ZERO, ByteLen::new(512), Rot::Unreadable).lasting(Lasts::Forever);
    /// ```
    #[must_use]
    pub const fn lasting(mut self, lasts: Lasts) -> Self {
        self.lasts = lasts;
        self
    }

    /// Says where it sits.
    ///
    /// ```
    /// # use lsm_io::{ByteLen, Damage, FileOffset, Reach, Rot};
    /// let in_ram = Damage::new(FileOffset::ZERO, ByteLen::new(512), Rot::Garble).reaching(Reach::Cache);
    /// ```
    #[must_use]
    pub const fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }
}

/// All damage on one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlay(Vec<Layer>);

#[derive(Clone, Debug)]
struct Layer {
    damage: Damage,
    seed: u64,
    /// What [`Rot::Stale`] shows.
    before: Vec<u8>,
    /// The parts that have not healed.
    alive: Vec<Range<u64>>,
    /// Whether the next write heals or is swallowed.
    swallows: bool,
}

/// How a layer changes what a read brings; `None` if it cannot be read.
type Shown = Option<()>;

impl Overlay {
    pub(super) fn lay(&mut self, damage: Damage, seed: u64, file: &dyn File) -> Result<(), IoError> {
        let mut before = Vec::new();
        if damage.rot == Rot::Stale {
            before.resize(damage.len.get() as usize, 0);
            file.read_at(damage.start, &mut before)?;
        }
        let start = damage.start.get();
        let alive = std::iter::once(start..start.saturating_add(damage.len.get())).collect();
        self.0.push(Layer { damage, seed, before, alive, swallows: damage.rot == Rot::Stale });
        Ok(())
    }

    /// Changes `buf`, read at `offset`, into what the reader sees.
    pub(super) fn show(
        &mut self,
        reach: Reach,
        offset: FileOffset,
        buf: &mut [u8],
        file: &dyn File,
    ) -> Result<Shown, IoError> {
        let span = offset.get()..offset.get() + buf.len() as u64;
        if reach == Reach::Medium {
            self.heal(&span, |layer| layer.damage.reach == Reach::Cache);
        }
        for layer in &self.0 {
            if layer.show(&span, buf, file)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    /// Whether every byte can be read, right or wrong.
    pub(super) fn is_readable(&self) -> bool {
        self.0.iter().all(|layer| layer.damage.rot != Rot::Unreadable)
    }

    /// Notes that a range was written.
    pub(super) fn rewritten(&mut self, offset: FileOffset, len: ByteLen) {
        let span = offset.get()..(offset + len).get();
        self.heal(&span, |layer| layer.damage.lasts == Lasts::UntilRewritten && !layer.swallows);
        for layer in self.0.iter_mut().filter(|layer| layer.swallows) {
            layer.swallows = layer.alive.iter().all(|alive| meet(alive, &span).is_none());
        }
    }

    fn heal(&mut self, span: &Range<u64>, heals: impl Fn(&Layer) -> bool) {
        for layer in self.0.iter_mut().filter(|layer| heals(layer)) {
            let around = |alive: &Range<u64>| {
                let (end, start) = (alive.end.min(span.start), alive.start.max(span.end));
                [alive.start..end, start..alive.end].into_iter().filter(|part| part.start < part.end)
            };
            layer.alive = layer.alive.iter().flat_map(around).collect();
        }
        self.0.retain(|layer| !layer.alive.is_empty());
    }
}

impl Layer {
    fn show(&self, span: &Range<u64>, buf: &mut [u8], file: &dyn File) -> Result<Shown, IoError> {
        for alive in &self.alive {
            let Some(bad) = meet(alive, span) else { continue };
            let shown = &mut buf[(bad.start - span.start) as usize..(bad.end - span.start) as usize];
            let skip = bad.start - self.damage.start.get();
            match self.damage.rot {
                Rot::Flip { bits } => self.flip(bits, skip, shown),
                Rot::Garble => self.garble(skip, shown),
                Rot::Zero => shown.fill(0),
                Rot::Stale => shown.copy_from_slice(&self.before[skip as usize..skip as usize + shown.len()]),
                Rot::Foreign { from } => {
                    shown.fill(0);
                    file.read_at(from + ByteLen::new(skip), shown)?;
                }
                Rot::Unreadable => return Ok(None),
            }
        }
        Ok(Some(()))
    }

    /// Turns over the chosen bits that lie in `shown`, which begins `skip` bytes into the damage.
    fn flip(&self, bits: u64, skip: u64, shown: &mut [u8]) {
        let all = self.damage.len.get() * 8;
        let (mut rng, mut chosen) = (Rng::new(self.seed), std::collections::BTreeSet::new());
        while (chosen.len() as u64) < bits.min(all) {
            chosen.insert(rng.below(all));
        }
        for bit in chosen {
            if let Some(byte) = (bit / 8).checked_sub(skip).and_then(|at| shown.get_mut(at as usize)) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn garble(&self, skip: u64, shown: &mut [u8]) {
        for (byte, at) in shown.iter_mut().zip(skip..) {
            // Never the right byte: what is added is never zero.
            *byte = byte.wrapping_add(Rng::new(self.seed ^ at).below(255) as u8 + 1);
        }
    }
}

fn meet(a: &Range<u64>, b: &Range<u64>) -> Option<Range<u64>> {
    let both = a.start.max(b.start)..a.end.min(b.end);
    (both.start < both.end).then_some(both)
}
