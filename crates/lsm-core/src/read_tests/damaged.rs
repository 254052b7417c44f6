//! Damaged tables: the right answer, or a loss that names the key; never another answer.

use std::collections::BTreeSet;

use lsm_io::{ByteLen, Damage, FileOffset, Fs, Op, Reach, Rot};
use proptest::prelude::*;
use sst_format::{EntryKind, SeqNo};

use super::{
    layout::{Layout, Op as Write, Part, layout},
    model::Model,
    scan::{Scan, holds, lost_of},
    world::{World, unprotected},
};
use crate::{
    Proof,
    entry_cursor::EntryCursor as _,
    iter::{Iter, ScanRange},
    loss::TableLoss,
};

/// Damage to some table, by thousandths of it.
#[derive(Clone, Debug)]
struct Blow {
    table: prop::sample::Index,
    at: u64,
    pages: u64,
    rot: Rot,
}

fn blow(pages_max: u64) -> impl Strategy<Value = Blow> {
    let rot = prop_oneof![
        Just(Rot::Zero),
        Just(Rot::Garble),
        Just(Rot::Unreadable),
        Just(Rot::Flip { bits: 3 }),
        Just(Rot::Foreign { from: FileOffset::new(4096) }),
    ];
    (any::<prop::sample::Index>(), 0..1000u64, 1..=pages_max, rot).prop_map(|(table, at, pages, rot)| Blow {
        table,
        at,
        pages,
        rot,
    })
}

impl World {
    fn suffer(&self, blow: &Blow) {
        if self.tables.is_empty() {
            return;
        }
        let table = blow.table.get(&self.tables);
        let pages = table.file_bytes() / 4096;
        let start = FileOffset::new(pages * blow.at / 1000 * 4096);
        let damage = Damage::new(start, ByteLen::new(blow.pages * 4096), blow.rot);
        self.fs.damage(&Self::path_of(table), damage).unwrap();
    }
}

/// Reads everything by every way; says which keys could not be answered.
fn check_damaged(world: &World, model: &Model, snapshot: SeqNo) -> BTreeSet<Vec<u8>> {
    let view = world.view();
    let mut unanswered = BTreeSet::new();
    for number in 0..42 {
        let key = format!("k{number:02}").into_bytes();
        match view.get(&key, snapshot) {
            Ok(found) => assert_eq!(found.map(|visible| visible.value.to_vec()), model.get(&key)),
            Err(error) => {
                assert!(holds(&lost_of(world, error), &key), "a key outside of what is lost is not answered");
                unanswered.insert(key);
            }
        }
    }
    let keys: Vec<_> = (0..42).rev().map(|number| format!("k{number:02}").into_bytes()).collect();
    let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    for (key, found) in keys.iter().zip(view.multi_get(&asked, snapshot)) {
        match found {
            Ok(found) => assert_eq!(found.map(|visible| visible.value.to_vec()), model.get(key)),
            // A part of an index that turned out to be lost in the meantime may make a loss wider.
            Err(error) => assert!(holds(&lost_of(world, error), key) && view.get(key, snapshot).is_err()),
        }
    }
    for turns in [&[usize::MAX, usize::MAX][..], &[0, usize::MAX], &[7, usize::MAX, usize::MAX], &[20, 5, 9]]
    {
        let mut scan = Scan::new(world, model, snapshot);
        for (leg, steps) in turns.iter().enumerate() {
            let told = scan.go(leg % 2 == 0, *steps);
            let is_whole = *steps == usize::MAX && (leg == 0 || turns[leg - 1] == usize::MAX);
            let is_told = |key: &Vec<u8>| told.iter().any(|lost| holds(lost, key));
            assert!(!is_whole || unanswered.iter().all(is_told), "a loss that reads meet is told");
        }
    }
    unanswered
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_parity_brings_back_is_answered(layout in layout(), snapshot in 0..220u64, blow in blow(16)) {
        let world = World::new(&layout);
        world.suffer(&blow);
        let snapshot = SeqNo::new(snapshot);
        let unanswered = check_damaged(&world, &Model::new(&layout, snapshot), snapshot);
        prop_assert!(unanswered.is_empty());
    }

    #[test]
    fn beyond_repair_only_what_is_lost_is_not_answered(
        layout in layout(),
        snapshot in 0..220u64,
        blows in prop::collection::vec(blow(3), 1..4),
    ) {
        let world = World::with_options(&layout, &unprotected());
        blows.iter().for_each(|blow| world.suffer(blow));
        let snapshot = SeqNo::new(snapshot);
        check_damaged(&world, &Model::new(&layout, snapshot), snapshot);
    }

    #[test]
    fn a_table_that_is_gone_takes_only_its_own_keys(
        layout in layout(),
        snapshot in 0..220u64,
        gone in any::<prop::sample::Index>(),
    ) {
        let world = World::new(&layout);
        prop_assume!(!world.tables.is_empty());
        let table = gone.get(&world.tables);
        world.fs.remove(&World::path_of(table)).unwrap();
        let snapshot = SeqNo::new(snapshot);
        let unanswered = check_damaged(&world, &Model::new(&layout, snapshot), snapshot);
        let whole = TableLoss::whole(crate::TreeId::new(1), table).lost;
        prop_assert!(unanswered.iter().all(|key| holds(&whole, key)));
    }
}

