//! What writing costs: fills a store in order, at random and over itself, with values of one size, and says how
//! long it took, what it cost the processor, how much was written for each byte given, and the longest put.
//!
//! `cargo run --release -p resilver --example writing -- DIR [KEYS] [VALUE_BYTES] [WORK..]`, where `WORK` is any of
//! `fillseq`, `fillrandom`, `overwrite` (which follows a `fillrandom`) and `synced`.

use std::{
    error::Error,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use resilver::{Db, Durability, Options};

/// Threads of the synced writes.
const WRITERS: u64 = 8;

/// How much there is to write.
#[derive(Clone, Copy)]
struct Size {
    keys: u64,
    value_bytes: usize,
}

/// What was used up by the process, by its own account.
struct Used {
    at: Instant,
    cpu: Duration,
    written: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: writing DIR [KEYS] [VALUE_BYTES] [WORK..]")?;
    let keys = args.next().map_or(Ok(1_000_000), |keys| keys.parse())?;
    let value_bytes = args.next().map_or(Ok(100), |bytes| bytes.parse())?;
    let size = Size { keys, value_bytes };
    let given: Vec<_> = args.collect();
    let works = if given.is_empty() { vec!["fillseq", "fillrandom", "overwrite"] } else { names(&given) };
    println!("work         ops/s   wall s  cpu s  written/byte  worst put ms  p99.9 us  idle after s");
    for work in works {
        run(Path::new(&dir), work, size)?;
    }
    Ok(())
}

fn names(given: &[String]) -> Vec<&str> {
    given.iter().map(String::as_str).collect()
}

fn run(dir: &Path, work: &str, size: Size) -> Result<(), Box<dyn Error>> {
    let path = dir.join("writing");
    if work != "overwrite" && path.exists() {
        fs::remove_dir_all(&path)?;
    }
    let db = options().open(&path)?;
    let before = Used::now()?;
    let mut latencies = match work {
        "synced" => fill_synced(&db, size)?,
        _ => fill(&db, size, order_of(work, size.keys))?,
    };
    let wall = before.at.elapsed();
    settle(&db)?;
    let (idle, after) = (before.at.elapsed() - wall, Used::now()?);
    latencies.sort_unstable();
    let ops = latencies.len();
    let given = ops as f64 * (16 + size.value_bytes) as f64;
    println!(
        "{work:<10} {:>8.0} {:>7.2} {:>6.2} {:>10.2} {:>14.2} {:>10.1} {:>10.2}",
        ops as f64 / wall.as_secs_f64(),
        wall.as_secs_f64(),
        (after.cpu - before.cpu).as_secs_f64(),
        (after.written - before.written) as f64 / given,
        latencies[ops - 1].as_secs_f64() * 1e3,
        latencies[ops - 1 - ops / 1000].as_secs_f64() * 1e6,
        idle.as_secs_f64(),
    );
    db.close()?;
    Ok(())
}

/// Waits until nothing is left to compact for now.
fn settle(db: &Db) -> Result<(), resilver::Error> {
    db.flush()?;
    let mut last = None;
    loop {
        let tables = format!("{:?}", db.stats().tables);
        if last.as_ref() == Some(&tables) {
            return Ok(());
        }
        last = Some(tables);
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn options() -> Options {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut options = Options::new();
    if let Some(bytes) = number("MEMTABLE_BYTES") {
        options = options.memtable_bytes(bytes);
    }
    if let Some(bytes) = number("LEVEL_BASE_BYTES") {
        options = options.level_base_bytes(bytes);
    }
    options
}

/// The keys of a work, each once: in order, or in an order that is the same each time.
fn order_of(work: &str, keys: u64) -> impl Fn(u64) -> u64 {
    let spread = match work {
        "fillseq" => None,
        "overwrite" => Some(0x9e37_79b9_7f4a_7c15),
        _ => Some(0xd134_2543_de82_ef95),
    };
    // A full period modulo a power of two needs an odd factor only; what lies above `keys` is mapped below it.
    move |at| {
        spread.map_or(at, |factor: u64| (at.wrapping_mul(factor) ^ (at >> 3)).wrapping_mul(factor) % keys)
    }
}

fn fill(db: &Db, size: Size, key_at: impl Fn(u64) -> u64) -> Result<Vec<Duration>, resilver::Error> {
    let mut latencies = Vec::with_capacity(usize::try_from(size.keys).unwrap_or(0));
    let mut value = vec![0; size.value_bytes];
    for at in 0..size.keys {
        renew(&mut value, at);
        let key = format!("{:016}", key_at(at));
        let begun = Instant::now();
        db.put(key.as_bytes(), &value)?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}

fn fill_synced(db: &Db, size: Size) -> Result<Vec<Duration>, resilver::Error> {
    let writer = |writer: u64| -> Result<Vec<Duration>, resilver::Error> {
        let (mut latencies, mut value) = (Vec::new(), vec![0; size.value_bytes]);
        for at in 0..size.keys / WRITERS {
            renew(&mut value, at * WRITERS + writer);
            let mut batch = resilver::WriteBatch::new();
            batch.put(&db.default_keyspace(), format!("{:016}", at * WRITERS + writer).as_bytes(), &value);
            let begun = Instant::now();
            db.write_with(&batch, Durability::Synced)?;
            latencies.push(begun.elapsed());
        }
        Ok(latencies)
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|no| scope.spawn(move || writer(no))).collect();
        let mut all = Vec::new();
        for writer in writers {
            match writer.join() {
                Ok(latencies) => all.extend(latencies?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// Bytes that do not compress well, from a number.
fn renew(value: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for bytes in value.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.copy_from_slice(&state.to_le_bytes()[..bytes.len()]);
    }
}

impl Used {
    fn now() -> Result<Self, Box<dyn Error>> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let io = fs::read_to_string("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).ok_or("no wchar")?;
        Ok(Self { at: Instant::now(), cpu: Duration::from_millis(ticks * 10), written: written.parse()? })
    }
}
