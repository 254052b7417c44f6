//! Fixed small workloads whose instructions `cargo xtask nightly counts` counts.
//!
//! `counts WORKLOAD ROUNDS` prepares everything in memory, with one thread, then does the work so many times in
//! [`work_that_is_counted`], which callgrind is told to look at alone. `counts` names the workloads, each with how many
//! operations a round is.

use std::{error::Error, hint::black_box, sync::Arc};

use lsm_io::MemFs;
use page_ecc::{SealOptions, Uid};
use resilver::{Background, Db, Options, Scan, WriteBatch};
use sst_format::{Entry, SeqNo, TableOptions, TableWriter};

/// Keys of the store that reads go to.
const KEYS: u64 = 20_000;
const VALUE_LEN: usize = 100;
const SCAN_LEN: u64 = 100;
const BATCH_LEN: u64 = 100;
/// Bytes of the body that is sealed.
const BODY_LEN: usize = 1 << 20;
/// An odd number, so that multiplying by it permutes.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Round = Box<dyn FnMut(u64) -> Outcome>;

/// A workload: its name, the operations of a round, and how a round is made ready.
struct Workload {
    name: &'static str,
    operations: u64,
    prepare: fn() -> Outcome<Round>,
}

const WORKLOADS: [Workload; 8] = [
    Workload { name: "get-cached", operations: 1000, prepare: get_cached },
    Workload { name: "get-missing", operations: 1000, prepare: get_missing },
    Workload { name: "multi-get", operations: 1000, prepare: multi_get },
    Workload { name: "scan", operations: 10 * SCAN_LEN, prepare: scan },
    Workload { name: "put", operations: 1000, prepare: put },
    Workload { name: "batch", operations: 10 * BATCH_LEN, prepare: batch },
    Workload { name: "table-write", operations: KEYS, prepare: table_write },
    Workload { name: "seal-kib", operations: BODY_LEN as u64 >> 10, prepare: seal },
];

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, rounds] = &words[..] else {
        WORKLOADS.iter().for_each(|workload| println!("{} {}", workload.name, workload.operations));
        return Ok(());
    };
    let workload = WORKLOADS.iter().find(|workload| workload.name == name);
    let mut round = (workload.ok_or("there is no such workload")?.prepare)()?;
    // What is only done the first time is not counted.
    round(0)?;
    for number in 1..=rounds.parse()? {
        work_that_is_counted(&mut round, number)?;
    }
    Ok(())
}

#[inline(never)]
fn work_that_is_counted(round: &mut Round, number: u64) -> Outcome {
    round(number)
}

fn options() -> Options {
    Options::new().fs(Arc::new(MemFs::new())).background(Background::Inline)
}

/// A store with everything in one level of tables, and in the cache.
fn loaded() -> Outcome<Db> {
    let db = options().open("/store")?;
    for number in 0..KEYS {
        db.put(&key(number), &value(number))?;
    }
    db.compact()?;
    for _ in 0..2 {
        db.scan(Scan::all())?.try_for_each(|item| item.map(|_| ()))?;
    }
    for number in 0..KEYS {
        db.get(&key(number))?;
    }
    Ok(db)
}

fn get_cached() -> Outcome<Round> {
    let db = loaded()?;
    Ok(Box::new(move |round| {
        for at in 0..1000 {
            assert!(black_box(db.get(&key(mixed(round << 32 | at) % KEYS))?).is_some());
        }
        Ok(())
    }))
}

fn get_missing() -> Outcome<Round> {
    let db = loaded()?;
    Ok(Box::new(move |round| {
        for at in 0..1000 {
            assert!(black_box(db.get(&key(KEYS + mixed(round << 32 | at) % KEYS))?).is_none());
        }
        Ok(())
    }))
}

fn multi_get() -> Outcome<Round> {
    let db = loaded()?;
    Ok(Box::new(move |round| {
        for part in 0..10 {
            let numbers = (0..100).map(|at| mixed((round << 32) | (part * 100 + at)) % KEYS);
            let keys: Vec<_> = numbers.map(key).collect();
            for found in db.multi_get(&keys)? {
                assert!(black_box(found?).is_some());
            }
        }
        Ok(())
    }))
}

fn scan() -> Outcome<Round> {
    let db = loaded()?;
    Ok(Box::new(move |round| {
        for at in 0..10 {
            // Far enough from the end of the keys for a whole scan.
            let from = mixed(round << 32 | at) >> 1;
            for item in db.scan(Scan::all().from(from.to_be_bytes().to_vec()))?.take(SCAN_LEN as usize) {
                black_box(item?);
            }
        }
        Ok(())
    }))
}

fn put() -> Outcome<Round> {
    let db = options().open("/store")?;
    Ok(Box::new(move |round| {
        for at in 0..1000 {
            let number = round * 1000 + at;
            db.put(&key(number), &value(number))?;
        }
        Ok(())
    }))
}

fn batch() -> Outcome<Round> {
    let db = options().open("/store")?;
    let keyspace = db.default_keyspace();
    Ok(Box::new(move |round| {
        for nth in 0..10 {
            let mut batch = WriteBatch::new();
            for at in 0..BATCH_LEN {
                let number = (round * 10 + nth) * BATCH_LEN + at;
                batch.put(&keyspace, &key(number), &value(number));
            }
            db.write(&batch)?;
        }
        Ok(())
    }))
}

fn table_write() -> Outcome<Round> {
    let mut entries: Vec<_> = (0..KEYS).map(|number| (key(number), value(number))).collect();
    entries.sort_unstable();
    Ok(Box::new(move |round| {
        let mut writer = TableWriter::new(uid(round), TableOptions::new())?;
        for (key, value) in &entries {
            writer.add(Entry::put(key, SeqNo::new(round + 1), value))?;
        }
        black_box(writer.finish()?);
        Ok(())
    }))
}

fn seal() -> Outcome<Round> {
    let body: Vec<u8> = (0..BODY_LEN as u64 / 8).flat_map(|at| mixed(at).to_le_bytes()).collect();
    Ok(Box::new(move |round| {
        black_box(SealOptions::new(uid(round)).seal(&body)?);
        Ok(())
    }))
}

fn uid(round: u64) -> Uid {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&round.to_le_bytes());
    Uid::new(bytes)
}

/// Keys that stand in no order, all of one length.
fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.wrapping_mul(SPREAD).to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn value(number: u64) -> [u8; VALUE_LEN] {
    let mut value = [0; VALUE_LEN];
    for (at, part) in value.chunks_mut(8).enumerate() {
        part.copy_from_slice(&mixed(number ^ (at as u64) << 32).to_le_bytes()[..part.len()]);
    }
    value
}

fn mixed(number: u64) -> u64 {
    let mixed = (number.wrapping_add(SPREAD) ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 1
}
