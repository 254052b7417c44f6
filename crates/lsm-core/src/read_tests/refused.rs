//! A disk that refuses for a moment: who tries again misses nothing, and is told what is lost.

use std::io::ErrorKind;

use lsm_io::{Fs as _, Mishap, Op, Trigger};
use proptest::prelude::*;
use sst_format::{EntryKind, SeqNo};

use super::{
    layout::{Layout, Op as Write, Part, layout},
    model::Model,
    scan::Scan,
    world::World,
};
use crate::{
    Error,
    iter::{Iter, ScanRange},
};

impl World {
    /// From now on it can open no table, or again every one.
    fn refuse(&self, is_refused: bool) {
        self.fs.calm();
        if is_refused {
            self.fs.arm(Trigger::nth(Op::Open, 1).and_later(), Mishap::Fail(ErrorKind::PermissionDenied));
        }
    }

    fn lose(&self, nth: usize) {
        self.fs.remove(&Self::path_of(&self.tables[nth])).unwrap();
    }
}

/// Five tables of one key each, of which the one in the middle deletes it.
fn five_tables() -> World {
    let mut part = Part::default();
    for (number, kind) in [EntryKind::Put, EntryKind::Put, EntryKind::Delete, EntryKind::Put, EntryKind::Put]
        .into_iter()
        .enumerate()
    {
        part.add(number as u64 + 1, &Write::Entry(format!("k{number}").into_bytes(), kind, Vec::new()));
    }
    let cuts = (1..5).map(|number| format!("k{number}").into_bytes()).collect();
    World::new(&Layout { history: Vec::new(), parts: vec![part], memtables: 0, flushed: 0, cuts })
}

/// Steps of a scan of five tables: `>` and `<` go, a digit seeks that key, `f` and `l` the first and the last, `x` lets the disk refuse, `o` lets it open tables again. Gives
/// what each step comes to: a key, `!` for a loss, `x` for a refusal, `.` for an end.
fn steps(world: &World, steps: &str) -> String {
    let mut iter = Iter::new(world.view(), ScanRange::all(SeqNo::MAX)).unwrap();
    let mut met = Vec::new();
    for step in steps.chars() {
        let found = match step {
            '>' => iter.move_next(),
            '<' => iter.move_prev(),
            'f' => iter.seek_first(),
            'l' => iter.seek_last(),
            '0'..='9' => iter.seek(format!("k{step}").as_bytes()),
            _ => {
                world.refuse(step == 'x');
                continue;
            }
        };
        met.push(match found {
            Ok(Some(item)) => String::from_utf8_lossy(item.key).into_owned(),
            Ok(None) => ".".into(),
            Err(Error::Lost { .. }) => "!".into(),
            Err(Error::Io(_)) => "x".into(),
            Err(other) => panic!("{other}"),
        });
        world.tables.iter().for_each(|table| world.env().tables.evict(table.id));
    }
    met.join(" ")
}

#[test]
fn a_key_that_was_come_upon_when_the_disk_refused_is_shown_next() {
    assert_eq!(steps(&five_tables(), "<x<o<<<<"), "k4 x k3 k1 k0 .");
    assert_eq!(steps(&five_tables(), "<<x<o<<<"), "k4 k3 x k1 k0 .");
    assert_eq!(steps(&five_tables(), ">x>o>>>>"), "k0 x k1 k3 k4 .");
    assert_eq!(steps(&five_tables(), ">>x>o>>>"), "k0 k1 x k3 k4 .");
}

#[test]
fn a_loss_that_was_passed_when_the_disk_refused_is_told_next() {
    let without = |nth| {
        let world = five_tables();
        world.lose(nth);
        world
    };
    // The loss of a file is noted without opening it, so it is behind that that the disk refuses.
    assert_eq!(steps(&without(1), ">x>o>>>>"), "k0 x ! k3 k4 .");
    assert_eq!(steps(&without(3), "<x<o<<<<"), "k4 x ! k1 k0 .");
}

#[test]
fn who_turns_round_where_the_disk_refused_is_shown_what_lies_there() {
    let world = five_tables();
    world.lose(1);
    assert_eq!(steps(&world, ">>x<o>>>>"), "k0 ! x ! k3 k4 .");
    assert_eq!(steps(&world, "4xfo<"), "k4 x .");
    assert_eq!(steps(&world, "4xlo>"), "k4 x .");
}

#[test]
fn a_seek_that_the_disk_refused_is_tried_again_by_the_next_step() {
    assert_eq!(steps(&five_tables(), "x2o>>"), "x k3 k4");
    assert_eq!(steps(&five_tables(), "x3o<<"), "x k1 k0");
    assert_eq!(steps(&five_tables(), "4x1o<<"), "k4 x k0 .");
    assert_eq!(steps(&five_tables(), "x>>o>"), "x x k0");
    assert_eq!(steps(&five_tables(), "x<<o<"), "x x k4");
    assert_eq!(steps(&five_tables(), "x>o<>"), "x . k0");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_refused_a_scan_leaves_out_nothing(
        layout in layout(),
        snapshot in 0..220u64,
        gone in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        refused in prop::collection::btree_set(1..40u64, 0..20),
        legs in prop::collection::vec(1..15usize, 1..8),
    ) {
        let (world, snapshot) = (World::new(&layout), SeqNo::new(snapshot));
        let model = Model::new(&layout, snapshot);
        let gone = gone.iter().filter(|_| !world.tables.is_empty()).map(|nth| nth.index(world.tables.len()));
        gone.collect::<std::collections::BTreeSet<_>>().into_iter().for_each(|nth| world.lose(nth));
        let mut scan = Scan::new(&world, &model, snapshot);
        for nth in refused {
            world.fs.arm(Trigger::nth(Op::Open, nth), Mishap::Fail(ErrorKind::PermissionDenied));
        }
        for (leg, steps) in legs.into_iter().chain([usize::MAX; 2]).enumerate() {
            scan.go(leg % 2 == 0, steps);
        }
    }
}
