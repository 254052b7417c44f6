//! Histories: what is done to a store, as data that shrinks.

use proptest::prelude::*;

/// Keyspaces a history touches; the first is the one that is always there.
pub const KEYSPACES: usize = 3;

/// What is done, in order.
pub type History = Vec<Action>;

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Action {
    /// Writes that take effect together.
    Write {
        /// Which.
        writes: Vec<Write>,
        /// Whether the acknowledgement survives a power cut.
        synced: bool,
    },
    /// Ends a keyspace, if it is there.
    Drop(usize),
    /// Holds on to what is there now.
    Snapshot,
    /// Lets the oldest snapshot go.
    Release,
    /// Begins a walk and goes a few steps, to be ended later.
    Walk(Walk),
    /// Ends the oldest walk: it must show the moment it began at.
    Arrive,
    /// Memtables become tables.
    Flush,
    /// Tables are merged as far as they can be.
    Compact,
    /// Everything before becomes durable.
    Sync,
    /// Closed and opened again.
    Reopen,
    /// Copied to another place, where it must open and agree.
    Checkpoint,
    /// Compared with the model.
    Check,
    /// Opened for reading beside the writer, which must agree.
    Peek,
}

/// One write. Its keyspace is made if need be.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where.
    pub keyspace: usize,
    /// Its key; the start of a range.
    pub key: Vec<u8>,
    /// What it does.
    pub kind: WriteKind,
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum WriteKind {
    /// Sets a value.
    Put(Value),
    /// Removes it.
    Delete,
    /// Removes it, once; a plain delete where that is not allowed.
    SingleDelete,
    /// Removes everything up to, not including, this key.
    DeleteRange {
        /// The key.
        to: Vec<u8>,
    },
}

/// A walk over a keyspace.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Of which.
    pub keyspace: usize,
    /// From where, and whether that key counts.
    pub lower: Option<(Vec<u8>, Counts)>,
    /// To where, and whether that key counts.
    pub upper: Option<(Vec<u8>, Counts)>,
    /// From the last to the first.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
    /// Steps before it is held.
    pub steps: usize,
}

/// Whether a bound itself is part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// It is.
    Inside,
    /// It is not.
    Outside,
}

/// A value told by seed and length, so that a failing history stays readable.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    seed: u32,
    len: usize,
}

impl Value {
    /// A value.
    #[must_use]
    pub const fn new(seed: u32, len: usize) -> Self {
        Self { seed, len }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let seed = self.seed.to_le_bytes();
        (0..self.len).map(|at| seed[at % 4].wrapping_mul((at / 4) as u8 | 1)).collect()
    }
}

/// Any history of up to `actions_max` steps.
pub fn history(actions_max: usize) -> impl Strategy<Value = History> {
    proptest::collection::vec(action(), 1..actions_max)
}

/// Any history of what changes a store.
pub fn changes(actions_max: usize) -> impl Strategy<Value = History> {
    let change = prop_oneof![
        24 => batch(8),
        1 => (1..KEYSPACES).prop_map(Action::Drop),
        3 => Just(Action::Flush),
        1 => Just(Action::Compact),
        2 => Just(Action::Sync),
        2 => Just(Action::Reopen),
        1 => Just(Action::Checkpoint),
    ];
    proptest::collection::vec(change, 1..actions_max)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        40 => batch(12),
        1 => (1..KEYSPACES).prop_map(Action::Drop),
        4 => Just(Action::Snapshot),
        3 => Just(Action::Release),
        4 => walk().prop_map(Action::Walk),
        4 => Just(Action::Arrive),
        4 => Just(Action::Flush),
        2 => Just(Action::Compact),
        2 => Just(Action::Sync),
        3 => Just(Action::Reopen),
        1 => Just(Action::Checkpoint),
        6 => Just(Action::Check),
        2 => Just(Action::Peek),
    ]
}

fn batch(writes_max: usize) -> impl Strategy<Value = Action> {
    (proptest::collection::vec(write(), 0..writes_max), proptest::bool::weighted(0.3))
        .prop_map(|(writes, synced)| Action::Write { writes, synced })
}

fn write() -> impl Strategy<Value = Write> {
    (0..KEYSPACES, key(), kind()).prop_map(|(keyspace, key, kind)| Write { keyspace, key, kind })
}

fn kind() -> impl Strategy<Value = WriteKind> {
    let value = prop_oneof![
        800 => 0_usize..200,
        160 => 200_usize..3000,
        40 => 3000_usize..40_000,
        1 => 1_900_000_usize..2_100_000,
    ];
    prop_oneof![
        12 => (any::<u32>(), value).prop_map(|(seed, len)| WriteKind::Put(Value { seed, len })),
        3 => Just(WriteKind::Delete),
        2 => Just(WriteKind::SingleDelete),
        1 => key().prop_map(|to| WriteKind::DeleteRange { to }),
    ]
}

fn walk() -> impl Strategy<Value = Walk> {
    let bound = || {
        let counts = prop_oneof![Just(Counts::Inside), Just(Counts::Outside)];
        proptest::option::of((key(), counts))
    };
    (0..KEYSPACES, bound(), bound(), any::<bool>(), any::<bool>(), 0_usize..20).prop_map(
        |(keyspace, lower, upper, reverse, keys_only, steps)| Walk {
            keyspace,
            lower,
            upper,
            reverse,
            keys_only,
            steps,
        },
    )
}

/// Few enough keys that they meet often, of lengths that share prefixes, the empty one among them.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        30 => (0_u32..60).prop_map(|number| format!("key/{:02}/{}", number / 7, number % 7).into_bytes()),
        4 => proptest::collection::vec(0_u8..4, 0..4),
        1 => (0_u8..3, 1_usize..3000).prop_map(|(byte, len)| vec![byte * 100; len]),
    ]
}
