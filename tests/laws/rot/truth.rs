//! What a store must answer, key by key, and how it is asked.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use resilver::{Db, Error, Keyspace, Scan};

/// What a keyspace was told: the value of each key that was ever written, none of one that was deleted.
pub(super) type Told = BTreeMap<Vec<u8>, Option<Bytes>>;

/// What a store must answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth(pub(super) BTreeMap<&'static str, Told>);

/// What a store answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Errors, by what they say.
    pub(super) errors: Vec<String>,
    /// Wrong values, keys that are missing without an error, deleted ones that came back.
    pub(super) wrong: Vec<String>,
}

/// More of the same tells nothing new.
const LISTED_MAX: usize = 20;
/// About so many keys of a keyspace are asked for one by one.
const ASKED_MAX: usize = 5_000;

pub(super) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl Answers {
    pub(super) fn is_right(&self) -> bool {
        self.errors.is_empty() && self.wrong.is_empty()
    }

    pub(super) fn error(&mut self, at: &str, error: &Error) {
        if self.errors.len() < LISTED_MAX {
            self.errors.push(format!("{at}: {}", told(error)));
        }
    }

    fn wrong(&mut self, what: String) {
        if self.wrong.len() < LISTED_MAX {
            self.wrong.push(what);
        }
    }
}

impl Truth {
    /// Asks for every key, in a big store for one in a few, then walks over everything.
    pub(super) fn ask(&self, db: &Db) -> Answers {
        let mut answers = Answers::default();
        for (name, told) in &self.0 {
            match db.find_keyspace(name) {
                Ok(keyspace) => {
                    get_all(name, &keyspace, told, &mut answers);
                    walk(name, &keyspace, told, &mut answers);
                }
                Err(Error::NoKeyspace { .. }) => answers.wrong(format!("keyspace {name} is missing")),
                Err(error) => answers.error(name, &error),
            }
        }
        answers
    }
}

fn shown(value: Option<&[u8]>) -> String {
    value.map_or("nothing".into(), |value| {
        format!("{} bytes from {:?}", value.len(), &value[..value.len().min(8)])
    })
}

fn get_all(name: &str, keyspace: &Keyspace, told: &Told, answers: &mut Answers) {
    for (key, value) in told.iter().step_by(1 + told.len() / ASKED_MAX) {
        let at = || format!("{name} {:?}", key.escape_ascii().to_string());
        match keyspace.get(key) {
            Ok(found) if found == *value => {}
            Ok(found) => {
                let (expected, found) = (shown(value.as_deref()), shown(found.as_deref()));
                answers.wrong(format!("{}: {expected} expected, {found} found", at()));
            }
            Err(error) => answers.error(&at(), &error),
        }
    }
}

/// Walks from the first key to the last: what it shows is right, and only what a loss names may be left out. Of the
/// keys that a loss names some may be shown, for newer entries of them may stand elsewhere.
fn walk(name: &str, keyspace: &Keyspace, told: &Told, answers: &mut Answers) {
    let items = match keyspace.scan(Scan::all()) {
        Ok(items) => items,
        Err(error) => return answers.error(name, &error),
    };
    let (mut shown_keys, mut losses) = (BTreeSet::new(), Vec::new());
    for item in items {
        match item {
            Ok((key, value)) => {
                let at = || format!("{name}: a walk shows {}", key.escape_ascii());
                if told.get(&key[..]).and_then(Option::as_ref) != Some(&value) {
                    answers.wrong(format!("{} as {}", at(), shown(Some(&value))));
                }
                if shown_keys.last() >= Some(&key) {
                    answers.wrong(format!("{} behind a later key", at()));
                }
                shown_keys.insert(key);
            }
            Err(error) => {
                answers.error(&format!("{name}, a walk"), &error);
                // Any other error ends the walk.
                let everything_behind = || (shown_keys.last().cloned().unwrap_or_default(), None);
                losses.push(error.loss().map_or_else(everything_behind, |loss| (loss.from, loss.to)));
            }
        }
    }
    let is_lost = |key: &[u8]| {
        losses.iter().any(|(from, to)| from[..] <= *key && to.as_ref().is_none_or(|to| *key < to[..]))
    };
    for (key, value) in told {
        if value.is_some() && !shown_keys.contains(&key[..]) && !is_lost(key) {
            answers.wrong(format!("{name}: a walk leaves out {}", key.escape_ascii()));
        }
    }
}
