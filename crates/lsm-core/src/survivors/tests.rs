//! The law: whoever reads, at a moment that is held or the newest, reads the same before and after.

use proptest::prelude::*;
use sst_format::{KeyOrder, RangeEntry, RangeKind};

use super::*;
use crate::{
    KeyBounds,
    merge_model::{Answer, Deed, Layer, PLACES, Scribe, deed},
    vec_cursor::OwnedEntry,
};

const KEY: &str = "k";
const ORDER: &KeyOrder = &KeyOrder::Bytes;

/// One thing that happens to the one key of the small histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Entry(EntryKind),
    RangeDelete,
}

const EVENTS: [Event; 5] = [
    Event::Entry(EntryKind::Put),
    Event::Entry(EntryKind::Delete),
    Event::Entry(EntryKind::SingleDelete),
    Event::Entry(EntryKind::Merge),
    Event::RangeDelete,
];

fn happen(event: Event, seq: u64, into: &mut Layer) {
    match event {
        Event::RangeDelete => into.ranges.push(RangeEntry::delete("j", "l", SeqNo::new(seq))),
        Event::Entry(kind @ (EntryKind::Delete | EntryKind::SingleDelete)) => {
            into.entries.push(OwnedEntry::new(KEY, seq, kind, ""));
        }
        Event::Entry(kind) => into.entries.push(OwnedEntry::new(KEY, seq, kind, &seq.to_string())),
    }
}

/// Every history of `len` events.
fn histories(len: u32) -> impl Iterator<Item = Vec<Event>> {
    let count = EVENTS.len();
    (0..count.pow(len)).map(move |number| (0..len).map(|at| EVENTS[number / count.pow(at) % count]).collect())
}

/// Whether every single delete has at most one put, and no merge, to delete.
fn is_honest(history: &[Event]) -> bool {
    let mut under = 0;
    for event in history {
        match event {
            Event::Entry(EntryKind::Put | EntryKind::Blob) => under += 1,
            Event::Entry(EntryKind::Merge) => under += 2,
            Event::Entry(EntryKind::SingleDelete) if under > 1 => return false,
            Event::Entry(EntryKind::Delete | EntryKind::SingleDelete) | Event::RangeDelete => under = 0,
        }
    }
    true
}

fn retention(snapshots: &[u64], below: &Layer) -> Retention {
    let mut bounds: Vec<_> = below
        .entries
        .iter()
        .map(|entry| (KeyBounds::closed(entry.key.clone(), entry.key.clone()), 0))
        .collect();
    for range in &below.ranges {
        let span = crate::key_span::Span::of_range(ORDER, range).unwrap();
        bounds.extend(span.map(|span| (span.bounds(), u64::from(range.kind == RangeKind::Loss))));
    }
    let live = LiveSnapshots::new(snapshots.iter().map(|seq| SeqNo::new(*seq)));
    Retention::Needed {
        live,
        floor: Floor::of_tables(ORDER, bounds.iter().map(|(bounds, losses)| (bounds, *losses))),
    }
}

/// Merges neighbouring layers, newest first, each time with what lies below them known.
fn merge(layers: &mut Vec<Layer>, which: std::ops::Range<usize>, snapshots: &[u64]) {
    let below = Layer::union(&layers[which.end..]);
    let (left, tally) = Layer::union(&layers[which.clone()]).merged(&retention(snapshots, &below));
    assert_eq!(
        tally.read,
        tally.kept + tally.hidden + tally.covered + tally.spent + tally.annihilated,
        "every entry goes on or has a reason: {tally:?}"
    );
    assert_eq!(tally.kept, left.entries.len() as u64);
    layers.splice(which, [left]);
}

fn subset(of: u64, mask: u64) -> Vec<u64> {
    (1..=of).filter(|seq| mask >> (seq - 1) & 1 == 1).collect()
}

/// Which layers of three are merged, one merge after the other.
const SCHEDULES: [&[(usize, usize)]; 5] =
    [&[(0, 2), (0, 2)], &[(1, 3), (0, 2)], &[(1, 2), (0, 2), (0, 2)], &[(0, 1), (0, 3)], &[(0, 3), (0, 1)]];

#[test]
fn no_small_history_reads_otherwise_after_merges_in_any_order() {
    const LEN: u64 = 4;
    for history in histories(LEN as u32) {
        for mask in 0..1 << (LEN - 1) {
            let held = subset(LEN, mask);
            for (lower, upper) in (0..=LEN).flat_map(|lower| (lower..=LEN).map(move |upper| (lower, upper))) {
                if lower > 0 && !is_honest(&history) {
                    continue;
                }
                let mut layers = vec![Layer::default(); 3];
                for (event, seq) in history.iter().zip(1..) {
                    happen(*event, seq, &mut layers[usize::from(seq <= upper) + usize::from(seq <= lower)]);
                }
                for schedule in SCHEDULES {
                    check(&history, &held, layers.clone(), schedule);
                }
            }
        }
    }
}

