//! Keyspaces that come and go under the eyes of others.
//!
//! Each life of a name has a number of its own, which every value names: a handle shows one life, and never what
//! an earlier one left behind.

use std::collections::BTreeSet;

use lsm_io::Rng;
use resilver::{Error, Keyspace, Scan, WriteBatch};

use super::{
    load::{Load, bump, walk},
    truth::told,
};

const NAMES: [&str; 2] = ["passing", "passing-too"];
const KEYS: u64 = 40;

/// How many lives there were so far.
#[derive(Debug, Default)]
pub(super) struct Passing {
    lives: u64,
}

impl Passing {
    /// One life of a keyspace.
    pub(super) fn step(&mut self, load: &Load<'_>, rng: &mut Rng) -> Result<(), String> {
        self.lives += 1;
        let life = rng.next_u64() << 20 | self.lives;
        let name = NAMES[rng.below(2) as usize];
        let lived = self.live(load, rng, name, life);
        lived.map_err(|wrong| format!("keyspace {name}, life {life}: {wrong}"))?;
        bump(&load.counts.passings);
        Ok(())
    }

    fn live(&self, load: &Load<'_>, rng: &mut Rng, name: &str, life: u64) -> Result<(), String> {
        let keyspace = load.db.keyspace(name).map_err(|error| told(&error))?;
        if !walk(&keyspace, &Scan::all(), false)?.is_empty() {
            return Err("something is left of another life".into());
        }
        let mut batch = WriteBatch::new();
        for number in 0..KEYS {
            batch.put(&keyspace, &number.to_be_bytes(), &life.to_le_bytes());
        }
        load.db.write(&batch).map_err(|error| told(&error))?;
        if rng.chance(1, 3) {
            load.db.flush().map_err(|error| told(&error))?;
        }
        let snapshot = load.db.snapshot();
        keyspace.delete_range(&5_u64.to_be_bytes(), &10_u64.to_be_bytes()).map_err(|error| told(&error))?;
        let now = walk(&keyspace, &Scan::all(), rng.chance(1, 2))?.len() as u64;
        let then = walk(&keyspace, &Scan::all().at(&snapshot), rng.chance(1, 2))?.len() as u64;
        if (now, then) != (KEYS - 5, KEYS) {
            return Err(format!("{now} and {then} keys show"));
        }
        load.db.drop_keyspace(&keyspace).map_err(|error| told(&error))?;
        match (keyspace.get(b"0"), keyspace.put(b"0", b"")) {
            (Err(_), Err(_)) => Ok(()),
            other => Err(format!("what is gone answers {other:?}")),
        }
    }
}

/// Looks at whatever lives; it may go at any moment.
pub(super) fn look(load: &Load<'_>) -> Result<(), String> {
    std::thread::yield_now();
    for name in NAMES {
        match load.db.find_keyspace(name) {
            Ok(keyspace) => see(&keyspace).map_err(|wrong| format!("keyspace {name}: {wrong}"))?,
            Err(Error::NoKeyspace { .. }) => {}
            Err(error) => return Err(told(&error)),
        }
    }
    Ok(())
}

fn see(keyspace: &Keyspace) -> Result<(), String> {
    let Ok(items) = keyspace.scan(Scan::all()) else { return Ok(()) };
    let (mut lives, mut count) = (BTreeSet::new(), 0);
    for item in items {
        let (_, life) = item.map_err(|error| format!("a scan that was begun ends: {}", told(&error)))?;
        lives.insert(life);
        count += 1;
    }
    // All of the one batch, with or without what was deleted since; nothing before it.
    let is_right = lives.len() <= 1 && [0, KEYS - 5, KEYS].contains(&count);
    if is_right { Ok(()) } else { Err(format!("{count} keys of {} lives show", lives.len())) }
}
