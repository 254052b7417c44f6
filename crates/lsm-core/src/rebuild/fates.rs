//! Which of the tables that were found live: pure, from what they say of themselves and of each other.
//!
//! **Invariant**: a table that may have been replaced does not live, for it may hold what was deleted since. A table
//! lives unless another says otherwise, or it is of another store.
//!
//! A job replaced its inputs if all its parts are there, or if an input is not: inputs go only once the job is on
//! record. Where a part is missing and every input is there, the job was cut short, and its parts go instead. Of two
//! jobs with an input in common the earlier one came to nothing, since a job claims what it takes.
//!
//! Whatever was replaced longer ago is told by the list of living tables that each table carries: a file that
//! somebody put back is not on the last one. A file that is on it and cannot be read is lost.

use std::collections::{BTreeMap, BTreeSet};

use page_ecc::Uid;
use sst_format::SeqNo;

use super::found::Found;
use crate::{
    FileId, TreeId,
    manifest::relics::Relics,
    pedigree::{Living, MadeBy},
};

/// What becomes of a file that bears the name of a table.
///
/// ```
/// assert!(lsm_core::TableFate::Living.is_living() && !lsm_core::TableFate::Replaced.is_living());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TableFate {
    /// It is one of the store's tables.
    Living,
    /// Others took its place; it may hold what was deleted since.
    Replaced,
    /// It is of a job that was cut short, whose inputs are all there.
    Unfinished,
    /// Its keyspace was dropped.
    Dropped,
    /// It is of another store.
    Foreign,
    /// It is of another store that was made from the same checkpoint.
    OtherBranch,
    /// It is a copy under the number of another table.
    Misnamed,
    /// It says nothing of whose it is.
    Nameless,
    /// Too little is left to tell what it is.
    Unreadable,
}

impl TableFate {
    /// Whether the store keeps it.
    #[must_use]
    pub const fn is_living(self) -> bool {
        matches!(self, Self::Living)
    }

    /// Whether it is the store's table of the number that it bears.
    pub(super) const fn is_of_its_number(self) -> bool {
        matches!(self, Self::Living | Self::Replaced | Self::Unfinished | Self::Dropped)
    }
}

impl std::fmt::Display for TableFate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Living => "it is one of the store's tables",
            Self::Replaced => "others took its place; it may hold what was deleted since",
            Self::Unfinished => "a compaction that was cut short left it; its inputs are all there",
            Self::Dropped => "its keyspace was dropped",
            Self::Foreign => "it is of another store",
            Self::OtherBranch => "it is of another store made from the same checkpoint",
            Self::Misnamed => "it is a copy under the number of another table",
            Self::Nameless => "it does not say whose it is",
            Self::Unreadable => "too little is left to tell what it is",
        })
    }
}

/// Who the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) origin: Uid,
    pub(super) store: Uid,
}

/// A table as evidence: where it is matters only for whether it can live.
pub(super) struct Witnessed<'a> {
    pub(super) found: &'a Found,
    pub(super) is_aside: bool,
}

/// A job, as its parts tell of it.
#[derive(Debug, Default)]
struct Told {
    /// By piece and part.
    parts: BTreeMap<(u8, u32), FileId>,
    /// The last part of each piece.
    last: BTreeMap<u8, u32>,
    last_piece: u8,
    inputs: BTreeSet<FileId>,
    is_merge: bool,
}

impl Told {
    fn is_whole(&self) -> bool {
        let is_there = |piece| {
            let last = self.last.get(&piece);
            last.is_some_and(|&last| (0..=last).all(|part| self.parts.contains_key(&(piece, part))))
        };
        (0..=self.last_piece).all(is_there)
    }
}