/// The snapshots go one by one, oldest first, between the merges.
#[track_caller]
fn check(history: &[Event], held: &[u64], mut layers: Vec<Layer>, schedule: &[(usize, usize)]) {
    let before = Layer::union(&layers);
    for (round, (from, to)) in schedule.iter().enumerate() {
        // Dishonest histories are right as long as nothing lies below what is merged.
        if !is_honest(history) && *to < layers.len() {
            return;
        }
        let held = held.get(round..).unwrap_or_default();
        merge(&mut layers, *from..*to, held);
        let after = Layer::union(&layers);
        for snapshot in held.iter().copied().chain([history.len() as u64]).map(SeqNo::new) {
            assert_eq!(
                after.answer(KEY.as_bytes(), snapshot),
                before.answer(KEY.as_bytes(), snapshot),
                "{history:?} read at {snapshot} with {held:?} held, round {round} of {schedule:?}: {after:?}"
            );
        }
    }
}

/// What is left of the one key after one merge, as kinds with their numbers, newest first.
#[track_caller]
fn check_left(history: &[Event], snapshots: &[u64], below: &Layer, left: &[(u64, EntryKind)]) {
    let mut layer = Layer::default();
    for (event, seq) in history.iter().zip(1..) {
        happen(*event, seq, &mut layer);
    }
    let (merged, _) = Layer::union([&layer]).merged(&retention(snapshots, below));
    let found: Vec<_> = merged.entries.iter().map(|entry| (entry.seq.get(), entry.kind)).collect();
    assert_eq!(found, left);
}

fn something() -> Layer {
    Layer { entries: vec![OwnedEntry::new(KEY, 0, EntryKind::Put, "")], ranges: Vec::new() }
}

#[test]
fn garbage_goes_and_what_is_needed_stays() {
    use EntryKind::{Delete, Merge, Put, SingleDelete};
    let (put, delete, single, merge, range) = (
        Event::Entry(Put),
        Event::Entry(Delete),
        Event::Entry(SingleDelete),
        Event::Entry(Merge),
        Event::RangeDelete,
    );
    let (nothing, below) = (&Layer::default(), &something());
    check_left(&[put, put, put], &[], below, &[(3, Put)]);
    check_left(&[put, put, put], &[1], below, &[(3, Put), (1, Put)]);
    check_left(&[put, delete], &[], nothing, &[]);
    check_left(&[put, delete], &[], below, &[(2, Delete)]);
    check_left(&[put, delete], &[1], nothing, &[(2, Delete), (1, Put)]);
    check_left(&[put, put, merge, merge], &[], below, &[(4, Merge), (3, Merge), (2, Put)]);
    check_left(&[put, range, put], &[], below, &[(3, Put)]);
    check_left(&[put, range], &[], below, &[]);
    check_left(&[put, range], &[1], below, &[(1, Put)]);
    // A delete under a put is a guard while something lies below.
    check_left(&[put, delete, put], &[], below, &[(3, Put), (2, Delete)]);
    check_left(&[put, delete, put], &[], nothing, &[(3, Put)]);
    check_left(&[put, single, put], &[], below, &[(3, Put), (2, Delete)]);
    // A single delete takes its one put along.
    check_left(&[put, single], &[], below, &[]);
    check_left(&[delete, put, single], &[], below, &[(1, Delete)]);
    check_left(&[put, single], &[1], below, &[(2, SingleDelete), (1, Put)]);
    check_left(&[single], &[], below, &[(1, SingleDelete)]);
    // In doubt it is a delete.
    check_left(&[put, put, single], &[], below, &[(3, Delete)]);
    check_left(&[put, put, single], &[1], below, &[(3, Delete), (1, Put)]);
    check_left(&[merge, single], &[], below, &[(2, Delete)]);
    check_left(&[put, single, single], &[], below, &[(3, Delete)]);
}

#[test]
fn where_something_was_lost_every_delete_stays() {
    for kind in [EntryKind::Delete, EntryKind::SingleDelete] {
        let loss = RangeEntry { kind: RangeKind::Loss, ..RangeEntry::delete("a", "z", SeqNo::new(2)) };
        let entries = vec![OwnedEntry::new(KEY, 4, kind, ""), OwnedEntry::new(KEY, 3, EntryKind::Put, "x")];
        let layer =
            Layer { entries, ranges: vec![loss.clone(), RangeEntry::delete("a", "z", SeqNo::new(3))] };
        let (left, _) = layer.merged(&retention(&[], &Layer::default()));
        let expected = [OwnedEntry::new(KEY, 4, EntryKind::Delete, "")];
        assert_eq!((&left.entries[..], left.ranges.len()), (&expected[..], 2));
        assert!(left.ranges.contains(&loss));
    }
}

