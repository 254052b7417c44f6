//! What was written, and what may be answered of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use resilver::{Db, Error, Keyspace, LostKeys, Scan, Snapshot};

/// What a key holds; a key that was deleted stands here too.
pub(super) type Truth = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The keys that were not answered.
pub(super) type Unanswered = BTreeSet<Vec<u8>>;

/// Asks for every key: the right answer, or a loss that names the key.
pub(super) fn ask(space: &Keyspace, truth: &Truth, snapshot: Option<&Snapshot>, when: &str) -> Unanswered {
    let mut unanswered = Unanswered::new();
    for (key, value) in truth {
        let found = match snapshot {
            Some(snapshot) => space.get_at(snapshot, key),
            None => space.get(key),
        };
        match found {
            Ok(found) => {
                let found = found.map(|value| value.to_vec());
                assert_eq!(found, *value, "{when}: {} is answered wrong", key.escape_ascii());
            }
            Err(error) => {
                assert!(names(&error, key, when), "{when}: {} is not in {error}", key.escape_ascii());
                unanswered.insert(key.clone());
            }
        }
    }
    for scan in [Scan::all(), Scan::all().reverse()] {
        let scan = snapshot.map_or(scan.clone(), |snapshot| scan.at(snapshot));
        walk(space, truth, scan, &unanswered, when);
    }
    unanswered
}

fn names(error: &Error, key: &[u8], when: &str) -> bool {
    let Some(loss) = error.loss() else { panic!("{when}: {error:?}") };
    loss.from[..] <= *key && loss.to.is_none_or(|to| *key < to[..])
}

/// What a walk shows is right, and what it leaves out it says.
fn walk(space: &Keyspace, truth: &Truth, scan: Scan, unanswered: &Unanswered, when: &str) {
    let (mut shown, mut told) = (BTreeSet::new(), Vec::new());
    for item in space.scan(scan).unwrap() {
        match item {
            Ok((key, value)) => {
                let expected = truth.get(&key[..]).and_then(Option::as_deref);
                assert_eq!(expected, Some(&value[..]), "{when}: a walk at {}", key.escape_ascii());
                assert!(shown.insert(key.to_vec()), "{when}: a walk shows a key twice");
            }
            Err(error) => told.push(error),
        }
    }
    for (key, value) in truth {
        let is_told = || told.iter().any(|error| names(error, key, when));
        let is_left_out = value.is_some() && !shown.contains(key);
        assert!(!is_left_out || is_told(), "{when}: a walk leaves out {}", key.escape_ascii());
        assert!(!unanswered.contains(key) || !shown.contains(key), "{when}: {}", key.escape_ascii());
    }
}

/// That every key which is not answered is listed.
pub(super) fn check_listed(db: &Db, space: &Keyspace, unanswered: &Unanswered, when: &str) -> Vec<LostKeys> {
    let losses = db.losses().unwrap();
    let of_it: Vec<_> = losses.into_iter().filter(|loss| *loss.keyspace == *space.name()).collect();
    for key in unanswered {
        let is_listed = of_it.iter().any(|loss| loss.holds(key));
        assert!(is_listed, "{when}: {} is not listed among {of_it:?}", key.escape_ascii());
    }
    of_it
}

/// Gives everything up that is lost, and takes from the truth what is gone with it.
pub(super) fn give_up(space: &Keyspace, truth: &mut Truth, when: &str) -> u64 {
    let accepted = match space.accept_loss(Bound::Unbounded, Bound::Unbounded) {
        Ok(accepted) => accepted,
        Err(Error::NotLost { .. }) => Vec::new(),
        Err(error) => panic!("{when}: {error:?}"),
    };
    for (key, value) in truth.iter_mut() {
        let found = space.get(key).unwrap().map(|value| value.to_vec());
        if found != *value {
            assert_eq!(found, None, "{when}: {} is another", key.escape_ascii());
            let is_given_up = accepted.iter().any(|loss| loss.holds(key));
            assert!(is_given_up, "{when}: {} is gone and was not given up", key.escape_ascii());
            *value = None;
        }
    }
    accepted.len() as u64
}
