//! Workloads that write: fills, overwrites, synced writes, deletes. What they leave is checked behind them.

use resilver::{Db, Durability};

use super::{
    content::{Content, KEY_BYTES},
    figures::Figures,
    stage::{Load, Ran, Stage, drive},
};
use crate::failure::Failure;

/// Synced writes are few: one for so many keys, within bounds.
const KEYS_PER_SYNC: u64 = 200;
const SYNCS_MAX: u64 = 5_000;
const SYNCS_MIN: u64 = 50;
/// Of what was written, one in so many is asked for afterwards.
const ASKED: u64 = 101;
/// What orders and draws of the workloads differ by.
const OVERWRITE: u64 = 2;
const DELETE: u64 = 3;

pub(super) fn fill_in_order(stage: &Stage<'_>) -> Result<Figures, Failure> {
    fill(stage, "fillseq", |place| place)
}

pub(super) fn fill_in_none(stage: &Stage<'_>) -> Result<Figures, Failure> {
    fill(stage, "fillrandom", |place| stage.content.shuffled(1, place))
}

fn fill(stage: &Stage<'_>, name: &str, number_at: impl Fn(u64) -> u64 + Sync) -> Result<Figures, Failure> {
    let keys = stage.content.keys();
    stage.on_empty(name, |db| {
        let ran = drive(1, keys, |place, value| put(stage, db, number_at(place), 0, value))?;
        check_there(stage, db, (0..keys).step_by(ASKED as usize))?;
        Ok((ran, Load { wrote: stage.data_bytes(), holds: stage.data_bytes() }))
    })
}

pub(super) fn fill_synced(stage: &Stage<'_>, threads: usize) -> Result<Figures, Failure> {
    let ops = (stage.content.keys() / KEYS_PER_SYNC).clamp(SYNCS_MIN, SYNCS_MAX) * threads as u64;
    let ops = ops.min(stage.content.keys());
    stage.on_empty("fillsync", |db| {
        let keyspace = db.default_keyspace();
        let number_at = |place| stage.content.shuffled(1, place);
        let ran = drive(threads, ops, |place, value| {
            let number = number_at(place);
            stage.content.fill_value(number, 0, value);
            Ok(keyspace.put_with(&Content::key(number), value, Durability::Synced)?)
        })?;
        check_there(stage, db, (0..ops).map(number_at))?;
        let wrote = ops * stage.content.entry_bytes();
        Ok((ran, Load { wrote, holds: wrote }))
    })
}

pub(super) fn overwrite(stage: &Stage<'_>) -> Result<Figures, Failure> {
    let ops = stage.content.keys();
    let overwrite = |db: &Db| -> Result<Ran, Failure> {
        let number_at = |op| stage.content.draw(OVERWRITE, op);
        let ran = drive(1, ops, |op, value| put(stage, db, number_at(op), op + 1, value))?;
        check_there(stage, db, (0..ops).step_by(ASKED as usize).map(number_at))?;
        Ok(ran)
    };
    stage.on_filled(
        stage.cache_bytes(),
        |_, _| Ok(()),
        |db, _| Ok((overwrite(db)?, Load { wrote: stage.data_bytes(), holds: stage.data_bytes() }, None)),
    )
}

pub(super) fn delete(stage: &Stage<'_>) -> Result<Figures, Failure> {
    let ops = stage.content.keys() / 2;
    let delete = |db: &Db| -> Result<Ran, Failure> {
        let number_at = |place| stage.content.shuffled(DELETE, place);
        let ran = drive(1, ops, |place, _| Ok(db.delete(&Content::key(number_at(place)))?))?;
        for number in (0..ops).step_by(ASKED as usize).map(number_at) {
            if db.get(&Content::key(number))?.is_some() {
                return Err(Failure::Wrong(format!("key number {number} is there after it was deleted")));
            }
        }
        check_there(stage, db, (ops..stage.content.keys()).step_by(ASKED as usize).map(number_at))?;
        Ok(ran)
    };
    let holds = (stage.content.keys() - ops) * stage.content.entry_bytes();
    let load = Load { wrote: ops * KEY_BYTES as u64, holds };
    stage.on_filled(stage.cache_bytes(), |_, _| Ok(()), |db, _| Ok((delete(db)?, load, None)))
}

/// Sets a key to its value of a round.
pub(super) fn put(
    stage: &Stage<'_>,
    db: &Db,
    number: u64,
    round: u64,
    value: &mut Vec<u8>,
) -> Result<(), Failure> {
    stage.content.fill_value(number, round, value);
    Ok(db.put(&Content::key(number), value)?)
}

fn check_there(stage: &Stage<'_>, db: &Db, numbers: impl Iterator<Item = u64>) -> Result<(), Failure> {
    for number in numbers {
        super::reads::get(stage, db, number)?;
    }
    Ok(())
}
