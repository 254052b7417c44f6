//! What is done to a store, and measured: fill, overwrite, cached reads, reads beyond the cache, synced writes.
//! Every answer is checked while it is measured.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    content::Content,
    engine::{Engine, Failure, Kind, Settings},
    meter::{self, Meter},
    rows::{self, Sample},
};

/// Keys of a scan.
const SCANNED: usize = 100;
/// Threads that sync, and puts of each.
const SYNCERS: u64 = 8;
const SYNCS: u64 = 250;
/// The data is so many times the small cache.
const BEYOND: u64 = 8;
/// A store has settled once nothing was written for so long, and hardly anything done.
const QUIET: Duration = Duration::from_millis(500);
const QUIET_CPU: Duration = Duration::from_millis(25);
const SETTLING_MAX: Duration = Duration::from_secs(300);

/// What orders and draws differ by.
const ORDER: u64 = 1;
const OVER: u64 = 2;
const READ: u64 = 3;

pub struct Stage<'a> {
    pub kind: Kind,
    /// The store that is filled, overwritten, read.
    pub path: &'a Path,
    /// A fresh place for synced writes.
    pub synced: &'a Path,
    pub content: &'a Content,
    pub settings: Settings,
}

pub type Phase = fn(&Stage<'_>) -> Result<Vec<Sample>, Failure>;

pub const PHASES: [(&str, Phase); 5] =
    [("fill", fill), ("overwrite", overwrite), ("reads", reads), ("small", small), ("synced", synced)];

/// What some operations took.
#[derive(Clone, Copy)]
struct Took {
    ops: u64,
    wall: Duration,
    cpu: Duration,
    worst: Duration,
}

impl Took {
    /// Thousands a second, by the clock and by the processor.
    fn sample(self, row: usize) -> Sample {
        let rate = |time: Duration| self.ops as f64 / time.as_secs_f64() / 1e3;
        Sample { row, value: rate(self.wall), by_cpu: Some(rate(self.cpu)) }
    }

    fn stall(self, row: usize) -> Sample {
        Sample { row, value: self.worst.as_secs_f64() * 1e3, by_cpu: None }
    }
}

impl Stage<'_> {
    pub fn data_bytes(&self) -> u64 {
        self.content.keys() * self.content.entry_bytes()
    }

    fn open(&self, cache_bytes: u64) -> Result<Box<dyn Engine>, Failure> {
        (self.kind.open)(self.path, &Settings { cache_bytes, ..self.settings })
    }

    fn roomy(&self) -> Result<Box<dyn Engine>, Failure> {
        self.open(2 * self.data_bytes() + (64 << 20))
    }
}

pub fn fill(stage: &Stage<'_>) -> Result<Vec<Sample>, Failure> {
    let mut samples = puts(stage, 0, |place| stage.content.shuffled(ORDER, place))?;
    samples.iter_mut().for_each(|sample| {
        sample.row = [rows::FILL, rows::FILL_STALL, rows::FILL_WRITTEN][sample.row];
    });
    Ok(samples)
}

fn overwrite(stage: &Stage<'_>) -> Result<Vec<Sample>, Failure> {
    let mut samples = puts(stage, 1, |op| stage.content.draw(OVER, op))?;
    samples.iter_mut().for_each(|sample| {
        sample.row = [rows::OVERWRITE, rows::OVERWRITE_STALL, rows::WRITTEN][sample.row];
    });
    let space = meter::space_below(stage.path)? as f64 / stage.data_bytes() as f64;
    samples.push(Sample { row: rows::SPACE, value: space, by_cpu: None });
    Ok(samples)
}

/// As many puts as there are keys; rate, stall and bytes written as rows 0, 1 and 2.
fn puts(stage: &Stage<'_>, round: u64, number_at: impl Fn(u64) -> u64) -> Result<Vec<Sample>, Failure> {
    let engine = stage.roomy()?;
    let (meter, begun) = (Meter::start(), Instant::now());
    let (mut last, mut worst, mut value) = (begun, Duration::ZERO, Vec::new());
    for op in 0..stage.content.keys() {
        let number = number_at(op);
        stage.content.fill_value(number, round, &mut value);
        engine.put(&Content::key(number), &value)?;
        let now = Instant::now();
        worst = worst.max(now - last);
        last = now;
    }
    let wall = last - begun;
    settle(&*engine)?;
    let took = Took { ops: stage.content.keys(), wall, cpu: meter.cpu(), worst };
    let written = meter.written().ok_or("the system does not say what was written")?;
    for op in (0..stage.content.keys()).step_by(97) {
        get(&*engine, stage.content, number_at(op))?;
    }
    let written = written as f64 / stage.data_bytes() as f64;
    Ok(vec![took.sample(0), took.stall(1), Sample { row: 2, value: written, by_cpu: None }])
}