#[test]
fn where_older_versions_may_lie_everywhere_every_delete_stays() {
    let mut layer = Layer::default();
    happen(Event::Entry(EntryKind::Delete), 1, &mut layer);
    happen(Event::RangeDelete, 3, &mut layer);
    happen(Event::Entry(EntryKind::Delete), 4, &mut layer);
    let all = KeyBounds::closed("", &[0xFF; 8][..]);
    let floor = Floor::of_tables(&KeyOrder::Bytes, std::iter::once((&all, 1)));
    let anywhere = Retention::Needed { live: LiveSnapshots::default(), floor };
    let (left, tally) = Layer::union([&layer]).merged(&anywhere);
    assert_eq!((left.entries.len(), left.ranges.len(), tally.covered), (1, 1, 1));
}

#[test]
fn everything_is_kept_where_a_table_is_only_written_anew() {
    for history in histories(3) {
        let mut layer = Layer::default();
        for (event, seq) in history.iter().zip(1..) {
            happen(*event, seq, &mut layer);
        }
        let layer = Layer::union([&layer]);
        let (left, _) = layer.merged(&Retention::Everything);
        assert_eq!(left.entries, layer.entries);
        assert_eq!(left.ranges.len(), layer.ranges.len());
    }
}

/// The deeds as three layers, newest first.
fn layers_of(deeds: &[Deed], cuts: [usize; 2]) -> Vec<Layer> {
    let mut layers = vec![Layer::default(); 3];
    let mut scribe = Scribe::default();
    for (at, deed) in deeds.iter().enumerate() {
        let older = cuts.iter().filter(|cut| at < **cut).count();
        scribe.note(deed, &mut layers[older]);
    }
    layers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_over_many_keys_reads_otherwise_after_merges(
        deeds in prop::collection::vec(deed(), 1..24),
        cuts in any::<[prop::sample::Index; 2]>(),
        held in prop::collection::btree_set(0..24_u64, 0..4),
        schedule in prop::sample::select(&SCHEDULES[..]),
    ) {
        let cuts = cuts.map(|cut| cut.index(deeds.len() + 1));
        let held: Vec<_> = held.into_iter().filter(|seq| *seq < deeds.len() as u64).collect();
        let mut layers = layers_of(&deeds, cuts);
        let before = Layer::union(&layers);
        let has_losses = before.ranges.iter().any(|range| range.kind == RangeKind::Loss);
        for (round, (from, to)) in schedule.iter().enumerate() {
            let held = held.get(round..).unwrap_or_default();
            merge(&mut layers, *from..*to, held);
            let after = Layer::union(&layers);
            let newest = deeds.len() as u64;
            for place in PLACES {
                prop_assert_eq!(after.losses(place.as_bytes()), before.losses(place.as_bytes()));
                for snapshot in held.iter().copied().chain([newest]).map(SeqNo::new) {
                    let (was, is) =
                        (before.answer(place.as_bytes(), snapshot), after.answer(place.as_bytes(), snapshot));
                    prop_assert_eq!(is, was, "{} at {} in {:?}", place, snapshot, after);
                }
            }
            if layers.len() == 1 && !has_losses {
                check_nothing_is_left_over(&after, held, newest)?;
            }
        }
    }
}

/// With everything merged, each value can be seen by somebody, and each delete hides something from somebody.
fn check_nothing_is_left_over(left: &Layer, held: &[u64], newest: u64) -> Result<(), TestCaseError> {
    for entry in &left.entries {
        if matches!(entry.kind, EntryKind::Delete | EntryKind::SingleDelete) {
            prop_assert!(
                held.first().is_some_and(|oldest| entry.seq.get() > *oldest),
                "{entry:?} in {left:?}"
            );
            continue;
        }
        let is_seen = held.iter().copied().chain([newest]).any(|snapshot| {
            match left.answer(&entry.key, SeqNo::new(snapshot)) {
                Answer::Found { operands, base } => {
                    operands.iter().chain(&base).any(|value| *value == entry.value)
                }
                Answer::Lost => false,
            }
        });
        prop_assert!(is_seen, "nobody sees {entry:?} of {left:?}");
    }
    for range in &left.ranges {
        prop_assert!(held.first().is_some_and(|oldest| range.seq_high.get() > *oldest), "{range:?}");
    }
    Ok(())
}
