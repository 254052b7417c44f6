//! Many at once.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    thread,
};

use sst_format::{Entry, KeyOrder, RangeEntry, SeqNo};

use crate::{Memtable, entry_cursor::EntryCursor, mem_source::MemSource};

const WRITERS: u64 = 4;
const EACH: u64 = 20_000;

/// Keys of all writers lie among each other, and half of them share their first bytes.
fn key(writer: u64, nth: u64) -> Vec<u8> {
    let mixed = (nth * WRITERS + writer).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    match mixed & 1 {
        0 => mixed.to_be_bytes().to_vec(),
        _ => format!("shared {mixed:020}").into_bytes(),
    }
}

fn value(writer: u64, nth: u64) -> Vec<u8> {
    vec![(writer + nth) as u8; (nth % 50) as usize]
}

fn write(memtable: &Memtable, writer: u64, done: &AtomicU64) {
    for nth in 0..EACH {
        let seq = SeqNo::new(nth * WRITERS + writer + 1);
        memtable.insert(Entry::put(&key(writer, nth), seq, &value(writer, nth)));
        done.store(nth + 1, Release);
    }
}

/// All that were there before it started are there, each is whole, and they are in order.
fn scan(memtable: &Arc<Memtable>, done: &[AtomicU64]) -> u64 {
    let before: u64 = done.iter().map(|done| done.load(Acquire)).sum();
    let (mut cursor, mut last, mut count) = (memtable.cursor(), None, 0);
    cursor.seek_first().unwrap();
    while let Some(entry) = cursor.entry() {
        let seq = entry.seq.get() - 1;
        let (writer, nth) = (seq % WRITERS, seq / WRITERS);
        assert_eq!((entry.key, entry.value), (&key(writer, nth)[..], &value(writer, nth)[..]));
        assert!(last.as_deref() < Some(entry.key));
        last = Some(entry.key.to_vec());
        count += 1;
        cursor.move_next().unwrap();
    }
    assert!(count >= before, "{count} of {before}");
    before
}

fn get_all(memtable: &Memtable, done: &[AtomicU64]) {
    for (writer, done) in (0..).zip(done) {
        let until = done.load(Acquire);
        for nth in (0..until).rev().step_by(7).take(500) {
            let found = memtable.get(&key(writer, nth), SeqNo::MAX).map(|found| found.value.to_vec());
            assert_eq!(found, Some(value(writer, nth)), "{nth} of writer {writer}, {until} done");
        }
    }
}

#[test]
fn who_starts_after_an_insert_returned_sees_its_entry() {
    let memtable = Arc::new(Memtable::new(KeyOrder::Bytes));
    let done: Vec<_> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        for (writer, done) in (0..).zip(&done) {
            let memtable = &memtable;
            scope.spawn(move || write(memtable, writer, done));
        }
        scope.spawn(|| while scan(&memtable, &done) < WRITERS * EACH {});
        while done.iter().any(|done| done.load(Acquire) < EACH) {
            get_all(&memtable, &done);
        }
    });
    assert_eq!(scan(&memtable, &done), WRITERS * EACH);
}

#[test]
fn versions_of_one_key_written_at_once_stand_newest_first() {
    let memtable = Arc::new(Memtable::new(KeyOrder::Bytes));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let memtable = &memtable;
            scope.spawn(move || {
                for nth in 0..2000 {
                    memtable.insert(Entry::put(b"key", SeqNo::new(nth * WRITERS + writer), b""));
                }
            });
        }
    });
    let mut cursor = memtable.cursor();
    cursor.seek_first().unwrap();
    for seq in (0..2000 * WRITERS).rev() {
        assert_eq!(cursor.entry().map(|entry| entry.seq), Some(SeqNo::new(seq)));
        cursor.move_next().unwrap();
    }
    assert_eq!(cursor.entry(), None);
}

#[test]
fn range_deletes_added_at_once_are_all_there() {
    let memtable = Memtable::new(KeyOrder::Bytes);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let memtable = &memtable;
            scope.spawn(move || {
                for nth in 0..200 {
                    let seq = nth * WRITERS + writer + 1;
                    let (start, end) = (seq.to_be_bytes().to_vec(), (seq + 9).to_be_bytes().to_vec());
                    memtable.add_range(RangeEntry::delete(start, end, SeqNo::new(seq)));
                    assert!(memtable.deleted_at(&seq.to_be_bytes(), SeqNo::MAX) >= Some(SeqNo::new(seq)));
                }
            });
        }
    });
    assert_eq!(memtable.range_deletes(SeqNo::MAX).len() as u64, WRITERS * 200);
}

/// Keys that count up, count down, begin alike, repeat, or change their looks when hints are chosen.
#[test]
fn a_list_that_has_fingers_reads_as_a_sorted_map() {
    type Make = fn(u64) -> Vec<u8>;
    let shapes: [Make; 6] = [
        |nth| format!("user{nth:012}").into_bytes(),
        |nth| format!("user{:012}", 1_000_000 - nth).into_bytes(),
        |nth| format!("user{:012}", nth * 7919 % 5003).into_bytes(),
        |nth| (nth % 37).to_be_bytes().to_vec(),
        |nth| [&b"a"[..], &vec![0; (nth * 31 % 97) as usize], &[(nth % 3) as u8]].concat(),
        |nth| if nth < 1000 { nth.to_be_bytes().to_vec() } else { format!("late {}", nth * 17).into_bytes() },
    ];
    for make in shapes {
        let memtable = Arc::new(Memtable::new(KeyOrder::Bytes));
        let mut model = BTreeMap::new();
        for nth in 0..6000 {
            memtable.insert(Entry::put(&make(nth), SeqNo::new(nth), &nth.to_le_bytes()));
            model.insert((make(nth), Reverse(nth)), nth);
        }
        let mut cursor = memtable.cursor();
        cursor.seek_first().unwrap();
        for ((key, Reverse(seq)), nth) in &model {
            let entry = cursor.entry().map(|entry| (entry.key.to_vec(), entry.seq));
            assert_eq!(entry, Some((key.clone(), SeqNo::new(*seq))));
            let found = memtable.get(key, SeqNo::new(*seq)).map(|found| found.value.to_vec());
            assert_eq!(found, Some(nth.to_le_bytes().to_vec()), "{} at {seq}", key.escape_ascii());
            let absent = [&key[..], b"!"].concat();
            let there = model.contains_key(&(absent.clone(), Reverse(*seq)));
            assert!(there || memtable.get(&absent, SeqNo::new(0)).is_none());
            cursor.move_next().unwrap();
        }
        assert_eq!(cursor.entry(), None);
    }
}