fn reads(stage: &Stage<'_>) -> Result<Vec<Sample>, Failure> {
    let (engine, content) = (stage.roomy()?, stage.content);
    let engine = &*engine;
    warm(engine, content)?;
    let one = drive("read", 1, content.keys(), |op| get(engine, content, content.draw(READ, op)))?;
    let two = drive("read2", 2, 2 * content.keys(), |op| get(engine, content, content.draw(READ, op)))?;
    let missing = drive("missing", 1, content.keys(), |op| {
        match engine.get(&Content::missing(content.draw(READ, op)), &mut |_| {})? {
            true => Err("a key that nobody has is there".into()),
            false => Ok(()),
        }
    })?;
    let times = |one: Duration, two: Duration| 2.0 * one.as_secs_f64() / two.as_secs_f64();
    // By the processor, both would take the same for an operation if neither hindered the other.
    let readers = Sample {
        row: rows::READERS,
        value: times(one.wall, two.wall),
        by_cpu: Some(2.0 * times(one.cpu, two.cpu)),
    };
    let scanned = scan_all_over("scan", engine, content)?;
    Ok(vec![one.sample(rows::READ), readers, missing.sample(rows::MISSING), scanned.sample(rows::SCAN)])
}

fn small(stage: &Stage<'_>) -> Result<Vec<Sample>, Failure> {
    let (engine, content) = (stage.open(stage.data_bytes() / BEYOND)?, stage.content);
    let engine = &*engine;
    warm(engine, content)?;
    let read = drive("small-read", 1, content.keys(), |op| get(engine, content, content.draw(READ, op)))?;
    let scanned = scan_all_over("small-scan", engine, content)?;
    Ok(vec![read.sample(rows::SMALL_READ), scanned.sample(rows::SMALL_SCAN)])
}

fn synced(stage: &Stage<'_>) -> Result<Vec<Sample>, Failure> {
    if !stage.kind.syncs {
        return Ok(Vec::new());
    }
    let engine = (stage.kind.open)(stage.synced, &stage.settings)?;
    let took = drive("synced", SYNCERS, SYNCERS * SYNCS, |op| {
        let (number, mut value) = (stage.content.shuffled(ORDER, op % stage.content.keys()), Vec::new());
        stage.content.fill_value(number, 0, &mut value);
        engine.put_synced(&Content::key(number), &value)
    })?;
    for op in 0..SYNCERS * SYNCS {
        get(&*engine, stage.content, stage.content.shuffled(ORDER, op % stage.content.keys()))?;
    }
    Ok(vec![took.sample(rows::SYNCED)])
}

fn warm(engine: &dyn Engine, content: &Content) -> Result<(), Failure> {
    (0..content.keys()).try_for_each(|number| get(engine, content, number))
}

fn get(engine: &dyn Engine, content: &Content, number: u64) -> Result<(), Failure> {
    let mut is_right = false;
    engine.get(&Content::key(number), &mut |value| is_right = content.is_of(number, value))?;
    if is_right { Ok(()) } else { Err(format!("key number {number} was answered wrong").into()) }
}

/// Scans from keys anywhere, as many entries altogether as there are keys.
fn scan_all_over(name: &str, engine: &dyn Engine, content: &Content) -> Result<Took, Failure> {
    let scans = (content.keys() / SCANNED as u64).max(1);
    let mut took = drive(name, 1, scans, |op| {
        let first = content.draw(READ, op) * (content.keys() - SCANNED as u64) / content.keys();
        let (mut number, mut is_right) = (first, true);
        engine.scan(&Content::key(first), SCANNED, &mut |key, value| {
            is_right &= key == Content::key(number) && content.is_of(number, value);
            number += 1;
        })?;
        match is_right && number == first + SCANNED as u64 {
            true => Ok(()),
            false => Err(format!("a scan from key number {first} met something else").into()),
        }
    })?;
    took.ops *= SCANNED as u64;
    Ok(took)
}

/// Has threads do so many operations together; a profiler tells them by their name.
fn drive(
    name: &str,
    threads: u64,
    ops: u64,
    op: impl Fn(u64) -> Result<(), Failure> + Sync,
) -> Result<Took, Failure> {
    let (meter, begun, op) = (Meter::start(), Instant::now(), &op);
    thread::scope(|scope| {
        let work = |first: u64| move || (first..ops).step_by(threads as usize).try_for_each(op);
        let crew: Vec<_> = (0..threads)
            .map(|first| thread::Builder::new().name(name.into()).spawn_scoped(scope, work(first)))
            .collect();
        crew.into_iter().try_for_each(|member| member?.join().unwrap())
    })?;
    Ok(Took { ops, wall: begun.elapsed(), cpu: meter.cpu(), worst: Duration::ZERO })
}

/// Waits until everything is in tables and nothing is done in the background any more.
pub fn settle(engine: &dyn Engine) -> Result<(), Failure> {
    engine.flush()?;
    let begun = Instant::now();
    while begun.elapsed() < SETTLING_MAX {
        let meter = Meter::start();
        thread::sleep(QUIET);
        if meter.written() == Some(0) && meter.cpu() < QUIET_CPU {
            break;
        }
    }
    Ok(())
}
