//! Loss markers: what jobs leave behind where they found gaps.

use sst_format::{EntryKind, SeqNo};

use super::{
    layout::{Layout, Op, Part},
    world::World,
};
use crate::{
    Error,
    iter::{Iter, ScanRange},
};

/// A memtable, a flushed table, a level with a marker, and a level below it.
fn world() -> World {
    let put = |key: &str| Op::Entry(key.into(), EntryKind::Put, key.into());
    let part = |ops: &[(u64, Op)]| {
        let mut part = Part::default();
        ops.iter().for_each(|(seq, op)| part.add(*seq, op));
        part
    };
    let mut marked = part(&[(20, put("k30"))]);
    marked.losses.push((b"k10".to_vec(), b"k20".to_vec(), [5, 50]));
    let parts = vec![
        part(&[(60, put("k11")), (61, Op::Entry(b"k15".to_vec(), EntryKind::Delete, Vec::new()))]),
        part(&[(40, put("k12")), (45, Op::DeleteRange(b"k16".to_vec(), b"k18".to_vec()))]),
        marked,
        part(&[(3, put("k12")), (2, put("k13")), (3, put("k16")), (4, put("k20")), (1, put("k05"))]),
    ];
    World::new(&Layout { history: Vec::new(), parts, memtables: 1, flushed: 1, cuts: Vec::new() })
}

/// What is shown, in order; a loss as an exclamation mark.
fn scan(range: ScanRange, is_forward: bool) -> String {
    let mut iter = Iter::new(world().view(), range).unwrap();
    let mut found = Vec::new();
    loop {
        match if is_forward { iter.move_next() } else { iter.move_prev() } {
            Ok(Some(item)) => found.push(String::from_utf8_lossy(item.key).into_owned()),
            Ok(None) => return found.join(" "),
            Err(Error::Lost { .. }) => found.push("!".into()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_marker_hides_only_what_is_older_than_what_was_lost() {
    let (world, shown, none, lost) = (world(), "value", "nothing", "lost");
    let check = |key: &str, snapshot: u64, expected: &str| {
        let found = match world.view().get(key.as_bytes(), SeqNo::new(snapshot)) {
            Ok(Some(visible)) if visible.value == key => shown,
            Ok(None) => none,
            Err(Error::Lost { .. }) => lost,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{key} at {snapshot}");
    };
    for (key, now, before_the_loss) in [
        ("k05", shown, shown),
        ("k10", lost, none),
        ("k11", shown, none),
        ("k12", shown, shown),
        ("k13", lost, shown),
        ("k14", lost, none),
        ("k15", none, none),
        ("k16", none, shown),
        ("k17", none, none),
        ("k18", lost, none),
        ("k20", shown, shown),
        ("k30", shown, none),
    ] {
        check(key, u64::MAX, now);
        check(key, 4, before_the_loss);
    }
}

#[test]
fn a_scan_tells_of_a_marker_once_and_goes_on() {
    let all = ScanRange::all(SeqNo::MAX);
    let between = |lower: &'static str, upper: &'static str| {
        let (lower, upper) = (lower.into(), upper.into());
        all.clone().between(std::ops::Bound::Included(lower), std::ops::Bound::Excluded(upper))
    };
    assert_eq!(scan(all.clone(), true), "k05 ! k11 k12 k20 k30");
    assert_eq!(scan(all.clone(), false), "k30 k20 ! k12 k11 k05");
    assert_eq!(scan(ScanRange::all(SeqNo::new(4)), true), "k05 k12 k13 k16 k20");
    assert_eq!(scan(between("k20", "k40"), true), "k20 k30");
    assert_eq!(scan(between("k00", "k10"), false), "k05");
    assert_eq!(scan(between("k12", "k16"), true), "! k12");
    // Nothing lost there would show: a newer range delete is over it.
    assert_eq!(scan(between("k16", "k18"), true), "");
    assert_eq!(scan(between("k16", "k19"), true), "!");
}