/// One table of one level: forty keys of a hundred bytes.
fn plain() -> Layout {
    let mut part = Part::default();
    let mut history = Vec::new();
    for number in 0..40u64 {
        let write =
            Write::Entry(format!("k{number:02}").into_bytes(), EntryKind::Put, vec![number as u8; 400]);
        part.add(number + 1, &write);
        history.push((number + 1, write));
    }
    Layout { history, parts: vec![part], memtables: 0, flushed: 0, cuts: Vec::new() }
}

#[test]
fn a_clean_read_fetches_one_block_and_tells_nobody() {
    let layout = plain();
    let world = World::new(&layout);
    let view = world.view();
    view.get(b"k20", SeqNo::MAX).unwrap();
    let before = world.fs.trace().len();
    view.get(b"k21", SeqNo::MAX).unwrap();
    let reads: Vec<_> = world.fs.trace()[before..].iter().map(|traced| traced.op).collect();
    assert_eq!(reads, [Op::Read]);
    assert!(world.seen.0.lock().is_empty());
}

#[test]
fn the_witness_hears_what_was_wrong_and_who_says_so() {
    let model = Model::new(&plain(), SeqNo::MAX);
    let check = |rot: Rot, reach: Reach, pages: &str, [transient, corrected, rebuilt]: [bool; 3]| {
        let world = World::new(&plain());
        // The first block on the third page of the file.
        let damage = Damage::new(FileOffset::new(2 * 4096), ByteLen::new(4096), rot).reaching(reach);
        world.fs.damage(&World::path_of(&world.tables[0]), damage).unwrap();
        assert!(check_damaged(&world, &model, SeqNo::MAX).is_empty());
        let seen = world.seen.0.lock();
        let first = seen.first().unwrap();
        assert_eq!((first.pages.to_string().as_str(), first.proof), (pages, Proof::Medium), "{rot:?}");
        let evidence = first.evidence;
        assert_eq!(
            [evidence.transient > 0, evidence.corrected > 0, evidence.rebuilt > 0],
            [transient, corrected, rebuilt]
        );
    };
    check(Rot::Garble, Reach::Cache, "", [true, false, false]);
    check(Rot::Flip { bits: 1 }, Reach::Medium, "2", [false, true, false]);
    check(Rot::Zero, Reach::Medium, "2", [false, false, true]);
    check(Rot::Unreadable, Reach::Medium, "2", [false, false, true]);
}

#[test]
fn a_lost_page_costs_the_keys_on_it() {
    let world = World::with_options(&plain(), &unprotected());
    let damage = Damage::new(FileOffset::new(2 * 4096), ByteLen::new(4096), Rot::Zero);
    world.fs.damage(&World::path_of(&world.tables[0]), damage).unwrap();
    let unanswered = check_damaged(&world, &Model::new(&plain(), SeqNo::MAX), SeqNo::MAX);
    assert!((8..=13).contains(&unanswered.len()), "{}", unanswered.len());
}

#[test]
fn a_few_bytes_cost_no_more_than_the_keys_of_a_block() {
    let mut layout = plain();
    for (_, write) in &mut layout.history {
        let Write::Entry(_, _, value) = write else { continue };
        value.truncate(20);
    }
    layout.parts = vec![Part::default()];
    layout.history.iter().for_each(|(seq, write)| layout.parts[0].add(*seq, write));
    let model = Model::new(&layout, SeqNo::MAX);
    let whole = World::with_options(&layout, &unprotected()).tables[0].body_bytes();
    assert!(whole < 4096, "blocks and their index share a page: {whole}");
    let lost_at = |at: u64| {
        let world = World::with_options(&layout, &unprotected());
        let damage = Damage::new(FileOffset::new(4096 + at), ByteLen::new(8), Rot::Garble);
        world.fs.damage(&World::path_of(&world.tables[0]), damage).unwrap();
        check_damaged(&world, &model, SeqNo::MAX).len()
    };
    let lost: Vec<_> = (0..whole).step_by(8).map(lost_at).collect();
    assert!(lost.contains(&0) && lost.iter().all(|keys| *keys < 20), "{lost:?}");
}

