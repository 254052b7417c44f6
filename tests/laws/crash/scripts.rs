//! Short lives in which everything a store does to a disk happens at least once.

use resilver_tests::{Action, History, Value, Write, WriteKind};

pub(super) fn put(keyspace: usize, key: u32, len: usize) -> Write {
    let kind = WriteKind::Put(Value::new(key.wrapping_mul(0x9E37_79B9) | 1, len));
    Write { keyspace, key: format!("key/{key:03}").into_bytes(), kind }
}

fn delete(keyspace: usize, key: u32) -> Write {
    Write { keyspace, key: format!("key/{key:03}").into_bytes(), kind: WriteKind::Delete }
}

fn delete_range(keyspace: usize, from: u32, to: u32) -> Write {
    let to = format!("key/{to:03}").into_bytes();
    Write { keyspace, key: format!("key/{from:03}").into_bytes(), kind: WriteKind::DeleteRange { to } }
}

fn buffered(writes: Vec<Write>) -> Action {
    Action::Write { writes, synced: false }
}

fn synced(writes: Vec<Write>) -> Action {
    Action::Write { writes, synced: true }
}

/// Memtables fill, are flushed and merged; a checkpoint is made, and one of a store that was opened again.
pub(super) fn flushes() -> History {
    let mut history = vec![buffered(vec![put(0, 1, 10)]), synced(vec![put(0, 2, 10), put(1, 2, 3000)])];
    history.extend((0..6).map(|at| buffered(vec![put(0, at, 700), put(1, at + 3, 900), delete(0, at + 1)])));
    history.extend([
        Action::Flush,
        buffered(vec![put(0, 3, 100), delete_range(1, 2, 6)]),
        Action::Checkpoint,
    ]);
    history.extend((0..4).map(|at| buffered(vec![put(1, at * 2, 1500)])));
    history.extend([
        Action::Compact,
        buffered(vec![put(1, 1, 20)]),
        Action::Reopen,
        buffered(vec![put(0, 9, 5)]),
    ]);
    history.extend([Action::Sync, buffered(vec![delete(0, 9)]), Action::Checkpoint, Action::Compact]);
    history
}

/// The log fills segment after segment, is synced, replayed and trimmed.
pub(super) fn logs() -> History {
    let mut history: History = (0..5).map(|at| buffered(vec![put(at as usize % 2, at, 60_000)])).collect();
    history.extend([synced(vec![put(0, 1, 30)]), buffered(vec![put(0, 2, 50_000)]), Action::Sync]);
    // Longer than a segment.
    history.extend([buffered(vec![put(0, 3, 300_000)]), buffered(vec![put(1, 3, 1)]), Action::Reopen]);
    history.extend((0..6).map(|at| synced(vec![put(0, at + 7, 60_000), put(1, at, 10)])));
    history.extend([Action::Flush, buffered(vec![put(1, 1, 1)]), Action::Reopen, Action::Compact]);
    history
}

/// Keyspaces are made, dropped and made again between batches that span them.
pub(super) fn keyspaces() -> History {
    vec![
        buffered(vec![put(0, 1, 10), put(1, 1, 10), put(2, 1, 10)]),
        Action::Drop(1),
        buffered(vec![put(0, 2, 10), put(1, 2, 10)]),
        Action::Flush,
        synced(vec![put(1, 3, 10), put(2, 3, 10)]),
        Action::Drop(2),
        buffered(vec![put(1, 4, 2000), put(0, 4, 2500)]),
        Action::Reopen,
        Action::Drop(1),
        buffered(vec![put(2, 5, 10), put(1, 5, 10)]),
        Action::Checkpoint,
        Action::Drop(2),
        Action::Compact,
        buffered(vec![put(0, 6, 10)]),
    ]
}
