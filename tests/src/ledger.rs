//! What was done to a store so far, what of it was acknowledged, and so what a crash may leave.
//!
//! Batches and keyspaces are two rows: a keyspace is durable once it is there, while batches before it may only
//! be buffered. Within each row what is left is a prefix.

use std::ops::RangeInclusive;

use crate::{
    history::KEYSPACES,
    model::{Contents, Life, Model, Spaces},
    subject::Dump,
};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It alone: the disk keeps what it was given.
    Killed,
    /// With the power.
    PowerCut,
}

/// What was done, and what a crash may leave of it.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// What is true if nothing is lost.
    pub now: Model,
    /// What was true after so many batches; a keyspace's contents stay here after its end.
    batches: Vec<Contents>,
    /// Which keyspaces there were after so many changes of them.
    spaces: Vec<Spaces>,
    acked: usize,
    synced: usize,
    spaces_acked: usize,
    /// Whether opening was acknowledged.
    pub is_there: bool,
    /// How often it was settled.
    settled: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        let now = Model::default();
        Self {
            batches: vec![now.contents.clone()],
            spaces: vec![now.spaces],
            now,
            acked: 0,
            synced: 0,
            spaces_acked: 0,
            is_there: false,
            settled: 0,
        }
    }
}

impl Ledger {
    /// A batch is about to be written that leads to `next`.
    pub fn begin_batch(&mut self, next: Model) {
        let mut contents = next.contents.clone();
        // Those that ended stay as they were, for should their end be lost.
        for (life, keys) in &self.batches[self.batches.len() - 1] {
            if !next.spaces.contains(&Some(*life)) {
                contents.insert(*life, keys.clone());
            }
        }
        self.batches.push(contents);
        self.now = next;
    }

    /// The batch that was begun last is acknowledged; synced, so is all before.
    pub fn ack_batch(&mut self, synced: bool) {
        self.acked = self.batches.len() - 1;
        if synced {
            self.ack_sync();
        }
    }

    /// Everything acknowledged is durable.
    pub fn ack_sync(&mut self) {
        self.synced = self.acked;
    }

    /// A keyspace is about to come or go, which leads to `next`.
    pub fn begin_spaces(&mut self, next: Model) {
        self.spaces.push(next.spaces);
        self.now = next;
    }

    /// It did.
    pub fn ack_spaces(&mut self) {
        self.spaces_acked = self.spaces.len() - 1;
    }

    /// What is still certain after an end of the process.
    #[must_use]
    pub fn after(&self, end: End) -> Self {
        let mut left = self.clone();
        if end == End::PowerCut {
            left.acked = left.synced;
        }
        left
    }

    /// What a disk seen between two moments may leave: what was begun by the later one, what was acknowledged by
    /// the earlier one. None if the store was opened in between.
    #[must_use]
    pub fn between(earlier: &Self, later: Self) -> Option<Self> {
        let Self { acked, synced, spaces_acked, is_there, .. } = *earlier;
        (earlier.settled == later.settled).then_some(Self { acked, synced, spaces_acked, is_there, ..later })
    }

    fn batches_left(&self) -> RangeInclusive<usize> {
        self.acked..=self.batches.len() - 1
    }

    /// What a store that was opened again must be; from then on, that is what is there, and durable.
    ///
    /// # Errors
    /// If it is nothing that may be left.
    pub fn settle(&mut self, found: &Dump) -> Result<(), String> {
        let spaces =
            (self.spaces_acked..self.spaces.len()).rev().find(|at| fits_spaces(&self.spaces[*at], found));
        let Some(spaces) = spaces.map(|at| self.spaces[at]) else {
            let there: Vec<_> = found.iter().map(Option::is_some).collect();
            return Err(format!("keyspaces {there:?}, legal from {:?}", &self.spaces[self.spaces_acked..]));
        };
        let mut left = self.batches_left().rev();
        let Some(batch) = left.find(|at| fits(&self.batches[*at], &spaces, found)) else {
            let other = (0..self.batches.len()).find(|at| fits(&self.batches[*at], &spaces, found));
            let legal = self.batches_left();
            return Err(match other {
                Some(other) => format!("the state after batch {other} is there, legal are {legal:?}"),
                None => format!(
                    "no state after any batch is there, legal are {legal:?}; {}",
                    difference(&self.batches[*legal.end()], &spaces, found)
                ),
            });
        };
        self.batches.truncate(batch + 1);
        self.spaces = vec![spaces];
        (self.acked, self.synced, self.spaces_acked) = (batch, batch, 0);
        self.now.restore(spaces, &self.batches[batch]);
        self.is_there = true;
        self.settled += 1;
        Ok(())
    }
}

fn fits_spaces(spaces: &Spaces, found: &Dump) -> bool {
    (0..KEYSPACES).all(|at| spaces[at].is_some() == found[at].is_some())
}

fn fits(contents: &Contents, spaces: &Spaces, found: &Dump) -> bool {
    (0..KEYSPACES).all(|at| match (spaces[at], &found[at]) {
        (Some(life), Some(keys)) => keys_fit(contents, life, keys),
        (space, keys) => space.is_none() && keys.is_none(),
    })
}

fn keys_fit(contents: &Contents, life: Life, found: &crate::model::Keys) -> bool {
    contents.get(&life).map_or(found.is_empty(), |keys| **keys == *found)
}

/// The first key that is other than in `contents`.
fn difference(contents: &Contents, spaces: &Spaces, found: &Dump) -> String {
    let name = |bytes: Option<&bytes::Bytes>| {
        bytes.map(|bytes| format!("{} bytes from {:?}", bytes.len(), &bytes[..bytes.len().min(6)]))
    };
    for (at, (life, found)) in spaces.iter().zip(found).enumerate() {
        let (Some(life), Some(found)) = (life, found) else { continue };
        let expected = contents.get(life).cloned().unwrap_or_default();
        for key in expected.keys().chain(found.keys()) {
            if expected.get(key) != found.get(key) {
                let key_shown = String::from_utf8_lossy(&key[..key.len().min(20)]).into_owned();
                let (was, is) = (name(expected.get(key)), name(found.get(key)));
                return format!("keyspace {at}, {key_shown:?}: {was:?} expected at the newest, {is:?} found");
            }
        }
    }
    "none differs from the newest".into()
}
