//! What reads cost and leave behind: calls of the file system, blocks in the cache, open files.

use std::ops::Bound;

use lsm_io::{Fs, Op};
use sst_format::{EntryKind, SeqNo, TableOptions};

use super::{
    layout::{Layout, Op as Write, Part},
    model::Model,
    world::World,
};
use crate::{
    block_cache::Fill,
    iter::{Iter, ScanRange},
};

/// One level, cut into tables of ten keys.
fn ten_tables() -> Layout {
    let mut part = Part::default();
    let mut history = Vec::new();
    for number in 0..100u64 {
        let key = format!("k{number:02}").into_bytes();
        let write = Write::Entry(key, EntryKind::Put, vec![number as u8; 3000]);
        part.add(number + 1, &write);
        history.push((number + 1, write));
    }
    let cuts = (1..10).map(|ten| format!("k{ten}0").into_bytes()).collect();
    Layout { history, parts: vec![part], memtables: 0, flushed: 0, cuts }
}

fn world() -> World {
    World::with_options(&ten_tables(), &TableOptions::new())
}

fn scan(world: &World, range: ScanRange) -> Vec<(Vec<u8>, usize)> {
    let mut iter = Iter::new(world.view(), range).unwrap();
    let mut found = Vec::new();
    while let Some(item) = iter.move_next().unwrap() {
        found.push((item.key.to_vec(), item.value.len()));
    }
    found
}

#[test]
fn whoever_passes_leaves_nothing_in_the_cache() {
    let world = world();
    let all = ScanRange::all(SeqNo::MAX);
    assert_eq!(scan(&world, all.clone().fill(Fill::Pass)).len(), 100);
    assert_eq!(world.env().blocks.bytes(), 0);
    assert_eq!(scan(&world, all).len(), 100);
    assert!(world.env().blocks.bytes() > 0);
}

#[test]
fn no_more_tables_stay_open_than_were_allowed() {
    let world = world();
    let view = world.view();
    for number in 0..100 {
        assert!(view.get(format!("k{number:02}").as_bytes(), SeqNo::MAX).unwrap().is_some());
        assert!(world.env().tables.len() <= 4);
    }
    for table in &world.tables {
        world.env().tables.evict(table.id);
    }
    assert_eq!(world.env().tables.len(), 0);
}

#[test]
fn many_keys_of_a_block_cost_one_read_of_it() {
    let mut layout = ten_tables();
    layout.cuts.clear();
    // Five values of 3000 bytes in each block.
    let world = World::with_options(&layout, &TableOptions::new().block_bytes(15 << 10));
    let view = world.view();
    view.get(b"k00", SeqNo::MAX).unwrap();
    let before = world.fs.trace().len();
    let keys: Vec<_> = (10..60).rev().map(|number| format!("k{number}").into_bytes()).collect();
    let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    assert!(view.multi_get(&asked, SeqNo::MAX).into_iter().all(|found| found.unwrap().is_some()));
    // The cache has no room for any of them.
    assert_eq!(world.env().blocks.bytes(), 0);
    assert!(world.fs.trace().len() - before <= 11, "{}", world.fs.trace().len() - before);
}

#[test]
fn what_tables_pin_is_within_the_budget_and_goes_with_them() {
    let world = World::with_options(&ten_tables(), &TableOptions::new().index_block_bytes(256));
    let (view, pins) = (world.view(), &world.env().pins);
    for number in 0..100 {
        assert!(view.get(format!("k{number:02}").as_bytes(), SeqNo::MAX).unwrap().is_some());
        assert!(pins.taken() > 0 && pins.taken() <= 8 << 10);
    }
    for table in &world.tables {
        world.env().tables.evict(table.id);
    }
    assert_eq!(pins.taken(), 0);
}

#[test]
fn a_table_is_opened_when_it_is_come_upon() {
    let world = world();
    let mut iter = Iter::new(world.view(), ScanRange::all(SeqNo::MAX)).unwrap();
    let opened = || world.fs.trace().iter().filter(|traced| traced.op == Op::Open).count();
    assert_eq!(opened(), 0);
    iter.seek(b"k55").unwrap();
    assert_eq!(opened(), 1);
    (0..10).for_each(|_| assert!(iter.move_next().unwrap().is_some()));
    assert_eq!(opened(), 2);
}

#[test]
fn a_prefix_is_a_range_and_keys_come_without_values() {
    let all = ScanRange::all(SeqNo::MAX);
    let world = world();
    let found = scan(
        &world,
        all.clone().between(Bound::Included("k7".into()), Bound::Excluded("k8".into())).keys_only(),
    );
    assert_eq!(found, (70..80).map(|number| (format!("k{number}").into_bytes(), 0)).collect::<Vec<_>>());
    assert_eq!(
        scan(&world, all.clone().between(Bound::Included("k71".into()), Bound::Excluded("k72".into()))),
        [(b"k71".to_vec(), 3000)]
    );
    assert_eq!(scan(&world, all.clone()).len(), 100);
}

#[test]
fn a_scan_reads_ahead_and_a_short_one_does_not() {
    let mut layout = ten_tables();
    layout.cuts.clear();
    let world = World::with_options(&layout, &TableOptions::new());
    let mut iter = Iter::new(world.view(), ScanRange::all(SeqNo::MAX)).unwrap();
    let read = || {
        let trace = world.fs.trace();
        let reads = trace.iter().filter(|traced| traced.op == Op::Read);
        let lens: Vec<_> = reads.map(|traced| traced.span.map_or(0, |(_, len)| len.get())).collect();
        lens
    };
    iter.seek(b"k30").unwrap();
    assert!(read().iter().all(|len| *len < 8 << 10), "{:?}", read());
    let before = read().len();
    (0..60).for_each(|_| assert!(iter.move_next().unwrap().is_some()));
    assert!(read().len() - before < 10, "60 blocks in {:?}", &read()[before..]);
}

#[test]
fn an_iterator_keeps_what_it_reads() {
    let world = world();
    let model = Model::new(&ten_tables(), SeqNo::MAX);
    let mut iter = Iter::new(world.view(), ScanRange::all(SeqNo::MAX)).unwrap();
    iter.seek_first().unwrap();
    let value = iter.move_next().unwrap().unwrap().value.clone();
    // The table's file and its blocks go; what was read of it does not.
    let first = &world.tables[0];
    world.fs.remove(&World::path_of(first)).unwrap();
    world.env().tables.evict(first.id);
    assert_eq!(iter.move_next().unwrap().map(|item| item.key.to_vec()), Some(b"k02".to_vec()));
    drop(iter);
    assert_eq!(Some(value.to_vec()), model.get(b"k01"));
}

#[test]
fn a_table_that_cannot_be_opened_is_tried_again_ever_more_rarely() {
    let world = world();
    let view = world.view();
    let (first, aside) = (&world.tables[0], std::path::Path::new("/aside"));
    world.fs.rename(&World::path_of(first), aside).unwrap();
    let opened = || world.fs.trace().iter().filter(|traced| traced.op == Op::Open).count();
    for asked in 1..=1000_u32 {
        assert!(view.get(b"k05", SeqNo::MAX).is_err());
        assert!(opened() <= 2 + asked.ilog2() as usize, "asked {asked} times, tried {}", opened());
    }
    assert!(view.get(b"k15", SeqNo::MAX).unwrap().is_some());
    world.fs.rename(aside, &World::path_of(first)).unwrap();
    world.env().tables.forget_loss(first.id);
    assert!(view.get(b"k05", SeqNo::MAX).unwrap().is_some());
}
