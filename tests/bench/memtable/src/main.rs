//! Compares the memtable of lsm-core with published maps, in one run:
//!
//! `cargo run --release --manifest-path tests/bench/memtable/Cargo.toml -- [--rounds N] [--keys random|numbers]`
//!
//! Every round runs all in turn; medians count. Exit code 2 if nothing could be measured.

mod data;
mod ours;
mod pointers;
mod published;

// What is measured is not all public, so its source is taken as it stands.
#[path = "../../../../crates/lsm-core/src"]
mod lsm_core_source {
    pub mod entry_cursor;
    pub mod mem_source;
    pub mod memtable;
}
use lsm_core_source::{entry_cursor, mem_source, memtable};
pub use lsm_core::Error;

use std::{
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use data::{Clock, ENTRIES, Key, Keys, Value, value};

const ALIKE: &str = "\
1,000,000 entries of 16 B keys and 100 B values, each under a sequence number of its own, inserted in no order.
insert           by one thread; what counts is the time it has a processor, here and in what follows
insert, 2        the same by two threads; what counts is the time of day
get, hit         every key once, in another order, the newest version; the answer owns or shares its value
get, miss        keys between those
scan             all entries in order
memory           growth of a new process that fills one; in brackets what the memtable says of itself
";

/// One of the maps compared.
trait Subject: Sync + Sized {
    fn new() -> Self;
    fn insert(&self, key: &Key, seq: u64, value: &Value);
    /// The first byte of the newest value.
    fn get(&self, key: &Key) -> Option<u8>;
    fn scan(&self, visit: impl FnMut(&[u8], &[u8]));
    fn claimed_bytes(&self) -> Option<u64> {
        None
    }
}

const ROWS: [&str; 5] = ["insert", "insert, 2", "get, hit", "get, miss", "scan"];

type Run = fn(Keys) -> [Duration; ROWS.len()];
type Fill = fn(Keys) -> (u64, Option<u64>);

const SUBJECTS: [(&str, Run, Fill); 6] = [
    ("lsm-core", run::<ours::Ours>, fill::<ours::Ours>),
    ("pointers", run::<pointers::Pointers>, fill::<pointers::Pointers>),
    ("crossbeam", run::<published::Crossbeam>, fill::<published::Crossbeam>),
    ("cb array", run::<published::CrossbeamArray>, fill::<published::CrossbeamArray>),
    ("blart+lock", run::<published::Blart>, fill::<published::Blart>),
    ("std+lock", run::<published::Locked>, fill::<published::Locked>),
];

fn main() -> ExitCode {
    let (mut rounds, mut keys, mut child) = (5, Some(Keys::Random), None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let next = args.next().unwrap_or_default();
        match arg.as_str() {
            "--rounds" => rounds = next.parse().unwrap_or(0),
            "--keys" => keys = Keys::named(&next),
            "--fill" => child = SUBJECTS.iter().find(|subject| subject.0 == next),
            _ => rounds = 0,
        }
    }
    let Some(keys) = keys.filter(|_| rounds > 0) else {
        eprintln!("usage: bench-memtable [--rounds N] [--keys random|numbers]");
        return ExitCode::from(2);
    };
    match child {
        Some(subject) => {
            let (bytes, claimed) = subject.2(keys);
            let claimed = claimed.map_or(String::new(), |bytes| format!("({})", bytes / ENTRIES));
            print!("{}{claimed}", bytes / ENTRIES);
        }
        None => compare(rounds, keys),
    }
    ExitCode::SUCCESS
}

fn compare(rounds: usize, keys: Keys) {
    print!("{ALIKE}");
    println!("\nmedians of {rounds} rounds, {keys:?} keys; ns an entry\n");
    let names = SUBJECTS.map(|subject| format!("{:>12}", subject.0)).concat();
    println!("{:<12}{names}", "");
    let mut times = SUBJECTS.map(|_| [const { Vec::new() }; ROWS.len()]);
    for _ in 0..rounds {
        for (subject, times) in SUBJECTS.iter().zip(&mut times) {
            for (time, times) in subject.1(keys).into_iter().zip(times) {
                times.push(time);
            }
        }
    }
    for (at, row) in ROWS.iter().enumerate() {
        let medians = times.each_mut().map(|times| {
            times[at].sort_unstable();
            format!("{:>12.0}", times[at][rounds / 2].as_nanos() as f64 / ENTRIES as f64)
        });
        println!("{row:<12}{}", medians.concat());
    }
    let memory = SUBJECTS.map(|subject| format!("{:>12}", child(subject.0)));
    println!("{:<12}{}", "memory, B", memory.concat());
}

/// What a process of its own says of one subject.
fn child(name: &str) -> String {
    let output = std::env::current_exe().and_then(|exe| Command::new(exe).args(["--fill", name]).output());
    output.map_or(String::from("?"), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run<S: Subject>(keys: Keys) -> [Duration; ROWS.len()] {
    let one = S::new();
    let start = Clock::start();
    insert(&one, keys, 0, 1);
    let insert_one = start.elapsed();
    let [hit, miss] = [0, ENTRIES].map(|from| {
        let start = Clock::start();
        for number in 0..ENTRIES {
            let number = number.wrapping_mul(0x85EB_CA6B) % ENTRIES;
            let expected = (from == 0).then(|| value(number)[0]);
            assert_eq!(one.get(&keys.key(from + number)), expected, "entry {number}");
        }
        start.elapsed()
    });
    let start = Clock::start();
    let mut seen = (0, 0);
    one.scan(|key, value| seen = (seen.0 + 1, seen.1 + u64::from(key[15]) + u64::from(value[0])));
    let scan = start.elapsed();
    let sum = (0..ENTRIES).map(|at| u64::from(keys.key(at)[15]) + u64::from(value(at)[0])).sum();
    assert_eq!(seen, (ENTRIES, sum));
    drop(one);
    let two = S::new();
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| insert(&two, keys, 0, 2));
        insert(&two, keys, 1, 2);
    });
    [insert_one, start.elapsed(), hit, miss, scan]
}

fn insert<S: Subject>(into: &S, keys: Keys, first: usize, step: usize) {
    for number in (0..ENTRIES).skip(first).step_by(step) {
        into.insert(&keys.key(number), number + 1, &value(number));
    }
}

/// How much memory a process has more when it has filled one, and what that says of itself.
fn fill<S: Subject>(keys: Keys) -> (u64, Option<u64>) {
    let before = resident();
    let subject = S::new();
    insert(&subject, keys, 0, 1);
    (resident() - before, subject.claimed_bytes())
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
