//! A scan over tables of which parts are lost, judged by a model: what it does not show, it tells of.

use sst_format::{LostRange, SeqNo};

use super::{memory::ListMemtable, model::Model, world::World};
use crate::{
    Error,
    iter::{Iter, ScanRange},
};

/// A scan that turns round, and what it has come upon.
pub(super) struct Scan<'a> {
    world: &'a World,
    model: &'a Model,
    iter: Iter<ListMemtable>,
    /// `None` until it takes its first step.
    at: Option<At>,
}

/// Where a scan came to last. What it is told of on the way from there does not take it on: if it turns round amid
/// that, it still has to show every key on the other side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Start,
    On(Vec<u8>),
    End,
}

impl<'a> Scan<'a> {
    pub(super) fn new(world: &'a World, model: &'a Model, snapshot: SeqNo) -> Self {
        let iter = Iter::new(world.view(), ScanRange::all(snapshot)).unwrap();
        Self { world, model, iter, at: None }
    }

    /// Up to so many entries one way; says what was told to be lost.
    pub(super) fn go(&mut self, is_forward: bool, steps: usize) -> Vec<LostRange> {
        let mut told = Vec::new();
        let (first, last) = if is_forward { (At::Start, At::End) } else { (At::End, At::Start) };
        for _ in 0..steps {
            let at = self.at.get_or_insert_with(|| first.clone());
            let found = if is_forward { self.iter.move_next() } else { self.iter.move_prev() };
            let found = match found {
                Ok(found) => found.map(|item| (item.key.to_vec(), item.value.to_vec())),
                // The disk refused: the next step tries again.
                Err(Error::Io(_)) => continue,
                Err(error) => {
                    told.push(lost_of(self.world, error));
                    assert!(told.len() < 1000, "a scan goes on behind what it told");
                    continue;
                }
            };
            let next = found.as_ref().map_or_else(|| last.clone(), |(key, _)| At::On(key.clone()));
            let (from, to) = if is_forward { (&*at, &next) } else { (&next, &*at) };
            assert!(from <= to, "a scan goes the way it is sent: from {at:?} to {next:?}");
            for key in self.model.entries().keys() {
                let passed = At::On(key.clone());
                let is_between = *from < passed && passed < *to;
                let is_told = told.iter().any(|lost| holds(lost, key));
                assert!(!is_between || is_told, "{} is left out", key.escape_ascii());
            }
            *at = next;
            match found {
                None => break,
                Some((key, value)) => assert_eq!(self.model.get(&key), Some(value)),
            }
        }
        told
    }
}

/// Whether a key is among those that are lost.
pub(super) fn holds(lost: &LostRange, key: &[u8]) -> bool {
    use std::ops::Bound;
    (match &lost.lower {
        Bound::Unbounded => true,
        Bound::Included(lower) => key >= lower,
        Bound::Excluded(lower) => key > lower,
    }) && match &lost.upper {
        Bound::Unbounded => true,
        Bound::Included(upper) => key <= upper,
        Bound::Excluded(upper) => key < upper,
    }
}

/// What an error says is lost, which is never more than the table it names.
pub(super) fn lost_of(world: &World, error: Error) -> LostRange {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let Error::Lost { table, lost, .. } = error else { panic!("not a loss: {error}") };
    let bounds = &world.tables.iter().find(|meta| meta.id == table).unwrap().bounds;
    let (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper)) = (&lost.lower, &lost.upper)
    else {
        panic!("a loss without bounds: {lost:?}")
    };
    assert!(bounds.smallest <= lower && *upper <= bounds.largest, "{lost:?} of {bounds:?}");
    assert!(![&lost.lower, &lost.upper].contains(&&Unbounded));
    *lost
}
