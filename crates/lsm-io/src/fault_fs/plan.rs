//! What will go wrong, and when: values that a test prints, shrinks and repeats.

use std::{io, path::Path, time::Duration};

use super::Damage;
use crate::{ByteLen, Op, Rng};

/// Everything that will go wrong.
///
/// ```
/// use lsm_io::{ByteLen, FaultPlan, Mishap, Op, Trigger};
/// let plan = FaultPlan::new(42)
///     .mishap(Trigger::nth(Op::Write, 3).of("log"), Mishap::TornWrite)
///     .room(ByteLen::new(1 << 20));
/// assert_eq!(plan, plan.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    seed: u64,
    mishaps: Vec<(Trigger, Mishap)>,
    damages: Vec<(String, Damage)>,
    room: Option<ByteLen>,
}

/// Which operations a mishap befalls.
///
/// ```
/// use lsm_io::{Ops, Op, Trigger};
/// let second_and_later_syncs_of_logs = Trigger::nth(Op::Sync, 2).of("log").and_later();
/// let fifth_change_of_any_kind = Trigger::nth(Ops::Changing, 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    ops: Ops,
    name: String,
    nth: u64,
    once: Once,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Once {
    Yes,
    AndLater,
}

/// Which kinds of operation count.
///
/// ```
/// assert_eq!(lsm_io::Ops::from(lsm_io::Op::Sync), lsm_io::Ops::Only(lsm_io::Op::Sync));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// All of them.
    Any,
    /// Those that change the disk.
    Changing,
    /// One kind.
    Only(Op),
}

/// What befalls an operation. A mishap that makes no sense for an operation (a short rename) lets it pass.
///
/// ```
/// use lsm_io::Mishap;
/// assert_ne!(Mishap::LostWrite, Mishap::TornWrite);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It is refused and nothing happens.
    Fail(io::ErrorKind),
    /// It happens, and yet it is reported as refused.
    FailDone(io::ErrorKind),
    /// A read brings half of what it should.
    ShortRead,
    /// Half of a write happens, and it is reported as refused.
    PartWrite(io::ErrorKind),
    /// Half of a write happens, and it is reported as done.
    TornWrite,
    /// A write is reported as done and does not happen.
    LostWrite,
    /// A sync is reported as done and does not happen.
    LostSync,
    /// A sync is refused, and what was to be synced is forgotten as real systems do: from then on syncs of the
    /// file are reported as done and do not happen.
    FailAndForget(io::ErrorKind),
    /// A write goes to another place and is reported as done.
    Misdirect {
        /// How far behind the right place.
        by: ByteLen,
    },
    /// It happens, later.
    Delay(Duration),
}

impl FaultPlan {
    /// A plan by which nothing goes wrong yet.
    ///
    /// ```
    /// assert_ne!(lsm_io::FaultPlan::new(1), lsm_io::FaultPlan::new(2));
    /// ```
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, mishaps: Vec::new(), damages: Vec::new(), room: None }
    }

    /// Adds a mishap; where several fit an operation, the first added wins.
    ///
    /// ```
    /// use lsm_io::{FaultPlan, Mishap, Op, Trigger};
    /// let plan = FaultPlan::new(0).mishap(Trigger::nth(Op::Read, 1), Mishap::ShortRead);
    /// ```
    #[must_use]
    pub fn mishap(mut self, trigger: Trigger, mishap: Mishap) -> Self {
        self.mishaps.push((trigger, mishap));
        self
    }

    /// Lays damage on the first file to be opened or created whose path contains `name`.
    ///
    /// ```
    /// use lsm_io::{ByteLen, Damage, FaultPlan, FileOffset, Rot};
    /// let page = Damage::new(FileOffset::new(4096), ByteLen::new(4096), Rot::Unreadable);
    /// let plan = FaultPlan::new(0).damage("table", page);
    /// ```
    #[must_use]
    pub fn damage(mut self, name: &str, damage: Damage) -> Self {
        self.damages.push((name.into(), damage));
        self
    }

    /// Lets files grow by `room` bytes in all, then there is no space.
    ///
    /// ```
    /// let full = lsm_io::FaultPlan::new(0).room(lsm_io::ByteLen::ZERO);
    /// ```
    #[must_use]
    pub const fn room(mut self, room: ByteLen) -> Self {
        self.room = Some(room);
        self
    }
}