/// Says of a table what sets it apart from the store's own, if anything does. A store that was made from another has
/// what that had before.
fn strangers(identity: Identity, all: &[Witnessed<'_>]) -> impl Fn(&Found) -> Option<TableFate> {
    let own_from = all.iter().filter(|one| one.found.pedigree.store == identity.store);
    let own_from = own_from.map(|one| one.found.pedigree.file).min();
    move |found: &Found| {
        let pedigree = &found.pedigree;
        if pedigree.origin != identity.origin {
            Some(TableFate::Foreign)
        } else if pedigree.store != identity.store && own_from.is_some_and(|own| pedigree.file >= own) {
            Some(TableFate::OtherBranch)
        } else {
            (pedigree.file != found.meta.id).then_some(TableFate::Misnamed)
        }
    }
}

/// The store's own tables.
pub(super) fn own<'a>(identity: Identity, all: &'a [Witnessed<'a>]) -> Vec<&'a Witnessed<'a>> {
    let stranger = strangers(identity, all);
    all.iter().filter(|one| stranger(one.found).is_none()).collect()
}

/// What became of each table that does not stand aside, by its number.
pub(super) fn fates(
    identity: Identity,
    all: &[Witnessed<'_>],
    relics: &Relics,
) -> BTreeMap<FileId, TableFate> {
    let (stranger, own) = (strangers(identity, all), own(identity, all));
    let dead = dead_by_kin(&own);
    let dropped = dropped(&own, relics);
    let there = all.iter().filter(|one| !one.is_aside);
    there
        .map(|one| {
            let id = one.found.meta.id;
            let fate = stranger(one.found).or_else(|| dead.get(&id).copied()).unwrap_or_else(|| {
                let is_dropped = dropped.contains(&one.found.pedigree.tree);
                if is_dropped { TableFate::Dropped } else { TableFate::Living }
            });
            (id, fate)
        })
        .collect()
}

/// Up to where everything of each tree is in its tables.
pub(super) fn flushed(all: &[&Found]) -> BTreeMap<TreeId, SeqNo> {
    let jobs = jobs(all.iter().copied());
    let mut flushed = BTreeMap::<_, SeqNo>::new();
    for found in all {
        let pedigree = &found.pedigree;
        let is_fact =
            pedigree.made_by == MadeBy::Merge || jobs.get(&pedigree.job).is_some_and(Told::is_whole);
        let upto = flushed.entry(pedigree.tree).or_default();
        if is_fact {
            *upto = (*upto).max(pedigree.flushed);
        }
    }
    flushed
}

fn jobs<'a>(all: impl Iterator<Item = &'a Found>) -> BTreeMap<FileId, Told> {
    let mut jobs = BTreeMap::<FileId, Told>::new();
    for found in all {
        let pedigree = &found.pedigree;
        let job = jobs.entry(pedigree.job).or_default();
        job.parts.insert((pedigree.share.piece, pedigree.part), pedigree.file);
        job.last_piece = pedigree.share.last;
        job.is_merge = pedigree.made_by == MadeBy::Merge;
        if pedigree.is_last {
            job.last.insert(pedigree.share.piece, pedigree.part);
        }
        job.inputs.extend(found.kin.iter().flat_map(|kin| &kin.inputs));
    }
    jobs
}

fn dead_by_kin(own: &[&Witnessed<'_>]) -> BTreeMap<FileId, TableFate> {
    let kin = own.iter().filter_map(|one| one.found.kin.as_ref());
    let gone: BTreeSet<FileId> = kin.flat_map(|kin| kin.gone.iter().copied()).collect();
    let there: BTreeSet<FileId> =
        own.iter().filter(|one| !one.is_aside).map(|one| one.found.meta.id).collect();
    let jobs = jobs(own.iter().map(|one| one.found));
    let mut last_to_take = BTreeMap::<FileId, FileId>::new();
    for (job, told) in &jobs {
        last_to_take.extend(told.inputs.iter().map(|input| (*input, *job)));
    }
    let mut dead: BTreeMap<_, _> = gone.iter().map(|table| (*table, TableFate::Replaced)).collect();
    dead.extend(over(own).map(|table| (table, TableFate::Replaced)));
    for (job, told) in jobs.iter().filter(|(_, told)| told.is_merge && !told.inputs.is_empty()) {
        let is_void = told.inputs.iter().any(|input| last_to_take[input] != *job);
        let are_all_there = told.inputs.iter().all(|input| there.contains(input) && !gone.contains(input));
        if is_void || (are_all_there && !told.is_whole()) {
            dead.extend(told.parts.values().map(|part| (*part, TableFate::Unfinished)));
        } else {
            dead.extend(told.inputs.iter().map(|input| (*input, TableFate::Replaced)));
        }
    }
    dead
}

/// Tables that were no part of the store any more when the last that tells of it was written.
fn over<'a>(own: &'a [&Witnessed<'_>]) -> impl Iterator<Item = FileId> + 'a {
    let last = last_told(own);
    let numbers = own.iter().map(|one| one.found.meta.id);
    numbers.filter(move |table| last.iter().any(|living| living.is_over(*table)))
}

/// The tree that a table lives in of which nothing can be read, as far as tables tell; else that which a piece of the
/// manifest names, unless tables tell that it was replaced.
pub(super) fn tree_of(
    identity: Identity,
    all: &[Witnessed<'_>],
    table: FileId,
    named: Option<TreeId>,
) -> Option<TreeId> {
    let own = own(identity, all);
    let told = last_told(&own);
    if told.iter().any(|living| living.is_over(table)) {
        return None;
    }
    told.iter().find_map(|living| living.tree_of(table)).or(named)
}

/// What the last tables tell of which live.
fn last_told<'a>(own: &[&'a Witnessed<'_>]) -> Vec<&'a Living> {
    let told = || own.iter().filter_map(|one| Some(&one.found.kin.as_ref()?.living));
    let last = told().map(|living| living.settled).max();
    told().filter(|living| Some(living.settled) == last).collect()
}

/// Trees that are no more, as far as anything tells: of two with one name the older.
fn dropped(own: &[&Witnessed<'_>], relics: &Relics) -> BTreeSet<TreeId> {
    let mut newest = BTreeMap::<&str, TreeId>::new();
    let known = relics.names.iter().map(|(tree, (name, _))| (&**name, *tree));
    let told =
        own.iter().filter_map(|one| Some((&*one.found.kin.as_ref()?.keyspace, one.found.pedigree.tree)));
    let named: BTreeSet<_> = known.chain(told).collect();
    for (name, tree) in &named {
        let latest = newest.entry(name).or_insert(*tree);
        *latest = (*latest).max(*tree);
    }
    let older = named.iter().filter(|(name, tree)| newest[name] != *tree).map(|(_, tree)| *tree);
    relics.dropped.iter().copied().chain(older).collect()
}
