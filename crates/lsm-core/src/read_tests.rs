//! Reads judged by a model: every version, every range delete, every snapshot, whatever the layout.

mod damaged;
mod effects;
mod layout;
mod marked;
mod memory;
mod model;
mod refused;
mod scan;
pub(crate) mod walk;
mod world;

use std::ops::Bound;

use proptest::prelude::*;
use sst_format::SeqNo;

use self::{
    layout::{Layout, layout},
    model::{Model, Step},
    world::World,
};
pub(crate) use self::{
    layout::{Op, Part},
    memory::ListMemtable,
};
use crate::iter::{Iter, ScanRange};

/// From where to where a scan goes.
type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

pub(crate) fn key() -> impl Strategy<Value = Vec<u8>> {
    (0..40u8).prop_map(|number| format!("k{number:02}").into_bytes())
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Bound::Unbounded), key().prop_map(Bound::Included), key().prop_map(Bound::Excluded),]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::First),
        1 => Just(Step::Last),
        2 => key().prop_map(Step::Seek),
        2 => key().prop_map(Step::SeekForPrev),
        8 => Just(Step::Next),
        8 => Just(Step::Prev),
    ]
}

fn seek_all_ways(world: &World, model: &Model, range: &ScanRange, steps: &[Step]) {
    let mut iter = Iter::new(world.view(), range.clone()).unwrap();
    let mut place = model.place(range);
    for (nth, step) in steps.iter().enumerate() {
        let found = match step {
            Step::First => iter.seek_first(),
            Step::Last => iter.seek_last(),
            Step::Seek(key) => iter.seek(key),
            Step::SeekForPrev(key) => iter.seek_for_prev(key),
            Step::Next => iter.move_next(),
            Step::Prev => iter.move_prev(),
        };
        let found = found.unwrap().map(|item| (item.key.to_vec(), item.value.to_vec()));
        assert_eq!(found, place.go(step), "step {nth}: {step:?}");
    }
}

fn check(layout: &Layout, snapshots: &[u64], ranges: &[Bounds], steps: &[Step]) {
    let world = World::new(layout);
    let view = world.view();
    for &snapshot in snapshots {
        let snapshot = SeqNo::new(snapshot);
        let model = Model::new(layout, snapshot);
        for number in 0..42 {
            let key = format!("k{number:02}").into_bytes();
            let found = view.get(&key, snapshot).unwrap().map(|visible| visible.value.to_vec());
            assert_eq!(found, model.get(&key), "{} at {snapshot}", key.escape_ascii());
        }
        // In no order, and one of them twice.
        let keys: Vec<_> = (0..84).map(|at| format!("k{:02}", at * 31 % 42).into_bytes()).collect();
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        for (key, found) in keys.iter().zip(view.multi_get(&asked, snapshot)) {
            assert_eq!(found.unwrap().map(|visible| visible.value.to_vec()), model.get(key));
        }
        let all = ScanRange::all(snapshot);
        let forward: Vec<_> = std::iter::repeat_n(Step::Next, 45).collect();
        let back: Vec<_> = std::iter::repeat_n(Step::Prev, 45).collect();
        seek_all_ways(&world, &model, &all, &forward);
        seek_all_ways(&world, &model, &all, &back);
        seek_all_ways(&world, &model, &all, steps);
        for (lower, upper) in ranges {
            let (lower, upper) = (lower.clone().map(Into::into), upper.clone().map(Into::into));
            let range = all.clone().between(lower, upper);
            seek_all_ways(&world, &model, &range, steps);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn reads_answer_as_a_list_of_all_versions_would(
        layout in layout(),
        snapshots in prop::collection::vec(0..220u64, 1..4),
        ranges in prop::collection::vec((bound(), bound()), 1..3),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        check(&layout, &snapshots, &ranges, &steps);
    }

    #[test]
    fn a_list_of_tables_reads_as_one_sorted_list(layout in layout(), walks in walk::walks()) {
        let (first, rest) = layout.parts.split_first().unwrap();
        let mut part = first.clone();
        rest.iter().for_each(|older| part.absorb(older.clone()));
        let places: Vec<_> = part.entries.keys().map(|(key, seq)| (key.clone(), seq.0)).collect();
        let layout = Layout { parts: vec![part], memtables: 0, flushed: 0, ..layout };
        walk::check(World::new(&layout).run_cursor(), &places, &walks, |_, _| {});
    }
}
