//! Prints what a table costs: `cargo run --release -p sst-format --example table`.
//!
//! A million entries of 16 and 100 bytes are written and sealed, read at random places, and scanned. Each time
//! is the best of its rounds, taken in turn, so that a busy machine disturbs all alike. `proven` proves each block on each read;
//! `cached` keeps proven blocks, as a block cache does.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use page_ecc::Uid;
use sst_format::{
    Codec, Entry, HashIndex, MemoryTable, ReadOptions, SeqNo, Step, TableBlock, TableOptions, TableWriter,
    WrittenTable,
};

const ENTRIES: u64 = 1_000_000;
const READS: u64 = 1_000_000;
const ROUNDS: usize = 5;

fn main() {
    let plain = TableOptions::new().expected_bytes(130 << 20);
    let mut rows = [
        Row::new("default", plain.clone()),
        Row::new("restarts every 4", plain.clone().restart_interval(4)),
        Row::new("restarts every 16", plain.clone().restart_interval(16)),
        Row::new("no hash index", plain.clone().hash_index(HashIndex::Off)),
        Row::new("no hash index, every 16", plain.clone().hash_index(HashIndex::Off).restart_interval(16)),
        Row::new("blocks of 16 KiB", plain.clone().block_bytes(16 << 10)),
        Row::new("lz4", plain.codec(Codec::Lz4)),
    ];
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
    println!(
        "options                  write+seal  body B/entry  get proven  get cached  get absent  scan, ns an entry"
    );
    rows.iter().for_each(Row::print);
}

/// Keys whose order is that of their numbers, and whose bytes look random.
fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(number.wrapping_mul(0x10_0000_0000_0000 / ENTRIES) << 12).to_be_bytes());
    key[8..].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key
}

fn value(number: u64) -> [u8; 100] {
    let mut value = [b'v'; 100];
    for (at, part) in value[..56].chunks_exact_mut(8).enumerate() {
        let word = (number + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(at as u32 * 7);
        part.copy_from_slice(&word.to_le_bytes());
    }
    value
}

fn write(options: &TableOptions) -> WrittenTable {
    let mut writer = TableWriter::new(Uid::new([7; 16]), options.clone()).expect("the options are valid");
    for number in 0..ENTRIES {
        let seq = SeqNo::new(number.wrapping_mul(7919) % ENTRIES);
        writer.add(Entry::put(&key(number), seq, &value(number))).expect("keys ascend");
    }
    writer.finish().expect("a table of this size can be sealed")
}

/// Best times so far, in nanoseconds an operation: write, get proven, get cached, get absent, scan.
type Times = [f64; 5];

/// One way of writing a table, timed in turn with the others.
struct Row {
    name: &'static str,
    options: TableOptions,
    per_entry: f64,
    best: Times,
}

impl Row {
    fn new(name: &'static str, options: TableOptions) -> Self {
        Self { name, options, per_entry: 0.0, best: [f64::INFINITY; 5] }
    }

    fn round(&mut self) {
        let mut written = None;
        let write_ns = time(ENTRIES, || written = Some(write(&self.options)));
        let written = written.expect("a table was written");
        self.per_entry = written.image.body().len() as f64 / ENTRIES as f64;
        let table =
            MemoryTable::open(&written.image, ReadOptions::new()).expect("a table just written opens");
        drop(written);
        let mut cache = Cache::default();
        for number in (0..ENTRIES).step_by(20) {
            cache.get(&table, &key(number));
        }
        let keys: Vec<[u8; 16]> =
            (0..READS).map(|read| key(read.wrapping_mul(0x9E37_79B1) % ENTRIES)).collect();
        let absent: Vec<[u8; 16]> =
            keys.iter().map(|key| (u128::from_be_bytes(*key) ^ 1).to_be_bytes()).collect();
        let proven = time(READS, || keys.iter().for_each(|key| assert!(get(&table, key))));
        let cached =
            time(READS, || keys.iter().for_each(|key| assert_eq!(cache.get(&table, key), Some(100))));
        let absent = time(READS, || absent.iter().for_each(|key| assert_eq!(cache.get(&table, key), None)));
        let scan = time(ENTRIES, || assert_eq!(scan(&table), ENTRIES));
        let times = [write_ns, proven, cached, absent, scan];
        self.best.iter_mut().zip(times).for_each(|(best, time)| *best = best.min(time));
    }

    fn print(&self) {
        let [write, proven, cached, absent, scan] = self.best;
        let (name, per_entry) = (self.name, self.per_entry);
        println!(
            "{name:<24} {write:>10.0} {per_entry:>13.1} {proven:>11.0} {cached:>11.0} {absent:>11.0} {scan:>5.1}"
        );
    }
}

fn get(table: &MemoryTable, key: &[u8]) -> bool {
    table.get(key, SeqNo::MAX).expect("nothing is damaged").is_some_and(|found| found.value.len() == 100)
}

fn scan(table: &MemoryTable) -> u64 {
    let mut cursor = table.view().cursor();
    cursor.seek_first().expect("the index is sound");
    table.drive(&mut cursor).expect("nothing is damaged");
    let mut entries = 0;
    while let Some(entry) = cursor.entry().expect("every kind is known") {
        entries += u64::from(entry.value.len() == 100);
        cursor.move_next().expect("blocks are sound");
        table.drive(&mut cursor).expect("nothing is damaged");
    }
    entries
}

/// Nanoseconds an operation.
fn time(operations: u64, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// Proven blocks by offset.
#[derive(Default)]
struct Cache {
    blocks: HashMap<u64, TableBlock, BuildHasherDefault<OffsetHasher>>,
}

impl Cache {
    fn get(&mut self, table: &MemoryTable, key: &[u8]) -> Option<usize> {
        let mut find = table.view().find(key, SeqNo::MAX).expect("the index is sound");
        while let Step::Read(addr) = find.step() {
            let block = self.blocks.entry(addr.span.offset);
            let block = block.or_insert_with(|| table.block(addr).expect("nothing is damaged"));
            if let Some(entry) = find.supply(block).expect("blocks are sound") {
                return Some(entry.value.len());
            }
        }
        None
    }
}

#[derive(Default)]
struct OffsetHasher(u64);

impl Hasher for OffsetHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 32;
    }
}
