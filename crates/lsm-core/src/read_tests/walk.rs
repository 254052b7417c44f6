//! Any cursor over entries beside a sorted list of their places.

use proptest::prelude::*;
use sst_format::SeqNo;

use crate::entry_cursor::EntryCursor;

/// A key and a sequence number.
pub(crate) type Place = (Vec<u8>, u64);

/// What is done to a cursor.
#[derive(Clone, Debug)]
pub(crate) enum Walk {
    First,
    Last,
    Seek(Vec<u8>, u64),
    SeekBefore(Vec<u8>, u64),
    Next,
    Prev,
}

/// Steps among the keys of these tests.
pub(crate) fn walks() -> impl Strategy<Value = Vec<Walk>> {
    let step = prop_oneof![
        1 => Just(Walk::First),
        1 => Just(Walk::Last),
        2 => (super::key(), 0..40u64).prop_map(|(key, seq)| Walk::Seek(key, seq)),
        2 => (super::key(), 0..40u64).prop_map(|(key, seq)| Walk::SeekBefore(key, seq)),
        8 => Just(Walk::Next),
        8 => Just(Walk::Prev),
    ];
    prop::collection::vec(step, 1..80)
}

/// Takes the steps with a cursor over these places; `look` sees it after each, with the place it is on.
pub(crate) fn check<C: EntryCursor>(
    mut cursor: C,
    places: &[Place],
    walks: &[Walk],
    look: impl Fn(&C, Option<&Place>),
) {
    let mut sorted = places.to_vec();
    sorted.sort_by_key(|(key, seq)| (key.clone(), std::cmp::Reverse(*seq)));
    let before = |key: &[u8], seq: u64| {
        let is_before = |at: &Place| (&at.0[..], std::cmp::Reverse(at.1)) < (key, std::cmp::Reverse(seq));
        sorted.partition_point(is_before)
    };
    let mut at: Option<usize> = None;
    for walk in walks {
        let (moved, to) = match walk {
            Walk::First => (cursor.seek_first(), Some(0)),
            Walk::Last => (cursor.seek_last(), sorted.len().checked_sub(1)),
            Walk::Seek(key, seq) => (cursor.seek(key, SeqNo::new(*seq)), Some(before(key, *seq))),
            Walk::SeekBefore(key, seq) => {
                (cursor.seek_before(key, SeqNo::new(*seq)), before(key, *seq).checked_sub(1))
            }
            Walk::Next => (cursor.move_next(), at.map(|at| at + 1)),
            Walk::Prev => (cursor.move_prev(), at.and_then(|at| at.checked_sub(1))),
        };
        assert!(moved.is_ok(), "{walk:?}");
        at = to.filter(|to| *to < sorted.len());
        let found = cursor.entry().map(|entry| (entry.key.to_vec(), entry.seq.get()));
        let expected = at.map(|at| &sorted[at]);
        assert_eq!(found.as_ref(), expected, "{walk:?}");
        look(&cursor, expected);
    }
}
