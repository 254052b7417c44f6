//! Workloads that read. An answer that is not the right one ends the bench.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use resilver::{Db, Scan};

use super::{
    content::Content,
    figures::Figures,
    stage::{Load, Ran, Stage, drive},
    writes,
};
use crate::{failure::Failure, files};

/// Keys of a scan from anywhere.
const SCANNED: u64 = 100;
/// Scans are fewer than reads: one for so many keys.
const KEYS_PER_SCAN: u64 = 50;
/// Reads from the disk are fewer still, and the system forgets the files every so many.
const KEYS_PER_DISK_READ: u64 = 50;
const DISK_READS_MAX: u64 = 10_000;
const FORGET_EVERY: u64 = 64;
/// The data is so many times the cache where it does not fit.
const BEYOND: u64 = 8;
/// What draws of the workloads differ by.
const READ: u64 = 4;
const MISS: u64 = 5;
const SEEK: u64 = 6;
const WRITE_BESIDE: u64 = 7;

pub(super) fn cached(stage: &Stage<'_>, threads: usize) -> Result<Figures, Failure> {
    let ops = stage.content.keys() * threads as u64;
    read(stage, stage.cache_bytes(), |db| drive(threads, ops, |op, _| get_any(stage, db, op)))
}

pub(super) fn beyond_cache(stage: &Stage<'_>) -> Result<Figures, Failure> {
    let ops = stage.content.keys();
    read(stage, stage.data_bytes() / BEYOND, |db| drive(1, ops, |op, _| get_any(stage, db, op)))
}

pub(super) fn from_disk(stage: &Stage<'_>) -> Result<Figures, Failure> {
    let ops = (stage.content.keys() / KEYS_PER_DISK_READ).clamp(1, DISK_READS_MAX);
    let work = |db: &Db, path: &Path| {
        let mut ran = Ran::none();
        for first in (0..ops).step_by(FORGET_EVERY as usize) {
            files::forget_cached(path)?;
            let turn = FORGET_EVERY.min(ops - first);
            ran.join(drive(1, turn, |op, _| get_any(stage, db, first + op))?);
        }
        Ok((ran, unchanged(stage), None))
    };
    stage.on_filled(0, |_, _| Ok(()), work)
}

pub(super) fn missing(stage: &Stage<'_>) -> Result<Figures, Failure> {
    read(stage, stage.cache_bytes(), |db| {
        drive(1, stage.content.keys(), |op, _| {
            let number = stage.content.draw(MISS, op);
            match db.get(&Content::missing(number))? {
                None => Ok(()),
                Some(_) => {
                    Err(Failure::Wrong(format!("a key near number {number} that nobody set is there")))
                }
            }
        })
    })
}

pub(super) fn seek(stage: &Stage<'_>) -> Result<Figures, Failure> {
    let keys = stage.content.keys();
    read(stage, stage.cache_bytes(), |db| {
        drive(1, (keys / KEYS_PER_SCAN).max(1), |op, _| {
            let first = stage.content.draw(SEEK, op);
            let scan = Scan::all().from(Content::key(first).to_vec());
            walk(stage, db.scan(scan)?.take(SCANNED as usize), first, SCANNED.min(keys - first))
        })
    })
}

pub(super) fn prefix(stage: &Stage<'_>) -> Result<Figures, Failure> {
    use super::content::PER_PREFIX;
    read(stage, stage.cache_bytes(), |db| {
        drive(1, (stage.content.keys() / KEYS_PER_SCAN).max(1), |op, _| {
            let number = stage.content.draw(SEEK, op);
            let (first, count) = (number / PER_PREFIX * PER_PREFIX, stage.content.in_prefix(number));
            walk(stage, db.scan(Scan::prefix(Content::prefix(number)))?, first, count)
        })
    })
}

pub(super) fn while_writing(stage: &Stage<'_>, threads: usize) -> Result<Figures, Failure> {
    let (keys, over) = (stage.content.keys(), AtomicBool::new(false));
    let write = |db: &Db| -> Result<u64, Failure> {
        let (mut puts, mut value) = (0, Vec::new());
        while !over.load(Ordering::Relaxed) {
            writes::put(stage, db, stage.content.draw(WRITE_BESIDE, puts), puts, &mut value)?;
            puts += 1;
        }
        Ok(puts)
    };
    let work = |db: &Db, _: &Path| {
        thread::scope(|scope| {
            let writer = scope.spawn(|| write(db));
            let ran = drive(threads, keys, |op, _| get_any(stage, db, op));
            over.store(true, Ordering::Relaxed);
            let puts = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            let wrote = puts * stage.content.entry_bytes();
            Ok((ran?, Load { wrote, holds: stage.data_bytes() }, Some(puts)))
        })
    };
    stage.on_filled(stage.cache_bytes(), |db, _| warm(stage, db), work)
}

/// Measures reads of a store whose cache holds what it can.
fn read(
    stage: &Stage<'_>,
    cache_bytes: u64,
    work: impl FnOnce(&Db) -> Result<Ran, Failure>,
) -> Result<Figures, Failure> {
    stage.on_filled(cache_bytes, |db, _| warm(stage, db), |db, _| Ok((work(db)?, unchanged(stage), None)))
}

fn unchanged(stage: &Stage<'_>) -> Load {
    Load { wrote: 0, holds: stage.data_bytes() }
}

/// Asks for every key once.
fn warm(stage: &Stage<'_>, db: &Db) -> Result<(), Failure> {
    (0..stage.content.keys()).try_for_each(|number| get(stage, db, number))
}

fn get_any(stage: &Stage<'_>, db: &Db, op: u64) -> Result<(), Failure> {
    get(stage, db, stage.content.draw(READ, op))
}

/// Asks for a key and checks the answer.
pub(super) fn get(stage: &Stage<'_>, db: &Db, number: u64) -> Result<(), Failure> {
    match db.get(&Content::key(number))? {
        Some(value) if stage.content.is_of(number, &value) => Ok(()),
        Some(_) => Err(Failure::Wrong(format!("the value of key number {number} is another"))),
        None => Err(Failure::Wrong(format!("key number {number} is not there"))),
    }
}

/// Walks to the end and checks that it met these keys, each with a value of its own.
fn walk(stage: &Stage<'_>, items: impl Iterator<Item = Item>, first: u64, count: u64) -> Result<(), Failure> {
    let mut number = first;
    for item in items {
        let (key, value) = item?;
        if key[..] != Content::key(number) || !stage.content.is_of(number, &value) {
            return Err(Failure::Wrong(format!(
                "a scan met something else where key number {number} belongs"
            )));
        }
        number += 1;
    }
    match number - first {
        seen if seen == count => Ok(()),
        seen => Err(Failure::Wrong(format!("a scan from key number {first} met {seen} of {count} keys"))),
    }
}

type Item = <resilver::Items as Iterator>::Item;