impl Trigger {
    /// The `nth` (from 1) operation of its kind.
    ///
    /// ```
    /// let third_write = lsm_io::Trigger::nth(lsm_io::Op::Write, 3);
    /// ```
    #[must_use]
    pub fn nth(ops: impl Into<Ops>, nth: u64) -> Self {
        Self { ops: ops.into(), name: String::new(), nth, once: Once::Yes }
    }

    /// Counts only files whose path contains `name`.
    ///
    /// ```
    /// let third_write_to_a_log = lsm_io::Trigger::nth(lsm_io::Op::Write, 3).of("log");
    /// ```
    #[must_use]
    pub fn of(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// And all that follow.
    ///
    /// ```
    /// let no_write_after_the_second = lsm_io::Trigger::nth(lsm_io::Op::Write, 3).and_later();
    /// ```
    #[must_use]
    pub const fn and_later(mut self) -> Self {
        self.once = Once::AndLater;
        self
    }

    fn counts(&self, op: Op, path: &Path) -> bool {
        let kind = match self.ops {
            Ops::Any => true,
            Ops::Changing => op.changes_disk(),
            Ops::Only(only) => only == op,
        };
        kind && path.to_string_lossy().contains(&self.name)
    }

    fn fires_at(&self, count: u64) -> bool {
        match self.once {
            Once::Yes => count == self.nth,
            Once::AndLater => count >= self.nth,
        }
    }
}

impl From<Op> for Ops {
    fn from(op: Op) -> Self {
        Self::Only(op)
    }
}

/// A plan under way.
#[derive(Debug)]
pub(super) struct PlanState {
    rng: Rng,
    /// Each mishap with the number of operations its trigger has counted.
    mishaps: Vec<(Trigger, Mishap, u64)>,
    damages: Vec<(String, Damage)>,
    room: Option<ByteLen>,
}

impl PlanState {
    pub(super) fn new(plan: FaultPlan) -> Self {
        let mishaps = plan.mishaps.into_iter().map(|(trigger, mishap)| (trigger, mishap, 0)).collect();
        Self { rng: Rng::new(plan.seed), mishaps, damages: plan.damages, room: plan.room }
    }

    pub(super) fn arm(&mut self, trigger: Trigger, mishap: Mishap) {
        self.mishaps.push((trigger, mishap, 0));
    }

    pub(super) fn calm(&mut self) {
        self.mishaps.clear();
        self.room = None;
    }

    pub(super) fn limit(&mut self, room: ByteLen) {
        self.room = Some(room);
    }

    pub(super) fn judge(&mut self, op: Op, path: &Path) -> Option<Mishap> {
        let mut befallen = None;
        for (trigger, mishap, count) in &mut self.mishaps {
            if trigger.counts(op, path) {
                *count += 1;
                if trigger.fires_at(*count) {
                    befallen = befallen.or(Some(*mishap));
                }
            }
        }
        befallen
    }

    /// The damage meant for the file at `path`, handed out once.
    pub(super) fn damage_due(&mut self, path: &Path) -> Vec<Damage> {
        let path = path.to_string_lossy();
        self.damages
            .extract_if(.., |(name, _)| path.contains(name.as_str()))
            .map(|(_, damage)| damage)
            .collect()
    }

    pub(super) fn next_seed(&mut self) -> u64 {
        self.rng.next_u64()
    }

    pub(super) fn room_left(&self) -> ByteLen {
        self.room.unwrap_or(ByteLen::new(u64::MAX))
    }

    /// Takes as much of `wanted` as there is.
    pub(super) fn take_room(&mut self, wanted: ByteLen) -> ByteLen {
        let granted = wanted.min(self.room_left());
        if let Some(room) = &mut self.room {
            *room = ByteLen::new(room.get() - granted.get());
        }
        granted
    }

    pub(super) fn give_room(&mut self, back: ByteLen) {
        if let Some(room) = &mut self.room {
            *room = *room + back;
        }
    }
}