#[test]
fn an_older_version_never_stands_in_for_a_lost_one() {
    let mut part = Part::default();
    let mut history = Vec::new();
    for seq in 1..=30 {
        let write = Write::Entry(b"k07".to_vec(), EntryKind::Put, vec![seq as u8; 400]);
        part.add(seq, &write);
        history.push((seq, write));
    }
    let layout = Layout { history, parts: vec![part], memtables: 0, flushed: 0, cuts: Vec::new() };
    let world = World::with_options(&layout, &unprotected());
    let damage = Damage::new(FileOffset::new(4096), ByteLen::new(4096), Rot::Zero);
    world.fs.damage(&World::path_of(&world.tables[0]), damage).unwrap();
    let unanswered_at = |snapshot| {
        let snapshot = SeqNo::new(snapshot);
        check_damaged(&world, &Model::new(&layout, snapshot), snapshot).len()
    };
    assert_eq!([u64::MAX, 30, 25, 5, 1, 0].map(unanswered_at), [1, 1, 1, 0, 0, 0]);
}

/// A scan that steps through losses only, and turns round amid them, has not come to the other end.
#[test]
fn who_turns_round_amid_losses_is_shown_the_keys_before_them() {
    let mut layout = plain();
    layout.cuts = (1..8).map(|nth| format!("k{:02}", nth * 5).into_bytes()).collect();
    let check = |kept: usize| {
        let world = World::with_options(&layout, &unprotected());
        let gone = world.tables.iter().enumerate().filter(|(nth, _)| *nth != kept);
        gone.for_each(|(_, table)| world.fs.remove(&World::path_of(table)).unwrap());
        let unanswered = check_damaged(&world, &Model::new(&layout, SeqNo::MAX), SeqNo::MAX);
        assert_eq!(unanswered.len(), 35);
    };
    (0..8).for_each(check);
}

/// Two thousand keys in blocks so small that their index takes more than a page.
fn indexed() -> Layout {
    let mut part = Part::default();
    for number in 0..2000 {
        let write = Write::Entry(indexed_key(number), EntryKind::Put, vec![1; 8]);
        part.add(u64::from(number) + 1, &write);
    }
    Layout { history: Vec::new(), parts: vec![part], memtables: 0, flushed: 0, cuts: Vec::new() }
}

fn indexed_key(number: u32) -> Vec<u8> {
    format!("key {number:06}").into_bytes()
}

fn indexed_without(page: u64) -> World {
    let options = unprotected().block_bytes(256).index_block_bytes(256);
    let world = World::with_options(&indexed(), &options);
    let damage = Damage::new(FileOffset::new(page * 4096), ByteLen::new(4096), Rot::Garble);
    world.fs.damage(&World::path_of(&world.tables[0]), damage).unwrap();
    world
}

/// The keys that a job would see, each once and in order.
fn job_keys(world: &World, is_forward: bool) -> BTreeSet<Vec<u8>> {
    let (mut cursor, mut found) = (world.run_cursor(), BTreeSet::new());
    if is_forward { cursor.seek_first() } else { cursor.seek_last() }.unwrap();
    while let Some(entry) = cursor.entry() {
        let is_next = if is_forward {
            found.last().is_none_or(|last: &Vec<u8>| &last[..] < entry.key)
        } else {
            found.first().is_none_or(|last: &Vec<u8>| &last[..] > entry.key)
        };
        assert!(is_next, "{}", entry.key.escape_ascii());
        found.insert(entry.key.to_vec());
        if is_forward { cursor.move_next() } else { cursor.move_prev() }.unwrap();
    }
    found
}

/// The keys that a scan shows, and whether it told of a loss.
fn scan_keys(world: &World) -> (BTreeSet<Vec<u8>>, bool) {
    let mut iter = Iter::new(world.view(), ScanRange::all(SeqNo::MAX)).unwrap();
    let (mut found, mut is_told) = (BTreeSet::new(), false);
    loop {
        match iter.move_next() {
            Ok(Some(item)) => assert!(found.insert(item.key.to_vec()), "no entry comes twice"),
            Ok(None) => return (found, is_told),
            Err(_) => is_told = true,
        }
    }
}

#[test]
fn only_pages_with_entries_cost_keys() {
    let pages = indexed_without(0).tables[0].body_bytes().div_ceil(4096);
    let mut lost_in_page = Vec::new();
    for page in 1..=pages {
        let (found, is_told) = scan_keys(&indexed_without(page));
        assert_eq!(is_told, found.len() < 2000, "page {page}");
        for is_forward in [true, false] {
            // Not by `assert_eq`, which would print thousands of keys.
            assert!(job_keys(&indexed_without(page), is_forward) == found, "page {page}");
        }
        let world = indexed_without(page);
        let view = world.view();
        for number in 0..2000 {
            let is_answered = view.get(&indexed_key(number), SeqNo::MAX).is_ok();
            assert_eq!(is_answered, found.contains(&indexed_key(number)), "{number}");
        }
        lost_in_page.push(2000 - found.len());
    }
    let with_entries = lost_in_page.iter().take_while(|lost| **lost > 0).count();
    assert!(lost_in_page[with_entries..].iter().all(|lost| *lost == 0), "{lost_in_page:?}");
    assert!(pages as usize - with_entries >= 2, "{lost_in_page:?}");
    assert!(lost_in_page.iter().all(|lost| *lost < 250), "{lost_in_page:?}");
}
