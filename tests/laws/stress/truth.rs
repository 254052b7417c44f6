//! What threads that write to a store have written so far, and whether an answer fits it.
//!
//! Each group of keys has one writer, and each write is one batch: it gives every key of a group, in both
//! keyspaces, its next version, and the writer's counter its next number. So one counter says which version each
//! group of its writer must have, in either keyspace; an answer between two writes fits nothing.
//!
//! A counter also holds how far its writer knew the others to be when it began. Who shows it shows at least that
//! much of theirs: what is seen is a prefix of the log.
//!
//! **Invariant**: a writer's number is at least what was acknowledged to it and what any reader was shown of it, and
//! at most what it began; a judge takes the lower bound before the question and the upper one after the answer.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use lsm_io::Rng;
use parking_lot::Mutex;

/// How many write.
pub(super) const WRITERS: usize = 3;
/// Groups of keys; each belongs to the writer whose number is left when divided by [`WRITERS`].
pub(super) const GROUPS: usize = 90;
/// Keys of a group, in each keyspace.
pub(super) const MEMBERS: usize = 3;

/// How many of its writes each writer has made.
pub(super) type Moment = [u64; WRITERS];

/// What a keyspace shows, in order.
pub(super) type Shown = Vec<(Bytes, Bytes)>;

/// What was written.
#[derive(Debug)]
pub(super) struct Truth {
    writers: Vec<Writer>,
    /// The number of the write that made each version of each group.
    groups: Vec<Mutex<Vec<u64>>>,
}

#[derive(Debug, Default)]
struct Writer {
    begun: AtomicU64,
    /// Acknowledged, or shown to somebody.
    seen: AtomicU64,
}

/// One write, begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) number: u64,
    pub(super) version: u64,
    known: Moment,
}

/// How a version comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Making {
    Put,
    Delete,
    DeleteRange,
}

pub(super) fn making(version: u64) -> Making {
    match version {
        version if version.is_multiple_of(11) => Making::DeleteRange,
        version if version.is_multiple_of(5) => Making::Delete,
        _ => Making::Put,
    }
}

/// Before every key of a group, and before nothing of the group before it.
pub(super) fn prefix(group: usize) -> Vec<u8> {
    format!("group/{group:04}/").into_bytes()
}

pub(super) fn key(group: usize, member: usize) -> Vec<u8> {
    [prefix(group), member.to_string().into_bytes()].concat()
}

pub(super) fn counter(writer: usize) -> Vec<u8> {
    format!("counter/{writer}").into_bytes()
}

/// What a member holds; a version that deletes, and the one before the first, hold nothing.
pub(super) fn value(group: usize, member: usize, version: u64) -> Option<Vec<u8>> {
    if making(version) != Making::Put {
        return None;
    }
    let mut rng = Rng::new(version * 10_000 + (group * MEMBERS + member) as u64);
    let filler = (0..rng.below(400)).map(|_| rng.next_u64() as u8);
    Some(version.to_le_bytes().into_iter().chain(filler.collect::<Vec<_>>()).collect())
}

impl Begun {
    pub(super) fn counter_value(&self) -> Vec<u8> {
        let numbers = std::iter::once(self.number).chain(self.known);
        numbers.flat_map(u64::to_le_bytes).collect()
    }
}

impl Truth {
    pub(super) fn new() -> Self {
        let writers = (0..WRITERS).map(|_| Writer::default()).collect();
        Self { writers, groups: (0..GROUPS).map(|_| Mutex::default()).collect() }
    }

    /// What everybody must see who asks from now on.
    pub(super) fn seen(&self) -> Moment {
        self.moment(|writer| &writer.seen)
    }

    /// More than anybody can have seen whose answer is there.
    pub(super) fn begun(&self) -> Moment {
        self.moment(|writer| &writer.begun)
    }

    fn moment(&self, of: impl Fn(&Writer) -> &AtomicU64) -> Moment {
        std::array::from_fn(|writer| of(&self.writers[writer]).load(Ordering::SeqCst))
    }

    /// The next write of a writer; it makes one at a time.
    pub(super) fn begin(&self, writer: usize, group: usize) -> Begun {
        let number = self.writers[writer].begun.load(Ordering::SeqCst) + 1;
        let mut versions = self.groups[group].lock();
        versions.push(number);
        let version = versions.len() as u64;
        drop(versions);
        let known = self.seen();
        self.writers[writer].begun.store(number, Ordering::SeqCst);
        Begun { number, version, known }
    }

