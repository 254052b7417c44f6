//! What a store lives through before it is hurt: a fill, rounds of overwrites and deletes in tables, and a last one
//! that is synced and, where there is a log, in the log alone. Then its process is killed.
//!
//! Invariant: the same seed tells the same story to every engine, and whoever reads knows it by the seed alone.

use std::path::Path;

use crate::{
    content::{Content, Key},
    engine::{Engine, Failure, Kind, Settings},
    phases,
};

/// Rounds in tables behind the fill.
const ROUNDS: u64 = 3;
/// A round touches one of so many keys, the last one of fewer.
const TOUCHED: u64 = 4;
const TOUCHED_LAST: u64 = 32;
/// One of so many operations is a delete.
const DELETED: u64 = 5;

/// What orders and draws differ by.
const ORDER: u64 = 1;
const DELETE: u64 = 2;
const ROUND: u64 = 16;

pub struct Story {
    content: Content,
}

impl Story {
    pub fn new(keys: u64, value_bytes: usize, seed: u64) -> Self {
        Self { content: Content::new(keys, value_bytes, seed) }
    }

    pub fn keys(&self) -> u64 {
        self.content.keys()
    }

    /// A round's operations: numbers, and the values they get, or none.
    fn deeds(&self, round: u64) -> impl Iterator<Item = (u64, Option<u64>)> {
        let keys = self.keys();
        let ops = match round {
            0 => keys,
            _ if round > ROUNDS => keys / TOUCHED_LAST,
            _ => keys / TOUCHED,
        };
        (0..ops).map(move |op| {
            let stamp = round << 32 | op;
            if round == 0 {
                return (self.content.shuffled(ORDER, op), Some(stamp));
            }
            let is_delete = self.content.draw(DELETE ^ round << 8, op) % DELETED == 0;
            (self.content.draw(ROUND + round, op), (!is_delete).then_some(stamp))
        })
    }

    /// What every key has in the end, by number.
    pub fn end(&self) -> Vec<Option<u64>> {
        let mut end = vec![None; self.keys() as usize];
        for (number, stamp) in (0..=ROUNDS + 1).flat_map(|round| self.deeds(round)) {
            end[number as usize] = stamp;
        }
        end
    }

    /// A key and what it is set to.
    pub fn entry(&self, number: u64, stamp: u64, value: &mut Vec<u8>) -> Key {
        self.content.fill_value(number, stamp, value);
        Content::key(number)
    }

    /// Has an engine live through it. The store is left open, with a log in use.
    pub fn tell(&self, kind: Kind, path: &Path, settings: &Settings) -> Result<Box<dyn Engine>, Failure> {
        let engine = (kind.open)(path, settings)?;
        for round in 0..=ROUNDS {
            self.tell_round(&*engine, round)?;
            engine.flush()?;
        }
        phases::settle(&*engine)?;
        self.tell_round(&*engine, ROUNDS + 1)?;
        if kind.syncs {
            // Makes what was done before it durable too.
            let (number, stamp) = self.last();
            let mut value = Vec::new();
            let key = self.entry(number, stamp, &mut value);
            engine.put_synced(&key, &value)?;
        } else {
            phases::settle(&*engine)?;
        }
        Ok(engine)
    }

    fn tell_round(&self, engine: &dyn Engine, round: u64) -> Result<(), Failure> {
        let mut value = Vec::new();
        for (number, stamp) in self.deeds(round) {
            match stamp {
                Some(stamp) => {
                    let key = self.entry(number, stamp, &mut value);
                    engine.put(&key, &value)?;
                }
                None => engine.delete(&Content::key(number))?,
            }
        }
        Ok(())
    }

    /// Any key that is there in the end: it is said once more, with a sync.
    fn last(&self) -> (u64, u64) {
        let end = self.end();
        let there = (0..).zip(end).find_map(|(number, stamp)| Some((number, stamp?)));
        there.expect("not every key is deleted")
    }
}