    /// From now on everybody must see so much of a writer.
    pub(super) fn show(&self, writer: usize, number: u64) {
        self.writers[writer].seen.fetch_max(number, Ordering::SeqCst);
    }

    pub(super) fn show_all(&self, moment: Moment) {
        moment.into_iter().enumerate().for_each(|(writer, number)| self.show(writer, number));
    }

    /// Which version a group has once its writer made so many writes.
    fn version_at(&self, group: usize, number: u64) -> u64 {
        self.groups[group].lock().partition_point(|&made| made <= number) as u64
    }

    /// Whether one key's answer was right at some time between two moments.
    pub(super) fn judge_one(
        &self,
        (group, member): (usize, usize),
        found: Option<&[u8]>,
        from: Moment,
        to: Moment,
    ) -> Result<(), String> {
        let writer = group % WRITERS;
        let versions = self.version_at(group, from[writer])..=self.version_at(group, to[writer]);
        let right = versions.clone().find(|&version| value(group, member, version).as_deref() == found);
        match (right, found) {
            (Some(version), Some(_)) => {
                self.show(writer, self.groups[group].lock()[version as usize - 1]);
                Ok(())
            }
            (Some(_), None) => Ok(()),
            (None, _) => {
                let shown = shown(found);
                Err(format!("group {group}, key {member}: {shown} is none of versions {versions:?}"))
            }
        }
    }

    /// Whether the keys of one group have one version, which it had between two moments.
    pub(super) fn judge_group(
        &self,
        group: usize,
        found: &Shown,
        from: Moment,
        to: Moment,
    ) -> Result<(), String> {
        let writer = group % WRITERS;
        let versions = self.version_at(group, from[writer])..=self.version_at(group, to[writer]);
        let fits = |version: &u64| {
            let members = (0..MEMBERS).filter_map(|at| Some((key(group, at), value(group, at, *version)?)));
            members.eq(found.iter().map(|(key, value)| (key.to_vec(), value.to_vec())))
        };
        let right = versions.clone().find(fits);
        let held: Vec<_> = found.iter().map(|(_, value)| shown(Some(value))).collect();
        right.map(|_| ()).ok_or_else(|| format!("group {group}: {held:?} is none of versions {versions:?}"))
    }

    /// Which moment it is that a keyspace shows; it fits none if a batch shows by halves or out of order.
    pub(super) fn judge_all(&self, found: &Shown, from: Moment, to: Moment) -> Result<Moment, String> {
        let found: BTreeMap<&[u8], &[u8]> = found.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        let mut moment = Moment::default();
        let mut known = Moment::default();
        for (writer, number) in moment.iter_mut().enumerate() {
            let Some(held) = found.get(&counter(writer)[..]) else { continue };
            let mut numbers = held.chunks(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()));
            *number = numbers.next().unwrap_or_default();
            known.iter_mut().zip(numbers).for_each(|(known, number)| *known = number.max(*known));
        }
        let is_within = |low: Moment, high: Moment| low.iter().zip(high).all(|(&low, high)| low <= high);
        if !is_within(from, moment) || !is_within(moment, to) {
            return Err(format!("writes up to {moment:?} show, not between {from:?} and {to:?}"));
        }
        if !is_within(known, moment) {
            return Err(format!("writes up to {moment:?} show, one of them made after {known:?}"));
        }
        self.compare(&found, moment)?;
        self.show_all(moment);
        Ok(moment)
    }

    fn compare(&self, found: &BTreeMap<&[u8], &[u8]>, moment: Moment) -> Result<(), String> {
        let mut count = moment.iter().filter(|&&number| number > 0).count();
        for group in 0..GROUPS {
            let version = self.version_at(group, moment[group % WRITERS]);
            for member in 0..MEMBERS {
                let found = found.get(&key(group, member)[..]).copied();
                count += usize::from(found.is_some());
                if value(group, member, version).as_deref() != found {
                    let shown = shown(found);
                    let what = format!("group {group}, key {member}: {shown} is not version {version}");
                    return Err(format!("at {moment:?}, {what}"));
                }
            }
        }
        let more = found.len() - count;
        if more == 0 { Ok(()) } else { Err(format!("{more} keys show that nobody wrote")) }
    }
}

/// A value, in words.
fn shown(found: Option<&[u8]>) -> String {
    let version = |held: &[u8]| held.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    found.map_or_else(
        || "nothing".into(),
        |held| format!("what says of itself to be version {}, {} bytes,", version(held), held.len()),
    )
}

/// An error with its causes.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
